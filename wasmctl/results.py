"""What a command hands back, and the one JSON document that tells it.

Imports nothing of ours.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

__all__ = ["SCHEMA", "ErrorItem", "JSONValue", "Result", "envelope"]

SCHEMA = "wasmctl/1"

JSONValue = None | bool | int | float | str | Sequence["JSONValue"] | Mapping[str, "JSONValue"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorItem:
    """One failure in the envelope: a kebab-case code, the message and what to do."""

    code: str
    message: str
    hint: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a command found or made.

    Args:
        data: the `data` of the JSON envelope.
        lines: the same for people, printed to stdout line by line.
        afterwards: talk for people that belongs below the lines, such as what to do next.
        exit_code: 0, or the code of the worst of `errors`.
        errors: failures of single projects among several; a command that fails as a whole raises.
    """

    data: Mapping[str, JSONValue] = field(default_factory=dict)
    lines: tuple[str, ...] = ()
    afterwards: tuple[str, ...] = ()
    exit_code: int = 0
    errors: tuple[ErrorItem, ...] = ()


def envelope(command: str, result: Result) -> str:
    """Return the one-line JSON document of `command` (schema `wasmctl/1`)."""
    document = {
        "schema": SCHEMA,
        "command": command,
        "status": "success" if result.exit_code == 0 else "error",
        "exit_code": int(result.exit_code),
        "data": result.data,
        "errors": [
            {
                "code": error.code,
                "message": error.message,
                **({} if error.hint is None else {"hint": error.hint}),
            }
            for error in result.errors
        ],
    }
    return json.dumps(document, ensure_ascii=False)
