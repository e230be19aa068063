"""What travels: requests and answers as values, and the error of an exchange that broke.

Pure; opens no socket. Refuses what no HTTP message can carry when a value is made, so that a
sender needs no error of its own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final, Literal

__all__ = [
    "STATUSES_WITHOUT_BODY",
    "Broken",
    "BrokenKind",
    "Failure",
    "Headers",
    "Incoming",
    "Received",
    "Reply",
    "Request",
    "Response",
    "Unsendable",
    "Version",
    "first_value",
]

Headers = tuple[tuple[bytes, bytes], ...]
Version = Literal["1.1", "2"]
Failure = Literal["reset", "hang"]
BrokenKind = Literal["refused", "tls", "reset", "timeout", "protocol"]

# RFC 9110, 6.4.1: answers that never have a body.
STATUSES_WITHOUT_BODY: Final = frozenset({204, 304})

# RFC 9110, 5.6.2: the characters of a method and of a header's name.
_TOKEN: Final = re.compile(rb"[-!#$%&'*+.^_`|~0-9A-Za-z]+")
# RFC 9110, 5.5 makes CR, LF and NUL invalid; VT and FF count as whitespace for HTTP/1's readers.
_FORBIDDEN: Final = re.compile(rb"[\x00\n\v\f\r]")
# RFC 9112, 3.2: a request target has no whitespace; what is beyond ASCII is percent-encoded.
_TARGET: Final = re.compile(r"[\x21-\x7e]+")
# RFC 9110, 15: a final status has three digits.
_STATUSES: Final = range(200, 1000)


class Unsendable(ValueError):
    """A message that HTTP cannot carry; the text says which part and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a client sends; every piece of the body goes out on its own.

    Raises:
        Unsendable: a method, path or header that HTTP cannot carry.
    """

    method: str
    path: str
    headers: Headers = ()
    body: tuple[bytes, ...] = ()
    trailers: Headers = ()
    version: Version = "1.1"

    def __post_init__(self) -> None:
        if not _TOKEN.fullmatch(self.method.encode()):
            raise Unsendable(f"`{self.method}` is no HTTP method")
        if not _TARGET.fullmatch(self.path):
            raise Unsendable(
                f"path {self.path!r} is empty or has characters that must be percent-encoded"
            )
        _check_headers(self.headers, "header")
        _check_headers(self.trailers, "trailer")
        _check_length(self.headers, self.body)
        if self.version == "1.1" and self.trailers and _has(self.headers, b"content-length"):
            raise Unsendable("HTTP/1 carries no trailers in a message with `content-length`")


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What came back: whole, or (in a `Broken`) as far as it came.

    Header names are lower-case. `seconds` runs from opening the connection.
    """

    status: int
    headers: Headers
    body: bytes
    trailers: Headers
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A request as a server got it: header names in lower case, HTTP/2's authority as `host`."""

    method: str
    path: str
    headers: Headers
    body: bytes
    trailers: Headers
    version: Version


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a server answers.

    `delay` is in seconds, before anything is sent. With `fail="reset"` the declared part is sent
    and the connection (HTTP/2: the stream) is reset instead of ended; without a status other
    than 200, headers or body there is no such part. With `fail="hang"` nothing is ever sent.

    Raises:
        Unsendable: a status or header that HTTP cannot carry.
    """

    status: int = 200
    headers: Headers = ()
    body: tuple[bytes, ...] = ()
    trailers: Headers = ()
    delay: float = 0
    fail: Failure | None = None

    def __post_init__(self) -> None:
        if self.status not in _STATUSES:
            raise Unsendable(f"{self.status} is no status of a final answer (200 to 999)")
        _check_headers(self.headers, "header")
        _check_headers(self.trailers, "trailer")
        if self.fail is None and self.body:
            _check_length(self.headers, self.body)

    @property
    def is_silent(self) -> bool:
        """Whether nothing at all precedes the reset."""
        return self.status == 200 and not (self.headers or self.body or self.trailers)


@dataclass(slots=True, kw_only=True)
class Incoming:
    """A message while it arrives; the one mutable value of this module."""

    status: int = 0
    headers: Headers = ()
    pieces: list[bytes | bytearray] = field(default_factory=list)
    trailers: Headers = ()

    def response(self, seconds: float) -> Response:
        return Response(
            status=self.status,
            headers=self.headers,
            body=b"".join(self.pieces),
            trailers=self.trailers,
            seconds=seconds,
        )


class Broken(Exception):
    """An exchange that did not come to its end.

    Args:
        kind: `refused` (no connection), `tls` (none that is trusted), `reset` (ended by the peer
            before the answer was whole), `timeout`, or `protocol` (the peer's bytes are not HTTP).
        message: what happened; lower-case, no full stop.
        response: what had come by then, if the status had.
    """

    def __init__(self, kind: BrokenKind, message: str, response: Response | None = None) -> None:
        super().__init__(message)
        self.kind: BrokenKind = kind
        self.message = message
        self.response = response


def first_value(headers: Headers, name: bytes) -> bytes | None:
    """Return the first value of the header `name` (lower-case), None without one."""
    return next((value for key, value in headers if key.lower() == name), None)


def _check_headers(headers: Headers, what: str) -> None:
    for name, value in headers:
        if not _TOKEN.fullmatch(name):
            raise Unsendable(f"`{_readable(name)}` is no name of a {what}")
        if found := _FORBIDDEN.search(value):
            raise Unsendable(
                f"the value of {what} `{_readable(name)}` has a byte 0x{found[0].hex()},"
                " which HTTP cannot carry"
            )
        if value != value.strip(b" \t"):
            raise Unsendable(
                f"the value of {what} `{_readable(name)}` begins or ends with a blank,"
                " which HTTP takes away"
            )


def _check_length(headers: Headers, body: tuple[bytes, ...]) -> None:
    declared = first_value(headers, b"content-length")
    size = sum(map(len, body))
    if declared is None or declared == str(size).encode():
        return
    raise Unsendable(f"header `content-length` says {_readable(declared)}, the body has {size}")


def _has(headers: Headers, name: bytes) -> bool:
    return first_value(headers, name) is not None


def _readable(text: bytes) -> str:
    return text.decode("ascii", "backslashreplace")
