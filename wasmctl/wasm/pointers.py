"""Which functions a function holds the addresses of: in tables of methods, or as values. Pure.

A call through the table of functions says no more than a type, which in Go all functions share.
What a function *could* call so shows in the constants of its code instead: compilers put the
addresses of tables of methods there, and those tables stand in the module's memory.

- Go: a function value is an address whose word is a PC, the slot of the function shifted by 16; an
  `itab` holds interface, type and a hash, and PCs from its 24th byte on (internal/abi, iface.go).
- Rust: a vtable holds drop, size, align and the methods, of four bytes each, the first and the last
  as slots of the table (https://doc.rust-lang.org/reference/type-layout.html#trait-object-layout).
"""

from __future__ import annotations

import mmap
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

__all__ = ["read_go_pointers", "read_rust_pointers"]

_I64_CONST: Final = re.compile(rb"\x42([\x80-\xff]{2,5}+[\x00-\x7f])")
_I32_CONST: Final = re.compile(rb"\x41([\x80-\xff]{2,4}+[\x00-\x7f])")
# LLD leaves what it relocated, addresses and slots, five bytes wide: other numbers are shorter.
_RELOCATED: Final = 5
_ITAB_METHODS: Final = 24
_ALIGNMENTS: Final = frozenset((1, 2, 4, 8, 16))
# More methods no trait has.
_LONGEST_VTABLE: Final = 512

Pointers = dict[int, set[int]]


def read_go_pointers(
    data: bytes | mmap.mmap,
    bodies: Sequence[tuple[int, int]],
    memory: bytes,
    slots: Mapping[int, int],
) -> Pointers:
    """Return what functions hold the addresses of, in a module of Go's standard toolchain.

    Args:
        data: the module.
        bodies: start and end of each function's code, in their order.
        memory: what the module's memory holds when it starts.
        slots: of the table of functions: slot → index of the function.

    Returns:
        Place among the functions that the module defines → indices of functions.
    """
    words = memoryview(memory[: len(memory) & ~7]).cast("Q")
    held: dict[int, list[int]] = {slot << 16: [function] for slot, function in slots.items()}
    run: list[int] = []
    for position, word in enumerate(words):
        if word >= 1 << 28 and word & 0xFFFF == 0 and (found := slots.get(word >> 16)) is not None:
            held[8 * position] = [found]
            run.append(found)
        elif run:
            itab = 8 * (position - len(run)) - _ITAB_METHODS
            if itab > 0 and words[itab >> 3] and words[(itab >> 3) + 1]:
                held[itab] = run
            run = []
    # A variable that holds such an address from the start on.
    pointed = [(8 * at, held[word]) for at, word in enumerate(words) if word in held]
    held.update(one for one in pointed if one[0] not in held)
    constants = {_signed(value): functions for value, functions in held.items()}
    return _gather(data, bodies, _I64_CONST, constants)


def read_rust_pointers(
    data: bytes | mmap.mmap,
    bodies: Sequence[tuple[int, int]],
    memory: bytes,
    slots: Mapping[int, int],
) -> Pointers:
    """Return what functions hold the addresses of, in a module that Rust compiled.

    The arguments and the result are those of `read_go_pointers`.
    """
    if not bodies:
        return {}
    named = {found[1] for found in _I32_CONST.finditer(data, bodies[0][0], bodies[-1][1])}
    addresses = {_value(constant): constant for constant in named}
    words = memoryview(memory[: len(memory) & ~3]).cast("I")
    constants: dict[bytes, Sequence[int]] = {}
    for address, constant in addresses.items():
        if len(constant) == _RELOCATED and address in slots:
            constants[constant] = [slots[address]]
        elif address & 3 == 0 and _is_vtable(words, address >> 2, slots):
            constants[constant] = list(_methods(words, address, slots, addresses))
    return _gather(data, bodies, _I32_CONST, constants)


def _is_vtable(words: Sequence[int], at: int, slots: Mapping[int, int]) -> bool:
    if at + 4 > len(words):
        return False
    drop, size, alignment, method = words[at : at + 4]
    return (
        alignment in _ALIGNMENTS
        and size % alignment == 0
        and size < 1 << 20
        and (drop == 0 or drop in slots)
        and method in slots
    )


def _methods(
    words: Sequence[int], address: int, slots: Mapping[int, int], starts: Mapping[int, bytes]
) -> Iterator[int]:
    """Yield a vtable's functions, up to where the next one seems to begin."""
    at = address >> 2
    if words[at]:
        yield slots[words[at]]
    for place in range(at + 3, min(at + _LONGEST_VTABLE, len(words))):
        function = slots.get(words[place])
        if function is None or 4 * place in starts:
            break
        if place > at + 3 and _is_vtable(words, place, slots):
            break
        yield function


def _gather(
    data: bytes | mmap.mmap,
    bodies: Sequence[tuple[int, int]],
    pattern: re.Pattern[bytes],
    constants: Mapping[bytes, Sequence[int]],
) -> Pointers:
    """Find constants in the code; what only looks like one, inside another instruction, is rare."""
    pointers: Pointers = {}
    if not bodies:
        return pointers
    starts = [start for start, _ in bodies]
    get = constants.get
    for found in pattern.finditer(data, bodies[0][0], bodies[-1][1]):
        functions = get(found[1])
        if functions is not None:
            holder = bisect_right(starts, found.start()) - 1
            pointers.setdefault(holder, set()).update(functions)
    return pointers


def _signed(value: int) -> bytes:
    """Return a number as a signed LEB128."""
    number = bytearray()
    while True:
        byte = value & 0x7F
        value >>= 7
        if value == 0 and not byte & 0x40:
            number.append(byte)
            return bytes(number)
        number.append(byte | 0x80)


def _value(number: bytes) -> int:
    value = 0
    for byte in reversed(number):
        value = value << 7 | byte & 0x7F
    return value
