"""Bytes, expectations and requests as people read them in a failure. Pure.

Everything is one line, and cut where it is long: a body of megabytes is shown around the place
that matters.
"""

from __future__ import annotations

import json
from typing import Final, assert_never

from wasmctl.cases.model import Contains, EqualTo, JsonEqualTo, Match, Regex
from wasmctl.results import JSONValue

__all__ = ["first_difference", "same_json", "shown", "shown_json", "shown_match"]

# Characters of a text that are shown, and how many of them lie before the place that matters.
_WIDTH: Final = 160
_BEFORE: Final = 40
_PATHS: Final = 3


def shown(data: bytes, *, around: int = 0) -> str:
    """Return bytes in quotes, with escapes for what is no text, cut to those near `around`."""
    start = max(0, around - _BEFORE) if len(data) > _WIDTH else 0
    part = data[start : start + _WIDTH]
    text = _quoted(part)
    if len(part) == len(data):
        return text
    before = "…" if start else ""
    after = "…" if start + len(part) < len(data) else ""
    place = f" at byte {start}" if start else ""
    return f"{before}{text}{after}{place} ({len(data)} bytes)"


def _quoted(data: bytes) -> str:
    text = data.decode("utf-8", "surrogateescape")
    quoted = "".join(_escaped(character) for character in text)
    return f'"{quoted}"'


def _escaped(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    if character in '"\\':
        return f"\\{character}"
    if character.isprintable():
        return character
    return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(character, f"\\x{code:02x}")


def shown_match(match: Match) -> str:
    """Return what is asked for, as in `contains "Forbidden"`."""
    match match:
        case EqualTo(value):
            return shown(value)
        case Contains(value):
            return f"contains {shown(value)}"
        case Regex(pattern):
            return f"matches {pattern}"
        case JsonEqualTo(text):
            return f"json {_cut(text)}"
        case _:
            assert_never(match)


def first_difference(expected: bytes, got: bytes) -> int:
    """Return the first place at which the two are not the same."""
    low, high = 0, min(len(expected), len(got))
    # By halves: a loop over every byte of 50 MB takes seconds.
    while low < high:
        middle = (low + high + 1) // 2
        if expected[low:middle] == got[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def shown_json(expected: JSONValue, got: JSONValue) -> tuple[str, str]:
    """Return the places where two JSON values differ, as each side has them."""
    places = list(_json_places(expected, got, ""))
    sides = (
        [f"{path or 'value'}: {left}" for path, left, _ in places[:_PATHS]],
        [f"{path or 'value'}: {right}" for path, _, right in places[:_PATHS]],
    )
    more = [f"{len(places) - _PATHS} more"] if len(places) > _PATHS else []
    return ", ".join(sides[0] + more), ", ".join(sides[1] + more)


def _json_places(expected: JSONValue, got: JSONValue, path: str) -> list[tuple[str, str, str]]:
    if isinstance(expected, dict) and isinstance(got, dict):
        names = [*expected, *(name for name in got if name not in expected)]
        return [
            place
            for name in names
            for place in _json_member(expected, got, name, f"{path}.{name}".lstrip("."))
        ]
    if isinstance(expected, list) and isinstance(got, list) and len(expected) == len(got):
        return [
            place
            for index, (left, right) in enumerate(zip(expected, got, strict=True))
            for place in _json_places(left, right, f"{path}[{index}]")
        ]
    if same_json(expected, got):
        return []
    return [(path, _cut(json.dumps(expected)), _cut(json.dumps(got)))]


def _json_member(
    expected: dict[str, JSONValue], got: dict[str, JSONValue], name: str, path: str
) -> list[tuple[str, str, str]]:
    if name not in got:
        return [(path, _cut(json.dumps(expected[name])), "absent")]
    if name not in expected:
        return [(path, "absent", _cut(json.dumps(got[name])))]
    return _json_places(expected[name], got[name], path)


def same_json(left: JSONValue, right: JSONValue) -> bool:
    """Return whether two JSON values are the same: `1` is `1.0`, but not `true`."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(
            same_json(value, right[name]) for name, value in left.items()
        )
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same_json, left, right))
    return isinstance(left, bool) == isinstance(right, bool) and left == right


def _cut(text: str) -> str:
    return text if len(text) <= _WIDTH else f"{text[:_WIDTH]}… ({len(text)} characters)"
