"""A token server as registries have one beside them: signed tokens that docker-registry checks.

https://distribution.github.io/distribution/spec/auth/jwt/ and `oauth/`.
"""

from __future__ import annotations

import base64
import json
import ssl
import subprocess
import threading
import time
import uuid
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self
from urllib.parse import parse_qs, urlsplit

# docker-registry forgives clocks this much (distribution, registry/auth/token: Leeway), seconds.
_LEEWAY = 60


class TokenServer:
    """Gives tokens to its users, by password or by refresh token.

    Args:
        folder: holds cert.pem and key.pem, which sign, and ca.pem.
        users: names and passwords.
    """

    service = "test registry"
    issuer = "test token server"
    refresh_token = "refresh-me"

    def __init__(self, folder: Path, users: Mapping[str, str]) -> None:
        self._folder = folder
        self._users = dict(users)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        _Handler.tokens = self
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.reset()

    def reset(self) -> None:
        """Forget what was asked; tokens last an hour and answers come at once."""
        self.asked: list[tuple[str, dict[str, list[str]], str]] = []
        self.seconds = 3600.0
        self.status = 200

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, method: str, form: dict[str, list[str]], basic: str) -> tuple[int, object]:
        """Return status and document for one request."""
        self.asked.append((method, form, basic))
        if self.status != 200:
            return self.status, {"errors": [{"code": "UNKNOWN", "message": "not today"}]}
        user = ""
        if method == "POST":
            if form.get("refresh_token") != [self.refresh_token]:
                return 401, {"details": "the refresh token is not known"}
            user = "holder"
        elif basic:
            user, _, password = base64.b64decode(basic).decode().partition(":")
            if self._users.get(user) != password:
                return 401, {"details": "incorrect username or password"}
        scopes = [scope for value in form.get("scope", []) for scope in value.split()]
        token = self._sign(user, scopes)
        return 200, {"access_token" if method == "POST" else "token": token, "expires_in": 60}

    def _sign(self, user: str, scopes: list[str]) -> str:
        now = int(time.time())
        certificate = ssl.PEM_cert_to_DER_cert((self._folder / "cert.pem").read_text())
        header = {"typ": "JWT", "alg": "ES256", "x5c": [base64.b64encode(certificate).decode()]}
        access = []
        for scope in scopes:
            kind, name, actions = scope.split(":")
            # Whoever does not say who they are may look.
            allowed = actions.split(",") if user else ["pull"]
            access.append({"type": kind, "name": name, "actions": allowed})
        claims = {
            "iss": self.issuer, "sub": user, "aud": self.service, "jti": uuid.uuid4().hex,
            "iat": now, "nbf": now - _LEEWAY, "exp": int(now + self.seconds - _LEEWAY),
            "access": access,
        }  # fmt: skip
        signed = f"{_segment(header)}.{_segment(claims)}"
        made = subprocess.run(
            ["openssl", "dgst", "-sha256", "-sign", str(self._folder / "key.pem")],
            input=signed.encode(),
            capture_output=True,
            check=True,
        ).stdout
        return f"{signed}.{_base64(_raw(made))}"


def _segment(document: object) -> str:
    return _base64(json.dumps(document).encode())


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _raw(der: bytes) -> bytes:
    """Return r and s of an ECDSA signature, 32 bytes each (RFC 7518, 3.4), from their DER."""
    numbers, place = [], 2
    while place < len(der):
        length = der[place + 1]
        numbers.append(int.from_bytes(der[place + 2 : place + 2 + length], "big"))
        place += 2 + length
    return b"".join(number.to_bytes(32, "big") for number in numbers)


class _Handler(BaseHTTPRequestHandler):
    tokens: ClassVar[TokenServer]

    def do_GET(self) -> None:
        self._answer(parse_qs(urlsplit(self.path).query))

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", "0"))
        self._answer(parse_qs(self.rfile.read(length).decode()))

    def _answer(self, form: dict[str, list[str]]) -> None:
        basic = self.headers.get("Authorization", "").removeprefix("Basic ")
        status, document = self.tokens.answer(self.command, form, basic)
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Say nothing."""
