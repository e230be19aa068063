"""Runs other people's programs. The only module that knows subprocess.

Every child is started from a list of arguments, never by a shell. Nothing here knows what a tool
does or what its exit code means.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import shutil
import signal
import subprocess
import termios
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from wasmctl.errors import ToolFailed, ToolMissing

__all__ = ["Completed", "capture", "find_program", "follow", "stop_all"]

# How long a child is given after each signal before the next, harder one (seconds).
_GRACE = ((signal.SIGINT, 0.3), (signal.SIGTERM, 0.2), (signal.SIGKILL, 5.0))

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


def find_program(name: str, env: Mapping[str, str]) -> Path | None:
    """Return the program that `name` means on the environment's PATH, or None."""
    found = shutil.which(name, path=env.get("PATH", os.defpath))
    return None if found is None else Path(found)


def capture(
    argv: Sequence[str | Path],
    *,
    env: Mapping[str, str],
    cwd: Path | None = None,
    stdin: bytes = b"",
    timeout: float = 60.0,
) -> Completed:
    """Run a program quietly and return what it said, whatever its exit code.

    Args:
        argv: the program and its arguments.
        env: its whole environment.
        cwd: its folder; ours when absent.
        stdin: its standard input.
        timeout: seconds until it is stopped.

    Raises:
        ToolMissing: it cannot be started.
        ToolFailed: it did not end in time.
    """
    started = time.monotonic()
    child = _start(
        argv, env=env, cwd=cwd, stdin=subprocess.PIPE, stderr=subprocess.PIPE, own_group=True
    )
    with _watched(child, own_group=True):
        try:
            out, err = child.communicate(stdin, timeout=timeout)
        except subprocess.TimeoutExpired:
            _stop(child, own_group=True)
            raise ToolFailed(
                "tool-timeout", f"`{Path(argv[0]).name}` did not answer within {timeout:.0f} s"
            ) from None
    return _completed(argv, child.returncode, out, err, started)


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
        stdin_terminal: whether it may ask the person at our terminal (a passphrase).
        stdout_apart: whether its standard output is data for us, and no talk.

    Raises:
        ToolMissing: it cannot be started.
        KeyboardInterrupt: it, or we, were interrupted; its whole process group has been stopped.
    """
    started = time.monotonic()
    reader, writer = _channel(live)
    try:
        child = _start(
            argv,
            env=env,
            cwd=cwd,
            stdin=None if stdin_terminal else subprocess.DEVNULL,
            stdout=subprocess.PIPE if stdout_apart else writer,
            stderr=writer,
            # A program in a group of its own could not read from our terminal (SIGTTIN).
            own_group=not stdin_terminal,
        )
    except BaseException:
        os.close(reader)
        raise
    finally:
        os.close(writer)
    talk = _Copy(reader, live)
    data = None if child.stdout is None else _Copy(os.dup(child.stdout.fileno()), None)
    with _watched(child, own_group=not stdin_terminal):
        child.wait()
    out = b"" if data is None else data.finish()
    if child.returncode == -signal.SIGINT:
        raise KeyboardInterrupt
    return _completed(argv, child.returncode, out, talk.finish(), started)


def stop_all() -> None:
    """Stop every program that other threads are running, and let none start after that."""
    _stopping.set()
    with _running_lock:
        children = list(_running)
    for child in children:
        _stop(child, own_group=True)


def _start(
    argv: Sequence[str | Path],
    *,
    env: Mapping[str, str],
    cwd: Path | None,
    stdin: int | None,
    stderr: int,
    own_group: bool,
    stdout: int = subprocess.PIPE,
) -> subprocess.Popen[bytes]:
    program = str(argv[0])
    if _stopping.is_set():
        raise KeyboardInterrupt
    try:
        return subprocess.Popen(
            [str(part) for part in argv],
            env=dict(env),
            cwd=cwd,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            process_group=0 if own_group else None,
        )
    except OSError as error:
        raise ToolMissing(
            "tool-not-runnable",
            f"`{program}` cannot be run: {error.strerror or error}",
            hint="check its path and permissions, and that it is built for this machine",
        ) from error


@contextlib.contextmanager
def _watched(child: subprocess.Popen[bytes], *, own_group: bool) -> Iterator[None]:
    with _running_lock:
        _running.add(child)
    try:
        yield
    except BaseException:
        _stop(child, own_group=own_group)
        raise
    finally:
        with _running_lock:
            _running.discard(child)
        for stream in (child.stdin, child.stdout, child.stderr):
            if stream is not None:
                stream.close()


def _stop(child: subprocess.Popen[bytes], *, own_group: bool) -> None:
    for number, seconds in _GRACE:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if own_group:
                os.killpg(child.pid, number)
            else:
                child.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(seconds)
            break
    if own_group:
        # The leader may be gone before those it started.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)


def _channel(live: int | None) -> tuple[int, int]:
    """Return (reader, writer): a terminal of the same size where `live` is one, else a pipe."""
    if live is None or not os.isatty(live):
        return os.pipe()
    reader, writer = pty.openpty()
    with contextlib.suppress(OSError):
        size = fcntl.ioctl(live, termios.TIOCGWINSZ, b"\0" * 8)
        fcntl.ioctl(writer, termios.TIOCSWINSZ, size)
    return reader, writer


class _Copy:
    """Reads a descriptor to its end in a thread, copying it on to `live`."""

    def __init__(self, reader: int, live: int | None) -> None:
        self._reader = reader
        self._live = live
        self._chunks: list[bytes] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        # The master side of a terminal whose last writer has gone reads as EIO on Linux.
        with contextlib.suppress(OSError):
            while chunk := os.read(self._reader, 65536):
                self._chunks.append(chunk)
                if self._live is not None:
                    os.write(self._live, chunk)
        os.close(self._reader)

    def finish(self) -> bytes:
        # A daemon that the program left behind (sccache) may hold the other end for ever.
        self._thread.join(timeout=2.0)
        return b"".join(self._chunks)


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
