"""The upstream of one's own: answers each request with what it was, as JSON to read."""

from __future__ import annotations

import base64
import json

from wasmctl.wire.messages import Headers, Received, Reply

__all__ = ["echo"]


async def echo(received: Received) -> Reply:
    """Answer 200 with method, path, headers and body; trailers where there are any.

    Headers keep their order; one that came more than once has a list. A body that is no UTF-8
    stands as `body_base64` instead of `body`.
    """
    told: dict[str, object] = {
        "method": received.method,
        "path": received.path,
        "headers": _by_name(received.headers),
    }
    try:
        told["body"] = received.body.decode("utf-8")
    except UnicodeDecodeError:
        told["body_base64"] = base64.b64encode(received.body).decode("ascii")
    if received.trailers:
        told["trailers"] = _by_name(received.trailers)
    text = json.dumps(told, indent=2, ensure_ascii=False) + "\n"
    return Reply(headers=((b"content-type", b"application/json"),), body=(text.encode(),))


def _by_name(headers: Headers) -> dict[str, str | list[str]]:
    values: dict[str, list[str]] = {}
    for name, value in headers:
        values.setdefault(_text(name), []).append(_text(value))
    return {name: found[0] if len(found) == 1 else found for name, found in values.items()}


def _text(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")
