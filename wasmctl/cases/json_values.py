"""JSON values written in YAML: the plug-in's configuration, and bodies to compare with.

Follows YAML 1.2's core schema (https://yaml.org/spec/1.2.2/#103-core-schema), except that only what
JSON too calls a number is one: `yes`, `12:30`, `0x10` and dates are texts.
"""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Final

from wasmctl.cases.grammar import Definitions, Schema
from wasmctl.cases.problems import Problem, ProblemsError
from wasmctl.cases.yaml import Items, Node, Scalar, Table
from wasmctl.results import JSONValue

__all__ = ["CONFIGURATION", "JSON_TEXT", "Configuration", "JsonText"]

_WORDS: Final[dict[str, bool | None]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER: Final = re.compile(r"-?(0|[1-9][0-9]*)")
_NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_NOT_FINITE: Final = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
# Python reads no whole number with more digits.
_MOST_DIGITS: Final = 4000


class Configuration:
    """Any JSON value → the text that a plug-in reads: a text is itself, all else JSON."""

    expected = "any JSON value"

    def read(self, node: Node, folder: Path) -> str | None:
        del folder
        value = _value(node)
        if value is None or isinstance(value, str):
            return value
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))

    def schema(self, definitions: Definitions) -> Schema:
        del definitions
        return {}


class JsonText:
    """Any JSON value → JSON with sorted keys, so that equal values are equal texts."""

    expected = "any JSON value"

    def read(self, node: Node, folder: Path) -> str:
        del folder
        return json.dumps(_value(node), ensure_ascii=False, sort_keys=True)

    def schema(self, definitions: Definitions) -> Schema:
        del definitions
        return {}


CONFIGURATION: Final = Configuration()
JSON_TEXT: Final = JsonText()


def _value(node: Node) -> JSONValue:
    match node:
        case Scalar():
            return _scalar(node)
        case Items():
            return [_value(item) for item in node.items]
        case Table():
            return {key.text: _value(value) for key, value in node.pairs}


def _scalar(scalar: Scalar) -> JSONValue:
    if not scalar.plain:
        return _encodable(scalar)
    text = scalar.text
    if text in _WORDS:
        return _WORDS[text]
    if _NOT_FINITE.fullmatch(text):
        hint = "write a number, or the text in quotes"
        raise ProblemsError.one(scalar.place, f"`{text}`, which JSON does not have", hint)
    if not _NUMBER.fullmatch(text):
        return _encodable(scalar)
    if _INTEGER.fullmatch(text) and len(text) <= _MOST_DIGITS:
        return int(text)
    number = float(text)
    if math.isinf(number) or len(text) > _MOST_DIGITS:
        hint = "write a smaller number, or the text in quotes"
        raise ProblemsError((Problem(scalar.place, "a number too large for JSON", hint),))
    return number


def _encodable(scalar: Scalar) -> str:
    if any("\ud800" <= letter <= "\udfff" for letter in scalar.text):
        hint = "write the whole character"
        message = "half of a surrogate pair, which is no text"
        raise ProblemsError.one(scalar.place, message, hint)
    return scalar.text
