"""Reads what fills tables and memories of a new instance, and constant expressions. Pure.

https://webassembly.github.io/spec/core/binary/modules.html#element-section
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from wasmctl.wasm.binary import (
    LEB,
    Cursor,
    MalformedError,
    absent,
    constant_instructions,
    unreadable,
)
from wasmctl.wasm.info import Kind, ModuleInfo

__all__ = ["Segment", "functions_in_tables", "read_constants", "read_elements"]

# Of a segment: it is passive or declared; has a table's index, or is declared; has expressions.
_NOT_ACTIVE, _TABLE_OR_DECLARED, _EXPRESSIONS = 1, 2, 4
_MOST_ELEMENTS: Final = 10_000_000
_MOST_DATA: Final = 100_000
_REF_FUNC: Final = 0xD2
_AT_A_NUMBER: Final = re.compile(rb"\x00\x41" + LEB + rb"\x0b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """What fills a table, or part of it.

    Args:
        functions: the indices of those that it holds, in its order.
        active: whether it is put into its table when an instance is made; else the code does it.
        declared: whether it is put nowhere, and only allows the code to refer to its functions.
        constants: expressions of it: the offset in the table; elements that are no mere index.
    """

    functions: tuple[int, ...]
    active: bool
    declared: bool = False
    constants: tuple[bytes, ...] = ()


def read_elements(data: bytes | mmap.mmap, info: ModuleInfo) -> tuple[Segment, ...]:
    """Return the segments that fill tables, of every form that there is.

    Raises:
        Unreadable: `malformed-module`: they are none.
    """
    section = info.section("element")
    if section is None:
        return ()
    cursor = Cursor(data, section.start, section.end)
    try:
        count = cursor.u32()
        found = tuple([_segment(cursor, info) for _ in range(count)])
        cursor.finish()
    except MalformedError as error:
        raise unreadable(error) from None
    return found


def functions_in_tables(data: bytes | mmap.mmap, info: ModuleInfo) -> frozenset[int]:
    """Return the indices of the functions that a call through a table may reach.

    Those that globals refer to are among them; what a host puts into a table that it shares with
    the module is not.

    Raises:
        Unreadable: `malformed-module`: the segments are none.
    """
    found = {
        function
        for segment in read_elements(data, info)
        if not segment.declared
        for function in segment.functions
    }
    try:
        for constant in info.constants:
            found.update(_functions(constant, info.function_count, 0))
    except MalformedError as error:
        raise unreadable(error) from None
    return frozenset(found)


def read_constants(data: bytes | mmap.mmap, info: ModuleInfo) -> Iterator[bytes]:
    """Yield the constant expressions of globals, tables and segments.

    But of data in the first memory at a mere number: nearly all are, and Go makes 100,000 of them.

    Raises:
        Unreadable: `malformed-module`: the segments are none.
    """
    yield from info.constants
    for segment in read_elements(data, info):
        yield from segment.constants
    try:
        yield from _data_constants(data, info)
    except MalformedError as error:
        raise unreadable(error) from None


def _segment(cursor: Cursor, info: ModuleInfo) -> Segment:
    start = cursor.position
    flags = cursor.u32()
    if flags > (_NOT_ACTIVE | _TABLE_OR_DECLARED | _EXPRESSIONS):
        raise MalformedError(start, f"`{flags:#04x}` is no form of a segment of elements")
    active = not flags & _NOT_ACTIVE
    constants = []
    if active:
        if flags & _TABLE_OR_DECLARED:
            cursor.u32()
        constants.append(cursor.constant())
    if flags & (_NOT_ACTIVE | _TABLE_OR_DECLARED):
        if flags & _EXPRESSIONS:
            cursor.reference_type(len(info.types))
        else:
            cursor.zero("the kind of a segment's elements")
    count = cursor.count("elements", _MOST_ELEMENTS)
    functions: tuple[int, ...]
    if flags & _EXPRESSIONS:
        start = cursor.position
        elements = [cursor.constant() for _ in range(count)]
        constants += elements
        number = info.function_count
        functions = tuple([one for each in elements for one in _functions(each, number, start)])
    else:
        functions = cursor.indices(count, Kind.FUNCTION, info.function_count)
    return Segment(
        functions=functions,
        active=active,
        declared=not active and bool(flags & _TABLE_OR_DECLARED),
        constants=tuple(constants),
    )


def _functions(constant: bytes, number: int, offset: int) -> Iterator[int]:
    """Yield the functions that an expression refers to."""
    for one in constant_instructions(constant):
        if one[0] == _REF_FUNC:
            index = Cursor(one, 1, len(one)).u32()
            if index >= number:
                raise absent(offset, Kind.FUNCTION, index, number)
            yield index


def _data_constants(data: bytes | mmap.mmap, info: ModuleInfo) -> Iterator[bytes]:
    section = info.section("data")
    if section is None:
        return
    cursor = Cursor(data, section.start, section.end)
    for _ in range(cursor.count("segments", _MOST_DATA)):
        if found := _AT_A_NUMBER.match(data, cursor.position, cursor.end):
            cursor.position = found.end()
        else:
            yield from _data_offset(cursor)
        cursor.skip(cursor.u32())


def _data_offset(cursor: Cursor) -> Iterator[bytes]:
    start = cursor.position
    match cursor.u32():
        case 0:
            yield cursor.constant()
        case 1:
            pass
        case 2:
            cursor.u32()
            yield cursor.constant()
        case flags:
            raise MalformedError(start, f"`{flags:#04x}` is no form of a segment of data")
