"""A gzip stream, read as Go reads it, with what Go says where it cannot.

Go's compress/gzip hands out every byte before the one that it stumbles over, and takes the members
of a stream for one (RFC 1952, 2.2); Python's own reader does neither in the same way. Pure.
"""

from __future__ import annotations

import re
import zlib
from typing import Final, Protocol

__all__ = ["BrokenError", "Gunzip", "Readable", "UnreadError"]

_CHUNK: Final = 64 * 1024
# compress/gzip/gunzip.go, readHeader: the first ten bytes; ID1, ID2 and the method are looked at.
_HEAD: Final = 10
_MAGIC: Final = b"\x1f\x8b\x08"
# Each member costs a copy of what is ahead; nobody writes as many.
_MEMBERS: Final = 10_000
_GZIP: Final = 31  # zlib.h, inflateInit2: 16 + the largest window
_IN_HEADER: Final = re.compile(r"header|unknown compression method")
_IN_TRAILER: Final = re.compile(r"incorrect (?:data|length) check")


class BrokenError(Exception):
    """Reading cannot go on; the text is Go's."""


class UnreadError(Exception):
    """What Go reads and this does not; the text says what it is."""


class Readable(Protocol):
    """Bytes in their order; none at their end."""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes."""


class Gunzip:
    """What a gzip stream unpacks to.

    Args:
        packed: the stream; it may raise a `BrokenError` of its own at its end.

    Raises:
        BrokenError: it does not begin as one.
    """

    def __init__(self, packed: Readable) -> None:
        self._packed = packed
        self._ahead = b""
        self._ended = False
        self._members = 0
        if not self._begin():
            raise BrokenError("EOF")

    def read(self, size: int, /) -> bytes:
        """Return between 1 and `size` bytes, or none at the end.

        Raises:
            BrokenError: the stream is damaged, or cut.
        UnreadError: it has more members than anybody writes.
        """
        while not self._ended:
            if self._inflate.eof:
                self._ahead = self._inflate.unused_data
                self._ended = not self._begin()
                continue
            fed = self._ahead or self._packed.read(_CHUNK)
            if not fed and not self._pending:
                raise BrokenError("unexpected EOF")
            plain = self._unpack(fed, size)
            if plain:
                return plain
        return b""

    def _begin(self) -> bool:
        """Begin a member, and return whether there is one."""
        while len(self._ahead) < _HEAD and (more := self._packed.read(_CHUNK)):
            self._ahead += more
        if not self._ahead:
            return False
        if len(self._ahead) < _HEAD:
            raise BrokenError("unexpected EOF")
        if not self._ahead.startswith(_MAGIC):
            raise BrokenError("gzip: invalid header")
        self._members += 1
        if self._members > _MEMBERS:
            raise UnreadError(f"the stream has more than {_MEMBERS} members")
        self._inflate = zlib.decompressobj(_GZIP)
        self._pending = False
        return True

    def _unpack(self, fed: bytes, size: int) -> bytes:
        try:
            plain = self._inflate.decompress(fed, size)
        except zlib.error as error:
            raise BrokenError(_said(str(error))) from error
        self._ahead = self._inflate.unconsumed_tail
        # A full buffer may leave more behind, without any input left to feed.
        self._pending = len(plain) == size
        return plain


def _said(words: str) -> str:
    if _IN_HEADER.search(words):
        return "gzip: invalid header"
    if _IN_TRAILER.search(words):
        return "gzip: invalid checksum"
    # Go counts the bytes up to there in its own way.
    return "flate: corrupt input before offset …"
