"""The echoing upstream tells a request back so that a person can read it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from wasmctl.wire.echo import echo
from wasmctl.wire.messages import Headers, Received


def told(*, headers: Headers = (), body: bytes = b"", trailers: Headers = ()) -> dict[str, Any]:
    reply = asyncio.run(
        echo(
            Received(
                method="PUT",
                path="/a?b=c",
                headers=headers,
                body=body,
                trailers=trailers,
                version="1.1",
            )
        )
    )
    assert (reply.status, reply.headers) == (200, ((b"content-type", b"application/json"),))
    (text,) = reply.body
    assert text.endswith(b"\n}\n")
    answer: dict[str, Any] = json.loads(text)
    return answer


def test_a_request_is_told_back() -> None:
    assert told(headers=((b"host", b"h"),), body="grün".encode()) == {
        "method": "PUT",
        "path": "/a?b=c",
        "headers": {"host": "h"},
        "body": "grün",
    }


def test_headers_keep_their_order_and_repeated_ones_are_lists() -> None:
    headers = told(headers=((b"z", b"1"), (b"a", b"2"), (b"z", b"3"), (b"o", b"\xff")))["headers"]
    assert list(headers.items()) == [("z", ["1", "3"]), ("a", "2"), ("o", "ÿ")]


def test_a_body_that_is_no_text_is_told_in_base64() -> None:
    answer = told(body=b"\xff\x00")
    assert answer["body_base64"] == "/wA="
    assert "body" not in answer


def test_trailers_are_told_where_there_are_any() -> None:
    assert told(trailers=((b"t", b"1"),))["trailers"] == {"t": "1"}
