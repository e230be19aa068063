"""The client of `wasmctl.wire` before servers that behave, and servers that do not."""

from __future__ import annotations

import asyncio
import contextlib
import http.server
import socket
import threading
from collections.abc import Callable, Iterator

import h2.connection
import pytest
from hyperframe.frame import GoAwayFrame

from wasmctl.wire.client import exchange
from wasmctl.wire.messages import (
    Broken,
    BrokenKind,
    Received,
    Reply,
    Request,
    Response,
    Unsendable,
    Version,
)
from wasmctl.wire.server import serve

BIG = 50_000_000
BOTH = pytest.mark.parametrize("version", ["1.1", "2"])


def ask(port: int, request: Request, timeout: float = 20) -> Response:
    return asyncio.run(exchange("127.0.0.1", port, request, timeout=timeout))


def get(version: Version = "1.1", method: str = "GET") -> Request:
    return Request(method=method, path="/", version=version)


class Plain(http.server.BaseHTTPRequestHandler):
    """Python's own server: what came, told back without any of this project's code."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = f"{self.requestline}\n{self.headers}".encode()
        self.send_response(203)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Odd", "caf\xe9")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815  the name that the server looks for

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.end_headers()  # no length: the end of the connection is the end of the body
        self.wfile.write(body)
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def plain() -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Plain) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@contextlib.contextmanager
def peer(play: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server that does with its one connection whatever `play` does."""

    def accept() -> None:
        connection, _ = listener.accept()
        with connection, contextlib.suppress(OSError):
            play(connection)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=accept)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


def says(*pieces: bytes) -> Callable[[socket.socket], None]:
    def play(connection: socket.socket) -> None:
        connection.recv(65536)
        for piece in pieces:
            connection.sendall(piece)

    return play


