"""A proxy's log → what happened to plug-ins in it."""

from __future__ import annotations

import contextlib
import gzip
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, cast

from wasmctl.errors import Unreadable, UsageError
from wasmctl.hosts.incidents import Incident, Incidents
from wasmctl.hosts.logs import LogReader
from wasmctl.session import Session

__all__ = ["Explained", "explain_log", "log_lines", "open_log"]

_GZIP: Final = b"\x1f\x8b"
_UTF_16: Final = (b"\xff\xfe", b"\xfe\xff")  # what PowerShell's `>` writes
_WASM: Final = b"\0asm"
# Of a longer line the rest is passed over.
_LONGEST: Final = 1 << 17
_PIPE: Final = "`kubectl logs POD -c istio-proxy | wasmctl {}`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """What a log tells of plug-ins.

    Args:
        incidents: what happened, the most telling first.
        lines: how many lines there were.
        spoken: how many records are the plug-ins' own.
        errors: how many of those are errors.
        plugins: the names of the plug-ins that spoke.
        more: how many incidents there were beyond those that are kept.
        interrupted: whether the log was not read to its end.
    """

    incidents: tuple[Incident, ...]
    lines: int
    spoken: int
    errors: int
    plugins: tuple[str, ...]
    more: int
    interrupted: bool


@contextlib.contextmanager
def open_log(path: Path | None, session: Session, *, verb: str = "explain") -> Iterator[BinaryIO]:
    """Open a log's file, or stdin; what is compressed or UTF-16 is read as if it were not.

    Args:
        path: the file; None: stdin.
        session: the world.
        verb: ours that asks, for hints.

    Raises:
        UsageError: there is no such file, or nobody pipes anything in.
        Unreadable: it may not be read, or is a module.
    """
    with contextlib.ExitStack() as opened:
        stream = _stdin(session, verb) if path is None else opened.enter_context(_open(path, verb))
        beginning = stream.peek(len(_WASM))[: len(_WASM)]
        if beginning == _WASM:
            raise Unreadable(
                "not-a-log",
                "this is a WebAssembly module, no log",
                hint="`wasmctl check` says whether a proxy loads it; `--module` gives it to a log",
            )
        if beginning.startswith(_GZIP):
            yield cast("BinaryIO", gzip.GzipFile(fileobj=stream))
        elif beginning.startswith(_UTF_16):
            yield cast("BinaryIO", _Recoded(stream))
        else:
            yield cast("BinaryIO", stream)


def explain_log(stream: BinaryIO) -> Explained:
    """Read a log to its end, or until it is interrupted.

    Raises:
        Unreadable: it is compressed, and damaged.
    """
    reader, incidents, interrupted = LogReader(), Incidents(), False
    try:
        for line in log_lines(stream):
            for record in reader.feed(line):
                incidents.add(record)
    except KeyboardInterrupt:
        interrupted = True
    for record in reader.finish():
        incidents.add(record)
    return Explained(
        incidents=incidents.finish(),
        lines=reader.lines,
        spoken=incidents.spoken,
        errors=incidents.errors,
        plugins=tuple(incidents.plugins),
        more=incidents.more,
        interrupted=interrupted,
    )


class _Recoded:
    """UTF-16 read as UTF-8."""

    def __init__(self, stream: io.BufferedReader) -> None:
        self._text = io.TextIOWrapper(stream, encoding="utf-16", errors="backslashreplace")

    def readline(self, limit: int, /) -> bytes:
        return self._text.readline(limit).encode(errors="backslashreplace")


def _stdin(session: Session, verb: str) -> io.BufferedReader:
    if session.stdin is None or session.stdin.isatty():
        hint = f"pipe it in, {_PIPE.format(verb)}, or name a file"
        raise UsageError("no-log", "no log was given", hint=hint)
    return cast("io.BufferedReader", session.stdin.buffer)


def _open(path: Path, verb: str) -> io.BufferedReader:
    hint = f"name a log's file, or pipe it in: {_PIPE.format(verb)}"
    try:
        return path.open("rb")
    except (FileNotFoundError, NotADirectoryError):
        raise UsageError("no-log", f"there is no file `{path}`", hint=hint) from None
    except IsADirectoryError:
        raise UsageError("no-log", f"`{path}` is a folder, no log", hint=hint) from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise Unreadable("unreadable-log", f"`{path}`: {reason}", hint=hint) from None


def log_lines(stream: BinaryIO) -> Iterator[bytes]:
    """Yield the lines of a log; of what is longer than any line that is one, the beginning.

    Raises:
        Unreadable: it is compressed, and damaged.
    """
    whole = True
    try:
        while piece := stream.readline(_LONGEST):
            if whole:
                yield piece
            whole = piece.endswith(b"\n")
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise Unreadable(
            "not-a-log", f"the compressed log is damaged: {error}", hint="fetch it once more"
        ) from None
