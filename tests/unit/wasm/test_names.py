"""The names of functions."""

from __future__ import annotations

import pytest

from tests.modules.assembler import Function, Import, plugin
from tests.modules.encoding import custom, name, number, section, vector
from wasmctl.wasm.names import read_names
from wasmctl.wasm.reader import read_module

PLUGIN = plugin(imports=[Import("env", "f")], functions=[Function("g")])
MODULE_NAME = section(0, name("the module"))
LOCALS = section(2, vector())


def names(*subsections: bytes) -> dict[int, str]:
    data = PLUGIN + custom("name", b"".join(subsections))
    return dict(read_names(data, read_module(data, "x")))


def functions(*entries: bytes) -> bytes:
    return section(1, vector(*entries))


def test_names_are_raw_and_by_index() -> None:
    entries = (number(0) + name("_ZN1fE"), number(2) + name("main.(*x).é"))
    expected = {0: "_ZN1fE", 2: "main.(*x).é"}
    assert names(MODULE_NAME, functions(*entries), LOCALS) == expected
    assert names(functions(*entries)) == expected


def test_without_a_section_there_are_none() -> None:
    assert read_names(PLUGIN, read_module(PLUGIN, "x")) == {}
    assert names() == {}
    assert names(MODULE_NAME) == {}


@pytest.mark.parametrize(
    "damaged",
    [
        functions(b"\0" + name("f"), b"\1" + number(60) + b"g"),
        functions(b"\0" + name("f"), b"\1" + b"\xff\xff\xff\xff\x0f"),
        functions(b"\0" + name("f"), b"\1"),
        functions(b"\0" + name("f"), b"\xff\xff\xff\xff\xff\xff"),
        section(1, b"\xff\xff\xff\xff\x0f" + b"\0" + name("f")),
        b"\1\xff\1" + vector(b"\0" + name("f")),
    ],
)
def test_of_a_damaged_section_the_names_before_the_damage_stay(damaged: bytes) -> None:
    assert names(damaged) == {0: "f"}


def test_what_names_no_function_is_passed_over() -> None:
    entries = (b"\0" + name("f"), b"\0" + name("again"), number(99) + name("none"), b"\1\1\xff")
    assert names(functions(*entries)) == {0: "f", 1: "\ufffd"}
