"""Reading of TCP streams for tests, up to as much as a test waits for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from wasmctl.wire.tcp import Stream

__all__ = ["Gathered", "receive_until"]


class Gathered(NamedTuple):
    """What came, and why no more was waited for: `enough`, `closed`, `reset` or `timeout`."""

    data: bytes
    stopped: str


async def receive_until(
    stream: Stream, enough: int | Callable[[bytes], bool], *, timeout: float
) -> Gathered:
    """Receive until there are `enough` bytes, the peer ends, or `timeout` seconds have passed."""
    came = bytearray()
    try:
        async with asyncio.timeout(timeout):
            while len(came) < enough if isinstance(enough, int) else not enough(bytes(came)):
                data = await stream.receive()
                if not data:
                    return Gathered(bytes(came), "closed")
                came += data
    except TimeoutError:
        return Gathered(bytes(came), "timeout")
    except OSError:
        return Gathered(bytes(came), "reset")
    return Gathered(bytes(came), "enough")
