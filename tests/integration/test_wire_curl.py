"""The server of `wasmctl.wire` before curl and bare sockets."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.conftest import Said
from wasmctl.wire.echo import echo
from wasmctl.wire.messages import Received, Reply
from wasmctl.wire.server import serve

BIG = 50_000_000
BOTH = pytest.mark.parametrize("version", ["--http1.1", "--http2-prior-knowledge"])


async def run(*argv: str | Path) -> Said:
    process = await asyncio.create_subprocess_exec(
        *argv, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return Said(code=process.returncode, out=out.decode(), err=err.decode())


def curl(
    answer: Callable[[Received], Awaitable[Reply]], *arguments: str | Path, path: str = "/"
) -> Said:
    """Run curl before a server that answers so; `PORT` in an argument is the server's."""

    async def session() -> Said:
        async with serve(answer) as server:
            url = f"http://127.0.0.1:{server.port}{path}"
            return await run("curl", "-sS", "--max-time", "60", *arguments, url)

    return asyncio.run(session())


def always(reply: Reply) -> Callable[[Received], Awaitable[Reply]]:
    async def answer(_: Received) -> Reply:
        return reply

    return answer


@BOTH
def test_curl_reads_an_answer_in_pieces_with_trailers(version: str) -> None:
    reply = Reply(
        status=418,
        headers=((b"set-cookie", b"a=1"), (b"x", b"1"), (b"set-cookie", b"b=2")),
        body=(b"one ", b"two ", b"three"),
        trailers=((b"x-sum", b"3"),),
    )
    said = curl(always(reply), version, "-i")
    lines = said.out.split("\r\n")
    assert " 418 " in lines[0]
    assert lines[1:4] == ["set-cookie: a=1", "x: 1", "set-cookie: b=2"]
    assert "one two three" in said.out
    assert "x-sum: 3" in said.out


@BOTH
def test_curl_gets_the_length_of_a_body_in_one_piece(version: str) -> None:
    said = curl(always(Reply(body=(b"hello",))), version, "-i")
    assert "content-length: 5" in said.out
    assert said.out.endswith("\r\n\r\nhello")


@BOTH
def test_curl_gets_the_head_alone_when_it_asks_for_that(version: str) -> None:
    said = curl(always(Reply(body=(b"hello",), trailers=((b"t", b"1"),))), version, "--head")
    assert (said.code, said.err) == (0, "")
    assert said.out.endswith("\r\n\r\n")


@BOTH
@pytest.mark.parametrize("status", [204, 304])
def test_an_answer_that_has_no_body_is_sent_without_one(version: str, status: int) -> None:
    said = curl(always(Reply(status=status, body=(b"never",))), version, "-i")
    assert said.code == 0
    assert "never" not in said.out


@BOTH
def test_curl_sees_its_request_told_back(version: str) -> None:
    said = curl(
        echo, version, "-d", "a=b", "-H", "x: 1", "-H", "x: 2", "-H", "host: h", path="/p?q"
    )
    told = json.loads(said.out)
    assert (told["method"], told["path"], told["body"]) == ("POST", "/p?q", "a=b")
    assert told["headers"]["x"] == ["1", "2"]
    assert told["headers"]["host"] == "h"


