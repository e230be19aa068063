"""Programs at a real terminal: questions, Ctrl-C, Ctrl-Z, and what is left when all is over."""

from __future__ import annotations

import os
import random
import shlex
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import psutil
import pytest

# What the root command does around a tool, in small.
DRIVER = """
import os, signal, sys, threading, time
from pathlib import Path
from wasmctl import process
from wasmctl.errors import WasmctlError

def interrupt(number, frame):
    raise KeyboardInterrupt

signal.signal(signal.SIGTERM, interrupt)
live = 2 if os.isatty(2) else None

def run(script):
    return process.follow(
        ["sh", "-c", script], env=dict(os.environ), cwd=Path("/"), live=live,
        stdin_terminal=ASKS,
    )

try:
    BODY
except KeyboardInterrupt:
    print("interrupted", flush=True)
    sys.exit(130)
except WasmctlError as error:
    print(error.message, flush=True)
    sys.exit(error.exit_code)
"""


def driver(body: str, *, asks: bool = True) -> list[str]:
    """Return the command that does `body` with a tool at the terminal."""
    text = DRIVER.replace("ASKS", str(asks)).replace("BODY", body.replace("\n", "\n    "))
    return [sys.executable, "-c", text]


def script(text: str, *, asks: bool = True) -> list[str]:
    return driver(
        f"done = run({text!r})\nprint('exit', done.exit_code, repr(done.stderr), flush=True)",
        asks=asks,
    )


Spawn = Callable[[list[str]], "pexpect.spawn[str]"]


@pytest.fixture
def spawn() -> Iterator[Spawn]:
    """Start a command at a terminal of its own."""
    started: list[pexpect.spawn[str]] = []

    def start(argv: list[str]) -> pexpect.spawn[str]:
        child = pexpect.spawn(argv[0], argv[1:], encoding="utf-8", timeout=20)
        started.append(child)
        return child

    yield start
    for child in started:
        child.close(force=True)


@pytest.fixture
def mark() -> Iterator[str]:
    """A number of seconds that only this test's `sleep`s have; none may be left afterwards."""
    seconds = f"{random.randint(100_000, 999_999)}.25"
    yield seconds
    for left in sleepers(seconds):
        left.kill()


def sleepers(mark: str) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        command = process.info["cmdline"] or []
        if command[:1] == ["sleep"] and mark in command:
            found.append(process)
    return found


def wait_for_sleepers(mark: str, count: int) -> None:
    deadline = time.monotonic() + 20
    while len(sleepers(mark)) != count:
        assert time.monotonic() < deadline, f"{len(sleepers(mark))} sleep, not {count}"
        time.sleep(0.02)


def ended(child: pexpect.spawn[str]) -> int:
    child.expect(pexpect.EOF)
    child.close()
    return int(child.exitstatus if child.exitstatus is not None else -child.signalstatus)


def families(mark: str) -> str:
    """Return a script whose children and their children sleep, some deaf to Ctrl-C."""
    return f"sleep {mark} & (sleep {mark} & sleep {mark}) & echo ready; wait"


@pytest.mark.parametrize("asks", [True, False])
def test_ctrl_c_ends_a_tool_with_all_it_started(spawn: Spawn, mark: str, asks: bool) -> None:
    child = spawn(script(families(mark), asks=asks))
    modes = termios.tcgetattr(child.child_fd)
    child.expect("ready")
    wait_for_sleepers(mark, 3)
    started = time.monotonic()
    child.sendintr()
    child.expect("interrupted")
    assert time.monotonic() - started < 2
    assert sleepers(mark) == []
    assert termios.tcgetattr(child.child_fd) == modes
    assert ended(child) == 130


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("asks", [True, False])
def test_a_signal_to_us_alone_ends_a_tool_with_all_it_started(
    spawn: Spawn, mark: str, asks: bool, number: signal.Signals
) -> None:
    child = spawn(script(families(mark), asks=asks))
    child.expect("ready")
    wait_for_sleepers(mark, 3)
    os.kill(child.pid, number)
    child.expect("interrupted")
    assert sleepers(mark) == []
    assert ended(child) == 130


def test_a_tool_deaf_to_signals_is_ended_within_a_second(spawn: Spawn, mark: str) -> None:
    child = spawn(script(f"trap '' INT TERM; echo ready; sleep {mark}"))
    child.expect("ready")
    wait_for_sleepers(mark, 1)
    started = time.monotonic()
    child.sendintr()
    child.sendintr()  # impatience neither spares the tool nor leaves it behind
    child.expect("interrupted")
    assert 0.4 < time.monotonic() - started < 2
    assert sleepers(mark) == []
    assert ended(child) == 130


def test_a_tool_that_was_interrupted_by_another_counts_as_interrupted(spawn: Spawn) -> None:
    child = spawn(script("kill -INT $$; sleep 5"))
    child.expect("interrupted")
    assert ended(child) == 130


PASSPHRASE = "stty -echo{source}; printf 'Passphrase: '{sink}; read word{source}; stty echo{source}"


