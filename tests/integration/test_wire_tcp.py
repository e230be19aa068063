"""TCP streams of `wasmctl.wire` over loopback, and the silence of the whole room."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable

import pytest

from tests.conftest import ROOT
from tests.integration.streams import Gathered, receive_until
from wasmctl.wire.messages import Broken
from wasmctl.wire.tcp import Stream, connect, listen

BIG = 50_000_000


def talk(play: Callable[[Stream, Stream], Awaitable[None]]) -> None:
    """Have both ends of a connection."""

    async def session() -> None:
        async with listen() as listening:
            client = await connect("127.0.0.1", listening.port)
            server = await listening.accept()
            try:
                await play(client, server)
            finally:
                client.close()
                server.close()

    asyncio.run(session())


def test_silence_is_told_from_an_end_and_a_reset() -> None:
    async def play(client: Stream, server: Stream) -> None:
        client.write(b"ab")
        began = time.monotonic()
        assert await receive_until(server, 3, timeout=0.1) == Gathered(
            data=b"ab", stopped="timeout"
        )
        assert time.monotonic() - began >= 0.1
        client.write(b"cd")
        client.end()
        assert await receive_until(server, 3, timeout=5) == Gathered(b"cd", "closed")
        server.reset()
        assert await receive_until(client, 1, timeout=5) == Gathered(b"", "reset")

    talk(play)


def test_an_end_follows_all_that_was_written() -> None:
    async def play(client: Stream, server: Stream) -> None:
        client.write(bytes(BIG))
        client.end()
        gathered = await receive_until(server, BIG + 1, timeout=20)
        assert (len(gathered.data), gathered.stopped) == (BIG, "closed")

    talk(play)


def test_draining_waits_for_a_peer_that_reads_slowly() -> None:
    async def play(client: Stream, server: Stream) -> None:
        client.write(bytes(BIG))
        draining = asyncio.create_task(client.drained())
        await asyncio.sleep(0.05)
        assert not draining.done()
        await receive_until(server, BIG, timeout=20)
        await asyncio.wait_for(draining, 5)
        assert not client.lost

    talk(play)


def test_a_reset_after_acknowledgement_drops_nothing() -> None:
    async def play(client: Stream, server: Stream) -> None:
        client.write(bytes(BIG))
        acknowledging = asyncio.create_task(client.acknowledged())
        gathered = await receive_until(server, BIG - 1_000_000, timeout=20)
        await acknowledging
        client.reset()
        rest = await receive_until(server, BIG, timeout=20)
        assert (len(gathered.data) + len(rest.data), rest.stopped) == (BIG, "reset")

    talk(play)


def test_writing_to_a_peer_that_is_gone_is_no_error() -> None:
    async def play(client: Stream, server: Stream) -> None:
        server.reset()
        for _ in range(100):
            client.write(b"x" * 100_000)
            await client.drained()
            await asyncio.sleep(0)
        await client.delivered()
        assert client.lost

    talk(play)


def test_a_refused_connection_is_told() -> None:
    async def session() -> None:
        async with listen() as listening:
            pass
        await connect("127.0.0.1", listening.port)

    with pytest.raises(Broken) as error:
        asyncio.run(session())
    assert error.value.kind == "refused"


SCENES = """
import asyncio
from wasmctl.wire.client import exchange
from wasmctl.wire.messages import Broken, Reply, Request
from wasmctl.wire.server import serve

async def answer(received):
    match received.path:
        case "/reset": return Reply(body=(b"part",), fail="reset")
        case "/hang": return Reply(fail="hang")
        case "/late": return Reply(delay=60)
    return Reply(body=(bytes(300_000), b"end"), trailers=((b"t", b"1"),))

async def ask(port, path, version, timeout=0.2):
    body = (bytes(300_000),) if path == "/" else ()
    try:
        request = Request(method="POST", path=path, body=body, version=version)
        await exchange("127.0.0.1", port, request, timeout=timeout)
    except Broken as broken:
        print(path, version, broken.kind)

async def main():
    asyncio.get_running_loop().slow_callback_duration = 60  # a busy machine is no finding
    async with serve(answer) as server:
        for version in ("1.1", "2"):
            for path in ("/", "/reset", "/hang", "/late"):
                await ask(server.port, path, version, 5 if path in ("/", "/reset") else 0.2)
            asking = [asyncio.create_task(ask(server.port, "/late", version, 60)) for _ in "abc"]
            await asyncio.sleep(0.05)
            asking[0].cancel()
    await asyncio.wait(asking)

asyncio.run(main())
"""


def test_nothing_is_left_behind_that_python_would_warn_of() -> None:
    """Resets, timeouts, cancelled exchanges and hanging answers: no warning, no lost exception."""
    said = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", SCENES],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (said.returncode, said.stderr) == (0, "")
    assert sorted(set(said.stdout.splitlines())) == [
        "/hang 1.1 timeout",
        "/hang 2 timeout",
        "/late 1.1 reset",
        "/late 1.1 timeout",
        "/late 2 reset",
        "/late 2 timeout",
        "/reset 1.1 reset",
        "/reset 2 reset",
    ]
