"""What functions call, which features they use, and where their bodies lie."""

from __future__ import annotations

from tests.modules.assembler import Function, Import, call, number, plugin
from wasmctl.wasm.code import Calls, read_bodies, read_calls
from wasmctl.wasm.names import read_names
from wasmctl.wasm.reader import read_module


def test_calls_bodies_and_names_are_of_the_same_functions() -> None:
    module = plugin(
        imports=[Import("env", "proxy_done", "-> i32")],
        functions=[
            Function("a", "->", [call("proxy_done"), b"\x1a", call("b"), call("b")]),
            Function("b", "->", [b"\x02\x40", number(1), b"\x0e\x01\x00\x00\x0b"]),
        ],
        names=True,
    )
    info = read_module(module, "x")
    names = read_names(module, info)
    assert [names[index] for index in range(info.function_count)] == [
        "proxy_done",
        "proxy_abi_version_0_2_1",
        "proxy_on_memory_allocate",
        "a",
        "b",
    ]
    assert read_calls(module, info) == (Calls(), Calls(), Calls((0, 4)), Calls())
    assert [module[start:end][-1] for start, end in read_bodies(module, info)] == [0x0B] * 4
