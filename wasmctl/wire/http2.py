"""HTTP/2 over a stream that is known to speak it, both sides of it (RFC 9113).

Opens and closes no connection. Takes what h2 would call invalid in a header, as a recorder should;
what breaks the protocol itself ends the connection.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from h2 import events
from h2.config import H2Configuration
from h2.connection import ConnectionInputs, H2Connection, H2ConnectionStateMachine
from h2.errors import ErrorCodes
from h2.exceptions import NoSuchStreamError, ProtocolError, StreamClosedError
from h2.settings import SettingCodes

from wasmctl.wire.messages import (
    STATUSES_WITHOUT_BODY,
    Broken,
    Headers,
    Incoming,
    Received,
    Reply,
    Request,
    first_value,
)
from wasmctl.wire.pace import BEFORE_RESET, BETWEEN_PIECES
from wasmctl.wire.tcp import Channel, Stream

__all__ = ["answer_requests", "ask"]

# How much the peer may send ahead, on a stream and on the connection: all is read at once anyway.
_WINDOW: Final = 1 << 24
_FRAME_SIZE: Final = 1 << 18
_HEAD_SIZE: Final = 8 << 20
_STREAMS: Final = 1000
_SETTINGS_FRAME: Final = b"\x04"
# Frames are gathered up to this size before they go to the socket.
_BATCH: Final = 1 << 16


class _PatientStates(H2ConnectionStateMachine):
    """h2's states, but that streams go on after a GOAWAY, as RFC 9113, 6.8 has it.

    h2 itself closes at once: https://github.com/python-hyper/h2/issues/1181.
    """

    def process_input(self, input_: ConnectionInputs) -> list[events.Event]:
        if input_ is ConnectionInputs.RECV_GOAWAY:
            return []
        return super().process_input(input_)


class _Link:
    """What both sides do: frames between h2 and the stream, bodies within the peer's windows."""

    def __init__(self, stream: Channel, *, client: bool) -> None:
        self.h2 = H2Connection(
            H2Configuration(
                client_side=client,
                header_encoding=None,
                validate_outbound_headers=False,
                normalize_outbound_headers=False,
                validate_inbound_headers=False,
                normalize_inbound_headers=False,
            )
        )
        self.h2.state_machine = _PatientStates()
        self._stream = stream
        self._changed = asyncio.Event()
        self._greeting_due = client
        self.h2.initiate_connection()
        self.h2.update_settings(
            {
                SettingCodes.INITIAL_WINDOW_SIZE: _WINDOW,
                SettingCodes.MAX_FRAME_SIZE: _FRAME_SIZE,
                SettingCodes.MAX_HEADER_LIST_SIZE: _HEAD_SIZE,
                SettingCodes.MAX_CONCURRENT_STREAMS: _STREAMS,
            }
        )
        self.h2.increment_flow_control_window(_WINDOW)

    def flush(self) -> None:
        self._stream.write(self.h2.data_to_send())

    def take(self, data: bytes) -> list[events.Event]:
        """Return what the data means, having answered what the protocol itself asks.

        Raises:
            Broken: `protocol`; the peer is told.
        """
        # RFC 9113, 3.4: a server begins with SETTINGS; h2 would wait for the end of a huge frame.
        if self._greeting_due and data[3:4] not in {b"", _SETTINGS_FRAME}:
            raise Broken("protocol", "the peer does not speak HTTP/2")
        self._greeting_due = False
        try:
            taken = self.h2.receive_data(data)
        except ProtocolError as error:
            self.flush()
            raise Broken("protocol", f"the peer breaks HTTP/2: {error}") from None
        for event in taken:
            if isinstance(event, events.DataReceived) and event.flow_controlled_length:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        self.flush()
        self._changed.set()
        self._changed.clear()
        return taken

    def reset(self, stream_id: int) -> None:
        """Reset a stream, if it is still there."""
        with contextlib.suppress(ProtocolError):
            self.h2.reset_stream(stream_id, ErrorCodes.INTERNAL_ERROR)
        self.flush()

    async def send(
        self,
        stream_id: int,
        head: Iterable[tuple[bytes, bytes]],
        body: tuple[bytes, ...],
        trailers: Headers = (),
        *,
        end: bool = True,
    ) -> None:
        """Send a message, its pieces apart; without `end` the stream stays open.

        Stops without an error where the peer has closed the stream.
        """
        pieces = [piece for piece in body if piece]
        try:
            last = end and not pieces and not trailers
            self.h2.send_headers(stream_id, [*head], end_stream=last)
            for index, piece in enumerate(pieces, start=1):
                last = end and index == len(pieces) and not trailers
                await self._send_piece(stream_id, piece, end=last)
                if index < len(pieces):
                    await asyncio.sleep(BETWEEN_PIECES)
            if end and trailers:
                lowered = [(name.lower(), value) for name, value in trailers]
                self.h2.send_headers(stream_id, lowered, end_stream=True)
        except (StreamClosedError, NoSuchStreamError):
            return
        finally:
            self.flush()

    async def _send_piece(self, stream_id: int, piece: bytes, *, end: bool) -> None:
        rest = memoryview(piece)
        ready = 0
        while rest:
            room = self.h2.local_flow_control_window(stream_id)
            if room <= 0:
                self.flush()
                await self._changed.wait()
                continue
            part = rest[: min(room, self.h2.max_outbound_frame_size)]
            rest = rest[len(part) :]
            self.h2.send_data(stream_id, part, end_stream=end and not rest)
            ready += len(part)
            if ready >= _BATCH or not rest:
                self.flush()
                ready = 0
                await self._stream.drained()


