"""What a module is made of, as its bytes say."""

from __future__ import annotations

from pathlib import Path

import pytest
import wasmtime

from tests.modules.assembler import Import, plugin
from tests.modules.encoding import custom, module, name, number, section, vector
from wasmctl.wasm.info import Export, FunctionType, Kind, Limits, ModuleInfo
from wasmctl.wasm.reader import open_module, read_module


def read(text: str) -> ModuleInfo:
    return read_module(bytes(wasmtime.wat2wasm(f"(module {text})")), "x")


def producers(**fields: dict[str, str]) -> bytes:
    content = number(len(fields))
    for title, tools in fields.items():
        content += name(title.replace("_", "-")) + number(len(tools))
        for tool, version in tools.items():
            content += name(tool) + name(version)
    return custom("producers", content)


def test_a_plug_in_is_read(tmp_path: Path) -> None:
    content = plugin(imports=[Import("env", "proxy_log", "i32 i32 i32 -> i32")], names=True)
    (tmp_path / "plugin.wasm").write_bytes(content)
    with open_module(tmp_path / "plugin.wasm") as data:
        info = read_module(data, "x")
    assert info == read_module(content, "x")
    assert [(str(one), one.type) for one in info.imports] == [
        ("env.proxy_log", FunctionType(("i32", "i32", "i32"), ("i32",)))
    ]
    assert info.exports == (
        Export(name="proxy_abi_version_0_2_1", kind=Kind.FUNCTION, index=1),
        Export(name="proxy_on_memory_allocate", kind=Kind.FUNCTION, index=2),
        Export(name="memory", kind=Kind.MEMORY, index=0),
    )
    assert info.exported_functions == {
        "proxy_abi_version_0_2_1": FunctionType((), ()),
        "proxy_on_memory_allocate": FunctionType(("i32",), ("i32",)),
    }
    assert info.abi_versions == ("0.2.1",)
    assert info.memories == (Limits(minimum=1),)
    assert (info.size, info.has_names, info.has_dwarf) == (len(content), True, False)


def test_nothing_is_a_module_too() -> None:
    assert read_module(module(), "x") == ModuleInfo(size=8)


def test_frames_are_of_the_file() -> None:
    content = module(custom("a", b"xyz"), section(1, vector()), custom("b", b""))
    found = read_module(content, "x").sections
    assert [(one.id, one.name, one.frame, one.start, one.end) for one in found] == [
        (0, "a", 8, 12, 15),
        (1, "type", 15, 17, 18),
        (0, "b", 18, 22, 22),
    ]
    assert sum(one.size for one in found) == len(content) - 8


def test_a_custom_section_never_passes_for_another() -> None:
    content = module(custom("code", b"\xff"), section(1, vector()), custom(".debug_info", b""))
    info = read_module(content, "x")
    assert info.section("code") is None
    assert info.section("type") is not None
    assert info.has_dwarf


def test_every_kind_is_imported_with_its_type() -> None:
    info = read(
        """(import "a" "f" (func (param i64 f32 f64 v128) (result i32 externref)))
           (import "a" "t" (table 1 2 funcref)) (import "a" "m" (memory 3 4 shared))
           (import "a" "g" (global (mut i32))) (import "a" "h" (global i64))
           (import "a" "e" (tag (param i32)))"""
    )
    found = [(one.kind, one.type or one.limits or one.value) for one in info.imports]
    assert found == [
        (Kind.FUNCTION, FunctionType(("i64", "f32", "f64", "v128"), ("i32", "externref"))),
        (Kind.TABLE, Limits(minimum=1, maximum=2, element="funcref")),
        (Kind.MEMORY, Limits(minimum=3, maximum=4, shared=True)),
        (Kind.GLOBAL, "mut i32"),
        (Kind.GLOBAL, "i64"),
        (Kind.TAG, FunctionType(("i32",), ())),
    ]


