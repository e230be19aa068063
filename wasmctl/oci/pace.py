"""How long an answer may take: a bound on every silence, and on the whole by what has come.

A socket's own time-out starts anew with every byte, so that a server which drips one now and then
is waited for without end. Knows sockets and urllib3's pools, nothing of registries.
"""

from __future__ import annotations

import http.client
import io
import socket
import time
from typing import Final

import urllib3

from wasmctl.oci.failures import TooSlowError

__all__ = ["pace"]

# Seconds in which any answer has to be there whole, and what each second more has to bring (bytes).
_GRACE: Final = 60.0
_RATE: Final = 8 * 1024


class _Paced(io.RawIOBase):
    """Reads an answer, head and body, as long as it comes fast enough."""

    def __init__(self, connection: socket.socket) -> None:
        super().__init__()
        self._connection = connection
        self._silence = connection.gettimeout() or _GRACE
        self._raw = connection.makefile("rb", buffering=0)
        self._started = time.monotonic()
        self._count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # typeshed: Buffer
        left = self._started + _GRACE + self._count / _RATE - time.monotonic()
        if left <= 0:
            raise self._too_slow()
        self._connection.settimeout(min(left, self._silence))
        try:
            count = self._raw.readinto(buffer) or 0
        except TimeoutError as error:
            if left < self._silence:
                raise self._too_slow() from error
            if self._count == 0:
                raise
            said = f"stopped in the middle of its answer: nothing came for {self._silence:.0f} s"
            raise TooSlowError(said) from error
        self._count += count
        return count

    def _too_slow(self) -> TooSlowError:
        taken = time.monotonic() - self._started
        return TooSlowError(f"answers too slowly: {self._count} bytes within {taken:.0f} s")

    def close(self) -> None:
        self._raw.close()
        super().close()


class _PacedAnswer(http.client.HTTPResponse):
    def __init__(
        self,
        sock: socket.socket,
        debuglevel: int = 0,
        method: str | None = None,
        url: str | None = None,
    ) -> None:
        super().__init__(sock, debuglevel, method, url)
        self.fp.close()
        self.fp = io.BufferedReader(_Paced(sock))


def pace(manager: urllib3.PoolManager) -> None:
    """Let the answers to all that is asked through `manager` keep the pace.

    A `TooSlowError` is raised where one does not, by whatever reads it.
    """
    manager.pool_classes_by_scheme = {
        scheme: _paced(kind) for scheme, kind in manager.pool_classes_by_scheme.items()
    }


def _paced(kind: type[urllib3.HTTPConnectionPool]) -> type[urllib3.HTTPConnectionPool]:
    connection = type("Connection", (kind.ConnectionCls,), {"response_class": _PacedAnswer})
    return type(kind.__name__, (kind,), {"ConnectionCls": connection})