@BOTH
def test_curl_sends_fifty_megabytes_and_gets_them_back(version: str, tmp_path: Path) -> None:
    # curl waits for "100 Continue" before a body of this size where it speaks HTTP/1.
    sent, got = tmp_path / "sent", tmp_path / "got"
    sent.write_bytes(b"0123456789" * (BIG // 10))

    async def back(received: Received) -> Reply:
        return Reply(body=(received.body,))

    began = time.monotonic()
    said = curl(back, version, "-o", got, "-T", sent)
    assert (said.code, said.err) == (0, "")
    assert got.read_bytes() == sent.read_bytes()
    # What copies all that has come with each piece takes minutes.
    assert time.monotonic() - began < 60


@pytest.mark.parametrize(("version", "code"), [("--http1.1", 56), ("--http2-prior-knowledge", 92)])
@pytest.mark.parametrize("body", [(), (b"first ", b"second")], ids=["nothing", "two pieces"])
def test_curl_sees_an_answer_that_is_reset(
    version: str, code: int, body: tuple[bytes, ...]
) -> None:
    said = curl(always(Reply(body=body, fail="reset")), version)
    assert (said.code, said.out) == (code, b"".join(body).decode())


def test_curl_sees_an_answer_that_is_shorter_than_announced() -> None:
    said = curl(always(Reply(headers=((b"content-length", b"9"),))), "--http1.1")
    assert (said.code, said.out) == (18, "")


@BOTH
def test_an_answer_comes_after_its_delay(version: str) -> None:
    said = curl(always(Reply(delay=0.2)), version, "-w", "%{time_starttransfer}")
    assert float(said.out) >= 0.2


def test_one_connection_serves_one_request_after_another() -> None:
    async def session() -> Said:
        async with serve(echo) as server:
            url = f"http://127.0.0.1:{server.port}/"
            nowhere = ["-o", "/dev/null"] * 3
            return await run("curl", "-sS", "-w", "%{num_connects}", *nowhere, url, url, url)

    assert asyncio.run(session()).out == "100"


@BOTH
def test_leaving_closes_what_hangs_at_once(version: str) -> None:
    async def session() -> tuple[float, Said]:
        asked = asyncio.Event()

        async def answer(_: Received) -> Reply:
            asked.set()
            return Reply(fail="hang")

        async with serve(answer) as server:
            asking = asyncio.create_task(
                run("curl", "-sS", version, f"http://127.0.0.1:{server.port}/")
            )
            await asked.wait()
            began = time.monotonic()
        return time.monotonic() - began, await asking

    seconds, said = asyncio.run(session())
    assert seconds < 10
    assert said.code != 0


@BOTH
def test_a_client_that_goes_away_leaves_the_server_as_it_was(
    version: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def session() -> Said:
        async def answer(received: Received) -> Reply:
            hang = received.path == "/hang"
            return Reply(fail="hang" if hang else None, body=(bytes(BIG) if not hang else b"",))

        async with serve(answer) as server:
            url = f"http://127.0.0.1:{server.port}"
            for path, limit in (("/hang", "0.2"), ("/big", "0.01"), ("/hang", "0.1")):
                gone = await run(
                    "curl", "-sS", version, "--max-time", limit, "-o", "/dev/null", url + path
                )
                assert gone.code == 28
            return await run("curl", "-sS", version, "-o", "/dev/null", f"{url}/")

    assert asyncio.run(session()) == Said(code=0, out="", err="")
    assert caplog.records == []


def test_an_answer_that_cannot_be_had_is_status_500_and_comes_out_at_the_end() -> None:
    async def answer(_: Received) -> Reply:
        raise LookupError("no answer")

    async def session() -> Said:
        async with serve(answer) as server:
            said = await run("curl", "-si", f"http://127.0.0.1:{server.port}/")
            assert said.out.startswith("HTTP/1.1 500 ")
        return said

    with pytest.raises(LookupError, match="no answer"):
        asyncio.run(session())


def talk(*sent: bytes, end: bool = False) -> bytes:
    """Send each piece on its own to an echoing server; return all that it says."""

    def speak(port: int) -> bytes:
        said = b""
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            for piece in sent:
                connection.sendall(piece)
                time.sleep(0.01)
            if end:
                connection.shutdown(socket.SHUT_WR)
            while data := connection.recv(65536):
                said += data
        return said

    async def session() -> bytes:
        async with serve(echo) as server:
            return await asyncio.to_thread(speak, server.port)

    return asyncio.run(session())


def test_requests_that_come_at_once_are_answered_in_their_order() -> None:
    one = b"GET /1 HTTP/1.1\r\nhost: h\r\n\r\n"
    two = b"POST /2 HTTP/1.1\r\nhost: h\r\ncontent-length: 2\r\nconnection: close\r\n\r\nab"
    said = talk(one + two)
    assert said.index(b'"/1"') < said.index(b'"/2"')


def test_a_client_of_http_1_0_is_answered_and_the_connection_closed() -> None:
    said = talk(b"GET /old HTTP/1.0\r\n\r\n")
    assert b'"/old"' in said
    assert b"connection: close" in said.lower()


def test_a_chunked_request_with_trailers_is_taken() -> None:
    head = b"POST / HTTP/1.1\r\nhost: h\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n"
    said = talk(head, b"2\r\nab\r\n", b"3\r\ncde\r\n0\r\nx-sum: 5\r\n\r\n")
    assert b'"abcde"' in said
    assert b'"x-sum": "5"' in said


@pytest.mark.parametrize("garbage", [b"\x16\x03\x01\x02\x00\x01\x00\x01", b"PRIME\r\n\r\n"])
def test_what_is_no_http_is_refused_with_400(garbage: bytes) -> None:
    assert talk(garbage).startswith(b"HTTP/1.1 400 ")


def test_bytes_that_break_http2_are_answered_with_a_goaway() -> None:
    said = talk(b"PRI * HTTP/2.0\r\n\r\n", b"SM\r\n\r\n", b"\0\0\1\0\0\0\0\0\1x")
    assert said[said.rindex(b"\7\0\0\0\0") - 3 :][3] == 7


@pytest.mark.parametrize("sent", [b"", b"GET / HT", b"PRI * HTTP/2.0\r\n"])
def test_a_client_that_says_too_little_is_let_go(sent: bytes) -> None:
    assert talk(*([sent] if sent else []), end=True) == b""


def test_a_port_that_is_taken_is_an_error_of_the_system() -> None:
    async def session() -> None:
        async with serve(echo) as server, serve(echo, port=server.port):
            pass

    with pytest.raises(OSError, match=r"[Aa]ddress"):
        asyncio.run(session())
