"""A blob on its way to us, taken up again where a connection was cut."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Final

from wasmctl.oci.failures import Cut
from wasmctl.oci.transport import Reply

__all__ = ["Download"]

# How often in a row it is taken up again without this many bytes having come.
_RESUMES: Final = 2
_WORTHWHILE: Final = 64 * 1024
# How much is read at once, and so lost where the connection is cut meanwhile.
_CHUNK: Final = 64 * 1024


class Download(io.RawIOBase):
    """Reads up to `size` bytes of a blob; whoever reads checks what they hash to.

    Args:
        start: asks for the blob from a position on; the answer may also start at 0.
        size: how many bytes are wanted.
    """

    def __init__(self, start: Callable[[int], Reply], size: int) -> None:
        super().__init__()
        self._start = start
        self._size = size
        self._position = 0
        self._resumes = 0
        self._resumed_at = 0
        self._reply = start(0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # typeshed: Buffer
        wanted = min(len(buffer), self._size - self._position)
        if wanted == 0:
            return 0
        chunk = self._read(wanted)
        buffer[: len(chunk)] = chunk
        self._position += len(chunk)
        return len(chunk)

    def _read(self, count: int) -> bytes:
        behind = 0
        while True:
            try:
                if behind == 0:
                    return self._reply.read_some(min(count, _CHUNK))
                behind -= len(self._reply.read_some(min(behind, _CHUNK)))
            except Cut:
                if self._position - self._resumed_at >= _WORTHWHILE:
                    self._resumes = 0
                if self._resumes == _RESUMES:
                    raise
                self._resumes += 1
                self._resumed_at = self._position
                behind = self._resume()

    def _resume(self) -> int:
        """Ask for the rest; return how many bytes of what comes are behind us already."""
        self._reply.close()
        self._reply = self._start(self._position)
        # RFC 9110, 14.2: a server may ignore a Range and answer with the whole.
        return self._position if self._reply.status == 200 else 0

    def close(self) -> None:
        if not self.closed:
            self._reply.close()
        super().close()
