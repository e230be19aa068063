"""The errors that reach a user, and the document that tells them to scripts."""

from __future__ import annotations

import json

import pytest

from wasmctl.errors import (
    ExitCode,
    ProxyError,
    Refused,
    RegistryError,
    ToolFailed,
    ToolMissing,
    Unreadable,
    UsageError,
    WasmctlError,
)
from wasmctl.results import ErrorItem, Result, envelope

CODES = {
    Refused: 1,
    UsageError: 2,
    ToolMissing: 3,
    ToolFailed: 4,
    Unreadable: 5,
    RegistryError: 6,
    ProxyError: 7,
    WasmctlError: 70,
}


def test_every_kind_of_failure_has_its_exit_code() -> None:
    assert {kind: int(kind("a", "m").exit_code) for kind in CODES} == CODES
    assert set(WasmctlError.__subclasses__()) == set(CODES) - {WasmctlError}


def test_exit_codes_are_what_scripts_can_see() -> None:
    assert all(0 <= code <= 255 for code in ExitCode)
    assert len({code.meaning for code in ExitCode}) == len(ExitCode)


@pytest.mark.parametrize(
    "code", ["", "Bad", "bad_code", "bad--code", "-bad", "bad-", "1bad", "a b"]
)
def test_a_code_that_is_not_kebab_case_is_a_bug(code: str) -> None:
    with pytest.raises(ValueError, match="not a kebab-case error code"):
        UsageError(code, "message")


def test_the_message_is_the_text_of_the_exception() -> None:
    error = ToolFailed("tool-failed", "it failed", hint="mend it", output="words")
    assert (str(error), error.hint, error.output) == ("it failed", "mend it", "words")


def test_a_result_is_one_line_of_json() -> None:
    text = envelope("config show", Result(data={"path": "/ä\nb", "size": 3}))
    assert "\n" not in text
    assert json.loads(text) == {
        "schema": "wasmctl/1",
        "command": "config show",
        "status": "success",
        "exit_code": 0,
        "data": {"path": "/ä\nb", "size": 3},
        "errors": [],
    }


def test_a_failure_tells_code_message_and_hint() -> None:
    errors = (ErrorItem(code="a", message="m", hint="h"), ErrorItem(code="b", message="n"))
    document = json.loads(envelope("build", Result(exit_code=ExitCode.TOOL_FAILED, errors=errors)))
    assert (document["status"], document["exit_code"]) == ("error", 4)
    assert document["errors"] == [
        {"code": "a", "message": "m", "hint": "h"},
        {"code": "b", "message": "n"},
    ]
