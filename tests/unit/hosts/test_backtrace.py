"""Backtraces, and what a module knows of the functions in them."""

from __future__ import annotations

import pytest

from tests.modules.assembler import UNREACHABLE, Function, plugin
from wasmctl.hosts.backtrace import Backtrace, backtrace_of, restore
from wasmctl.hosts.traps import Trap
from wasmctl.wasm.program import Program
from wasmctl.wasm.reader import read_module

ON_TICK = "proxy_on_tick"


def program(*, names: bool = True) -> Program:
    functions = [
        Function("helper", "->", [UNREACHABLE]),
        Function(ON_TICK, "i32 ->", [UNREACHABLE]),
    ]
    data = plugin(functions=functions, names=names)
    return Program(data=data, info=read_module(data, "plugin.wasm"))


def start(read: Program, name: str) -> int:
    """Return where the code of an exported function begins."""
    index = next(index for index, known in read.exports.items() if known == name)
    return read.bodies[index - read.imported][0] + 1


def trap(*frames: tuple[str, int]) -> Trap:
    return Trap(
        function=ON_TICK,
        reason="RuntimeError: unreachable",
        frames=tuple(name for name, _ in frames),
        addresses=tuple(address for _, address in frames),
    )


def functions(backtrace: Backtrace) -> list[str]:
    return [frame.function for frame in backtrace.frames]


def test_without_a_module_it_is_what_the_log_says() -> None:
    found = backtrace_of(trap(("a::f", 1), (ON_TICK, 2)))
    assert functions(found) == ["a::f", ON_TICK]
    assert [frame.own for frame in found.frames] == [True, False]
    assert (found.matches, found.note) == (None, "")


def test_the_module_that_trapped_is_known_by_its_names() -> None:
    read = program()
    found = restore(trap((ON_TICK, start(read, ON_TICK))), read, "plugin.wasm")
    assert (found.matches, found.note, functions(found)) == (True, "", [ON_TICK])


def test_names_that_the_log_lacks_are_the_modules() -> None:
    read = program()
    index = next(index for index, name in read.exports.items() if name == "helper")
    said = (f"unknown(function index:{index})", start(read, "helper"))
    found = restore(trap(said, (ON_TICK, start(read, ON_TICK))), read, "plugin.wasm")
    assert (found.matches, functions(found)) == (True, ["helper", ON_TICK])
    found = restore(trap(said), read, "plugin.wasm")
    assert found.matches is None
    assert found.note == "the names are `plugin.wasm`'s; whether it is the one is not known"


def test_exported_functions_are_known_without_a_name_section() -> None:
    read = program(names=False)
    found = restore(trap((ON_TICK, start(read, ON_TICK))), read, "plugin.wasm")
    assert (found.matches, functions(found)) == (True, [ON_TICK])


@pytest.mark.parametrize(
    ("said", "address", "note"),
    [
        ("other", 0, "it has `helper`, the log has `other`"),
        ("helper", 100_000, "at 0x186a0 it has no function, the log has `helper`"),
        ("unknown(function index:99)", 0, "it has `helper`, the log has `unknown"),
    ],
)
def test_another_module_is_told_from_the_one_that_trapped(
    said: str, address: int, note: str
) -> None:
    read = program()
    found = restore(trap((said, address or start(read, "helper"))), read, "plugin.wasm")
    assert found.matches is False
    assert found.note.startswith("`plugin.wasm` is not the module that trapped: at 0x")
    assert note in found.note
    assert functions(found) == [said]


def test_a_log_without_backtrace_is_told() -> None:
    found = restore(trap(), program(), "plugin.wasm")
    assert found.frames == ()
    assert "has no names of functions" in found.note
