"""One exchange with an HTTP server, over a connection of its own; in clear or over TLS."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from wasmctl.wire import http1
from wasmctl.wire.messages import Broken, Incoming, Request, Response
from wasmctl.wire.tcp import Channel, connect

if TYPE_CHECKING:
    from wasmctl.wire.tls import Tls

__all__ = ["exchange"]


async def exchange(
    host: str,
    port: int,
    request: Request,
    *,
    timeout: float,
    tls: Tls | None = None,
) -> Response:
    """Send the request and return the whole answer, at most `timeout` seconds later.

    Every piece of the body is sent on its own; an answer that comes before the request is sent
    whole is the answer. A request without `host` gets `host:port`. With `tls` the connection is
    made as that says.

    Raises:
        Broken: there is no whole answer; says why, and what had come by then.
        Unsendable: the version of HTTP cannot carry the request.
    """
    started = time.perf_counter()
    incoming = Incoming()

    def broken(error: Broken) -> Broken:
        so_far = incoming.response(time.perf_counter() - started) if incoming.status else None
        return Broken(error.kind, error.message, so_far)

    try:
        async with asyncio.timeout(timeout):
            await _ask(host, port, request, incoming, tls)
    except TimeoutError:
        message = f"no {'whole ' if incoming.status else ''}answer within {timeout:g} s"
        raise broken(Broken("timeout", message)) from None
    except Broken as error:
        raise broken(error) from None
    return incoming.response(time.perf_counter() - started)


async def _ask(host: str, port: int, request: Request, incoming: Incoming, tls: Tls | None) -> None:
    plain = await connect(host, port)
    authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        stream: Channel = plain
        if tls is not None:
            from wasmctl.wire.tls import secure

            stream = await secure(plain, tls, version=request.version)
        if request.version == "2":
            from wasmctl.wire import http2

            scheme = "http" if tls is None else "https"
            await http2.ask(stream, request, scheme=scheme, authority=authority, incoming=incoming)
        else:
            await http1.ask(stream, request, authority=authority, incoming=incoming)
    finally:
        plain.close()
