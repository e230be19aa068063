"""Which features of later WebAssembly a module uses, be it in its code, types or sections. Pure."""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Mapping
from typing import Final

from wasmctl.wasm.binary import Cursor, MalformedError, constant_instructions, unreadable
from wasmctl.wasm.code import read_instructions
from wasmctl.wasm.info import FunctionType, Kind, Limits, ModuleInfo
from wasmctl.wasm.instructions import next_feature
from wasmctl.wasm.segments import read_constants, read_elements

__all__ = ["used_features"]

# By the first byte of an instruction.
_BY_CODE: Final[Mapping[int, tuple[str, ...]]] = {
    **dict.fromkeys((0xC0, 0xC1, 0xC2, 0xC3, 0xC4), ("sign-ext",)),
    **dict.fromkeys((0x1C, 0x25, 0x26, 0xD0, 0xD1, 0xD2), ("reference-types",)),
    **dict.fromkeys((0x06, 0x07, 0x08, 0x09, 0x18, 0x19), ("exception-handling",)),
    **dict.fromkeys((0x0A, 0x1F), ("exnref",)),
    **dict.fromkeys((0x12, 0x13), ("tail-call",)),
    **dict.fromkeys((0x14, 0xD4, 0xD5, 0xD6), ("function-references",)),
    0x15: ("tail-call", "function-references"),
    **dict.fromkeys((0xD3, 0xFB), ("gc",)),
    0xFD: ("simd128",),
    0xFE: ("atomics",),
}
_BLOCKS: Final = frozenset({0x02, 0x03, 0x04, 0x06})
_MISCELLANEOUS, _SIMD = 0xFC, 0xFD
_FIRST_BULK, _FIRST_TABLE, _FIRST_WIDE = 0x08, 0x0F, 0x13
_FIRST_RELAXED: Final = 0x100
_OBJECTS: Final = frozenset({"any", "eq", "i31", "struct", "array", "none", "nofunc", "noextern"})
_ARITHMETIC: Final = frozenset({0x6A, 0x6B, 0x6C, 0x7C, 0x7D, 0x7E})


def used_features(data: bytes | mmap.mmap, info: ModuleInfo) -> frozenset[str]:
    """Return the features that the module cannot be without, beyond the first version's.

    They have the names of LLVM's target features (`sign-ext`, `simd128`, `multimemory`), and where
    it has none those of their proposals: `memory64`, `function-references`. `exception-handling` is
    what V8 had first, `exnref` its standard form.

    Raises:
        Unreadable: `malformed-module`: there is something that is no instruction.
    """
    found = set(_of_frame(info))
    segments = read_elements(data, info)
    if any(not one.active and not one.declared for one in segments):
        found.add("bulk-memory")
    if any(one.declared or len(one.constants) > 1 for one in segments):
        found.add("reference-types")
    for constant in read_constants(data, info):
        for instruction in constant_instructions(constant):
            if instruction[0] in _ARITHMETIC:
                found.add("extended-const")
            found.update(_of_instruction(instruction))
    try:
        distinct: set[bytes] = set()
        for _, instructions in read_instructions(data, info, next_feature()):
            distinct.update(instructions)
        for instruction in distinct:
            found.update(_of_instruction(instruction))
    except MalformedError as error:
        raise unreadable(error) from None
    return frozenset(found)


def _of_frame(info: ModuleInfo) -> Iterator[str]:
    """Yield what the sections show."""
    for signature in info.types:
        yield from ("gc",) if signature is None else _of_signature(signature)
    memories = [one.limits for one in info.imports if one.kind is Kind.MEMORY] + [*info.memories]
    tables = [one.limits for one in info.imports if one.kind is Kind.TABLE] + [*info.tables]
    values = [one.value for one in info.imports if one.kind is Kind.GLOBAL] + [*info.globals]
    yield from _of_limits([one for one in (*memories, *tables) if one is not None])
    if len(memories) > 1:
        yield "multimemory"
    if len(tables) > 1:
        yield "reference-types"
    for value in values:
        yield from _of_value(value.removeprefix("mut "))
    for table in tables:
        if table is not None and table.element != "funcref":
            yield from _of_value(table.element)
    shared = [one.value for one in info.imports] + [
        values[one.index] for one in info.exports if one.kind is Kind.GLOBAL
    ]
    if any(value.startswith("mut ") for value in shared):
        yield "mutable-globals"
    if info.tags or any(one.kind is Kind.TAG for one in info.imports):
        yield "exception-handling"
    if info.section("data count") is not None:
        yield "bulk-memory"


def _of_limits(limits: list[Limits]) -> Iterator[str]:
    if any(one.shared for one in limits):
        yield "atomics"
    if any(one.wide for one in limits):
        yield "memory64"


def _of_signature(signature: FunctionType) -> Iterator[str]:
    if len(signature.results) > 1:
        yield "multivalue"
    for value in (*signature.parameters, *signature.results):
        yield from _of_value(value)


def _of_value(value: str) -> Iterator[str]:
    if value == "v128":
        yield "simd128"
    elif "ref" in value:
        abbreviated = not value.startswith("(")
        heap = value.removesuffix("ref") if abbreviated else value.strip("()").split()[-1]
        if not abbreviated:
            yield "function-references"
        if heap in {"exn", "noexn"}:
            yield "exnref"
        elif heap in _OBJECTS:
            yield "gc"
        elif abbreviated:
            yield "reference-types"


def _of_instruction(instruction: bytes) -> Iterator[str]:
    code = instruction[0]
    yield from _BY_CODE.get(code, ())
    if code in _BLOCKS:
        yield from _of_block(instruction)
    elif code == _MISCELLANEOUS:
        number = Cursor(instruction, 1, len(instruction)).u32()
        if number < _FIRST_BULK:
            yield "nontrapping-fptoint"
        elif number < _FIRST_TABLE:
            yield "bulk-memory"
        else:
            yield "reference-types" if number < _FIRST_WIDE else "wide-arithmetic"
    elif code == _SIMD and Cursor(instruction, 1, len(instruction)).u32() >= _FIRST_RELAXED:
        yield "relaxed-simd"


def _of_block(instruction: bytes) -> Iterator[str]:
    """Yield what a block of another type than one number needs."""
    code = instruction[1]
    if 0x40 < code < 0x80:
        # Its types were read already: which of them it refers to is no matter.
        yield from _of_value(Cursor(instruction, 1, len(instruction)).value_type(1 << 32))
    elif code != 0x40:
        yield "multivalue"
