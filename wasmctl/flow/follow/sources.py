"""Where a proxy's log comes from: a file, a pipe, a command that is run. Lines as they come."""

from __future__ import annotations

import contextlib
import os
import select
import stat
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from wasmctl.console import Console
from wasmctl.errors import ToolMissing, Unreadable, UsageError
from wasmctl.flow.explain import log_lines, open_log
from wasmctl.hosts.logs import LogReader, LogRecord, is_headed
from wasmctl.process import Service, piping
from wasmctl.programs import resolve_program
from wasmctl.session import Session

__all__ = ["Source", "open_source"]

_READ_SIZE: Final = 1 << 16
# Of a longer line the rest is passed over.
_LONGEST: Final = 1 << 17
# Seconds of silence after which a record is taken to be whole: the next one may be hours away.
_SILENCE: Final = 0.2
_NO_LOG: Final = (
    "name a command, `wasmctl logs -- kubectl logs -f POD -c istio-proxy`, or a file with "
    "`--file`, or pipe it in"
)
_COMPRESSED: Final = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"BZh", b"\xfd7zXZ")

Told = Callable[[LogRecord], None]


class Source(Protocol):
    """A log that is read once."""

    def read(self, told: Told) -> int | None:
        """Read on to the end, or until nobody wants to know any more.

        Returns:
            How a command ended: its exit code, or negative the signal; None where none did.
        """


@contextlib.contextmanager
def open_source(
    session: Session, *, file: Path | None, goes_on: bool, command: Sequence[str]
) -> Iterator[Source]:
    """Open a file's log, or start a command whose log it is, or take stdin.

    Args:
        session: the world.
        file: the log; None: another one is meant.
        goes_on: whether the file is read on as it grows.
        command: the program and its arguments; empty: none.

    Raises:
        UsageError: there is no such file, or nobody pipes anything in.
        ToolMissing: there is no such command.
        Unreadable: it is no log.
    """
    if file is not None and goes_on:
        # What is no log is told, rather than waited for.
        with open_log(file, session, verb="logs"):
            command = ("tail", "-n", "+1", "-F", str(file))
    if command:
        program = resolve_program(command[0], session.env, session.cwd)
        if program is None:
            hint = "what stands behind `--` is a program and its arguments, no line for a shell"
            message = f"there is no program `{command[0]}`"
            raise ToolMissing("no-such-program", message, hint=hint)
        argv = [str(program), *command[1:]]
        with piping(argv, env=session.env, cwd=session.cwd) as (service, out, err):
            yield _Command(session, service, out, err)
        return
    if file is None:
        if session.stdin is None or session.stdin.isatty():
            raise UsageError("no-log", "no log was given", hint=_NO_LOG)
        descriptor = session.stdin.fileno()
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            yield _Pipe(session, descriptor)
            return
    with open_log(file, session, verb="logs") as stream:
        yield _File(session, stream)


class _File:
    """A file that is there: read as fast as it goes."""

    def __init__(self, session: Session, stream: BinaryIO) -> None:
        self._console = session.console
        self._stream = stream

    def read(self, told: Told) -> None:
        reader = LogReader()
        for line in log_lines(self._stream):
            for record in reader.feed(line):
                told(record)
                if not self._console.has_reader:
                    return
        for record in reader.finish():
            told(record)
        _require_lines(reader)


class _Pipe:
    """What another program writes, as it comes."""

    def __init__(self, session: Session, descriptor: int) -> None:
        self._console = session.console
        self._descriptor = descriptor

    def read(self, told: Told) -> None:
        stream = _Incoming(told)
        _pump({self._descriptor: stream}, self._console)
        if self._console.has_reader:
            _require_lines(stream.reader)


class _Command:
    """A command of our own starting: both of its streams, as `docker logs` uses both.

    What is no log on its standard error is its talk, and is passed on.
    """

    def __init__(self, session: Session, service: Service, out: int, err: int) -> None:
        self._console = session.console
        self._service = service
        self._streams = out, err

    def read(self, told: Told) -> int | None:
        out, err = self._streams
        streams = {out: _Incoming(told), err: _Incoming(told, talk=self._console.talk)}
        _pump(streams, self._console, has_ended=lambda: self._service.exit_code is not None)
        if not self._console.has_reader:
            return None
        # Whoever closes both of its streams has ended, or is about to.
        return self._service.wait()


class _Incoming:
    """Bytes that come in pieces → lines → records.

    Args:
        told: is told the records.
        talk: is told lines that are no log; None: they are passed over.
    """

    def __init__(self, told: Told, *, talk: Callable[[str], None] | None = None) -> None:
        self.reader = LogReader()
        self._told = told
        self._talk = talk
        self._rest = b""
        self._passing_over = False
        self._last = time.monotonic()

    def take(self, data: bytes) -> None:
        """Take what came.

        Raises:
            Unreadable: it is compressed.
        """
        if not self.reader.lines and not self._rest and data.startswith(_COMPRESSED):
            hint = "unpack it on its way: `zcat`, `zstdcat`, `bzcat`, `xzcat`"
            raise Unreadable("not-a-log", "what is piped in is compressed", hint=hint)
        self._last = time.monotonic()
        *lines, rest = data.split(b"\n")
        for line in lines:
            if not self._passing_over:
                self._line((self._rest + line)[:_LONGEST])
            self._rest, self._passing_over = b"", False
        self._rest += rest
        if len(self._rest) > _LONGEST:
            self._line(self._rest[:_LONGEST])
            self._rest, self._passing_over = b"", True

    def rest(self) -> None:
        """Have what has come be told, where nothing followed it for a while."""
        if time.monotonic() - self._last > _SILENCE:
            self._tell(self.reader.finish())

    def end(self) -> None:
        """Take the end."""
        if self._rest:
            self._line(self._rest)
            self._rest = b""
        self._tell(self.reader.finish())

    def _line(self, line: bytes) -> None:
        if self._talk is not None and not self.reader.is_within and not is_headed(line):
            self._talk(line.decode(errors="backslashreplace").rstrip("\r"))
        self._tell(self.reader.feed(line))

    def _tell(self, records: Sequence[LogRecord]) -> None:
        for record in records:
            self._told(record)


def _pump(
    streams: Mapping[int, _Incoming],
    console: Console,
    *,
    has_ended: Callable[[], bool] = lambda: False,
) -> None:
    """Read from all descriptors until each has ended, or nobody reads what is told any more.

    Args:
        streams: what is read, and where it goes.
        console: where it is told.
        has_ended: whether their writer has; what it started may hold the other ends for ever.
    """
    poll = select.poll()
    open_ones = dict(streams)
    for descriptor in open_ones:
        poll.register(descriptor, select.POLLIN)
    while open_ones:
        ready = poll.poll(_SILENCE * 1000)
        for descriptor, _ in ready:
            if data := os.read(descriptor, _READ_SIZE):
                open_ones[descriptor].take(data)
            else:
                poll.unregister(descriptor)
                open_ones.pop(descriptor).end()
        for stream in open_ones.values():
            stream.rest()
        if not console.has_reader or (not ready and has_ended()):
            break
    for stream in open_ones.values():
        stream.end()


def _require_lines(reader: LogReader) -> None:
    if not reader.lines:
        hint = "see that what should write it does, and where to"
        raise UsageError("no-log", "the log is empty", hint=hint)
