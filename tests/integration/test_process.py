"""Running programs: their words, their ends and what they leave behind. On real children."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import shlex
import signal
import struct
import sys
import termios
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from wasmctl.errors import ToolFailed, ToolMissing, UsageError
from wasmctl.process import Completed, capture, follow
from wasmctl.programs import find_program

ENV = {"PATH": os.environ["PATH"], "HOME": "/", "TERM": "xterm-256color"}


def shell(script: str, **options: object) -> Completed:
    """Follow a shell script quietly."""
    defaults: dict[str, object] = {"cwd": Path("/"), "live": None, "stdin_terminal": False}
    return follow(["sh", "-c", script], env=ENV, **{**defaults, **options})  # type: ignore[arg-type]


class Screen:
    """A terminal of a given size that keeps what is written to it, as slowly as wished."""

    def __init__(self, rows: int = 24, columns: int = 80, pause: float = 0.0) -> None:
        self.master, self.slave = pty.openpty()
        self.resize(rows, columns)
        self.pause = pause
        self.chunks: list[bytes] = []
        self._thread = threading.Thread(target=self._show)
        self._thread.start()

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def close(self) -> bytes:
        os.close(self.slave)
        self._thread.join(30)
        assert not self._thread.is_alive()
        os.close(self.master)
        return b"".join(self.chunks)

    def _show(self) -> None:
        while True:
            try:
                chunk = os.read(self.master, 65536)
            except OSError:
                return
            if not chunk:
                return
            self.chunks.append(chunk)
            time.sleep(self.pause)


@pytest.fixture
def screen() -> Iterator[Screen]:
    made = Screen()
    yield made
    if made._thread.is_alive():
        made.close()


def test_streams_and_exit_code_are_told_apart() -> None:
    done = capture(["sh", "-c", "echo out; echo err >&2; exit 7"], env=ENV)
    assert (done.stdout, done.stderr, done.exit_code) == ("out\n", "err\n", 7)


def test_a_signal_is_told_as_a_negative_exit_code() -> None:
    assert capture(["sh", "-c", "kill -9 $$"], env=ENV).exit_code == -9


def test_stdin_reaches_the_program_whole() -> None:
    data = b"0123456789" * 300_000
    done = capture(["wc", "-c"], env=ENV, stdin=data)
    assert int(done.stdout) == len(data)


def test_a_program_need_not_read_its_stdin() -> None:
    assert capture(["true"], env=ENV, stdin=b"x" * 3_000_000).exit_code == 0


def test_the_environment_is_the_given_one_and_no_more() -> None:
    done = capture(["/usr/bin/env"], env={"ONLY": "this"})
    assert done.stdout == "ONLY=this\n"


def test_a_programs_talk_is_one_stream_in_its_order() -> None:
    done = shell("echo 1; echo 2 >&2; echo 3")
    assert (done.stdout, done.stderr) == ("", "1\n2\n3\n")


def test_data_is_kept_apart_from_talk() -> None:
    done = shell("echo data; echo talk >&2", stdout_apart=True)
    assert (done.stdout, done.stderr) == ("data\n", "talk\n")


def test_ten_megabytes_come_whole_and_in_order_on_both_streams() -> None:
    done = shell("seq 1 900000 & seq 1 900000 >&2; wait", stdout_apart=True)
    expected = "".join(f"{number}\n" for number in range(1, 900_001))
    assert done.stdout == expected
    assert done.stderr == expected


def test_ten_megabytes_come_whole_and_in_order_through_a_terminal(
    screen: Screen, tmp_path: Path
) -> None:
    expected = "".join(f"{number}\n" for number in range(1, 1_500_001))
    assert len(expected) > 10e6
    (tmp_path / "words").write_text(expected)
    done = shell("cat words", live=screen.slave, cwd=tmp_path)
    assert done.stderr == expected
    # The real terminal adds the carriage returns, as it does for the tool alone.
    assert screen.close() == expected.replace("\n", "\r\n").encode()


def test_a_terminal_stays_one_of_the_same_size(screen: Screen) -> None:
    screen.resize(33, 111)
    done = shell("test -t 1 && test -t 2 && stty size <&2", live=screen.slave)
    assert (done.exit_code, done.stderr) == (0, "33 111\n")


def test_a_new_size_of_the_terminal_reaches_the_program(screen: Screen) -> None:
    resized = threading.Timer(0.3, lambda: screen.resize(40, 50))
    resized.start()
    script = "stty size <&2; sleep 0.6; echo more; sleep 0.1; stty size <&2"
    assert shell(script, live=screen.slave).stderr == "24 80\nmore\n40 50\n"


def test_colours_are_kept(screen: Screen) -> None:
    script = "ls -d --color=auto /"
    assert "\x1b[" in shell(script, live=screen.slave).stderr
    assert "\x1b[" not in shell(script).stderr


def test_a_line_that_was_cut_off_is_ended(screen: Screen) -> None:
    shell("printf 'no end'", live=screen.slave)
    shell("printf 'bar [==  ]\\r'", live=screen.slave)
    shell("echo end", live=screen.slave)
    shell("true", live=screen.slave)
    assert screen.close() == b"no end\r\nbar [==  ]\r\r\x1b[Kend\r\n"


@pytest.mark.parametrize("terminal", [True, False])
def test_a_program_may_close_its_streams_and_work_on(screen: Screen, terminal: bool) -> None:
    done = shell(
        "echo last words; exec >&- 2>&-; sleep 0.3; exit 5",
        live=screen.slave if terminal else None,
    )
    assert (done.stderr, done.exit_code) == ("last words\n", 5)
    assert done.seconds > 0.3


@pytest.mark.parametrize("quiet", [True, False])
def test_a_daemon_left_behind_holds_nobody_up(quiet: bool) -> None:
    daemon = "sleep 20" if quiet else "while :; do echo noise; sleep 0.05; done"
    started = time.monotonic()
    done = shell(f"({daemon}) & echo $!; echo done")
    number, _, rest = done.stderr.partition("\n")
    os.kill(int(number), signal.SIGKILL)
    assert rest.replace("noise\n", "") == "done\n"
    assert time.monotonic() - started < 10


def test_a_daemon_holds_up_no_captured_program_either() -> None:
    done = capture(["sh", "-c", "sleep 20 & echo $!"], env=ENV)
    os.kill(int(done.stdout), signal.SIGKILL)
    assert done.seconds < 5


def test_output_that_is_not_utf8_is_escaped() -> None:
    assert shell(r"printf 'caf\351 \342\202\254\n'").stderr == "caf\\xe9 €\n"


def test_a_program_that_does_not_answer_is_stopped_with_all_it_started(tmp_path: Path) -> None:
    note = tmp_path / "pids"
    script = (
        f"trap '' INT TERM; sleep 60 & echo $! >{shlex.quote(str(note))}; echo $$ >>{note}; wait"
    )
    with pytest.raises(ToolFailed, match=r"did not answer within 0\.5 s"):
        capture(["sh", "-c", script], env=ENV, timeout=0.5)
    for number in note.read_text().split():
        assert not alive(int(number))


def test_a_missing_folder_is_not_the_tools_fault(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"in the folder `{tmp_path}/gone`: no such file"):
        capture(["true"], env=ENV, cwd=tmp_path / "gone")


def test_a_file_in_the_folders_place_is_not_the_tools_fault(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="not a directory"):
        follow(["true"], env=ENV, cwd=tmp_path / "file", live=None, stdin_terminal=True)


def test_a_program_that_is_not_there_is_named() -> None:
    with pytest.raises(ToolMissing, match="`/nowhere/cargo` cannot be run: no such file"):
        capture(["/nowhere/cargo"], env=ENV)


def test_a_program_that_may_not_be_run_is_named(tmp_path: Path) -> None:
    program = tmp_path / "tool"
    program.write_text("#!/bin/sh\n")
    with pytest.raises(ToolMissing, match="permission denied"):
        capture([program], env=ENV)


def test_a_program_of_another_format_is_named(tmp_path: Path) -> None:
    program = tmp_path / "tool"
    program.write_bytes(b"\x7fELF nonsense")
    program.chmod(0o755)
    with pytest.raises(ToolMissing, match="exec format error") as caught:
        capture([program], env=ENV)
    assert caught.value.hint is not None
    assert "built for this machine" in caught.value.hint


def test_a_missing_interpreter_is_told_from_a_missing_program(tmp_path: Path) -> None:
    program = tmp_path / "tool"
    program.write_text("#!/nowhere/python3\n")
    program.chmod(0o755)
    with pytest.raises(ToolMissing, match="interpreter or loader that it asks for is not there"):
        capture([program], env=ENV)


@pytest.mark.parametrize(
    ("argv", "env"), [(["true", "a\0b"], ENV), (["true"], {**ENV, "A=B": "c"})]
)
def test_what_no_program_can_be_given_is_a_usage_error(
    argv: list[str], env: dict[str, str]
) -> None:
    with pytest.raises(UsageError, match="`true` cannot be given its arguments or environment"):
        capture(argv, env=env)


def test_programs_are_found_on_the_environments_own_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "bin/tool"
    program.parent.mkdir()
    program.touch(0o755)
    monkeypatch.chdir(tmp_path)
    assert find_program("tool", {"PATH": "bin"}) == program
    assert find_program("tool", {"PATH": "/nowhere"}) is None
    assert find_program("tool", {"PATH": ""}) is None


def test_descriptors_and_threads_do_not_pile_up(screen: Screen) -> None:
    def held() -> tuple[int, int]:
        return len([*Path("/proc/self/fd").iterdir()]), threading.active_count()

    before = held()
    for _ in range(20):
        capture(["cat"], env=ENV, stdin=b"x")
        shell("true", live=screen.slave)
        shell("sleep 0.2 & exit 3", stdout_apart=True)
        with pytest.raises(ToolMissing):
            capture(["/nowhere"], env=ENV)
    time.sleep(0.1)
    assert held() == before


def test_a_terminal_that_has_gone_ends_no_work() -> None:
    screen = Screen()
    closed = os.dup(screen.slave)
    os.close(closed)
    done = shell("seq 1 100000", live=closed)
    assert done.stderr.endswith("\n100000\n")
    screen.close()


def test_a_terminal_that_hangs_up_in_the_middle_ends_no_work() -> None:
    screen = Screen()
    done: list[Completed] = []
    script = "seq 1 1000; sleep 0.5; seq 1 100000; exit 4"
    worker = threading.Thread(target=lambda: done.append(shell(script, live=screen.slave)))
    worker.start()
    time.sleep(0.3)
    os.dup2(os.open("/dev/null", os.O_RDONLY), screen.master)  # the master side closes
    worker.join(20)
    assert not worker.is_alive()
    assert (done[0].exit_code, done[0].stderr[-8:]) == (4, "\n100000\n")
    os.close(screen.slave)
    screen._thread.join(20)


def test_a_slow_terminal_gets_everything() -> None:
    screen = Screen(pause=0.02)
    shell("seq 1 40000", live=screen.slave)
    expected = "".join(f"{number}\r\n" for number in range(1, 40_001))
    assert screen.close().decode() == expected


def test_a_terminal_that_was_made_non_blocking_gets_everything() -> None:
    screen = Screen(pause=0.01)
    os.set_blocking(screen.slave, False)
    shell("seq 1 40000", live=screen.slave)
    assert screen.close().endswith(b"\n40000\r\n")


def test_a_quiet_program_has_no_terminal_to_ask_at() -> None:
    # Run in a session that has a controlling terminal, which the program must not get at.
    script = (
        "import os, sys; from pathlib import Path; from wasmctl.process import capture, follow\n"
        "ask = ['sh', '-c', 'read answer </dev/tty']\n"
        "env = dict(os.environ)\n"
        "first = capture(ask, env=env, timeout=5)\n"
        "second = follow(ask, env=env, cwd=Path('/'), live=None, stdin_terminal=False)\n"
        "print(first.exit_code, second.exit_code, 'ended')\n"
    )
    number, master = pty.fork()
    if number == 0:
        os.execv(sys.executable, [sys.executable, "-c", script])  # pragma: no cover
    shown = b""
    while select.select([master], [], [], 20)[0]:
        try:
            shown += os.read(master, 1000)
        except OSError:
            break
    os.waitpid(number, 0)
    os.close(master)
    assert shown.split()[:3] in ([b"1", b"1", b"ended"], [b"2", b"2", b"ended"])


def alive(number: int) -> bool:
    try:
        state = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
