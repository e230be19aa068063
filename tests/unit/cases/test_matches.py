"""What a Match holds for, and how a value that differs is shown."""

from __future__ import annotations

import time

import pytest

from wasmctl.cases.matches import compare_bytes, compare_headers, holds
from wasmctl.cases.model import Contains, EqualTo, JsonEqualTo, Match, Regex


@pytest.mark.parametrize(
    ("match", "data", "expected"),
    [
        (EqualTo(b"a"), b"a", True),
        (EqualTo(b"a"), b"a\n", False),
        (EqualTo(b"\xff"), b"\xff", True),
        (Contains(b"b"), b"abc", True),
        (Contains(b"d"), b"abc", False),
        (Regex("^b.$"), b"ab\nbc", False),
        (Regex("b+"), b"abbc", True),
        (Regex("é"), "café".encode(), True),
        (Regex("x"), b"\xffx", True),
        (JsonEqualTo('{"a": [1, true]}'), b' {"a":[1.0,true]}\n', True),
        (JsonEqualTo('{"a": 1}'), b'{"a": true}', False),
        (JsonEqualTo('{"a": 1}'), b'{"a": 1, "b": 2}', False),
        (JsonEqualTo("1"), b"no json", False),
    ],
)
def test_what_holds(match: Match, data: bytes, expected: bool) -> None:
    assert holds(match, data) is expected


@pytest.mark.parametrize(
    ("match", "data", "expected", "got"),
    [
        (EqualTo(b"a\n"), b'"\xff\\', r'"a\n"', r'"\"\xff\\"'),
        (Contains(b"x"), b"y", 'contains "x"', '"y"'),
        (Regex("^x"), b"y", "matches ^x", '"y"'),
        (JsonEqualTo('{"a": {"b": 1}}'), b'{"a": {"b": 2}}', "a.b: 1", "a.b: 2"),
        (JsonEqualTo('{"a": 1}'), b'{"b": 1}', "a: 1, b: absent", "a: absent, b: 1"),
        (JsonEqualTo("[1, 2]"), b"[1, 3]", "[1]: 2", "[1]: 3"),
        (JsonEqualTo("[1]"), b"[1, 3]", "value: [1]", "value: [1, 3]"),
        (JsonEqualTo("1"), b"oops", "json 1", '"oops", which is no JSON'),
    ],
)
def test_how_a_difference_reads(match: Match, data: bytes, expected: str, got: str) -> None:
    (told,) = compare_bytes(match, data, "response.body")
    assert (told.expected, told.got) == (expected, got)


def test_a_large_body_is_shown_around_the_first_difference() -> None:
    data = b"a" * 50_000_000
    started = time.monotonic()
    (told,) = compare_bytes(EqualTo(data), data[:40_000_000] + b"b" + data[:9], "response.body")
    assert time.monotonic() - started < 2
    assert len(told.got) < 300
    assert told.got.endswith("ab" + "a" * 9 + '" at byte 39999960 (40000010 bytes)')
    assert told.expected.endswith("at byte 39999960 (50000000 bytes)")


def test_several_lines_of_a_header_are_one_list_or_told_apart() -> None:
    got = ((b"set-cookie", b"a=1"), (b"Set-Cookie", b"b=2"))
    assert compare_headers((("set-cookie", EqualTo(b"a=1, b=2")),), got, "h") == ()
    two = (EqualTo(b"a=1"), EqualTo(b"b=2"))
    assert compare_headers((("set-cookie", two),), got, "h") == ()
    (told,) = compare_headers((("set-cookie", two[:1]),), got, "response.headers")
    assert told.where == "response.headers.set-cookie"
    assert (told.expected, told.got) == ('1 lines: "a=1"', '2: "a=1", "b=2"')
