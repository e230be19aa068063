"""The URL of a server, as people type it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from wasmctl.errors import UsageError

__all__ = ["USUAL_PORTS", "ServerUrl", "parse_server_url"]

USUAL_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerUrl:
    """A server by its URL.

    Args:
        url: `http://HOST:PORT` or `https://HOST:PORT`, for people.
        host: a name, or an address without brackets.
        port: its port.
        tls: whether it is https.
    """

    url: str
    host: str
    port: int
    tls: bool

    @property
    def authority(self) -> str:
        """What a client calls it in `host`: the port is left out where it is the usual one."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = self.port == USUAL_PORTS["https" if self.tls else "http"]
        return host if usual else f"{host}:{self.port}"


def parse_server_url(url: str, *, what: str, code: str) -> ServerUrl:
    """Read the URL of a server; a bare `HOST:PORT` is http.

    Args:
        url: as it was typed.
        what: which server it is to be, for the error's message: `the upstream`.
        code: the error's.

    Raises:
        UsageError: it is no such URL, or has more to it than a server.
    """

    def wrong(why: str) -> UsageError:
        # A password is not repeated: this may end up in somebody's log.
        shown = f"…@{url.rpartition('@')[2]}" if "@" in url else url
        hint = "write it like `http://127.0.0.1:8080` or `https://example.com`"
        return UsageError(code, f"{what} `{shown}` cannot be used: {why}", hint=hint)

    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        port = parts.port
    except ValueError as error:
        raise wrong(str(error).lower()) from error
    if parts.scheme not in USUAL_PORTS:
        raise wrong(f"`{parts.scheme}` is neither http nor https")
    if not parts.hostname or any(not letter.isprintable() or letter == " " for letter in url):
        raise wrong("it names no host")
    if parts.username is not None or parts.password is not None:
        raise wrong("a user has no place in it")
    if parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise wrong("the path is each request's own")
    if port == 0:
        raise wrong("port 0 is none")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    port = port or USUAL_PORTS[parts.scheme]
    return ServerUrl(
        url=f"{parts.scheme}://{host}:{port}",
        host=parts.hostname,
        port=port,
        tls=parts.scheme == "https",
    )
