"""Programs that run until they are stopped, and what is left of them. On real children."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from wasmctl.errors import ToolMissing, UsageError
from wasmctl.process import Service, piping, serving

ENV = {"PATH": os.environ["PATH"], "HOME": "/"}


def until(holds: Callable[[], object], *, seconds: float = 10.0) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.01)


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def group_of(pid: int) -> list[int]:
    """Return the living processes of a group."""
    found = []
    for process in psutil.process_iter():
        try:
            if os.getpgid(process.pid) == pid and not is_gone(process.pid):
                found.append(process.pid)
        except ProcessLookupError:
            continue
    return found


def test_both_streams_go_to_the_file(tmp_path: Path) -> None:
    output = tmp_path / "said"
    output.write_text("before\n")
    script = "echo out; echo err >&2; exit 7"
    with serving(["sh", "-c", script], env=ENV, cwd=tmp_path, output=output) as service:
        until(lambda: service.exit_code is not None)
        assert service.exit_code == 7
    assert output.read_text() == "before\nout\nerr\n"


def test_a_running_service_has_no_exit_code_and_nothing_to_read(tmp_path: Path) -> None:
    script = 'read -r line; echo "got [$line]"; exec sleep 60'
    output = tmp_path / "said"
    with serving(["sh", "-c", script], env=ENV, cwd=tmp_path, output=output) as service:
        until(output.read_text)
        assert service.exit_code is None
        assert output.read_text() == "got []\n"
    assert service.exit_code == -signal.SIGINT


def test_the_pid_is_that_of_the_program(tmp_path: Path) -> None:
    output = tmp_path / "said"
    argv = ["sh", "-c", "echo $$; exec sleep 60"]
    with serving(argv, env=ENV, cwd=tmp_path, output=output) as service:
        until(output.read_text)
        assert int(output.read_text()) == service.pid


def test_arguments_arrive_as_they_are(tmp_path: Path) -> None:
    output = tmp_path / "said"
    argv = ["printf", "%s|", "a b", "$HOME", "*", "", "'\"\\"]
    with serving(argv, env=ENV, cwd=tmp_path, output=output) as service:
        until(lambda: service.exit_code == 0)
    assert output.read_text() == "a b|$HOME|*||'\"\\|"


def stubborn() -> list[str]:
    """A program that ignores every request to end, and so does its child."""
    script = "trap '' INT TERM; sleep 60 & echo $!; wait; wait; exec sleep 60"
    return ["sh", "-c", script]


@pytest.mark.parametrize("end", [Service.stop, Service.kill], ids=["stop", "kill"])
def test_a_service_that_does_not_listen_is_killed_with_its_children(
    tmp_path: Path, end: Callable[[Service], None]
) -> None:
    output = tmp_path / "said"
    argv = stubborn()
    with serving(argv, env=ENV, cwd=tmp_path, output=output) as service:
        until(output.read_text)
        end(service)
        until(lambda: service.exit_code == -signal.SIGKILL)
        until(lambda: not group_of(service.pid))


def test_a_service_that_is_asked_to_end_may_take_its_time(tmp_path: Path) -> None:
    output = tmp_path / "said"
    script = "trap 'echo bye; exit 3' TERM; echo up; while :; do :; done"
    with serving(["sh", "-c", script], env=ENV, cwd=tmp_path, output=output) as service:
        until(output.read_text)
        service.terminate()
        until(lambda: service.exit_code == 3)
    assert output.read_text() == "up\nbye\n"


def test_nothing_is_left_when_the_block_fails(tmp_path: Path) -> None:
    argv = ["sleep", "60"]
    with (
        pytest.raises(RuntimeError),
        serving(argv, env=ENV, cwd=tmp_path, output=tmp_path / "said") as service,
    ):
        raise RuntimeError
    assert service.exit_code is not None
    until(lambda: not group_of(service.pid))


def test_nothing_is_left_of_a_service_that_ended_itself(tmp_path: Path) -> None:
    output = tmp_path / "said"
    argv = ["sh", "-c", "sleep 60 & exit 0"]
    with serving(argv, env=ENV, cwd=tmp_path, output=output) as service:
        until(lambda: service.exit_code == 0)
        assert group_of(service.pid)
    until(lambda: not group_of(service.pid))


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    before = len([*Path("/dev/fd").iterdir()])
    for _ in range(3):
        with serving(["sleep", "60"], env=ENV, cwd=tmp_path, output=tmp_path / "said"):
            pass
    assert len([*Path("/dev/fd").iterdir()]) == before


_OWNER = """
import os, sys, time
from pathlib import Path
from wasmctl.process import serving
folder = Path(sys.argv[1])
argv = ["sh", "-c", "trap '' INT TERM; sleep 60 & echo $$; wait; wait; exec sleep 60"]
with serving(argv, env={"PATH": os.environ["PATH"]}, cwd=folder, output=folder / "said"):
    time.sleep(60)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_service_ends_with_us(tmp_path: Path, number: signal.Signals) -> None:
    """SIGKILL cannot be caught; SIGTERM is not caught here: neither runs a line of ours."""
    owner = subprocess.Popen([sys.executable, "-c", _OWNER, str(tmp_path)], stderr=subprocess.PIPE)
    said = tmp_path / "said"
    until(lambda: said.exists() and said.read_text())
    pid = int(said.read_text())
    assert len(group_of(pid)) >= 2
    owner.send_signal(number)
    owner.communicate(timeout=20)
    until(lambda: not group_of(pid), seconds=5)


