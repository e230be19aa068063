"""What is in a layer: read once, no further than any consumer reads, and never kept. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from wasmctl.consumers.gunzip import BrokenError, Gunzip, Readable, UnreadError
from wasmctl.consumers.tar import Entry, EntryKind, Tar
from wasmctl.oci.image import MODULE_NAME
from wasmctl.oci.module import FETCH_LIMIT

__all__ = ["Content", "Found", "Packing", "Stage", "read_content"]

_CHUNK: Final = 256 * 1024
_MAGICS: Final = 8
_ZSTD: Final = b"\x28\xb5\x2f\xfd"  # RFC 8878, 3.1.1
# Names of an archive that are kept; a layer may have half a million.
_NAMES: Final = 1000


class Packing(StrEnum):
    """How a layer is compressed, by its first bytes."""

    GZIP = "gzip"
    ZSTD = "zstd"
    NONE = "not compressed"


class Stage(StrEnum):
    """What was being done when reading could not go on."""

    OPENING = "opening"
    WALKING = "walking"
    READING = "reading"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The first entry called `plugin.wasm`, as a Go program reads it.

    Args:
        entry: the entry.
        head: its first bytes.
    """

    entry: Entry
    head: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What is in a layer.

    Args:
        packing: how it is compressed.
        head: its first bytes, as they are.
        size: how many of its bytes there are.
        end: what Go says at the end of its bytes, where they are not the promised ones.
        entries: those of its archive, in their order, no more than a thousand of them.
        count: how many entries there are.
        found: the first that is called `plugin.wasm`.
        broken: what Go says of why reading could not go on; empty: it came to the end.
        stage: what it was doing then.
        unread: what Go reads and we do not, before which we stopped.
        over: whether it unpacks to more than consumers follow.
    """

    packing: Packing
    head: bytes
    size: int
    end: str = ""
    entries: tuple[Entry, ...] = ()
    count: int = 0
    found: Found | None = None
    broken: str = ""
    stage: Stage = Stage.WALKING
    unread: str = ""
    over: bool = False


def read_content(blob: Readable, *, size: int, end: str = "", limit: int = FETCH_LIMIT) -> Content:
    """Read a layer.

    Args:
        blob: its bytes.
        size: how many there are.
        end: what Go says at their end, where they are not the promised ones.
        limit: how far consumers follow what it unpacks to.
    """
    ahead = _Ahead(blob, end)
    head = ahead.peek(_MAGICS)
    packing = _packing(head)
    walk = _Walk()
    try:
        walk.go(ahead, packed=packing is Packing.GZIP, limit=limit)
    except BrokenError as error:
        walk.broken = str(error)
    except UnreadError as error:
        walk.unread = str(error)
    return Content(
        packing=packing,
        head=head,
        size=size,
        end=end,
        entries=tuple(walk.entries),
        count=walk.count,
        found=walk.found,
        broken=walk.broken,
        stage=walk.stage,
        unread=walk.unread,
        over=walk.over,
    )


def _packing(head: bytes) -> Packing:
    if head.startswith(b"\x1f\x8b"):
        return Packing.GZIP
    return Packing.ZSTD if head.startswith(_ZSTD) else Packing.NONE


class _Walk:
    """A walk through the archive of a layer, and how far it came."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.count = 0
        self.found: Found | None = None
        self.broken = ""
        self.unread = ""
        self.over = False
        self.stage = Stage.OPENING

    def go(self, blob: _Ahead, *, packed: bool, limit: int) -> None:
        plain = Gunzip(blob) if packed else blob
        self.stage = Stage.WALKING
        limited = _Limited(plain, limit)
        try:
            self._walk(Tar(limited))
        finally:
            self.over = limited.spent

    def _walk(self, archive: Tar) -> None:
        for entry in iter(archive.next, None):
            self.count += 1
            if len(self.entries) < _NAMES:
                self.entries.append(entry)
            if self.found is None and entry.base == MODULE_NAME:
                self.stage = Stage.READING
                self.found = _take(archive, entry)
                self.stage = Stage.WALKING


def _take(archive: Tar, entry: Entry) -> Found:
    if entry.size and entry.kind is not EntryKind.FILE:
        # Go makes room for what the header tells, and finds no bytes to fill it.
        raise BrokenError("EOF")
    head, left = b"", entry.size
    while left:
        chunk = archive.read(min(left, _CHUNK))
        left -= len(chunk)
        head += chunk[: _MAGICS - len(head)]
    return Found(entry=entry, head=head)


class _Ahead:
    """A stream that can be looked into before it is read, and whose end may say something."""

    def __init__(self, stream: Readable, end: str) -> None:
        self._stream = stream
        self._end = end
        self._ahead = b""

    def peek(self, count: int) -> bytes:
        while len(self._ahead) < count and (more := self._stream.read(count - len(self._ahead))):
            self._ahead += more
        return self._ahead

    def read(self, size: int, /) -> bytes:
        if self._ahead:
            chunk, self._ahead = self._ahead[:size], self._ahead[size:]
            return chunk
        chunk = self._stream.read(size)
        if not chunk and self._end:
            raise BrokenError(self._end)
        return chunk


class _Limited:
    """A stream that seems to end where consumers follow it no further (Go's io.LimitReader)."""

    def __init__(self, stream: Readable, limit: int) -> None:
        self._stream = stream
        self._left = limit

    @property
    def spent(self) -> bool:
        return not self._left

    def read(self, size: int, /) -> bytes:
        if not self._left:
            return b""
        chunk = self._stream.read(min(size, self._left))
        self._left -= len(chunk)
        return chunk
