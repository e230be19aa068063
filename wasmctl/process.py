"""Runs other people's programs. The only module that knows subprocess.

Every child is started from a list of arguments, never by a shell, and leads a process group of its
own, so that it can be stopped together with all that it started. Nothing here knows what a tool
does or what its exit code means.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from wasmctl.errors import ToolFailed, ToolMissing, UsageError, WasmctlError
from wasmctl.interruptions import interruptions_held
from wasmctl.terminal import LentTerminal, Talk

__all__ = [
    "Completed",
    "Service",
    "capture",
    "follow",
    "is_stopping",
    "piping",
    "serving",
    "stop_all",
]

# How long children are given after each signal before the next, harder one (seconds).
_GRACE = ((signal.SIGINT, 0.3), (signal.SIGTERM, 0.2), (signal.SIGKILL, 5.0))

# Becomes the program that it is given, in the same process, and leaves behind a watcher in its
# group. The watcher's input is a pipe whose other end only we hold: it ends when we end, however
# we end, and then the watcher kills the group. It holds nothing of what the program writes to.
_WATCHED = 'exec 3<&0; (read -r _ <&3; kill -s KILL 0) >/dev/null 2>&1 & exec "$@" 3<&- </dev/null'

_running: set[subprocess.Popen[bytes]] = set()
_running_lock = threading.Lock()
_stopping = threading.Event()


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """A program that ran to its end.

    Args:
        argv: what was run.
        exit_code: its exit code; negative: the signal that ended it.
        stdout: its standard output, unless that was part of the talk.
        stderr: its talk: standard error, and standard output where the two were not kept apart.
        seconds: wall time.
    """

    argv: tuple[str, ...]
    exit_code: int
    stdout: str
    stderr: str
    seconds: float


def capture(
    argv: Sequence[str | Path],
    *,
    env: Mapping[str, str],
    cwd: Path | None = None,
    stdin: bytes = b"",
    timeout: float = 60.0,
) -> Completed:
    """Run a program quietly and return what it said, whatever its exit code.

    It has no terminal: a question that it would ask there fails at once.

    Args:
        argv: the program and its arguments.
        env: its whole environment.
        cwd: its folder; ours when absent.
        stdin: its standard input.
        timeout: seconds until it is stopped.

    Raises:
        ToolMissing: it cannot be started.
        ToolFailed: it did not end in time.
        UsageError: its folder is not there.
    """
    started = time.monotonic()
    with Talk(None) as out, Talk(None) as err:
        streams = _Streams(
            stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
            stdout=out.writer,
            stderr=err.writer,
        )
        with _started(argv, env=env, cwd=cwd, streams=streams, new_session=True) as child:
            if child.stdin is not None:
                threading.Thread(target=_feed, args=(child.stdin, stdin), daemon=True).start()
            with _stopped_after(timeout, child) as expired:
                _wait(child)
        if expired.is_set():
            name = Path(argv[0]).name
            raise ToolFailed("tool-timeout", f"`{name}` did not answer within {timeout:g} s")
        return _completed(argv, child.returncode, out.finish(), err.finish(), started)


def follow(
    argv: Sequence[str | Path],
    *,
    env: Mapping[str, str],
    cwd: Path,
    live: int | None,
    stdin_terminal: bool,
    stdout_apart: bool = False,
) -> Completed:
    """Run a program to its end while its talk goes on to `live` as it comes.

    A terminal as `live` stays a terminal for the program: it keeps its colours and its progress.

    Args:
        argv: the program and its arguments.
        env: its whole environment.
        cwd: its folder.
        live: the descriptor its talk is copied to; None keeps it quiet.
        stdin_terminal: whether it may ask the person at our terminal (a passphrase). Else it has
            none, and a question fails at once.
        stdout_apart: whether its standard output is data for us, and no talk.

    Raises:
        ToolMissing: it cannot be started.
        UsageError: its folder is not there.
        KeyboardInterrupt: it, or we, were interrupted; its whole process group has been stopped.
    """
    started = time.monotonic()
    with contextlib.ExitStack() as stack:
        talk = stack.enter_context(Talk(live))
        data = stack.enter_context(Talk(None)) if stdout_apart else None
        streams = _Streams(
            stdin=None if stdin_terminal else subprocess.DEVNULL,
            stdout=talk.writer if data is None else data.writer,
            stderr=talk.writer,
        )
        # Outside the child's block: the terminal is taken back when the child is gone.
        terminal = stack.enter_context(LentTerminal()) if stdin_terminal else None
        child = stack.enter_context(
            _started(argv, env=env, cwd=cwd, streams=streams, new_session=not stdin_terminal)
        )
        _wait(child, terminal)
        # 130 is what a shell says of a program that SIGINT ended.
        if child.returncode in {-signal.SIGINT, 128 + signal.SIGINT}:
            raise KeyboardInterrupt
        out = b"" if data is None else data.finish()
        return _completed(argv, child.returncode, out, talk.finish(), started)


class Service:
    """A program that runs until it is stopped; made by `serving` and `piping`."""

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        self._child = child

    @property
    def pid(self) -> int:
        """The process; its group has the same number."""
        return self._child.pid

    @property
    def exit_code(self) -> int | None:
        """How it ended, negative: by which signal; None while it runs. Never waits."""
        return self._child.poll()

    def wait(self) -> int:
        """Wait for its end and return its exit code, negative: the signal that ended it."""
        return self._child.wait()

    def terminate(self) -> None:
        """Ask it to end, without waiting."""
        _signal_groups([self._child], signal.SIGTERM)

    def kill(self) -> None:
        """End it and all that it started at once: for one that is known not to listen."""
        _signal_groups([self._child], signal.SIGKILL)

    def stop(self) -> None:
        """Stop it and all that it started: gracefully, then not. May be called again."""
        _stop([self._child])


@contextlib.contextmanager
def serving(
    argv: Sequence[str | Path], *, env: Mapping[str, str], cwd: Path, output: Path
) -> Iterator[Service]:
    """Run a program for as long as the block lasts.

    Nothing of it is left behind: not when the block ends in whatever way, and not when we are
    ended by a signal that nobody can catch.

    Args:
        argv: the program and its arguments.
        env: its whole environment.
        cwd: its folder.
        output: the file that both of its streams are appended to.

    Raises:
        ToolMissing: it cannot be started.
        UsageError: its folder is not there.
        OSError: `output` cannot be written.
    """
    with contextlib.ExitStack() as stack:
        with output.open("ab") as stream:
            written = stream.fileno()
            service = stack.enter_context(
                _watched(argv, env=env, cwd=cwd, stdout=written, stderr=written, new_session=False)
            )
        yield service


@contextlib.contextmanager
def piping(
    argv: Sequence[str | Path], *, env: Mapping[str, str], cwd: Path
) -> Iterator[tuple[Service, int, int]]:
    """Run a program for as long as the block lasts; yield it and what its two streams are read by.

    As of `serving` nothing of it is left behind. It has no terminal: a question that it would ask
    there fails at once.

    Args:
        argv: the program and its arguments.
        env: its whole environment.
        cwd: its folder.

    Raises:
        ToolMissing: it cannot be started.
        UsageError: its folder is not there.
    """
    with contextlib.ExitStack() as stack:
        (out, stdout), (err, stderr) = os.pipe(), os.pipe()
        stack.callback(os.close, out)
        stack.callback(os.close, err)
        try:
            service = stack.enter_context(
                _watched(argv, env=env, cwd=cwd, stdout=stdout, stderr=stderr, new_session=True)
            )
        finally:
            os.close(stdout)
            os.close(stderr)
        yield service, out, err


@contextlib.contextmanager
def _watched(
    argv: Sequence[str | Path],
    *,
    env: Mapping[str, str],
    cwd: Path,
    stdout: int,
    stderr: int,
    new_session: bool,
) -> Iterator[Service]:
    """Run a program that ends with the block, and with us."""
    program = str(argv[0])
    if "/" in program and not (Path(program).is_file() and os.access(program, os.X_OK)):
        number = errno.EACCES if Path(program).exists() else errno.ENOENT
        raise _not_started(program, None, OSError(number, os.strerror(number), program))
    watched = ["/bin/sh", "-c", _WATCHED, "sh", *argv]
    with contextlib.ExitStack() as stack:
        theirs, ours = os.pipe()
        stack.callback(os.close, ours)
        streams = _Streams(stdin=theirs, stdout=stdout, stderr=stderr)
        try:
            child = stack.enter_context(
                _started(watched, env=env, cwd=cwd, streams=streams, new_session=new_session)
            )
        finally:
            os.close(theirs)
        service = Service(child)
        try:
            yield service
        finally:
            service.stop()


def stop_all() -> None:
    """Stop every program that other threads are running, and let none start after that."""
    _stopping.set()
    with _running_lock:
        children = list(_running)
    _stop(children)


def is_stopping() -> bool:
    """Return whether everything was told to stop: whoever waits for something shall give up."""
    return _stopping.is_set()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Streams:
    """What a child gets for its three streams, as subprocess takes it."""

    stdin: int | None
    stdout: int
    stderr: int


@contextlib.contextmanager
def _started(
    argv: Sequence[str | Path],
    *,
    env: Mapping[str, str],
    cwd: Path | None,
    streams: _Streams,
    new_session: bool,
) -> Iterator[subprocess.Popen[bytes]]:
    """Yield a running child; whatever ends the block but its end stops the child's whole group."""
    child = None
    try:
        with interruptions_held(), _running_lock:
            child = _spawn(argv, env=env, cwd=cwd, streams=streams, new_session=new_session)
            _running.add(child)
        yield child
    except BaseException:
        if child is not None:
            _stop([child])
        raise
    finally:
        if child is not None:
            with _running_lock:
                _running.discard(child)


