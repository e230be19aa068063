"""A TCP relay on loopback that makes the way to a server longer: `python delay.py HOST:PORT MS`.

Every byte is held for half the round trip in each direction, and the first of a connection for one
more round trip, which the handshake would take. Prints its own HOST:PORT.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys


async def relay(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, delay: float, first: float
) -> None:
    """Copy bytes, each `delay` seconds later; nothing before `first` (loop time)."""
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def deliver() -> None:
        while True:
            due, chunk = await queue.get()
            await asyncio.sleep(max(0.0, due - loop.time()))
            if not chunk:
                break
            writer.write(chunk)
            await writer.drain()
        with contextlib.suppress(OSError):
            writer.write_eof()

    delivery = asyncio.create_task(deliver())
    chunk = b"-"
    with contextlib.suppress(OSError):
        while chunk:
            chunk = await reader.read(1 << 16)
            queue.put_nowait((max(first, loop.time()) + delay, chunk))
    with contextlib.suppress(OSError):
        await delivery


async def serve(host: str, port: int, round_trip: float) -> None:
    """Relay connections for ever."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = asyncio.get_running_loop().time() + round_trip
        upstream_reader, upstream_writer = await asyncio.open_connection(host, port)
        half = round_trip / 2
        await asyncio.gather(
            relay(reader, upstream_writer, delay=half, first=first),
            relay(upstream_reader, writer, delay=half, first=0.0),
        )
        for end in (writer, upstream_writer):
            end.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    own_host, own_port = server.sockets[0].getsockname()[:2]
    print(f"{own_host}:{own_port}", flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    upstream, _, upstream_port = sys.argv[1].partition(":")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(upstream, int(upstream_port), float(sys.argv[2]) / 1000))