@pytest.mark.parametrize("name", ["absent", "not-executable", "folder"])
def test_a_program_that_cannot_be_started_is_told(tmp_path: Path, name: str) -> None:
    (tmp_path / "not-executable").write_text("")
    (tmp_path / "folder").mkdir()
    program = tmp_path / name
    with (
        pytest.raises(ToolMissing, match=f"^`{program}` cannot be run: ") as caught,
        serving([program], env=ENV, cwd=tmp_path, output=tmp_path / "said"),
    ):
        pass
    assert caught.value.code == "tool-not-runnable"


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "absent"
    with (
        pytest.raises(UsageError, match=f"cannot be run in the folder `{folder}`"),
        serving(["sleep", "60"], env=ENV, cwd=folder, output=tmp_path / "said"),
    ):
        pass


def read_whole(descriptor: int) -> bytes:
    """Read to the end; a pipe that does not end would be waited for in vain."""
    said = b""
    while data := os.read(descriptor, 4096):
        said += data
    return said


def test_piped_streams_come_apart_and_end_with_the_program(tmp_path: Path) -> None:
    script = "echo out; echo err >&2; exit 7"
    with piping(["sh", "-c", script], env=ENV, cwd=tmp_path) as (service, out, err):
        assert (read_whole(out), read_whole(err)) == (b"out\n", b"err\n")
        assert service.wait() == 7


def test_a_piped_program_has_no_terminal_and_nothing_to_read(tmp_path: Path) -> None:
    script = 'read -r line; echo "got [$line]"; : </dev/tty'
    with piping(["sh", "-c", script], env=ENV, cwd=tmp_path) as (service, out, err):
        assert read_whole(out) == b"got []\n"
        assert b"/dev/tty" in read_whole(err)
        assert service.wait() != 0


def test_nothing_is_left_of_a_piped_program(tmp_path: Path) -> None:
    before = len([*Path("/dev/fd").iterdir()])
    script = "sleep 60 & echo up; exec sleep 60"
    with piping(["sh", "-c", script], env=ENV, cwd=tmp_path) as (service, out, _):
        assert os.read(out, 10) == b"up\n"
        assert len(group_of(service.pid)) > 1
    until(lambda: not group_of(service.pid))
    assert len([*Path("/dev/fd").iterdir()]) == before
    with pytest.raises(ToolMissing), piping([tmp_path / "none"], env=ENV, cwd=tmp_path):
        pass
    assert len([*Path("/dev/fd").iterdir()]) == before