async def ask(
    stream: Channel, request: Request, *, scheme: str, authority: str, incoming: Incoming
) -> None:
    """Send the request while reading the answer into `incoming`; a whole answer ends both.

    Raises:
        Broken: `reset` or `protocol`.
    """
    link = _Link(stream, client=True)
    head = [
        (b":method", request.method.encode()),
        (b":scheme", scheme.encode()),
        (b":path", request.path.encode()),
        (b":authority", first_value(request.headers, b"host") or authority.encode()),
        *((name.lower(), value) for name, value in request.headers if name.lower() != b"host"),
        *_length(request.headers, request.body, whole=not request.trailers),
    ]
    stream_id = link.h2.get_next_available_stream_id()
    sending = asyncio.create_task(link.send(stream_id, head, request.body, request.trailers))
    try:
        while not await _read_answer(stream, link, incoming):
            pass
    except OSError as error:
        raise Broken("reset", f"the connection was reset ({error.strerror})") from None
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)


def _length(headers: Headers, body: tuple[bytes, ...], *, whole: bool) -> Headers:
    """Return the length of a body in one piece, which HTTP/2 allows to say and clients do.

    Not of one that trailers follow: a proxy that goes on in HTTP/1 would have to drop them, as
    they need chunks there (RFC 9112, section 7.1.2).
    """
    if not whole or len(body) != 1 or first_value(headers, b"content-length") is not None:
        return ()
    return ((b"content-length", str(len(body[0])).encode()),)


async def _read_answer(stream: Channel, link: _Link, incoming: Incoming) -> bool:
    """Read what has come; say whether the answer is whole."""
    data = await stream.receive()
    if not data:
        raise Broken("reset", "the connection was closed before the answer was complete")
    for event in link.take(data):
        match event:
            case events.ResponseReceived(headers=headers):
                incoming.status, incoming.headers = _status(headers)
            case events.DataReceived(data=piece):
                incoming.pieces.append(piece)
            case events.TrailersReceived(headers=headers):
                incoming.trailers = _pairs(headers)
            case events.StreamEnded():
                return True
            case events.StreamReset(error_code=code):
                raise Broken("reset", f"the stream was reset ({_name(code)})")
            case events.ConnectionTerminated(error_code=code):
                if code != ErrorCodes.NO_ERROR:
                    raise Broken("protocol", f"the peer ended the connection ({_name(code)})")
            case _:
                pass
    return False


