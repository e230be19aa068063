"""A case's request sent, within the time that the case has left."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from wasmctl.cases.model import Request
from wasmctl.wire import messages
from wasmctl.wire.client import exchange
from wasmctl.wire.messages import Broken, Response, Unsendable

if TYPE_CHECKING:
    from wasmctl.wire.tls import Tls

__all__ = ["ask"]


async def ask(
    address: tuple[str, int],
    request: Request,
    *,
    deadline: float,
    timeout: float,
    tls: Tls | None = None,
) -> Response | Broken:
    """Send a request and return the answer, or what broke it.

    Args:
        address: host and port.
        request: as the case file has it.
        deadline: when the case's time is over, by the monotonic clock.
        timeout: how long it was, for people.
        tls: how the server is spoken to over TLS.
    """
    remaining = max(0.001, deadline - time.monotonic())
    try:
        return await exchange(*address, _wire_request(request), timeout=remaining, tls=tls)
    except Broken as error:
        if error.kind == "timeout":
            message = error.message.replace(f"{remaining:g} s", f"{timeout:g} s")
            return Broken("timeout", message, error.response)
        return error
    except Unsendable as error:
        return Broken("protocol", f"it cannot be sent: {error}")


def _wire_request(request: Request) -> messages.Request:
    return messages.Request(
        method=request.method,
        path=request.path,
        headers=request.headers,
        body=request.body,
        trailers=request.trailers,
        version="2" if request.http == 2 else "1.1",
    )
