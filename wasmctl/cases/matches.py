"""Whether a value is what a case file asks for, and the difference when it is not. Pure."""

from __future__ import annotations

import json
import re
from typing import assert_never

from wasmctl.cases.model import (
    Contains,
    EqualTo,
    ExpectedHeaders,
    Headers,
    JsonEqualTo,
    Match,
    Regex,
)
from wasmctl.cases.results import Difference
from wasmctl.cases.shown import first_difference, same_json, shown, shown_json, shown_match

__all__ = ["compare_bytes", "compare_headers", "compare_without", "holds"]


def holds(match: Match, data: bytes) -> bool:
    """Return whether `data` is what `match` asks for."""
    match match:
        case EqualTo(value):
            return data == value
        case Contains(value):
            return value in data
        case Regex(pattern):
            return re.search(pattern, data.decode("utf-8", "replace")) is not None
        case JsonEqualTo(text):
            try:
                return same_json(json.loads(text), json.loads(data))
            except ValueError:
                return False
        case _:
            assert_never(match)


def compare_bytes(match: Match, data: bytes, where: str) -> tuple[Difference, ...]:
    """Return the one difference between `data` and what `match` asks for, or none."""
    if holds(match, data):
        return ()
    expected, got = shown_match(match), shown(data)
    if isinstance(match, EqualTo):
        place = first_difference(match.value, data)
        expected, got = shown(match.value, around=place), shown(data, around=place)
    elif isinstance(match, JsonEqualTo):
        try:
            expected, got = shown_json(json.loads(match.text), json.loads(data))
        except ValueError:
            got = f"{got}, which is no JSON"
    return (Difference(where=where, expected=expected, got=got),)


def compare_headers(expected: ExpectedHeaders, got: Headers, where: str) -> tuple[Difference, ...]:
    """Return the headers (or trailers) that are not as expected; `where` names the block."""
    found: list[Difference] = []
    for name, wanted in expected:
        values = _values(got, name)
        place = f"{where}.{name}"
        if isinstance(wanted, tuple):
            found += _compare_lines(wanted, values, place)
        elif not values:
            found.append(Difference(where=place, expected=shown_match(wanted), got="absent"))
        else:
            # RFC 9110, 5.3: several lines of one name mean the same as their list.
            found += compare_bytes(wanted, b", ".join(values), place)
    return tuple(found)


def _compare_lines(
    wanted: tuple[Match, ...], values: list[bytes], where: str
) -> tuple[Difference, ...]:
    if len(wanted) == len(values):
        return tuple(
            difference
            for index, (match, value) in enumerate(zip(wanted, values, strict=True))
            for difference in compare_bytes(match, value, f"{where}[{index}]")
        )
    expected = f"{len(wanted)} lines: {', '.join(map(shown_match, wanted))}"
    got = f"{len(values)}: {', '.join(map(shown, values))}" if values else "absent"
    return (Difference(where=where, expected=expected, got=got),)


def compare_without(names: tuple[str, ...], got: Headers, where: str) -> tuple[Difference, ...]:
    """Return those of `names` that are there though they must not be."""
    return tuple(
        Difference(
            where=f"{where}.without-headers",
            expected=f"no {name}",
            got=f"{name}: {shown(b', '.join(values))}",
        )
        for name in names
        if (values := _values(got, name))
    )


def _values(headers: Headers, name: str) -> list[bytes]:
    wanted = name.lower().encode()
    return [value for key, value in headers if key.lower() == wanted]
