"""The names of functions, as the `name` section has them. Pure.

https://webassembly.github.io/spec/core/appendix/custom.html#name-section
"""

from __future__ import annotations

import mmap
from collections.abc import Mapping
from typing import Final

from wasmctl.wasm.binary import Cursor, MalformedError
from wasmctl.wasm.info import ModuleInfo, Section

__all__ = ["read_names"]

_FUNCTIONS: Final = 1


def read_names(data: bytes | mmap.mmap, info: ModuleInfo) -> Mapping[int, str]:
    """Return the raw name of each function that has one, by its index, imported ones first.

    Of a damaged section those before the damage: it cannot make a module invalid (core
    specification, 5.5.3), and engines do the same. No names: an empty mapping.
    """
    section = info.section("name")
    if section is None:
        return {}
    found: dict[int, str] = {}
    try:
        part = _find_functions(data, section)
        if part is not None:
            _read_map(part, info.function_count, found)
    except MalformedError:
        pass
    return found


def _find_functions(data: bytes | mmap.mmap, section: Section) -> Cursor | None:
    """Return the subsection of functions' names."""
    cursor = Cursor(data, section.start, section.end)
    while cursor.position < cursor.end:
        number, size = cursor.byte(), cursor.u32()
        end = min(cursor.position + size, cursor.end)
        if number == _FUNCTIONS:
            return Cursor(data, cursor.position, end)
        cursor.position = end
    return None


def _read_map(cursor: Cursor, number: int, found: dict[int, str]) -> None:
    """Read names into `found`; an index that is no function's, or there twice, is passed over."""
    u32 = cursor.u32
    count = u32()
    content = cursor.data[cursor.position : cursor.end]
    offset, position, end = cursor.position, 0, len(content)
    for _ in range(count):
        cursor.position = offset + position
        index, size = u32(), u32()
        start = cursor.position - offset
        position = start + size
        if position > end:
            return
        if index < number and index not in found:
            found[index] = content[start:position].decode("utf-8", "replace")