@pytest.mark.parametrize("place", ["stdin", "/dev/tty"])
def test_a_tool_may_ask_for_a_passphrase(spawn: Spawn, place: str) -> None:
    source, sink = ("", "") if place == "stdin" else (" </dev/tty", " >/dev/tty")
    asking = PASSPHRASE.format(source=source, sink=sink)
    child = spawn(
        driver(
            f"done = run({asking + '; echo; echo got $word'!r})\n"
            "print('exit', done.exit_code, flush=True)\n"
            "print('ours', os.tcgetpgrp(0) == os.getpgrp(), input(), flush=True)"
        )
    )
    modes = termios.tcgetattr(child.child_fd)
    child.expect("Passphrase: ")
    child.sendline("open sesame")
    child.expect("got open sesame")
    child.expect("exit 0")
    assert "sesame" not in child.before
    assert termios.tcgetattr(child.child_fd) == modes
    child.sendline("again")
    child.expect("ours True again")
    assert ended(child) == 0


def test_a_passphrase_is_asked_by_a_grandchild_too(spawn: Spawn) -> None:
    asking = PASSPHRASE.format(source=" </dev/tty", sink=" >/dev/tty")
    child = spawn(script(f"sh -c {shlex.quote(asking + '; echo got $word')} | cat; echo end"))
    child.expect("Passphrase: ")
    child.sendline("sesame")
    child.expect("got sesame")
    child.expect("exit 0")
    assert ended(child) == 0


@pytest.mark.parametrize("number", [None, signal.SIGINT, signal.SIGTERM])
def test_interrupting_a_question_gives_the_terminal_back_as_it_was(
    spawn: Spawn, number: signal.Signals | None
) -> None:
    asking = PASSPHRASE.format(source="", sink="")
    child = spawn(
        driver(
            f"""try:
    run({asking!r})
finally:
    print('ours', os.tcgetpgrp(0) == os.getpgrp(), flush=True)"""
        )
    )
    modes = termios.tcgetattr(child.child_fd)
    child.expect("Passphrase: ")
    assert termios.tcgetattr(child.child_fd) != modes
    if number is None:
        child.sendintr()
    else:
        os.kill(child.pid, number)
    child.expect("ours True")
    child.expect("interrupted")
    assert termios.tcgetattr(child.child_fd) == modes
    assert ended(child) == 130


@pytest.mark.parametrize("asking", [True, False])
def test_ctrl_z_and_fg_in_a_shell(spawn: Spawn, asking: bool, tmp_path: Path) -> None:
    question = "printf 'Word: '; read word; echo got $word"
    waiting = "echo Word: ; sleep 2; echo got it"
    argv = script(question if asking else waiting)
    (tmp_path / "run").write_text(shlex.join(argv))
    shell = spawn(["bash", "--norc", "--noediting", "-i"])
    shell.sendline(f"PS1='prom''pt> '; sh {shlex.quote(str(tmp_path / 'run'))}")
    shell.expect("Word: ?")
    time.sleep(0.5)
    shell.sendcontrol("z")
    shell.expect("Stopped")
    shell.expect("prompt> ")
    shell.sendline("fg; echo code $?")
    time.sleep(0.5)
    if asking:
        shell.sendline("abc")
        shell.expect("got abc")
    shell.expect("exit 0")
    shell.expect("code 0")
    shell.sendline("exit")
    assert ended(shell) == 0


def test_the_tools_of_all_threads_are_stopped_at_once(spawn: Spawn, mark: str) -> None:
    body = f"""
def work(asks):
    try:
        run("trap '' INT TERM; echo ready; sleep {mark}")
    except KeyboardInterrupt:
        print("a thread ended", flush=True)

threads = [threading.Thread(target=work, args=(False,)) for _ in range(6)]
for thread in threads:
    thread.start()
try:
    for thread in threads:
        thread.join()
except KeyboardInterrupt:
    process.stop_all()
    for thread in threads:
        thread.join()
    try:
        run("echo started again")
    finally:
        print("all ended", flush=True)
"""
    child = spawn(driver(body, asks=False))
    wait_for_sleepers(mark, 6)
    started = time.monotonic()
    child.sendintr()
    child.expect("all ended")
    assert time.monotonic() - started < 3
    assert "started again" not in child.before
    assert sleepers(mark) == []
    child.expect("interrupted")
    assert ended(child) == 130


def test_an_interruption_at_any_moment_leaves_nothing_behind(mark: str) -> None:
    # Most of the time goes into starting children, where an interruption is awkward.
    # Most of the time goes into starting and stopping, where an interruption is awkward.
    argv = driver(
        f"""while True:
    try:
        process.capture(["sleep", {mark!r}], env=dict(os.environ), timeout=0.001)
    except WasmctlError:
        pass"""
    )
    moments = random.Random(7)
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    for _ in range(30):
        child = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env)
        time.sleep(0.15 + moments.random() * 0.1)
        child.send_signal(moments.choice([signal.SIGINT, signal.SIGTERM]))
        child.communicate(timeout=20)
        assert sleepers(mark) == []
