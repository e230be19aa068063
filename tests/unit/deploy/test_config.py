"""A configuration is deployed as a JSON object that arrives as it is, or not at all."""

from __future__ import annotations

import json

import pytest

from wasmctl.deploy.config import read_object
from wasmctl.errors import UsageError


def nested(depth: int) -> str:
    return '{"a":' * depth + "1" + "}" * depth


@pytest.mark.parametrize(
    "value",
    [{}, {"a": None}, {"a": [1, 2.5, -(2**53), "x", True]}, {"ü": "\U0001f600", "": "\x00"}],
)
def test_an_object_is_taken_as_it_is(value: dict[str, object]) -> None:
    assert read_object(json.dumps(value), "`--config`") == value
    assert read_object(nested(100), "`--config`")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("allow", "`--config` is text that is no JSON"),
        ("{'a': 1}", "`--config` is text that is no JSON"),
        ('{"a": NaN}', "`--config` is text that is no JSON"),
        ('{"a": -Infinity}', "`--config` is text that is no JSON"),
        ("[" * 100_000, "`--config` is text that is no JSON"),
        ("[]", "`--config` is JSON, and no object"),
        ('"x"', "`--config` is JSON, and no object"),
        ("1", "`--config` is JSON, and no object"),
        (nested(102), "`--config` is nested more than 100 deep"),
        (nested(500), "`--config` is nested more than 100 deep"),
        ('{"a": {"b": [0, 9007199254740993]}}', "`--config`, `a`, `b`, number 2: 9007199254740993"),
        ('{"a": -9007199254740993}', "`--config`, `a`: -9007199254740993 becomes another number"),
        ('{"a": "\\ud83d"}', "`--config`, `a`: half of a character"),
        ('{"\\udc00": 1}', "`--config`: half of a character"),
    ],
)
def test_what_would_not_arrive_is_refused(text: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_object(text, "`--config`")
    assert said in caught.value.message
    assert caught.value.hint
