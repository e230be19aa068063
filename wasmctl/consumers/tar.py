"""A tar archive, read as Go's archive/tar reads it, with what Go says where it cannot.

Python's tarfile ends silently where a header is damaged, and forgives what Go does not. Pure.

Sources: Go 1.26, src/archive/tar/reader.go, strconv.go and format.go.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from wasmctl.consumers.gunzip import BrokenError, Readable, UnreadError

__all__ = ["Entry", "EntryKind", "Tar"]

_BLOCK: Final = 512
_CHUNK: Final = 256 * 1024
# archive/tar/reader.go, maxSpecialFileSize: long names and pax records.
_SPECIAL: Final = 1024 * 1024
_HEADER: Final = "archive/tar: invalid tar header"
_TOO_LONG: Final = "archive/tar: header field too long"
_EARLY: Final = "unexpected EOF"
_NUMBERS: Final = (slice(100, 108), slice(108, 116), slice(116, 124), slice(136, 148))
_DEVICES: Final = (slice(329, 337), slice(337, 345))
_PREFIX: Final = slice(345, 500)
_STAR_PREFIX: Final = slice(345, 476)
_DECIMAL: Final = re.compile(r"-?\d+")


class EntryKind(StrEnum):
    """What an entry is."""

    FILE = "file"
    FOLDER = "folder"
    SYMLINK = "symbolic link"
    LINK = "hard link"
    OTHER = "special file"


_KINDS: Final = {
    b"5": EntryKind.FOLDER,
    b"2": EntryKind.SYMLINK,
    b"1": EntryKind.LINK,
    b"3": EntryKind.OTHER,
    b"4": EntryKind.OTHER,
    b"6": EntryKind.OTHER,
    b"g": EntryKind.OTHER,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry.

    Args:
        name: its path, as it stands there.
        kind: what it is.
        size: the bytes that its header tells of.
    """

    name: str
    kind: EntryKind
    size: int

    @property
    def base(self) -> str:
        """The last part of its path, as Go's filepath.Base has it: of `a/b/` it is `b`."""
        return self.name.rstrip("/").rpartition("/")[2]


class Tar:
    """Walks through an archive."""

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self._left = 0
        self._padding = 0

    def next(self) -> Entry | None:
        """Return the next entry, or None at the end.

        Raises:
            BrokenError: the archive is damaged, or cut.
            UnreadError: it has a file with holes.
        """
        records: Mapping[str, str] = {}
        long_name = ""
        while True:
            self._skip()
            header = self._header()
            if header is None:
                return None
            kind, name, size = header
            self._enter(size if kind not in _KINDS or kind == b"g" else 0, size)
            match kind:
                case b"x":
                    records = _records(self._special(size))
                case b"g":
                    _records(self._special(size))
                    return Entry(name=name, kind=EntryKind.OTHER, size=0)
                case b"L":
                    long_name = _text(self._special(size))
                case b"K":
                    self._special(size)
                case _:
                    name = long_name or records.get("path") or name
                    return self._entry(kind, name, size, records)

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes of the entry; none at its end.

        Raises:
            BrokenError: the archive ends before.
        """
        wanted = min(size, self._left)
        chunk = self._stream.read(wanted) if wanted else b""
        self._left -= len(chunk)
        if wanted and not chunk:
            raise BrokenError(_EARLY)
        return chunk

    def _entry(self, kind: bytes, name: str, size: int, records: Mapping[str, str]) -> Entry:
        if kind == b"S" or any(key.startswith("GNU.sparse.") for key in records):
            raise UnreadError(f"`{name}` is a file with holes")
        if told := records.get("size"):
            if not _DECIMAL.fullmatch(told):
                raise BrokenError(_HEADER)
            size = int(told)
        found = _KINDS.get(kind, EntryKind.FILE)
        if kind == b"\0" and name.endswith("/"):
            found = EntryKind.FOLDER
        self._enter(0 if found is not EntryKind.FILE else size, size)
        return Entry(name=name, kind=found, size=size)

    def _enter(self, content: int, size: int) -> None:
        if size < 0 and content:
            raise BrokenError(_HEADER)
        self._left, self._padding = content, -content % _BLOCK

    def _skip(self) -> None:
        while self._left:
            self.read(_CHUNK)
        # An archive may end within the padding.
        self._fill(self._padding)
        self._padding = 0

    def _fill(self, count: int) -> bytes:
        """Return `count` bytes, or fewer at the end."""
        block = b""
        while len(block) < count and (more := self._stream.read(count - len(block))):
            block += more
        return block

    def _special(self, size: int) -> bytes:
        if size > _SPECIAL:
            raise BrokenError(_TOO_LONG)
        content = b""
        while more := self.read(_CHUNK):
            content += more
        return content

    def _block(self) -> bytes | None:
        block = self._fill(_BLOCK)
        if block and len(block) < _BLOCK:
            raise BrokenError(_EARLY)
        return block or None

    def _header(self) -> tuple[bytes, str, int] | None:
        """Return type, name and size of the next header, or None at the end."""
        block = self._block()
        if block is None:
            return None
        if not any(block):
            block = self._block()
            if block is None or not any(block):
                return None
            raise BrokenError(_HEADER)
        if not _sums_up(block):
            raise BrokenError(_HEADER)
        for field in (*_NUMBERS, *(_DEVICES if _has_devices(block) else ())):
            _number(block[field])
        name = _text(block[:100])
        if prefix := _prefix(block):
            name = f"{prefix}/{name}"
        return block[156:157], name, _number(block[124:136])


def _has_devices(block: bytes) -> bool:
    return block[257:263] == b"ustar\0" or block[257:265] == b"ustar  \0"


def _prefix(block: bytes) -> str:
    if block[257:263] != b"ustar\0":
        return ""
    return _text(block[_STAR_PREFIX if block[508:512] == b"tar\0" else _PREFIX])


def _sums_up(block: bytes) -> bool:
    """Return whether the checksum is that of the bytes, its own field taken as spaces."""
    counted = block[:148] + b" " * 8 + block[156:]
    told, unsigned = _octal(block[148:156]), sum(counted)
    # Some old writers took the bytes as signed.
    return told == unsigned or told == unsigned - 256 * sum(byte > 127 for byte in counted)


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode(errors="replace")


def _octal(field: bytes) -> int:
    text = field.strip(b" \0").partition(b"\0")[0]
    if not text:
        return 0
    if re.fullmatch(rb"[0-7]+", text) is None:
        raise BrokenError(_HEADER)
    return int(text, 8)


def _number(field: bytes) -> int:
    if not field[0] & 0x80:
        return _octal(field)
    # Two's complement below the first bit.
    value = int.from_bytes(field) & ~(1 << (len(field) * 8 - 1))
    if field[0] & 0x40:
        value -= 1 << (len(field) * 8 - 1)
    if not -(1 << 63) <= value < 1 << 63:
        raise BrokenError(_HEADER)
    return value


def _records(content: bytes) -> Mapping[str, str]:
    """Return the records of a pax header: `LENGTH KEY=VALUE` and a line feed, one by one."""
    records: dict[str, str] = {}
    while content:
        length, space, _ = content.partition(b" ")
        if not space or not length.isdigit() or len(length) > 7:
            raise BrokenError(_HEADER)
        end = int(length)
        record, content = content[len(length) + 1 : end], content[end:]
        key, equals, value = record.partition(b"=")
        if not record.endswith(b"\n") or not equals or not key:
            raise BrokenError(_HEADER)
        records[key.decode(errors="replace")] = value[:-1].decode(errors="replace")
    return records
