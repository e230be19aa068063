"""Client, server and TCP streams of `wasmctl.wire` with a real Envoy between them."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.integration.plain_envoy import envoy_before
from tests.integration.streams import receive_until
from wasmctl.wire.client import exchange
from wasmctl.wire.grpc import GrpcStatus, frame, grpc_reply, grpc_status, unframe
from wasmctl.wire.messages import Broken, Headers, Received, Reply, Request, Response, Version
from wasmctl.wire.server import serve
from wasmctl.wire.tcp import Stream, connect, listen

pytestmark = pytest.mark.envoy

BIG = 50_000_000
CLIENTS = pytest.mark.parametrize("version", ["1.1", "2"])
UPSTREAMS = pytest.mark.parametrize("upstream", ["h1", "h2"])


def through(
    listener: str,
    answer: Callable[[Received], Awaitable[Reply]],
    request: Request,
    folder: Path,
) -> Response:
    async def session() -> Response:
        async with serve(answer) as server, envoy_before(server.port, folder) as ports:
            return await exchange("127.0.0.1", ports[listener], request, timeout=60)

    return asyncio.run(session())


def own(headers: Headers) -> Headers:
    return tuple(pair for pair in headers if pair[0].startswith(b"x-my"))


@CLIENTS
@UPSTREAMS
def test_a_message_travels_whole_in_both_directions(
    version: Version, upstream: str, tmp_path: Path
) -> None:
    got: list[Received] = []

    async def answer(received: Received) -> Reply:
        got.append(received)
        return Reply(
            status=299,
            headers=((b"X-My", b"1"), (b"x-my", b"\x80\xff"), (b"x-my", b"")),
            body=(b"one", b"two"),
            trailers=((b"x-my-end", b"2"),),
        )

    request = Request(
        method="PUT",
        path="/a/b?c=%20",
        headers=((b"host", b"example.test"), (b"x-my", b"1"), (b"X-My", b"2")),
        body=(b"my sec", b"ret"),
        trailers=((b"x-my-end", b"\xc3\xa4"),),
        version=version,
    )
    response = through(upstream, answer, request, tmp_path)
    assert (got[0].method, got[0].path, got[0].body) == ("PUT", "/a/b?c=%20", b"my secret")
    assert got[0].version == {"h1": "1.1", "h2": "2"}[upstream]
    assert (b"host", b"example.test") in got[0].headers
    assert own(got[0].headers) == ((b"x-my", b"1"), (b"x-my", b"2"))
    assert got[0].trailers == ((b"x-my-end", b"\xc3\xa4"),)
    assert (response.status, response.body) == (299, b"onetwo")
    assert own(response.headers) == ((b"x-my", b"1"), (b"x-my", b"\x80\xff"), (b"x-my", b""))
    assert response.trailers == ((b"x-my-end", b"2"),)


@CLIENTS
@UPSTREAMS
def test_fifty_megabytes_travel_both_ways_in_seconds(
    version: Version, upstream: str, tmp_path: Path
) -> None:
    async def back(received: Received) -> Reply:
        return Reply(body=(received.body,))

    body = b"0123456789" * (BIG // 10)
    request = Request(method="POST", path="/", body=(body,), version=version)
    response = through(upstream, back, request, tmp_path)
    assert response.body == body


@CLIENTS
def test_an_early_refusal_of_a_large_body_is_read(version: Version, tmp_path: Path) -> None:
    async def never(_: Received) -> Reply:
        return Reply()

    request = Request(method="POST", path="/", body=(bytes(BIG),), version=version)
    response = through("refusing", never, request, tmp_path)
    assert (response.status, response.body) == (403, b"never")


@CLIENTS
@UPSTREAMS
def test_an_upstream_that_resets_at_once_is_a_503(
    version: Version, upstream: str, tmp_path: Path
) -> None:
    async def answer(_: Received) -> Reply:
        return Reply(fail="reset")

    response = through(upstream, answer, Request(method="GET", path="/", version=version), tmp_path)
    assert response.status == 503
    assert b"reset" in response.body


@CLIENTS
@UPSTREAMS
def test_what_an_upstream_sends_before_its_reset_arrives(
    version: Version, upstream: str, tmp_path: Path
) -> None:
    async def answer(_: Received) -> Reply:
        return Reply(status=201, body=(b"some", b"thing"), fail="reset")

    with pytest.raises(Broken) as error:
        through(upstream, answer, Request(method="GET", path="/", version=version), tmp_path)
    assert error.value.kind == "reset"
    assert error.value.response is not None
    assert (error.value.response.status, error.value.response.body) == (201, b"something")


@CLIENTS
@UPSTREAMS
def test_the_answer_to_head_has_its_length_alone(
    version: Version, upstream: str, tmp_path: Path
) -> None:
    async def answer(_: Received) -> Reply:
        return Reply(body=(b"hello",))

    request = Request(method="HEAD", path="/", version=version)
    response = through(upstream, answer, request, tmp_path)
    assert (response.status, response.body) == (200, b"")
    assert (b"content-length", b"5") in response.headers


@pytest.mark.parametrize("replies", [(), (b"", b"a reply")], ids=["status only", "two messages"])
def test_grpc_travels(replies: tuple[bytes, ...], tmp_path: Path) -> None:
    got: list[Received] = []

    async def answer(received: Received) -> Reply:
        got.append(received)
        return grpc_reply(status=GrpcStatus.ABORTED, message="50% möglich", replies=replies)

    headers = ((b"content-type", b"application/grpc"), (b"te", b"trailers"))
    body = (frame(b"a request"),)
    request = Request(method="POST", path="/p.S/M", headers=headers, body=body, version="2")
    response = through("h2", answer, request, tmp_path)
    assert unframe(got[0].body) == (b"a request",)
    assert unframe(response.body) == replies
    assert grpc_status(response) == (GrpcStatus.ABORTED, "50% möglich")


@pytest.mark.parametrize("upstream", ["h1", "h2"])
def test_leaving_the_server_is_quick_while_envoy_keeps_connections(
    upstream: str, tmp_path: Path
) -> None:
    async def answer(_: Received) -> Reply:
        return Reply()

    async def session() -> float:
        async with contextlib.AsyncExitStack() as stack:
            server = await stack.enter_async_context(serve(answer))
            async with envoy_before(server.port, tmp_path) as ports:
                request = Request(method="GET", path="/")
                await exchange("127.0.0.1", ports[upstream], request, timeout=5)
                began = time.monotonic()
                await stack.aclose()
                return time.monotonic() - began

    assert asyncio.run(session()) < 0.2


def talk(play: Callable[[Stream, Stream], Awaitable[None]], folder: Path) -> None:
    """Have both ends of a TCP connection through Envoy."""

    async def session() -> None:
        async with listen() as listening, envoy_before(listening.port, folder) as ports:
            client = await connect("127.0.0.1", ports["tcp"])
            upstream = await listening.accept()
            try:
                await play(client, upstream)
            finally:
                client.close()
                upstream.close()

    asyncio.run(session())


def test_both_ends_of_a_connection_talk_and_end(tmp_path: Path) -> None:
    async def play(client: Stream, upstream: Stream) -> None:
        client.write(b"AUTH 1234\r\n")
        assert (await receive_until(upstream, 11, timeout=5)).data == b"AUTH 1234\r\n"
        upstream.write(b"OK\r\n")
        assert (await receive_until(client, 4, timeout=5)).stopped == "enough"
        client.end()
        ended = await receive_until(upstream, 1, timeout=5)
        assert (ended.data, ended.stopped) == (b"", "closed")
        upstream.write(b"late")
        assert (await receive_until(client, 4, timeout=5)).data == b"late"
        upstream.end()
        assert (await receive_until(client, 1, timeout=5)).stopped == "closed"

    talk(play, tmp_path)


def test_fifty_megabytes_travel_over_tcp(tmp_path: Path) -> None:
    async def play(client: Stream, upstream: Stream) -> None:
        client.write(bytes(BIG))
        assert len((await receive_until(upstream, BIG, timeout=60)).data) == BIG

    talk(play, tmp_path)