def _spawn(
    argv: Sequence[str | Path],
    *,
    env: Mapping[str, str],
    cwd: Path | None,
    streams: _Streams,
    new_session: bool,
) -> subprocess.Popen[bytes]:
    if _stopping.is_set():
        raise KeyboardInterrupt
    try:
        return subprocess.Popen(
            [str(part) for part in argv],
            env=dict(env),
            cwd=cwd,
            stdin=streams.stdin,
            stdout=streams.stdout,
            stderr=streams.stderr,
            # A session has a group of its own, and no terminal that could be asked at.
            start_new_session=new_session,
            process_group=None if new_session else 0,
        )
    except OSError as error:
        raise _not_started(str(argv[0]), cwd, error) from error
    except ValueError as error:
        # A NUL, or a variable whose name holds `=`: no program can be handed these.
        message = f"`{Path(argv[0]).name}` cannot be given its arguments or environment: {error}"
        hint = "look at `[build] args` and `[build] env`"
        raise UsageError("bad-arguments", message, hint=hint) from error


def _not_started(program: str, cwd: Path | None, error: OSError) -> WasmctlError:
    reason = (error.strerror or str(error)).lower()
    if cwd is not None and str(error.filename) == str(cwd):
        message = f"`{Path(program).name}` cannot be run in the folder `{cwd}`: {reason}"
        return UsageError("no-folder", message, hint="check that the folder is there")
    if error.errno == errno.ENOENT and Path(program).exists():
        # The kernel says the same of the file's own interpreter: `#!`, or the dynamic loader.
        reason = "the interpreter or loader that it asks for is not there"
    message = f"`{program}` cannot be run: {reason}"
    hint = "check its path and permissions, and that it is built for this machine"
    return ToolMissing("tool-not-runnable", message, hint=hint)


