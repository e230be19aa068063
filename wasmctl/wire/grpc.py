"""gRPC as messages of HTTP/2: length-prefixed messages, statuses, replies.

Pure. Source of the rules: "gRPC over HTTP2" (grpc/grpc, doc/PROTOCOL-HTTP2.md) and "Status codes
and their use in gRPC" (doc/statuscodes.md).
"""

from __future__ import annotations

import re
from enum import IntEnum
from typing import Final
from urllib.parse import unquote_to_bytes

from wasmctl.wire.messages import Headers, Reply, Response, first_value

__all__ = ["GrpcStatus", "frame", "grpc_reply", "grpc_status", "unframe"]

_PREFIX_SIZE: Final = 5
# Percent-encoded in grpc-message: all but printable ASCII, and the percent sign.
_TO_ENCODE: Final = re.compile(rb"[^\x20-\x24\x26-\x7e]")


class GrpcStatus(IntEnum):
    """The statuses of gRPC by their names."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


def frame(message: bytes) -> bytes:
    """Return the message with its prefix: not compressed, and its length."""
    return b"\0" + len(message).to_bytes(4, "big") + message


def unframe(body: bytes) -> tuple[bytes, ...]:
    """Return the messages of a body.

    Raises:
        ValueError: the body ends within a message, or one is compressed.
    """
    messages: list[bytes] = []
    at = 0
    while at < len(body):
        start = at + _PREFIX_SIZE
        end = start + int.from_bytes(body[at + 1 : start], "big")
        if start > len(body) or end > len(body):
            raise ValueError(f"the body ends within its gRPC message {len(messages) + 1}")
        if body[at]:
            raise ValueError(f"gRPC message {len(messages) + 1} is compressed")
        messages.append(body[start:end])
        at = end
    return tuple(messages)


def grpc_reply(
    *,
    status: GrpcStatus = GrpcStatus.OK,
    message: str = "",
    replies: tuple[bytes, ...] = (),
    headers: Headers = (),
    delay: float = 0,
) -> Reply:
    """Return the answer that carries `replies` and then the status.

    Without replies the status stands in the only head ("Trailers-Only").
    """
    status_lines: Headers = ((b"grpc-status", str(status.value).encode()),)
    if message:
        status_lines += ((b"grpc-message", _encode(message)),)
    head: Headers = ((b"content-type", b"application/grpc"), *headers)
    if not replies:
        return Reply(headers=head + status_lines, delay=delay)
    body = tuple(frame(reply) for reply in replies)
    return Reply(headers=head, body=body, trailers=status_lines, delay=delay)


def grpc_status(response: Response) -> tuple[GrpcStatus | None, str]:
    """Return the status and message of an answer, from its trailers or else its headers.

    The status is None where there is none, or one that gRPC does not know.
    """
    lines = response.trailers + response.headers
    number = first_value(lines, b"grpc-status") or b""
    message = first_value(lines, b"grpc-message") or b""
    known = number.isdigit() and int(number) in set(GrpcStatus)
    status = GrpcStatus(int(number)) if known else None
    return status, unquote_to_bytes(message).decode("utf-8", "replace")


def _encode(message: str) -> bytes:
    encoded = _TO_ENCODE.sub(lambda found: b"%%%02X" % found[0][0], message.encode())
    # A value of HTTP has no blanks at its ends.
    blanks = len(encoded) - len(encoded.lstrip(b" "))
    encoded = b"%20" * blanks + encoded[blanks:]
    kept = encoded.rstrip(b" ")
    return kept + b"%20" * (len(encoded) - len(kept))
