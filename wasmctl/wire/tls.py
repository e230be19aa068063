"""TLS over a stream, the client's side of it. Opens no connection; trusts whom it is told to."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from dataclasses import dataclass
from typing import Final

from wasmctl.wire.messages import Broken, Version
from wasmctl.wire.tcp import Stream, connect

__all__ = ["Tls", "TlsStream", "secure", "speaks_tls"]

_READ_SIZE: Final = 1 << 16
# RFC 8446, 5.1: the first byte of a record; an alert or a handshake is what an answer begins with.
_RECORDS: Final = (b"\x15", b"\x16")
_PROTOCOLS: Final[dict[Version, str]] = {"1.1": "http/1.1", "2": "h2"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """How a server is spoken to over TLS.

    Args:
        context: whom we trust.
        name: the name, or address, that is asked for and has to stand in the certificate.
    """

    context: ssl.SSLContext
    name: str


class TlsStream:
    """A stream with TLS over it; made by `secure`, closed by closing what is below it."""

    def __init__(self, below: Stream, tls: Tls, protocol: str) -> None:
        self._below = below
        self._arrived, self._leaving = ssl.MemoryBIO(), ssl.MemoryBIO()
        # The context is everybody's: what is asked for here holds for the next line only.
        tls.context.set_alpn_protocols([protocol])
        self._tls = tls.context.wrap_bio(self._arrived, self._leaving, server_hostname=tls.name)

    @property
    def lost(self) -> bool:
        """Whether the peer takes nothing any more."""
        return self._below.lost

    @property
    def protocol(self) -> str | None:
        """What the server chose to speak; None: it did not choose."""
        return self._tls.selected_alpn_protocol()

    def greet(self) -> None:
        """Send what begins a handshake, and no more."""
        with contextlib.suppress(ssl.SSLWantReadError):
            self._tls.do_handshake()
        self._flush()

    async def shake_hands(self) -> None:
        """Do the handshake.

        Raises:
            Broken: `tls`; `reset`: the peer closed.
        """
        first = True
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._flush()
            except ssl.SSLError as error:
                self._flush()  # the alert
                raise _broken(error) from None
            else:
                self._flush()
                return
            data = await self._below.receive()
            if not data:
                raise Broken("reset", "the connection was closed within the TLS handshake")
            if first and data[:1] not in _RECORDS:
                raise Broken("tls", "what answers there does not speak TLS")
            first = False
            self._arrived.write(data)

    async def receive(self) -> bytes:
        """Return what has arrived, waiting for the first of it; nothing at the peer's end.

        Raises:
            OSError: the connection was reset.
            Broken: `tls`: the peer refuses it after all.
        """
        while True:
            try:
                return self._tls.read(_READ_SIZE)
            except ssl.SSLWantReadError:
                self._flush()
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                return b""
            except ssl.SSLError as error:
                raise _broken(error) from None
            if data := await self._below.receive():
                self._arrived.write(data)
            else:
                self._arrived.write_eof()

    def write(self, *pieces: bytes | memoryview) -> None:
        """Send, keeping what the peer does not take yet. Never waits, never raises: see `lost`."""
        if self.lost:
            return
        for piece in pieces:
            if piece:
                self._tls.write(piece)
        self._flush()

    async def drained(self) -> None:
        """Wait until the peer has taken all but a little of what was written, or is gone."""
        await self._below.drained()

    def _flush(self) -> None:
        self._below.write(self._leaving.read())


async def secure(below: Stream, tls: Tls, *, version: Version) -> TlsStream:
    """Return the stream with TLS over it, for this version of HTTP.

    Raises:
        Broken: `tls`, `reset`; `protocol`: the server does not speak that version.
    """
    stream = TlsStream(below, tls, _PROTOCOLS[version])
    try:
        await stream.shake_hands()
    except OSError as error:
        message = f"the connection was reset within the TLS handshake ({error.strerror})"
        raise Broken("reset", message) from None
    if version == "2" and stream.protocol != _PROTOCOLS[version]:
        raise Broken("protocol", "the server does not speak HTTP/2 over TLS (ALPN)")
    return stream


async def speaks_tls(host: str, port: int, *, timeout: float) -> bool:
    """Return whether what listens there answers in TLS; False also where nothing does."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        async with asyncio.timeout(timeout):
            below = await connect(host, port)
            try:
                TlsStream(below, Tls(context=context, name=host), "http/1.1").greet()
                return (await below.receive())[:1] in _RECORDS
            finally:
                below.close()
    except (TimeoutError, OSError, Broken):
        return False


def _broken(error: ssl.SSLError) -> Broken:
    if isinstance(error, ssl.SSLCertVerificationError):
        return Broken("tls", f"its certificate is not trusted: {error.verify_message}")
    # `[SSL: TLSV1_ALERT_UNRECOGNIZED_NAME] …`: the reason in words that one can search for.
    reason = (error.reason or str(error)).replace("_", " ").lower()
    return Broken("tls", f"there is no TLS connection: {reason}")