@contextlib.contextmanager
def _stopped_after(seconds: float, child: subprocess.Popen[bytes]) -> Iterator[threading.Event]:
    """Stop `child` when the block takes longer; the event tells whether it did."""
    expired = threading.Event()

    def expire() -> None:
        expired.set()
        _stop([child])

    timer = threading.Timer(seconds, expire)
    timer.daemon = True
    timer.start()
    try:
        yield expired
    finally:
        timer.cancel()


def _wait(child: subprocess.Popen[bytes], terminal: LentTerminal | None = None) -> None:
    while True:
        try:
            # Popen.wait would add a quarter of a second to Ctrl-C, and does not tell of a stop.
            _, status = os.waitpid(child.pid, os.WUNTRACED)
        except ChildProcessError:
            child.wait()  # the thread that stopped it was quicker
            return
        if not os.WIFSTOPPED(status):
            child.returncode = os.waitstatus_to_exitcode(status)
            return
        if terminal is not None:
            terminal.lend(child.pid, os.WSTOPSIG(status))


def _stop(children: Collection[subprocess.Popen[bytes]]) -> None:
    with interruptions_held():
        for number, seconds in _GRACE:
            _signal_groups(children, number)
            deadline = time.monotonic() + seconds
            if all(_ends_before(deadline, child) for child in children):
                break
        # The leader of a group may be gone before those it started.
        _signal_groups(children, signal.SIGKILL)


def _signal_groups(children: Collection[subprocess.Popen[bytes]], number: signal.Signals) -> None:
    for child in children:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, number)


def _ends_before(deadline: float, child: subprocess.Popen[bytes]) -> bool:
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(max(0.0, deadline - time.monotonic()))
        return True
    return False


def _feed(stream: IO[bytes], data: bytes) -> None:
    # A program need not read what it is given.
    with contextlib.suppress(OSError), stream:
        stream.write(data)


def _completed(
    argv: Sequence[str | Path], exit_code: int, out: bytes, err: bytes, started: float
) -> Completed:
    return Completed(
        argv=tuple(str(part) for part in argv),
        exit_code=exit_code,
        stdout=_text(out),
        stderr=_text(err),
        seconds=time.monotonic() - started,
    )


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", errors="backslashreplace").replace("\r\n", "\n")
