"""A module written section by section, for what `assembler` does not write.

    write(functions=[MARKER, ALLOCATOR], memories=[limits(1, 20_000)])

Binary format: https://webassembly.github.io/spec/core/binary/
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from tests.modules.assembler import ALLOCATOR, MARKER, Call, Function

__all__ = [
    "Export",
    "Import",
    "Kind",
    "custom",
    "function_type",
    "limits",
    "name",
    "plain",
    "sized",
    "unsigned",
    "vector",
    "write",
]

END = b"\x0b"
_WORD = re.compile(r"\([^)]*\)|\S+")
_VALUE_TYPES = {
    "i32": b"\x7f",
    "i64": b"\x7e",
    "f32": b"\x7d",
    "f64": b"\x7c",
    "v128": b"\x7b",
    "funcref": b"\x70",
    "externref": b"\x6f",
    "anyref": b"\x6e",
    "eqref": b"\x6d",
    "i31ref": b"\x6c",
    "structref": b"\x6b",
    "arrayref": b"\x6a",
    "exnref": b"\x69",
    "(ref func)": b"\x64\x70",
    "(ref extern)": b"\x64\x6f",
    "(ref any)": b"\x64\x6e",
    "nullref": b"\x71",
    "nullfuncref": b"\x73",
    "nullexternref": b"\x72",
    "nullexnref": b"\x74",
    "(ref null 0)": b"\x63\x00",
}


class Kind:
    """The byte that says what an import or export is."""

    FUNCTION, TABLE, MEMORY, GLOBAL, TAG = range(5)


@dataclass(frozen=True, slots=True)
class Import:
    """What a module takes.

    Args:
        module: the name before the dot.
        name: the name behind it.
        what: a function's signature (`i32 -> i32`), or the encoded type of another kind.
        kind: which.
    """

    module: str
    name: str
    what: str | bytes = "->"
    kind: int = Kind.FUNCTION


@dataclass(frozen=True, slots=True)
class Export:
    """What a module gives beside its functions."""

    name: str
    kind: int
    index: int


def write(
    *,
    imports: Sequence[Import] = (),
    functions: Sequence[Function] = (),
    hidden: Sequence[Function] = (),
    types: Sequence[bytes] = (),
    grouped: int = 0,
    tables: Sequence[bytes] = (),
    memories: Sequence[bytes] = (b"\0\1",),
    tags: Sequence[str] = (),
    globals_: Sequence[bytes] = (),
    exports: Sequence[Export] = (Export("memory", Kind.MEMORY, 0),),
    start: str | None = None,
    elements: Sequence[bytes] = (),
    data: Sequence[bytes] = (),
    counts_data: bool = False,
    last: Sequence[bytes] = (),
) -> bytes:
    """Write a module.

    Args:
        imports: in their order.
        functions: exported under their names.
        hidden: functions that are not.
        types: encoded entries that the type section begins with.
        grouped: how many types their groups hold beyond one each.
        tables: encoded entries.
        memories: encoded limits.
        tags: the signatures of exceptions.
        globals_: encoded entries, with their first value.
        exports: those that are no functions.
        start: the function that runs when an instance is made.
        elements: encoded entries.
        data: encoded entries.
        counts_data: whether to say how many data segments there are.
        last: whole sections for the end.
    """
    called = [one for one in imports if one.kind == Kind.FUNCTION]
    own = [*functions, *hidden]
    signatures = [str(one.what) for one in called] + [one.signature for one in own] + [*tags]
    signatures = list(dict.fromkeys(signatures))

    def type_of(signature: str) -> bytes:
        return unsigned(len(types) + grouped + signatures.index(signature))

    names = [one.name for one in called] + [one.name for one in own]
    indices = {one: index for index, one in enumerate(names)}
    sections = [
        _section(1, [*types, *map(function_type, signatures)]),
        _section(2, [_import(one, type_of) for one in imports]),
        _section(3, [type_of(one.signature) for one in own]),
        _section(4, tables),
        _section(5, memories),
        _section(13, [b"\0" + type_of(tag) for tag in tags]),
        _section(6, globals_),
        _section(
            7,
            [
                *(_export(one.name, Kind.FUNCTION, indices[one.name]) for one in functions),
                *(_export(one.name, one.kind, one.index) for one in exports),
            ],
        ),
        b"" if start is None else b"\x08" + sized(unsigned(indices[start])),
        _section(9, elements),
        b"\x0c" + sized(unsigned(len(data))) if counts_data else b"",
        _section(10, [_body(one, indices) for one in own]),
        _section(11, data),
    ]
    return b"\0asm\1\0\0\0" + b"".join([*sections, *last])


def plain(
    *,
    imports: Sequence[Import] = (),
    functions: Sequence[Function] = (),
    hidden: Sequence[Function] = (),
    marker: Function = MARKER,
    allocator: bool = True,
    **parts: object,
) -> bytes:
    """Write a module that a host takes for a plug-in: it has a marker and an allocator."""
    given = [marker, *([ALLOCATOR] if allocator else []), *functions]
    return write(imports=imports, functions=given, hidden=hidden, **parts)  # type: ignore[arg-type]


def limits(minimum: int, maximum: int | None = None, *, flags: int = 0) -> bytes:
    """Encode the limits of a memory; `flags`: 2 shared, 4 with 64 bits, 8 with a page size."""
    head = bytes([flags | (maximum is not None)])
    return head + unsigned(minimum) + (b"" if maximum is None else unsigned(maximum))


def function_type(signature: str) -> bytes:
    """Encode a function's type."""
    parameters, results = (_values(part) for part in signature.split("->"))
    return b"\x60" + vector(parameters) + vector(results)


def custom(title: str, content: bytes) -> bytes:
    """Encode a custom section."""
    return b"\0" + sized(name(title) + content)


def vector(entries: Sequence[bytes]) -> bytes:
    """Encode a vector."""
    return unsigned(len(entries)) + b"".join(entries)


def name(text: str) -> bytes:
    """Encode a name."""
    return sized(text.encode())


def sized(content: bytes) -> bytes:
    """Encode bytes behind their count."""
    return unsigned(len(content)) + content


def unsigned(value: int) -> bytes:
    """Encode an unsigned number."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _values(text: str) -> list[bytes]:
    return [_VALUE_TYPES[word] for word in _WORD.findall(text)]


def _section(identifier: int, entries: Sequence[bytes]) -> bytes:
    return bytes([identifier]) + sized(vector(entries)) if entries else b""


def _import(one: Import, type_of: object) -> bytes:
    what = type_of(one.what) if isinstance(one.what, str) else one.what  # type: ignore[operator]
    return name(one.module) + name(one.name) + bytes([one.kind]) + what


def _export(title: str, kind: int, index: int) -> bytes:
    return name(title) + bytes([kind]) + unsigned(index)


def _body(function: Function, indices: dict[str, int]) -> bytes:
    code = b"".join(
        b"\x10" + unsigned(indices[one.name]) if isinstance(one, Call) else one
        for one in function.body
    )
    return sized(vector([]) + code + END)
