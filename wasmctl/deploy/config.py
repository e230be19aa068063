"""A plug-in's configuration as objects carry it: a JSON object. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, NoReturn

from wasmctl.errors import UsageError

if TYPE_CHECKING:
    from wasmctl.results import JSONValue

__all__ = ["read_object"]

# Istio's API holds it as a google.protobuf.Struct, whose numbers are doubles.
_GREATEST: Final = 2**53
_DEEPEST: Final = 100
# A surrogate: JSON can write one without the other, UTF-8 and so an object cannot.
_HALF: Final = re.compile("[\ud800-\udfff]")
_HINT: Final = "write a table, and have the plug-in read JSON"


def read_object(text: str, place: str) -> Mapping[str, JSONValue]:
    """Return the object that a configuration is.

    Args:
        text: the configuration as a proxy would hand it over.
        place: where it was given, for people.

    Raises:
        UsageError: it is none, or would reach the plug-in as something else.
    """
    try:
        value = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        message = f"{place} is text that is no JSON, and the object takes a JSON object only"
        raise UsageError("bad-configuration", message, hint=_HINT) from None
    if not isinstance(value, dict):
        message = f"{place} is JSON, and no object, and that alone can be deployed"
        raise UsageError("bad-configuration", message, hint=_HINT)
    _check(value, place)
    return value


def _refuse(name: str) -> NoReturn:
    raise ValueError(name)


def _check(value: JSONValue, where: str, depth: int = 0) -> None:
    if depth > _DEEPEST:
        message = f"{where.partition(',')[0]} is nested more than {_DEEPEST} deep"
        raise UsageError("bad-configuration", message, hint="a plug-in needs a few levels only")
    if isinstance(value, dict):
        for key, item in value.items():
            _check(key, where, depth)
            _check(item, f"{where}, `{key}`", depth + 1)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _check(item, f"{where}, number {index + 1}", depth + 1)
    elif isinstance(value, int) and abs(value) > _GREATEST:
        message = f"{where}: {value} becomes another number on its way, which is a double"
        raise UsageError("bad-configuration", message, hint=f'write it as text: `"{value}"`')
    elif isinstance(value, str) and _HALF.search(value):
        message = f"{where}: half of a character, such as `\\ud83d` alone, is no text"
        raise UsageError("bad-configuration", message, hint="write both halves, or the character")
