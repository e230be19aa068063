"""What a module is made of, as its bytes say."""

from __future__ import annotations

from tests.modules.assembler import Import, plugin
from wasmctl.wasm.info import FunctionType, Kind
from wasmctl.wasm.reader import read_module


def test_imports_and_exports_have_their_types() -> None:
    module = plugin(imports=[Import("env", "proxy_log", "i32 i32 i32 -> i32")])
    info = read_module(module, "x")
    assert [(str(one), one.type) for one in info.imports] == [
        ("env.proxy_log", FunctionType(("i32", "i32", "i32"), ("i32",)))
    ]
    assert [(one.name, one.kind) for one in info.exports] == [
        ("proxy_abi_version_0_2_1", Kind.FUNCTION),
        ("proxy_on_memory_allocate", Kind.FUNCTION),
        ("memory", Kind.MEMORY),
    ]
    assert info.abi_versions == ("0.2.1",)
