"""HTTP/1.1 over a stream, both sides of it (RFC 9112). Opens and closes no connection."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Final

import h11

from wasmctl.wire.messages import (
    STATUSES_WITHOUT_BODY,
    Broken,
    Headers,
    Incoming,
    Received,
    Reply,
    Request,
    Unsendable,
    first_value,
)
from wasmctl.wire.pace import BEFORE_RESET, BETWEEN_PIECES
from wasmctl.wire.tcp import Channel, Stream

__all__ = ["answer_requests", "ask"]

# Envoy takes heads of up to 8 MiB where it is told to (max_request_headers_kb).
_HEAD_SIZE: Final = 8 << 20
# RFC 9110, 8.6: a request whose method has a meaning for content says so when there is none.
_METHODS_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})


async def ask(stream: Channel, request: Request, *, authority: str, incoming: Incoming) -> None:
    """Send the request while reading the answer into `incoming`; a whole answer ends both.

    Raises:
        Broken: `reset` or `protocol`.
        Unsendable: the headers frame the body in a way that HTTP/1 does not know.
    """
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=_HEAD_SIZE)
    try:
        head = connection.send(_request_head(request, authority)) or b""
    except h11.LocalProtocolError as error:
        raise Unsendable(f"HTTP/1 cannot carry the request: {error}") from None
    sending = asyncio.create_task(
        _send(stream, connection, head, request.body, trailers=request.trailers)
    )
    try:
        await _read_answer(stream, connection, incoming)
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)


def _request_head(request: Request, authority: str) -> h11.Request:
    headers = list(request.headers)
    if first_value(request.headers, b"host") is None:
        headers.insert(0, (b"host", authority.encode()))
    if request.body or request.trailers or request.method in _METHODS_WITH_BODY:
        headers += _framing(request.headers, request.body, whole=not request.trailers)
    return h11.Request(method=request.method, target=request.path, headers=headers)


def _framing(headers: Headers, body: tuple[bytes, ...], *, whole: bool) -> Headers:
    """Return the header that delimits the body; a message that has one keeps its own.

    A body in one piece has a length; several pieces, or trailers, go in chunks.
    """
    if any(name.lower() in {b"content-length", b"transfer-encoding"} for name, _ in headers):
        return ()
    if whole and len(body) <= 1:
        return ((b"content-length", str(sum(map(len, body))).encode()),)
    return ((b"transfer-encoding", b"chunked"),)


async def _send(
    stream: Channel,
    connection: h11.Connection,
    head: bytes,
    body: tuple[bytes, ...],
    *,
    trailers: Headers = (),
    end: bool = True,
) -> None:
    """Send a head that is ready and then the body, its pieces apart; with `end` also the end."""
    last = len(body) - 1
    for index, piece in enumerate(body):
        stream.write(head, *connection.send_with_data_passthrough(h11.Data(data=piece)) or ())
        head = b""
        await stream.drained()
        if stream.lost:
            return
        if index < last:
            await asyncio.sleep(BETWEEN_PIECES)
    ending = b""
    try:
        if end:
            ending = connection.send(h11.EndOfMessage(headers=list(trailers))) or b""
    finally:
        stream.write(head, ending)


async def _read_answer(stream: Channel, connection: h11.Connection, incoming: Incoming) -> None:
    while True:
        event = await _next_event(stream, connection, "answer")
        match event:
            case h11.Response() | h11.InformationalResponse(status_code=101):
                incoming.status = event.status_code
                incoming.headers = tuple(event.headers)
            case h11.Data():
                incoming.pieces.append(event.data)
            case h11.EndOfMessage():
                incoming.trailers = tuple(event.headers)
                return
            case h11.PAUSED:  # the connection speaks something else from here on
                return
            case h11.ConnectionClosed():
                raise Broken("reset", "the connection was closed before an answer")
            case _:  # an informational answer: the final one follows
                pass


async def _next_event(
    stream: Channel, connection: h11.Connection, what: str
) -> h11.Event | type[h11.PAUSED]:
    ended = False
    while True:
        try:
            event = connection.next_event()
        except h11.RemoteProtocolError as error:
            if ended:
                message = f"the connection was closed before the {what} was complete"
                raise Broken("reset", message) from None
            raise Broken("protocol", f"the {what} is no HTTP/1: {error}") from None
        if not isinstance(event, type) or event is h11.PAUSED:
            return event
        try:
            data = await stream.receive()
        except OSError as error:
            raise Broken("reset", f"the connection was reset ({error.strerror})") from None
        ended = not data
        connection.receive_data(data)


async def answer_requests(
    stream: Stream, ahead: bytes, answer: Callable[[Received], Awaitable[Reply]]
) -> None:
    """Answer one request after another until either side closes; `ahead` has been read already.

    Raises:
        Broken: the client went, or what it sends is not HTTP/1 (it was told so).
    """
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=_HEAD_SIZE)
    connection.receive_data(ahead)
    while True:
        try:
            received = await _read_request(stream, connection)
        except Broken as broken:
            if broken.kind == "protocol" and connection.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
                refusal = Reply(status=400, body=(f"{broken.message}\n".encode(),))
                await _send_reply(stream, connection, refusal, b"")
            raise
        if received is None:
            return
        await _send_reply(stream, connection, await answer(received), received.method.encode())
        if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
            return
        connection.start_next_cycle()


async def _read_request(stream: Stream, connection: h11.Connection) -> Received | None:
    head: h11.Request | None = None
    pieces: list[bytes | bytearray] = []
    while True:
        if connection.they_are_waiting_for_100_continue:
            stream.write(connection.send(h11.InformationalResponse(status_code=100, headers=[])))
        event = await _next_event(stream, connection, "request")
        match event:
            case h11.Request():
                head = event
            case h11.Data():
                pieces.append(event.data)
            case h11.EndOfMessage() if head is not None:
                return Received(
                    method=head.method.decode(),
                    path=head.target.decode(),
                    headers=tuple(head.headers),
                    body=b"".join(pieces),
                    trailers=tuple(event.headers),
                    version="1.1",
                )
            case _:
                return None


async def _send_reply(
    stream: Stream, connection: h11.Connection, reply: Reply, method: bytes
) -> None:
    if reply.delay:
        await asyncio.sleep(reply.delay)
    if reply.fail == "hang":
        while await stream.receive():
            pass
        return
    if reply.fail == "reset" and reply.is_silent:
        stream.reset()
        return
    bodiless = method == b"HEAD" or reply.status in STATUSES_WITHOUT_BODY
    body, trailers = ((), ()) if bodiless else (reply.body, reply.trailers)
    head = connection.send(_reply_head(reply)) or b""
    # A declared length that the body does not have: the client gets what there is, and no more.
    with contextlib.suppress(h11.LocalProtocolError):
        await _send(stream, connection, head, body, trailers=trailers, end=reply.fail is None)
    await stream.delivered()
    if reply.fail == "reset":
        await stream.acknowledged()
        await asyncio.sleep(BEFORE_RESET)
        stream.reset()


def _reply_head(reply: Reply) -> h11.Response:
    headers = reply.headers
    if reply.status not in STATUSES_WITHOUT_BODY:
        whole = not reply.trailers and reply.fail is None
        headers += _framing(reply.headers, reply.body, whole=whole)
    return h11.Response(status_code=reply.status, headers=list(headers))
