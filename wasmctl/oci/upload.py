"""The body of a request: a blob read from its start, told to whoever watches."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import BinaryIO

from wasmctl.errors import UsageError

__all__ = ["Stopped", "Upload"]


class Stopped(Exception):
    """The rest is not wanted: another part of the transfer has failed."""


class Upload:
    """Reads a blob as it is sent; it may be sent again from its start.

    Args:
        open_stream: opens the bytes.
        size: how many there are.
        advance: called with the bytes sent since the last call; negative when sent again.
        stopped: set when the rest is not wanted any more.
    """

    def __init__(
        self,
        open_stream: Callable[[], BinaryIO],
        *,
        size: int,
        advance: Callable[[int], None],
        stopped: threading.Event,
    ) -> None:
        self.size = size
        self._open = open_stream
        self._advance = advance
        self._stopped = stopped
        self._sent = 0
        self._stream: BinaryIO | None = None

    def read(self, count: int = -1, /) -> bytes:
        """Return the next bytes, as a file does.

        Raises:
            Stopped: the rest is not wanted.
            UsageError: the file cannot be read; an `OSError` would be taken for the network's.
        """
        if self._stopped.is_set():
            raise Stopped
        try:
            if self._stream is None:
                self._stream = self._open()
            chunk = self._stream.read(count)
        except OSError as error:
            raise UsageError(
                "cannot-read",
                f"what is to be pushed cannot be read: {error.strerror or error}",
                hint="check the disk, and that nothing clears the folder for temporary files",
            ) from error
        self._sent += len(chunk)
        self._advance(len(chunk))
        return chunk

    def rewind(self) -> None:
        """Start again."""
        self.close()
        if self._sent:
            self._advance(-self._sent)
        self._sent = 0

    def skip(self) -> None:
        """Count all of it as sent."""
        self._advance(self.size - self._sent)
        self._sent = self.size

    def close(self) -> None:
        """Close the file; what was sent stays sent."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None
