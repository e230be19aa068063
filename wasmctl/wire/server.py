"""An HTTP server on one port: HTTP/1.1 and HTTP/2, told apart by the first bytes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Final

from wasmctl.wire import http1
from wasmctl.wire.messages import Broken, Received, Reply
from wasmctl.wire.tcp import Listening, Stream, listen

__all__ = ["Answer", "serve"]

Answer = Callable[[Received], Awaitable[Reply]]

# RFC 9113, 3.4: how a client begins that knows the server to speak HTTP/2.
_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


@contextlib.asynccontextmanager
async def serve(
    answer: Answer, *, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[Listening]:
    """Answer every request with what `answer` returns for it, once it has come whole.

    Port 0 is one of the kernel's choice. Leaving closes all connections at once, also those that
    wait for an answer. Where `answer` raises, the client gets status 500, and the first such
    error is raised again on leaving.

    Raises:
        OSError: the port is taken.
    """
    failures: list[Exception] = []

    async def guarded(received: Received) -> Reply:
        try:
            return await answer(received)
        except Exception as failure:  # noqa: BLE001  raised again below
            failures.append(failure)
            return Reply(status=500, body=(f"{type(failure).__name__}\n".encode(),))

    async with listen(host=host, port=port) as listening:
        accepting = asyncio.create_task(_accept(listening, guarded))
        try:
            yield listening
        finally:
            accepting.cancel()
            await asyncio.gather(accepting, return_exceptions=True)
    if failures:
        raise failures[0]


async def _accept(listening: Listening, answer: Answer) -> None:
    connections: set[asyncio.Task[None]] = set()
    try:
        while True:
            stream = await listening.accept()
            connection = asyncio.create_task(_converse(stream, answer))
            connections.add(connection)
            connection.add_done_callback(connections.discard)
            # Not by the task itself: one that is cancelled before its first step does nothing.
            connection.add_done_callback(partial(_close, stream))
    finally:
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)


async def _converse(stream: Stream, answer: Answer) -> None:
    # A client that goes, or sends what is no HTTP, is its own business.
    with contextlib.suppress(OSError, Broken):
        first = b""
        while len(first) < len(_PREFACE) and _PREFACE.startswith(first):
            data = await stream.receive()
            if not data:
                break
            first += data
        if first.startswith(_PREFACE):
            from wasmctl.wire import http2

            await http2.answer_requests(stream, first, answer)
        else:
            await http1.answer_requests(stream, first, answer)


def _close(stream: Stream, _: asyncio.Task[None]) -> None:
    stream.close()