def test_references_have_the_names_of_the_text_format() -> None:
    info = read(
        """(type $s (struct)) (type (func (param (ref $s) (ref null $s) (ref func) (ref null func)
             anyref eqref i31ref structref arrayref nullref nullfuncref nullexternref exnref)))"""
    )
    assert info.types[0] is None
    assert info.types[1] == FunctionType(
        (
            *("(ref 0)", "(ref null 0)", "(ref func)", "funcref", "anyref", "eqref", "i31ref"),
            *("structref", "arrayref", "nullref", "nullfuncref", "nullexternref", "exnref"),
        ),
        (),
    )


def test_types_of_groups_are_counted_with_the_others() -> None:
    info = read(
        """(type (func)) (rec (type $a (sub (struct (field (ref $b)))))
             (type $b (func (param i32))) (type (sub final $a (struct (field (ref $b))))))
           (func (type $b))"""
    )
    none = None
    assert info.types == (FunctionType((), ()), none, FunctionType(("i32",), ()), none)
    assert info.functions == (2,)


def test_what_a_module_defines_is_read() -> None:
    info = read(
        """(table 7 funcref (ref.null func)) (table i64 1 5 externref)
           (memory 1) (memory i64 2 70000)
           (global (mut f32) (f32.const 1)) (global i32 (i32.add (i32.const 1) (i32.const 2)))
           (tag) (func $s) (start $s)
           (elem (i32.const 0) $s) (elem declare func $s) (data "a") (data (i32.const 0) "b")"""
    )
    assert info.tables == (
        Limits(minimum=7, element="funcref"),
        Limits(minimum=1, maximum=5, wide=True, element="externref"),
    )
    assert info.memories == (Limits(minimum=1), Limits(minimum=2, maximum=70000, wide=True))
    assert info.globals == ("mut f32", "i32")
    assert info.constants == (b"\xd0\x70", b"\x43\0\0\x80\x3f", b"\x41\1\x41\2\x6a")
    assert (len(info.tags), info.start, info.elements, info.data) == (1, 0, 2, 2)


def test_many_functions_of_many_types_are_read() -> None:
    types = [b"\x60\0" + vector(*[b"\x7f"] * count) for count in range(300)]
    indices = [number(index % 300) for index in range(1000)]
    content = module(
        section(1, vector(*types)),
        section(3, vector(*indices)),
        section(10, vector(*[b"\2\0\x0b"] * 1000)),
    )
    assert read_module(content, "x").functions == tuple(index % 300 for index in range(1000))


def test_producers_and_features_are_read() -> None:
    info = read_module(
        module(
            producers(language={"Rust": "2021"}, processed_by={"rustc": "1.95", "walrus": "0.2"}),
            custom("target_features", vector(b"+" + name("simd128"), b"-" + name("atomics"))),
            producers(language={"Zig": ""}),
        ),
        "x",
    )
    assert info.producers == {
        "language": {"Rust": "2021"},
        "processed-by": {"rustc": "1.95", "walrus": "0.2"},
    }
    assert info.features == ("simd128",)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"\1\x0cprocessed-by\1",
        b"\x05\xff\xff\xff\xff\x0f",
        b"nonsense",
        b"\1\1\xff\0",
    ],
)
@pytest.mark.parametrize("title", ["producers", "target_features", "name"])
def test_a_damaged_custom_section_reads_as_absent(title: str, content: bytes) -> None:
    info = read_module(module(custom(title, content)), "x")
    assert (info.producers, info.features) == ({}, ())


def test_several_markers_keep_their_order() -> None:
    exports = (
        name("proxy_abi_version_0_2_1") + b"\0\0",
        name("proxy_abi_version_0_1_0") + b"\0\0",
        name("proxy_abi_version_9") + b"\2\0",  # a memory is no marker
    )
    content = module(
        section(1, vector(b"\x60\0\0")),
        section(3, vector(b"\0")),
        section(5, vector(b"\0\0")),
        section(7, vector(*exports)),
        section(10, vector(b"\2\0\x0b")),
    )
    assert read_module(content, "x").abi_versions == ("0.2.1", "0.1.0")


def test_numbers_may_be_longer_than_they_need_be() -> None:
    content = module(b"\5\x87\x80\x80\x80\0" + b"\x81\0\1\x81\0\x82\0")
    assert read_module(content, "x").memories == (Limits(minimum=1, maximum=2),)
