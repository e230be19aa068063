"""A registry that misbehaves: a server before a real one, passing on all but what it is told."""

from __future__ import annotations

import contextlib
import http.client
import re
import socket
import ssl
import struct
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self

_HOP = {"connection", "transfer-encoding", "keep-alive", "content-length", "date", "server"}


@dataclass
class Fault:
    """What happens to the first `times` requests whose `METHOD path` a pattern finds."""

    pattern: str
    act: Callable[[FaultHandler], None]
    times: int = 1_000_000


@dataclass(frozen=True)
class Seen:
    """One request that came."""

    method: str
    path: str
    headers: dict[str, str]


class FaultyRegistry:
    """Serves on loopback and passes on to `upstream` (host and port).

    With a folder of `certificates` (cert.pem, key.pem) it speaks TLS itself.
    """

    def __init__(self, upstream: str, *, certificates: Path | None = None) -> None:
        self.upstream = upstream
        self.faults: list[Fault] = []
        self.seen: list[Seen] = []
        self.over = threading.Event()
        owner = self

        class Handler(FaultHandler):
            registry = owner

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if certificates is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificates / "cert.pem", certificates / "key.pem")
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.host = f"127.0.0.1:{self._server.server_port}"

    def new_name(self) -> str:
        """Return `HOST/REPOSITORY` of a repository that nobody else uses."""
        return f"{self.host}/acme/{uuid.uuid4().hex[:12]}"

    def fault(
        self, pattern: str, act: Callable[[FaultHandler], None], *, times: int = 1_000_000
    ) -> None:
        """Let `act` happen to the next `times` requests that `pattern` finds."""
        self.faults.append(Fault(pattern, act, times))

    def count(self, pattern: str) -> int:
        """Return how many requests came that `pattern` finds."""
        return sum(
            1 for seen in self.seen if re.search(pattern, f"{seen.method} {seen.path}") is not None
        )

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.over.set()
        self._server.shutdown()
        self._server.server_close()


class FaultHandler(BaseHTTPRequestHandler):
    """Passes one request on, or does to it what a fault says."""

    registry: FaultyRegistry
    protocol_version = "HTTP/1.1"

    def handle_any(self) -> None:
        self.registry.seen.append(Seen(self.command, self.path, dict(self.headers)))
        for fault in self.registry.faults:
            if fault.times and re.search(fault.pattern, f"{self.command} {self.path}"):
                fault.times -= 1
                fault.act(self)
                return
        self.pass_on()

    do_GET = do_HEAD = do_POST = do_PUT = handle_any  # noqa: N815 - the base's names

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", "0")))

    def pass_on(
        self,
        change: Callable[[http.client.HTTPResponse, bytes], tuple[dict[str, str], bytes]]
        | None = None,
    ) -> None:
        """Ask the real registry and give its answer, as `change` makes it."""
        connection = http.client.HTTPConnection(self.registry.upstream, timeout=30)
        try:
            # The Host stays ours: the addresses in its answers then lead through here again.
            connection.request(self.command, self.path, self.body(), dict(self.headers))
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        headers = {name: value for name, value in response.getheaders() if name.lower() not in _HOP}
        length = response.getheader("Content-Length") if self.command == "HEAD" else None
        if change is not None:
            changed, content = change(response, content)
            headers = {**headers, **changed}
        self.answer(response.status, headers, content, length=length)

    def answer(
        self, status: int, headers: dict[str, str], content: bytes = b"", length: str | None = None
    ) -> None:
        """Give an answer of our own."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", length or str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def cut(self) -> None:
        """Reset the connection."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        # The socket is open as long as a file of it is.
        self.rfile.close()
        self.wfile.close()
        self.connection.close()

    def handle(self) -> None:
        # A connection that we reset is no reason to print a traceback.
        with contextlib.suppress(OSError, ValueError):
            super().handle()

    def finish(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            super().finish()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Say nothing."""


def answering(status: int, body: str = "", **headers: str) -> Callable[[FaultHandler], None]:
    """Return the fault of answering at once; underscores in header names stand for hyphens."""

    def act(handler: FaultHandler) -> None:
        handler.body()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        handler.answer(status, named, body.encode())

    return act


def hanging(handler: FaultHandler) -> None:
    """Take the request and say nothing."""
    handler.registry.over.wait(60)
    handler.close_connection = True


def dripping(handler: FaultHandler) -> None:
    """Answer with a byte every tenth of a second, without end; before it only with a head."""
    handler.body()
    handler.send_response(200)
    handler.send_header("Content-Length", "1000000")
    handler.end_headers()
    while not handler.registry.over.wait(0.1):
        handler.wfile.write(b" ")


def dripping_head(handler: FaultHandler) -> None:
    """Let even the answer's head drip."""
    handler.body()
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
    while not handler.registry.over.wait(0.1):
        handler.wfile.write(b"x")


def cutting(*, after: int) -> Callable[[FaultHandler], None]:
    """Return the fault of cutting the connection when `after` bytes of the request's body came."""

    def act(handler: FaultHandler) -> None:
        handler.rfile.read(after)
        handler.cut()

    return act


def cutting_answer(*, after: int) -> Callable[[FaultHandler], None]:
    """Return the fault of cutting the connection `after` bytes into the answer's body."""

    def act(handler: FaultHandler) -> None:
        connection = http.client.HTTPConnection(handler.registry.upstream, timeout=30)
        connection.request(handler.command, handler.path, handler.body(), dict(handler.headers))
        response = connection.getresponse()
        handler.send_response(response.status)
        for name, value in response.getheaders():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(response.read()[:after])
        connection.close()
        # Ended in good order, so that what was sent arrives.
        handler.close_connection = True

    return act