def _status(headers: Iterable[tuple[bytes, bytes]]) -> tuple[int, Headers]:
    pairs = _pairs(headers)
    status = first_value(pairs, b":status") or b""
    if not status.isdigit():
        raise Broken("protocol", "the answer has no status")
    return int(status), tuple(pair for pair in pairs if not pair[0].startswith(b":"))


def _name(code: ErrorCodes | int | None) -> str:
    return code.name if isinstance(code, ErrorCodes) else str(code)


async def answer_requests(
    stream: Stream, ahead: bytes, answer: Callable[[Received], Awaitable[Reply]]
) -> None:
    """Answer every request on a stream of its own until the client goes; `ahead` has been read.

    Raises:
        Broken: what the client sends is not HTTP/2 (it was told so).
        OSError: the connection was reset.
    """
    server = _Server(_Link(stream, client=False), answer)
    data = ahead
    try:
        while data:
            server.take(data)
            data = await stream.receive()
    finally:
        await server.stop()


class _Server:
    """The requests of one connection: those that arrive, and those that are being answered."""

    def __init__(self, link: _Link, answer: Callable[[Received], Awaitable[Reply]]) -> None:
        self._link = link
        self._answer = answer
        self._arriving: dict[int, Incoming] = {}
        self._answering: dict[int, asyncio.Task[None]] = {}

    def take(self, data: bytes) -> None:
        for event in self._link.take(data):
            match event:
                case events.RequestReceived(stream_id=int(key), headers=headers):
                    self._arriving[key] = Incoming(headers=_pairs(headers))
                case events.DataReceived(stream_id=int(key), data=piece):
                    self._arriving[key].pieces.append(piece)
                case events.TrailersReceived(stream_id=int(key), headers=headers):
                    self._arriving[key].trailers = _pairs(headers)
                case events.StreamEnded(stream_id=int(key)):
                    reply = self._reply(key, _received(self._arriving.pop(key)))
                    self._answering[key] = asyncio.create_task(reply)
                case events.StreamReset(stream_id=int(key)):
                    self._arriving.pop(key, None)
                    if key in self._answering:
                        self._answering[key].cancel()
                case _:
                    pass

    async def stop(self) -> None:
        tasks = [*self._answering.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _reply(self, stream_id: int, received: Received) -> None:
        try:
            await self._send(stream_id, received.method, await self._answer(received))
        finally:
            del self._answering[stream_id]

    async def _send(self, stream_id: int, method: str, reply: Reply) -> None:
        await asyncio.sleep(reply.delay)
        if reply.fail == "hang":
            await asyncio.Event().wait()
        if not (reply.fail == "reset" and reply.is_silent):
            head = [
                (b":status", str(reply.status).encode()),
                *((name.lower(), value) for name, value in reply.headers),
            ]
            body, trailers = reply.body, reply.trailers
            if reply.fail is None and reply.status not in STATUSES_WITHOUT_BODY:
                head += _length(reply.headers, body, whole=not trailers)
            if method == "HEAD" or reply.status in STATUSES_WITHOUT_BODY:
                body, trailers = (), ()
            await self._link.send(stream_id, head, body, trailers, end=reply.fail is None)
        if reply.fail == "reset":
            await asyncio.sleep(BEFORE_RESET)
            self._link.reset(stream_id)


def _pairs(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    return tuple((bytes(name), bytes(value)) for name, value in headers)


def _received(incoming: Incoming) -> Received:
    authority = first_value(incoming.headers, b":authority")
    host = () if authority is None else ((b"host", authority),)
    return Received(
        method=(first_value(incoming.headers, b":method") or b"").decode("latin-1"),
        path=(first_value(incoming.headers, b":path") or b"").decode("latin-1"),
        headers=host + tuple(pair for pair in incoming.headers if not pair[0].startswith(b":")),
        body=b"".join(incoming.pieces),
        trailers=incoming.trailers,
        version="2",
    )
