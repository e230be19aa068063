"""What HTTP cannot carry is refused when the value is made, with the part that is at fault."""

from __future__ import annotations

from typing import Any

import pytest

from wasmctl.wire.messages import Reply, Request, Unsendable, first_value


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"method": "GET IT"}, "`GET IT` is no HTTP method"),
        ({"method": ""}, "`` is no HTTP method"),
        ({"path": "/a b"}, "path '/a b' is empty or has characters that must be percent-encoded"),
        ({"path": "/ä"}, "must be percent-encoded"),
        ({"path": ""}, "path '' is empty"),
        ({"headers": ((b"a b", b"c"),)}, "`a b` is no name of a header"),
        ({"headers": ((b":path", b"/"),)}, "`:path` is no name of a header"),
        ({"headers": ((b"caf\xc3\xa9", b"c"),)}, r"`caf\xc3\xa9` is no name of a header"),
        ({"headers": ((b"x-y", b"a\nb"),)}, "header `x-y` has a byte 0x0a"),
        ({"headers": ((b"x-y", b"a\rb"),)}, "header `x-y` has a byte 0x0d"),
        ({"headers": ((b"x-y", b"\0"),)}, "header `x-y` has a byte 0x00"),
        ({"headers": ((b"x-y", b" a"),)}, "header `x-y` begins or ends with a blank"),
        ({"trailers": ((b"x-y", b"a\0"),)}, "trailer `x-y` has a byte 0x00"),
        (
            {"headers": ((b"Content-Length", b"7"),), "body": (b"ab", b"c")},
            "header `content-length` says 7, the body has 3",
        ),
        (
            {
                "headers": ((b"content-length", b"1"),),
                "body": (b"a",),
                "trailers": ((b"t", b"u"),),
            },
            "no trailers in a message with `content-length`",
        ),
    ],
)
def test_a_request_that_http_cannot_carry_is_refused(parts: dict[str, Any], said: str) -> None:
    with pytest.raises(Unsendable) as refusal:
        Request(**{"method": "POST", "path": "/", **parts})
    assert said in str(refusal.value)


@pytest.mark.parametrize("value", [b"", b"a b\tc", b"\xc3\xa4", b"\x80\xff", b"\x01\x7f", b"100%"])
def test_what_http_can_carry_is_taken(value: bytes) -> None:
    request = Request(method="GET", path="/?q=%20", headers=((b"x", value), (b"X", value)))
    assert request.headers == ((b"x", value), (b"X", value))


@pytest.mark.parametrize("status", [0, 99, 101, 1000])
def test_a_status_that_ends_no_exchange_is_refused(status: int) -> None:
    with pytest.raises(Unsendable, match=f"{status} is no status of a final answer"):
        Reply(status=status)


def test_an_answer_may_announce_more_than_it_sends_before_a_reset() -> None:
    Reply(headers=((b"content-length", b"10"),), body=(b"abc",), fail="reset")
    with pytest.raises(Unsendable, match="says 10, the body has 3"):
        Reply(headers=((b"content-length", b"10"),), body=(b"abc",))


def test_an_answer_to_head_may_have_a_length_without_a_body() -> None:
    assert Reply(headers=((b"content-length", b"10"),)).body == ()


def test_the_first_of_equal_headers_is_found() -> None:
    headers = ((b"A", b"1"), (b"a", b"2"))
    assert first_value(headers, b"a") == b"1"
    assert first_value(headers, b"b") is None
