"""What a module's memory holds when an instance begins: its active data segments. Pure.

https://webassembly.github.io/spec/core/binary/modules.html#data-section
"""

from __future__ import annotations

import mmap
import re
from typing import Final

from wasmctl.wasm.info import ModuleInfo

__all__ = ["read_memory"]

# Beyond this nobody's constants lie; a damaged module may name any address.
_LARGEST: Final = 64 << 20
_NUMBER: Final = rb"([\x80-\xff]{0,9}+[\x00-\x7f])"
# A segment's frame up to its bytes: active in the first memory at a constant, or passive. Go writes
# a hundred thousand of them into a module, for it leaves out every zero.
_FRAME: Final = re.compile(
    rb"(?:\x00|\x02\x00)[\x41\x42]%b\x0b%b|\x01()%b" % (_NUMBER, _NUMBER, _NUMBER), re.DOTALL
)


def read_memory(data: bytes | mmap.mmap, info: ModuleInfo) -> bytes:
    """Return the first memory from its address 0; empty where a module places no data.

    What a segment further back than 64 MiB holds, or one that a global places, and all behind the
    first damaged one, is left out.
    """
    section = info.section("data")
    if section is None:
        return b""
    image = bytearray()
    position = _behind_number(data, section.start, section.end)
    while found := _FRAME.match(data, position, section.end):
        address = found[1]
        start = found.end()
        size = _value(found[2] if address is not None else found[4])
        position = start + size
        if position > section.end:
            break
        if address is not None and (place := _value(address)) + size <= _LARGEST:
            if place > len(image):
                image.extend(bytes(place - len(image)))
            image[place : place + size] = data[start:position]
    return bytes(image)


def _behind_number(data: bytes | mmap.mmap, position: int, end: int) -> int:
    while position < end and data[position] >= 0x80:
        position += 1
    return position + 1


def _value(number: bytes) -> int:
    """Return a LEB128 number, taken for an unsigned one."""
    value = 0
    for byte in reversed(number):
        value = value << 7 | byte & 0x7F
    return value
