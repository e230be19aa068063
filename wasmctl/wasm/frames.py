"""The frames of a module's sections: where each begins and ends, and in which order they stand.

https://webassembly.github.io/spec/core/binary/modules.html#sections. Pure.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from typing import Final

from wasmctl.wasm.binary import Cursor, MalformedError
from wasmctl.wasm.info import SECTION_NAMES, Section

__all__ = ["COMPONENT_LAYER", "MAGIC", "PREAMBLE", "read_frames"]

MAGIC: Final = b"\0asm"
PREAMBLE: Final = MAGIC + b"\1\0\0\0"
# How a component's preamble ends; before it stands the version of its own format:
# https://github.com/WebAssembly/component-model/blob/main/design/mvp/Binary.md
COMPONENT_LAYER: Final = b"\1\0"
_ORDER: Final = (1, 2, 3, 4, 5, 13, 6, 7, 8, 9, 12, 10, 11)
_RANKS: Final = {number: rank for rank, number in enumerate(_ORDER)}
# Engines do not bound them; as many as of anything else that they do bound.
_MOST_SECTIONS: Final = 1_000_000


def read_frames(data: bytes | mmap.mmap) -> Iterator[Section]:
    """Yield each section behind the preamble, in the order of the file.

    Raises:
        MalformedError: one is cut off, unknown, out of its order or there twice.
    """
    cursor = Cursor(data, len(PREAMBLE), len(data))
    rank = -1
    for _ in range(_MOST_SECTIONS):
        if cursor.position == len(data):
            return
        section = _read_frame(cursor)
        if section.id != 0:
            if _RANKS[section.id] == rank:
                raise MalformedError(section.frame, f"there is a second {section.name} section")
            if _RANKS[section.id] < rank:
                after = SECTION_NAMES[_ORDER[rank]]
                raise MalformedError(
                    section.frame, f"the {section.name} section stands behind the {after} section"
                )
            rank = _RANKS[section.id]
        yield section
        cursor.position = section.end
    raise MalformedError(cursor.position, f"there are more than {_MOST_SECTIONS:,} sections")


def _read_frame(cursor: Cursor) -> Section:
    frame, left = cursor.position, cursor.end
    number = cursor.byte()
    if number != 0 and number not in SECTION_NAMES:
        raise MalformedError(frame, f"there is no section of number {number}")
    name = SECTION_NAMES.get(number, "")
    what = f"the {name or 'custom'} section"
    try:
        size = cursor.u32()
    except MalformedError as error:
        error.cut_off = error.offset == left
        raise
    start, left = cursor.position, cursor.end - cursor.position
    if size > left:
        why = f"{what} announces {size:,} bytes, and {left:,} are there"
        raise MalformedError(frame, why, cut_off=True)
    end = start + size
    if number == 0:
        content = Cursor(cursor.data, start, end)
        name = content.name("a custom section")
        start = content.position
    return Section(id=number, name=name, start=start, end=end, frame=frame)