def resets(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def broken(play: Callable[[socket.socket], None], request: Request, timeout: float = 5) -> Broken:
    with peer(play) as port, pytest.raises(Broken) as error:
        ask(port, request, timeout)
    return error.value


def test_a_request_comes_as_it_was_declared(plain: int) -> None:
    headers = ((b"X-One", b"1"), (b"x-odd", b"\x80\xff"), (b"X-One", b"2"))
    response = ask(plain, Request(method="GET", path="/a?b=%20", headers=headers))
    assert response.status == 203
    assert (b"x-odd", b"caf\xe9") in response.headers
    told = response.body.decode().splitlines()
    assert told[0] == "GET /a?b=%20 HTTP/1.1"
    assert told[1:4] == [f"host: 127.0.0.1:{plain}", "X-One: 1", told[3]]
    assert told[4] == "X-One: 2"


def test_the_answer_to_head_has_no_body(plain: int) -> None:
    response = ask(plain, get(method="HEAD"))
    assert (response.status, response.body) == (203, b"")


def test_a_body_that_ends_with_the_connection_is_whole(plain: int) -> None:
    request = Request(method="POST", path="/", body=(b"0123456789" * (BIG // 10),))
    # What copies all that has come with each piece takes minutes.
    assert ask(plain, request, timeout=60).body == request.body[0]


@BOTH
def test_pieces_and_trailers_travel_both_ways(version: Version) -> None:
    got: list[Received] = []

    async def answer(received: Received) -> Reply:
        got.append(received)
        return Reply(body=(b"", b"x", b"", b"y", b""), trailers=((b"T-Out", b"\xff"),))

    async def session() -> Response:
        request = Request(
            method="PATCH",
            path="/p",
            headers=((b"Host", b"here"), (b"A", b"1"), (b"a", b"2")),
            body=(b"one", b"", b"two", b""),
            trailers=((b"T-In", b"3"),),
            version=version,
        )
        async with serve(answer) as server:
            return await exchange("127.0.0.1", server.port, request, timeout=5)

    response = asyncio.run(session())
    assert (response.body, response.trailers) == (b"xy", ((b"t-out", b"\xff"),))
    assert (got[0].method, got[0].path, got[0].version) == ("PATCH", "/p", version)
    assert got[0].headers[:3] == ((b"host", b"here"), (b"a", b"1"), (b"a", b"2"))
    assert (got[0].body, got[0].trailers) == (b"onetwo", ((b"t-in", b"3"),))


@BOTH
def test_hundreds_of_exchanges_at_once(version: Version) -> None:
    async def answer(received: Received) -> Reply:
        return Reply(body=(received.body,), delay=0.05)

    async def session() -> list[Response]:
        async with serve(answer) as server:
            requests = [
                Request(method="POST", path="/", body=(b"%d" % n,), version=version)
                for n in range(200)
            ]
            return await asyncio.gather(
                *(exchange("127.0.0.1", server.port, r, timeout=20) for r in requests)
            )

    assert [r.body for r in asyncio.run(session())] == [b"%d" % n for n in range(200)]


def test_informational_answers_are_passed_over() -> None:
    early = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\n"
    with peer(says(early, b"HTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\nok")) as port:
        response = ask(port, get())
    assert (response.status, response.body) == (201, b"ok")


def test_an_answer_before_the_body_is_sent_is_the_answer() -> None:
    def play(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(b"HTTP/1.1 403 No\r\ncontent-length: 5\r\n\r\nnever")
        # Closing with bytes unread resets the connection under the client's hands.

    with peer(play) as port:
        response = ask(port, Request(method="POST", path="/", body=(bytes(BIG),)))
    assert (response.status, response.body) == (403, b"never")


@pytest.mark.parametrize(
    ("said", "kind", "message", "body"),
    [
        ((), "reset", "the connection was closed before the answer was complete", None),
        (
            (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nfour",),
            "reset",
            "the connection was closed before the answer was complete",
            b"four",
        ),
        (
            (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nfour\r\n",),
            "reset",
            "the connection was closed before the answer was complete",
            b"four",
        ),
        ((b"SSH-2.0-OpenSSH\r\n\r\n",), "protocol", "the answer is no HTTP/1", None),
        (
            (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nfour\r\nzzz\r\n",),
            "protocol",
            "illegal chunk header",
            b"four",
        ),
    ],
)
def test_an_answer_that_breaks_off_is_told_with_what_had_come(
    said: tuple[bytes, ...], kind: BrokenKind, message: str, body: bytes | None
) -> None:
    error = broken(says(*said), get())
    assert error.kind == kind
    assert message in error.message
    assert (error.response.body if error.response else None) == body


@BOTH
def test_a_reset_is_told_from_an_end(version: Version) -> None:
    error = broken(resets, get(version))
    assert (error.kind, error.response) == ("reset", None)
    assert "the connection was reset" in error.message


@BOTH
def test_a_reply_that_is_reset_shows_what_was_declared_before(version: Version) -> None:
    reply = Reply(status=201, headers=((b"x", b"1"),), body=(b"some", b"thing"), fail="reset")

    async def answer(_: Received) -> Reply:
        return reply

    async def session() -> None:
        async with serve(answer) as server:
            await exchange("127.0.0.1", server.port, get(version), timeout=5)

    with pytest.raises(Broken) as error:
        asyncio.run(session())
    assert error.value.kind == "reset"
    response = error.value.response
    assert response is not None
    assert (response.status, response.body) == (201, b"something")
    assert (b"x", b"1") in response.headers


@BOTH
def test_a_large_reply_that_is_reset_arrives_whole(version: Version) -> None:
    async def answer(_: Received) -> Reply:
        return Reply(body=(bytes(BIG),), fail="reset")

    async def session() -> None:
        async with serve(answer) as server:
            await exchange("127.0.0.1", server.port, get(version), timeout=20)

    with pytest.raises(Broken) as error:
        asyncio.run(session())
    assert error.value.kind == "reset"
    assert error.value.response is not None
    assert len(error.value.response.body) == BIG


@BOTH
def test_a_server_that_says_nothing_runs_into_the_timeout(version: Version) -> None:
    def play(connection: socket.socket) -> None:
        while connection.recv(65536):
            pass

    error = broken(play, get(version), timeout=0.2)
    assert (error.kind, error.message) == ("timeout", "no answer within 0.2 s")


def test_a_body_that_does_not_end_runs_into_the_timeout() -> None:
    def play(connection: socket.socket) -> None:
        says(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nfour")(connection)
        while connection.recv(65536):
            pass

    error = broken(play, get(), timeout=0.2)
    assert (error.kind, error.message) == ("timeout", "no whole answer within 0.2 s")
    assert error.response is not None
    assert error.response.body == b"four"


@BOTH
def test_a_server_that_takes_no_body_runs_into_the_timeout(version: Version) -> None:
    release = threading.Event()

    def play(connection: socket.socket) -> None:
        connection.recv(1000)
        release.wait(10)

    request = Request(method="POST", path="/", body=(bytes(BIG),), version=version)
    with peer(play) as port:
        with pytest.raises(Broken) as error:
            ask(port, request, 0.3)
        release.set()
    assert error.value.kind == "timeout"


@BOTH
def test_a_port_where_nobody_listens_is_told(version: Version) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(Broken) as error:
        ask(port, get(version))
    assert error.value.kind == "refused"
    assert error.value.message == f"no connection to 127.0.0.1:{port}: Connection refused"


def test_the_first_address_that_takes_the_connection_is_taken(
    plain: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of `localhost`, where a server listens on one of its addresses only."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nobody = closed.getsockname()

    async def resolve(_host: str, _port: int) -> list[object]:
        kind = (socket.AF_INET, socket.SOCK_STREAM, 0, "")
        return [(*kind, nobody), (*kind, ("127.0.0.1", plain))]

    monkeypatch.setattr("wasmctl.wire.tcp._resolve", resolve)
    assert asyncio.run(exchange("both.test", plain, get(), timeout=20)).status == 203


def test_a_host_that_is_none_is_told() -> None:
    with pytest.raises(Broken, match=r"no connection to nowhere\.invalid:80: ") as error:
        asyncio.run(exchange("nowhere.invalid", 80, get(), timeout=20))
    assert error.value.kind == "refused"


def test_a_server_of_http1_is_no_server_of_http2(plain: int) -> None:
    with pytest.raises(Broken) as error:
        ask(plain, get("2"))
    assert error.value.kind == "protocol"
    assert error.value.message == "the peer does not speak HTTP/2"


def test_a_framing_that_http1_does_not_know_is_refused_before_it_is_sent(plain: int) -> None:
    headers = ((b"transfer-encoding", b"gzip"),)
    with pytest.raises(Unsendable, match=r"HTTP/1 cannot carry the request: .*chunked"):
        ask(plain, Request(method="POST", path="/", headers=headers, body=(b"a",)))


def goes_away(code: int) -> Callable[[socket.socket], None]:
    """A server of HTTP/2 that says GOAWAY in the midst of its answer, as a draining one does."""

    def play(connection: socket.socket) -> None:
        server = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        server.initiate_connection()
        server.receive_data(connection.recv(65536))
        server.send_headers(1, [(":status", "200"), ("x", "1")])
        farewell = GoAwayFrame(0, last_stream_id=2**31 - 1, error_code=code).serialize()
        head = server.data_to_send()
        server.send_data(1, b"still here", end_stream=True)
        connection.sendall(head + farewell + server.data_to_send())
        while connection.recv(65536):
            pass

    return play


def test_a_stream_goes_on_after_a_goaway() -> None:
    with peer(goes_away(0)) as port:
        assert ask(port, get("2")).body == b"still here"


def test_a_goaway_with_an_error_ends_the_exchange() -> None:
    error = broken(goes_away(1), get("2"))
    assert (error.kind, error.message) == (
        "protocol",
        "the peer ended the connection (PROTOCOL_ERROR)",
    )
