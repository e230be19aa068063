"""A small assembler: modules of a few imports and functions, written down in Python.

    plugin(imports=[Import("env", "proxy_done", "-> i32")],
           functions=[Function("proxy_on_tick", "i32 ->", [call("proxy_done"), DROP])])

Binary format: https://webassembly.github.io/spec/core/binary/
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = [
    "ALLOCATOR",
    "DROP",
    "MARKER",
    "UNREACHABLE",
    "Call",
    "Function",
    "Import",
    "assemble",
    "call",
    "number",
    "plugin",
    "proxy_log",
]

UNREACHABLE = b"\x00"
DROP = b"\x1a"
END = b"\x0b"
_TYPES = {"i32": 0x7F, "i64": 0x7E, "f32": 0x7D, "f64": 0x7C}
_FUNCTION, _MEMORY, _GLOBAL = 0, 2, 3


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a function by its name, be it imported or not."""

    name: str


@dataclass(frozen=True, slots=True)
class Import:
    """An imported function.

    Args:
        module: the name before the dot.
        name: the name behind it.
        signature: of its type: `i32 i32 -> i32`. `global` for an i32 global instead.
    """

    module: str
    name: str
    signature: str = "->"


@dataclass(frozen=True, slots=True)
class Function:
    """An exported function.

    Args:
        name: it is exported as, and called in the name section.
        signature: of its type.
        body: encoded instructions and calls.
    """

    name: str
    signature: str = "->"
    body: Sequence[bytes | Call] = ()


MARKER = Function("proxy_abi_version_0_2_1")


def number(value: int) -> bytes:
    """Encode `i32.const value`."""
    return b"\x41" + _signed(value)


def call(name: str) -> Call:
    """Call the function of that name."""
    return Call(name)


def proxy_log(level: int, offset: int, size: int) -> list[bytes | Call]:
    """Log what the module's memory holds at `offset`; `proxy_log` must be imported."""
    return [number(level), number(offset), number(size), call("proxy_log"), DROP]


def plugin(
    *,
    imports: Sequence[Import] = (),
    functions: Sequence[Function] = (),
    text: str = "",
    names: bool = False,
    pages: int = 1,
) -> bytes:
    """Assemble a module that a host takes for a plug-in: it has a marker and an allocator."""
    return assemble(
        imports=imports,
        functions=[MARKER, ALLOCATOR, *functions],
        text=text,
        names=names,
        pages=pages,
    )


def assemble(
    *,
    imports: Sequence[Import] = (),
    functions: Sequence[Function] = (),
    text: str = "",
    names: bool = False,
    pages: int = 1,
) -> bytes:
    """Assemble a module of these parts and a memory.

    Args:
        imports: of functions and globals.
        functions: exported under their names.
        text: what the memory begins with.
        names: whether to write a `name` section, for backtraces.
        pages: of 64 KiB, the memory's size.
    """
    called = [one for one in imports if one.signature != "global"]
    signatures = list(
        dict.fromkeys([*(one.signature for one in called), *(one.signature for one in functions)])
    )
    names_in_order = [one.name for one in called] + [one.name for one in functions]
    indices = {name: index for index, name in enumerate(names_in_order)}
    exports = [_export(one.name, _FUNCTION, indices[one.name]) for one in functions]
    exports.append(_export("memory", _MEMORY, 0))
    sections = [
        _section(1, [_type(signature) for signature in signatures]),
        _section(2, [_import(one, signatures) for one in imports]),
        _section(3, [_unsigned(signatures.index(one.signature)) for one in functions]),
        _section(5, [b"\x00" + _unsigned(pages)]),
        _section(7, exports),
        _section(10, [_body(one, indices) for one in functions]),
        _section(11, [b"\x00" + number(0) + END + _sized(text.encode())] if text else []),
    ]
    if names:
        entries = [_unsigned(index) + _name(name) for name, index in indices.items()]
        sections.append(b"\x00" + _sized(_name("name") + b"\x01" + _sized(_vector(entries))))
    return b"\0asm\1\0\0\0" + b"".join(sections)


def _section(identifier: int, entries: Sequence[bytes]) -> bytes:
    return bytes([identifier]) + _sized(_vector(entries)) if entries else b""


def _type(signature: str) -> bytes:
    parameters, results = (part.split() for part in signature.split("->"))
    return (
        b"\x60"
        + _vector([bytes([_TYPES[one]]) for one in parameters])
        + _vector([bytes([_TYPES[one]]) for one in results])
    )


def _import(one: Import, signatures: Sequence[str]) -> bytes:
    title = _name(one.module) + _name(one.name)
    if one.signature == "global":
        return title + bytes([_GLOBAL, _TYPES["i32"], 0])
    return title + bytes([_FUNCTION]) + _unsigned(signatures.index(one.signature))


def _export(name: str, kind: int, index: int) -> bytes:
    return _name(name) + bytes([kind]) + _unsigned(index)


def _body(function: Function, indices: dict[str, int]) -> bytes:
    code = b"".join(
        b"\x10" + _unsigned(indices[one.name]) if isinstance(one, Call) else one
        for one in function.body
    )
    return _sized(_vector([]) + code + END)


def _vector(entries: Sequence[bytes]) -> bytes:
    return _unsigned(len(entries)) + b"".join(entries)


def _name(text: str) -> bytes:
    return _sized(text.encode())


def _sized(data: bytes) -> bytes:
    return _unsigned(len(data)) + data


def _unsigned(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _signed(value: int) -> bytes:
    out = bytearray()
    while not -0x40 <= value < 0x40:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value & 0x7F])


# Hands out the same 32 KiB for whatever is asked.
ALLOCATOR = Function("proxy_on_memory_allocate", "i32 -> i32", [number(32 * 1024)])
