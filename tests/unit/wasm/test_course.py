"""What surely happens when a function is called, and what perhaps."""

from __future__ import annotations

import pytest

from tests.modules.assembler import UNREACHABLE, Call, Function, call, number
from tests.modules.binary import Import, plain
from wasmctl.wasm.course import TRAP, Course
from wasmctl.wasm.info import Kind
from wasmctl.wasm.reader import read_module

A, B = Import("env", "a"), Import("env", "b")
IF, BLOCK, LOOP, ELSE, END = b"\x04\x40", b"\x02\x40", b"\x03\x40", b"\x05", b"\x0b"
BRANCH, BRANCH_OUT, BRANCH_IF, BRANCH_IF_OUT = b"\x0c\0", b"\x0c\1", b"\x0d\0", b"\x0d\1"
RETURN = b"\x0f"


def course(*body: bytes | Call, **others: list[bytes | Call]) -> tuple[list[str], list[str]]:
    """Return what `run` surely calls, and what it may call."""
    module = plain(
        imports=[A, B],
        functions=[Function("run", "->", body)],
        hidden=[Function(name, "->", code) for name, code in others.items()],
    )
    info = read_module(module, "module")
    run = next(one.index for one in info.exports if one.name == "run" and one.kind is Kind.FUNCTION)
    found = Course(module, info)
    names = {0: "a", 1: "b", TRAP: "trap"}
    return [names[one] for one in found.sure(run)], sorted(
        names[one] for one in found.possible(run)
    )


@pytest.mark.parametrize(
    ("body", "sure"),
    [
        ([], []),
        ([call("a"), call("b"), call("a")], ["a", "b", "a"]),
        ([number(0), IF, call("a"), END, call("b")], ["b"]),
        ([number(0), IF, call("a"), ELSE, call("a"), END], []),
        ([BLOCK, call("a"), END], ["a"]),
        ([BLOCK, number(0), BRANCH_IF, call("a"), END, call("b")], ["b"]),
        ([BLOCK, BLOCK, number(0), BRANCH_IF_OUT, END, call("a"), END, call("b")], ["b"]),
        ([BLOCK, BLOCK, number(0), BRANCH_IF, END, call("a"), END], ["a"]),
        ([BLOCK, BRANCH, END, call("a")], ["a"]),
        ([LOOP, call("a"), number(0), BRANCH_IF, call("b"), END], ["a", "b"]),
        ([BLOCK, LOOP, number(0), BRANCH_IF_OUT, BRANCH, END, call("a"), END, call("b")], ["b"]),
        ([number(0), IF, RETURN, END, call("a")], []),
        ([call("a"), number(0), IF, RETURN, END, call("b")], ["a"]),
        ([number(0), b"\x0e\0\0", call("a")], []),
        ([UNREACHABLE], ["trap"]),
        ([number(0), IF, UNREACHABLE, END, call("a")], ["a"]),
        ([b"\x12\0"], ["a"]),
        # An instruction that is not followed: what comes behind it is not known.
        ([call("a"), b"\x1f\x40\0", END, call("b")], ["a"]),
    ],
)
def test_what_is_on_every_way_is_sure(body: list[bytes | Call], sure: list[str]) -> None:
    assert course(*body)[0] == sure


def test_functions_are_followed() -> None:
    assert course(call("one"), one=[call("two"), call("b")], two=[call("a")])[0] == ["a", "b"]


def test_functions_that_call_themselves_are_followed_once() -> None:
    sure, possible = course(call("one"), one=[call("a"), call("one")])
    assert (sure, possible) == (["a"], ["a"])


def test_what_may_be_called_is_told_too() -> None:
    body: list[bytes | Call] = [number(0), IF, call("one"), END]
    assert course(*body, one=[call("a"), RETURN, call("b")]) == ([], ["a", "b"])
