"""Envoy's log: bytes → records. Pure, but for the reader of a file that grows.

The log is written with `LOG_OPTIONS`: one record a line, whatever the message holds.
"""

from __future__ import annotations

import os
import re
from collections.abc import Container, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = [
    "LOG_OPTIONS",
    "LogFile",
    "PluginLine",
    "Record",
    "parse_record",
    "plugin_line",
    "without_others",
]

LOG_OPTIONS: Final = ("--log-format-escaped", "--log-format", "[%Y-%m-%d %T.%e][%l][%n] %v")

_RECORD = re.compile(rb"\[([-0-9]+ [:.0-9]+)\]\[([a-z]+)\]\[([^\]]*)\] (.*)", re.DOTALL)
# proxy-wasm-cpp-host src/context.cc, ContextBase::makeLogPrefix: empty parts are dropped.
_PLUGIN = re.compile(r"wasm log(?: (.*?))?: (.*)", re.DOTALL)
# Envoy escapes with absl::CEscape, all but the white space at the end of a message.
# https://github.com/abseil/abseil-cpp/blob/master/absl/strings/escaping.h
_ESCAPE = re.compile(rb"\\([0-7]{3}|.)", re.DOTALL)
_NAMED = {b"n": b"\n", b"r": b"\r", b"t": b"\t"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    r"""One record of the log.

    Args:
        time: local time, as `2026-11-21 11:00:00.123`.
        level: trace, debug, info, warning, error or critical.
        logger: which part of Envoy speaks: `wasm`, `main`, `upstream` …
        message: what it says; line ends within are kept, those at its end are lost. Bytes that
            are no UTF-8 are shown as `\xff`.

    A line that is no record (the loader's, V8's last words) has no time, level and logger.
    """

    time: str
    level: str
    logger: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginLine:
    """A line that a plug-in logged.

    Args:
        level: as in the record.
        vm_id: the id of its VM; where it was given none, the last of its names.
        text: what it said.
    """

    level: str
    vm_id: str
    text: str


def parse_record(line: bytes) -> Record:
    """Return the record that a line of the log (without its end) stands for."""
    if match := _RECORD.fullmatch(line):
        time, level, logger, message = match.groups()
        return Record(
            time=time.decode(),
            level=level.decode(),
            logger=_text(logger),
            message=_text(_ESCAPE.sub(_unescape, message)),
        )
    return Record(time="", level="", logger="", message=_text(line))


def plugin_line(record: Record) -> PluginLine | None:
    """Return what a plug-in said in a record; None where it is Envoy that speaks.

    Names of plug-ins must hold no `: `, VM ids no space.
    """
    if record.logger != "wasm" or (match := _PLUGIN.fullmatch(record.message)) is None:
        return None
    names = (match[1] or "").split(" ")
    return PluginLine(level=record.level, vm_id=names[-1], text=match[2])


def without_others(records: Iterable[Record], vm_ids: Container[str]) -> tuple[Record, ...]:
    """Return the records without what plug-ins in other VMs than these said."""
    lines = ((record, plugin_line(record)) for record in records)
    return tuple(record for record, line in lines if line is None or line.vm_id in vm_ids)


class LogFile:
    """Reads a growing log from its beginning, each record once.

    Args:
        path: the file; it need not be there yet.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._rest = b""

    def read(self) -> tuple[Record, ...]:
        """Return the records that were completed since the last call."""
        try:
            with self._path.open("rb") as stream:
                # Begun anew by whoever writes it.
                if os.fstat(stream.fileno()).st_size < self._offset:
                    self._offset = 0
                stream.seek(self._offset)
                grown = stream.read()
        except FileNotFoundError:
            return ()
        self._offset += len(grown)
        *lines, self._rest = (self._rest + grown).split(b"\n")
        return tuple(parse_record(line) for line in lines if line)

    def begin_anew(self, longest: int) -> None:
        """Empty the file when more than `longest` bytes of it have been read.

        Its writer has to append (O_APPEND); what it writes in this moment may be lost.
        """
        if self._offset > longest:
            os.truncate(self._path, 0)
            self._offset = 0


def _unescape(match: re.Match[bytes]) -> bytes:
    what = match[1]
    return bytes([int(what, 8) & 0xFF]) if len(what) == 3 else _NAMED.get(what, what)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", errors="backslashreplace")
