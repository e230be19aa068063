"""The instructions of functions, as regular expressions that pass over them. Pure.

A module has millions of them: this way Python takes 20 ns for one, and ten times that by any other.
https://webassembly.github.io/spec/core/binary/instructions.html
"""

from __future__ import annotations

import functools
import re
from typing import Final

from wasmctl.wasm.binary import LEB, subcode

__all__ = ["LOCALS", "STRAIGHT", "TURNS", "next_call", "next_feature"]

_LEB64: Final = rb"[\x80-\xff]{0,9}+[\x00-\x7f]"
_VALUE_TYPE: Final = rb"(?:[\x69-\x74\x7b-\x7f]|[\x63\x64]" + LEB + b")"
# Alignment and offset; where bit 6 of the first is set, the index of a memory stands between them.
_ADDRESS: Final = (
    rb"(?:[\x00-\x3f]|[\x80-\xbf][\x80-\xff]{0,3}+[\x00-\x7f]"
    rb"|(?:[\x40-\x7f]|[\xc0-\xff][\x80-\xff]{0,3}+[\x00-\x7f])" + LEB + b")" + _LEB64
)
# The labels of a br_table are a vector, which no expression counts. Nearly all have less than 128
# labels of one byte each; the others are left to be read one by one.
_BRANCH_TABLE: Final = (
    rb"\x0e(?:" + b"|".join(rb"\x%02x[\x00-\x7f]{%d}" % (n, n + 1) for n in range(128)) + b")"
)

# What every engine knows, the most frequent first: variables, constants, branches; control and
# numbers; loads and stores; blocks of one result or none.
_PLAIN: Final = (
    rb"[\x0c\x0d\x20-\x24\x41]" + LEB,
    rb"[\x00\x01\x05\x0b\x0f\x1a\x1b\x45-\xbf]",
    rb"[\x28-\x3e]" + _ADDRESS,
    rb"[\x02-\x04][\x40\x7c-\x7f]",
    rb"\x42" + _LEB64,
    rb"\x43[\s\S]{4}",
    rb"\x44[\s\S]{8}",
    rb"[\x3f\x40]" + LEB,
    _BRANCH_TABLE,
)
_CALLS: Final = (rb"\x10" + LEB, rb"\x11" + LEB + LEB)
_LATER_CALLS: Final = (rb"[\x12\x14\x15\xd2]" + LEB, rb"\x13" + LEB + LEB)

_SIMD: Final = (
    rb"\xfd(?:"
    + b"|".join(
        [
            subcode(range(0x0C), 0x5C, 0x5D) + _ADDRESS,
            subcode(range(0x54, 0x5C)) + _ADDRESS + rb"[\s\S]",
            subcode(0x0C, 0x0D) + rb"[\s\S]{16}",
            subcode(range(0x15, 0x23)) + rb"[\s\S]",
            subcode(range(0x0E, 0x15), range(0x23, 0x54), range(0x5E, 0x114)),
        ]
    )
    + b")"
)
_ATOMICS: Final = (
    rb"\xfe(?:" + subcode(range(3), range(0x10, 0x4F)) + _ADDRESS + b"|" + subcode(3) + rb"\x00)"
)
_OBJECTS: Final = (
    rb"\xfb(?:"
    + b"|".join(
        [
            subcode(0, 1, 6, 7, 0x0B, 0x0C, 0x0D, 0x0E, 0x10, *range(0x14, 0x18)) + LEB,
            subcode(*range(2, 6), 8, 9, 0x0A, 0x11, 0x12, 0x13) + LEB + LEB,
            subcode(0x18, 0x19) + rb"[\x00-\x03]" + LEB + LEB + LEB,
            subcode(0x0F, *range(0x1A, 0x1F)),
        ]
    )
    + b")"
)
_MISCELLANEOUS: Final = (
    rb"\xfc(?:"
    + b"|".join(
        [
            subcode(range(8), range(0x13, 0x17)),
            subcode(8, 0x0A, 0x0C, 0x0E) + LEB + LEB,
            subcode(9, 0x0B, 0x0D, 0x0F, 0x10, 0x11) + LEB,
        ]
    )
    + b")"
)
# What came later, but calls.
_LATER: Final = (
    rb"[\xc0-\xc4]",
    _MISCELLANEOUS,
    # A block of a type that is a vector, a reference, or a function's by its index.
    rb"[\x02-\x04\x06](?:[\x63\x64]" + LEB + b"|" + LEB + b")",
    rb"[\x25\x26\xd0]" + LEB,
    rb"[\x0a\x19\xd1\xd3\xd4]",
    rb"[\x07-\x09\x18\xd5\xd6]" + LEB,
    rb"\x1c\x01" + _VALUE_TYPE,
    _SIMD,
    _ATOMICS,
    _OBJECTS,
)

# What goes on behind itself, and what decides where it goes on.
STRAIGHT: Final = (
    rb"[\x20-\x24\x41]" + LEB,
    rb"[\x01\x1a\x1b\x45-\xc4]",
    rb"[\x28-\x3e]" + _ADDRESS,
    rb"\x42" + _LEB64,
    rb"\x43[\s\S]{4}",
    rb"\x44[\s\S]{8}",
    rb"[\x25\x26\x3f\x40\xd0\xd2]" + LEB,
    rb"\x11" + LEB + LEB,
    rb"\x14" + LEB,
    rb"[\xd1\xd3\xd4]",
    rb"\x1c\x01" + _VALUE_TYPE,
    _MISCELLANEOUS,
    _SIMD,
    _ATOMICS,
)
TURNS: Final = (
    rb"[\x0c\x0d\x10\x12]" + LEB,
    rb"[\x00\x05\x0b\x0f]",
    rb"[\x02-\x04](?:[\x63\x64]" + LEB + b"|" + LEB + b")",
    _BRANCH_TABLE,
)

# One declaration of locals: how many, and their type.
LOCALS: Final = re.compile(LEB + _VALUE_TYPE)


# Compiling takes 6 ms, and only who looks into code needs it.
@functools.cache
def next_call() -> re.Pattern[bytes]:
    """Return what stops at a call, be it direct, through a table or a reference.

    What takes a reference to a function counts as one.
    """
    return _stopping_at((*_CALLS, *_LATER_CALLS), passing=(*_PLAIN, *_LATER))


@functools.cache
def next_feature() -> re.Pattern[bytes]:
    """Return what stops at an instruction that the first version of the format did not have."""
    return _stopping_at((*_LATER, *_LATER_CALLS), passing=(*_PLAIN, *_CALLS))


def _stopping_at(stops: tuple[bytes, ...], *, passing: tuple[bytes, ...]) -> re.Pattern[bytes]:
    """Compile an expression that passes over the one kind and stops behind the next of the other.

    That is its first group. Its second is a byte that begins neither; at the end there is no group.
    """
    return re.compile(
        b"(?:" + b"|".join(passing) + b")*+(?:(" + b"|".join(stops) + rb")|([\s\S])|\Z)"
    )
