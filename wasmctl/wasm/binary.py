"""The elements of the binary format: numbers, names, types and constant expressions. Pure.

https://webassembly.github.io/spec/core/binary/
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterable, Iterator
from typing import Final

from wasmctl.errors import Unreadable

__all__ = [
    "LEB",
    "Cursor",
    "MalformedError",
    "absent",
    "constant_instructions",
    "subcode",
    "unreadable",
]

# In engines a name is at most this long: V8's kV8MaxWasmStringSize, wasmparser's
# MAX_WASM_STRING_SIZE.
_LONGEST_NAME: Final = 100_000
_NUMBERS: Final = {0x7F: "i32", 0x7E: "i64", 0x7D: "f32", 0x7C: "f64", 0x7B: "v128"}
_HEAP: Final = {
    0x74: "noexn",
    0x73: "nofunc",
    0x72: "noextern",
    0x71: "none",
    0x70: "func",
    0x6F: "extern",
    0x6E: "any",
    0x6D: "eq",
    0x6C: "i31",
    0x6B: "struct",
    0x6A: "array",
    0x69: "exn",
}
_BOTTOM: Final = {
    "none": "null",
    "nofunc": "nullfunc",
    "noextern": "nullextern",
    "noexn": "nullexn",
}
# Text format's abbreviations: `funcref` is `(ref null func)`.
_REFERENCES: Final = {code: f"{_BOTTOM.get(heap, heap)}ref" for code, heap in _HEAP.items()}
_REF_NULL, _REF = 0x63, 0x64
_EMPTY: Final = 0x40

LEB: Final = rb"[\x80-\xff]{0,4}+[\x00-\x7f]"


def subcode(*codes: int | range) -> bytes:
    """Return an expression for the numbers behind a prefix like `0xfc`, each below 2^14.

    They are LEB128 and may be longer than they need be.
    """
    numbers = [one for code in codes for one in ([code] if isinstance(code, int) else code)]
    forms = [
        b"[%s]" % _escaped(one for one in numbers if one < 0x80),
        rb"[%s]\x80{0,3}+\x00" % _escaped(one | 0x80 for one in numbers if one < 0x80),
    ]
    for high in sorted({one >> 7 for one in numbers} - {0}):
        low = _escaped(one & 0x7F | 0x80 for one in numbers if one >> 7 == high)
        ends = _escaped([high]), _escaped([high | 0x80])
        forms.append(rb"[%s](?:%s|%s\x80{0,2}+\x00)" % (low, *ends))
    return b"(?:%s)" % b"|".join(one for one in forms if not one.startswith(b"[]"))


def _escaped(values: Iterable[int]) -> bytes:
    return b"".join(b"\\x%02x" % one for one in values)


# A number, a null or function reference, a global, arithmetic, and what makes objects:
# https://webassembly.github.io/spec/core/valid/instructions.html#constant-expressions
_CONSTANT: Final = (
    rb"(?:[\x41\x23\xd2]" + LEB + rb"|\x42[\x80-\xff]{0,9}+[\x00-\x7f]|\x43[\s\S]{4}|\x44[\s\S]{8}"
    rb"|\xd0" + LEB + rb"|[\x6a-\x6c\x7c-\x7e]|\xfd" + subcode(0x0C) + rb"[\s\S]{16}"
    rb"|\xfb(?:"
    + subcode(0, 1, 6, 7)
    + LEB
    + rb"|"
    + subcode(8)
    + LEB
    + LEB
    + rb"|"
    + subcode(0x1A, 0x1B, 0x1C)
    + rb"))"
)
_CONSTANTS: Final = re.compile(_CONSTANT + rb"*+\x0b")
_ONE_CONSTANT: Final = re.compile(_CONSTANT)


class MalformedError(Exception):
    """Bytes that are no module's; for readers within this room.

    Args:
        offset: where in the file.
        why: what is wrong there, in words that end a sentence.
        cut_off: whether the file ends before all of the module came.
    """

    def __init__(self, offset: int, why: str, *, cut_off: bool = False) -> None:
        super().__init__(offset, why)
        self.offset = offset
        self.why = why
        self.cut_off = cut_off


class Cursor:
    """Reads what lies between two offsets of a file, from the first on.

    Every method raises MalformedError where the bytes are not what it reads.
    """

    __slots__ = ("data", "end", "position")

    def __init__(self, data: bytes | mmap.mmap, position: int, end: int) -> None:
        self.data = data
        self.position = position
        self.end = end

    def byte(self) -> int:
        position = self.position
        if position >= self.end:
            raise _ends(position)
        self.position = position + 1
        return self.data[position]

    def u32(self) -> int:
        """Read an unsigned number of at most 32 bits (LEB128)."""
        position = self.position
        if position < self.end and (byte := self.data[position]) < 0x80:
            self.position = position + 1
            return byte
        return self._unsigned(32)

    def u64(self) -> int:
        """Read an unsigned number of at most 64 bits (LEB128)."""
        return self._unsigned(64)

    def flag(self, what: str) -> bool:
        """Read a byte that is 0 or 1; `what` it says is told where it is neither."""
        start = self.position
        value = self.byte()
        if value > 1:
            raise MalformedError(start, f"`{value:#04x}` does not say {what}")
        return value == 1

    def zero(self, what: str) -> None:
        """Read a byte that is always 0; `what` it is of is told where it is not."""
        start = self.position
        if value := self.byte():
            raise MalformedError(start, f"`{value:#04x}` stands where {what} has 0")

    def finish(self) -> None:
        """Require that all was read."""
        if self.position != self.end:
            raise MalformedError(self.position, "nothing should follow here")

    def skip(self, size: int) -> None:
        if size > self.end - self.position:
            raise _ends(self.position)
        self.position += size

    def take(self, size: int) -> bytes:
        start = self.position
        if size > self.end - start:
            raise _ends(start)
        self.position = start + size
        return self.data[start : self.position]

    def name(self, what: str) -> str:
        """Read a name; `what` it is of is told where it is none."""
        start = self.position
        size = self.u32()
        if size > self.end - self.position:
            raise MalformedError(start, f"the name of {what} is longer than what is left")
        if size > _LONGEST_NAME:
            raise MalformedError(
                start, f"the name of {what} has {size:,} bytes, and engines take {_LONGEST_NAME:,}"
            )
        try:
            return self.take(size).decode()
        except UnicodeDecodeError as error:
            offset = self.position - size + error.start
            raise MalformedError(offset, f"the name of {what} is no UTF-8") from None

    def count(self, what: str, most: int) -> int:
        """Read how many entries follow, each of which has one byte or more."""
        start = self.position
        count = self.u32()
        if count > most:
            raise MalformedError(start, f"it has {count:,} {what}, and engines take {most:,}")
        if count > self.end - self.position:
            raise MalformedError(start, f"it announces {count:,} {what}, more than there are bytes")
        return count

    def index(self, what: str, number: int) -> int:
        """Read the index of one of so many."""
        start = self.position
        index = self.u32()
        if index >= number:
            raise absent(start, what, index, number)
        return index

    def indices(self, count: int, what: str, number: int) -> tuple[int, ...]:
        """Read so many indices; `count` is of the method of that name."""
        start = self.position
        # Most modules have few types: one byte each.
        found = self.data[start : start + count]
        if found.isascii() and max(found, default=-1) < number:
            self.position = start + count
            return tuple(found)
        return tuple([self.index(what, number) for _ in range(count)])

    def value_type(self, types: int) -> str:
        """Read the type of a value, as the text format writes it.

        Args:
            types: how many there are to refer to.
        """
        start = self.position
        code = self.byte()
        name = _NUMBERS.get(code) or _REFERENCES.get(code)
        if name is not None:
            return name
        if code not in {_REF_NULL, _REF}:
            raise MalformedError(start, f"`{code:#04x}` is no type of values")
        heap = self._heap_type(types)
        return f"(ref null {heap})" if code == _REF_NULL else f"(ref {heap})"

    def reference_type(self, types: int) -> str:
        """Read the type of a table's elements."""
        start = self.position
        name = self.value_type(types)
        if name in _NUMBERS.values():
            raise MalformedError(start, f"elements of tables are references, and no `{name}`")
        return name

    def pass_block_type(self, types: int) -> None:
        """Read the type of a block: none, a value's, or the index of a function's."""
        start = self.position
        code = self.byte()
        if code == _EMPTY:
            return
        self.position = start
        if _EMPTY < code < 0x80:
            self.value_type(types)
        else:
            self._type_index(types)

    def constant(self) -> bytes:
        """Read a constant expression; return it without its end."""
        start = self.position
        found = _CONSTANTS.match(self.data, start, self.end)
        if found is None:
            raise MalformedError(start, "what stands here is no constant expression")
        self.position = found.end()
        return found[0][:-1]

    def _heap_type(self, types: int) -> str:
        start = self.position
        if start < self.end and 0x40 <= (code := self.data[start]) < 0x80:
            self.position = start + 1
            if code not in _HEAP:
                raise MalformedError(start, f"`{code:#04x}` is no type of references")
            return _HEAP[code]
        return str(self._type_index(types))

    def _type_index(self, types: int) -> int:
        """Read a signed number of 33 bits that is not below 0."""
        start = self.position
        index = self.u32()
        if index >= types or (self.position - start < 5 and self.data[self.position - 1] & 0x40):
            raise MalformedError(start, f"there is no type {index} to refer to here")
        return index

    def _unsigned(self, bits: int) -> int:
        start = position = self.position
        value = 0
        for shift in range(0, bits, 7):
            if position >= self.end:
                raise _ends(position)
            byte = self.data[position]
            position += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                if value >> bits:
                    break
                self.position = position
                return value
        raise MalformedError(start, f"the number has more than {bits} bits")


def absent(offset: int, what: str, index: int, number: int) -> MalformedError:
    """Return the error of an index that is of none of so many."""
    last = f"the last is {number - 1}" if number else "there are none"
    return MalformedError(offset, f"there is no {what} {index}: {last}")


def unreadable(error: MalformedError, name: str = "") -> Unreadable:
    """Return the error that tells a user; `name` is what it calls the module."""
    module = f"`{name}`" if name else "the module"
    if error.cut_off:
        return Unreadable(
            "cut-off-module",
            f"{module} is cut off: at byte {error.offset}: {error.why}",
            hint="build it again, where there is room for it",
        )
    return Unreadable(
        "malformed-module",
        f"{module} is no valid WebAssembly module: at byte {error.offset}: {error.why}",
        hint="build it again",
    )


def constant_instructions(expression: bytes) -> Iterator[bytes]:
    """Yield each instruction of what `constant` read, its operands with it."""
    return (found[0] for found in _ONE_CONSTANT.finditer(expression))


def _ends(offset: int) -> MalformedError:
    return MalformedError(offset, "more should follow here")
