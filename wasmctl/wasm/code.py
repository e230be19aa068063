"""Reads the code section in one pass: where each function lies, and what it calls. Pure."""

from __future__ import annotations

import mmap
import re
from collections.abc import Collection, Iterator, Sequence
from typing import Final, NamedTuple

from wasmctl.wasm.binary import Cursor, MalformedError, absent, unreadable
from wasmctl.wasm.info import ModuleInfo
from wasmctl.wasm.instructions import LOCALS, next_call

__all__ = ["Calls", "read_bodies", "read_calls", "read_instructions"]

# What engines take, V8's kV8MaxWasmFunctionSize: https://webassembly.github.io/spec/js-api/#limits
_LARGEST_BODY: Final = 7_654_321
_END: Final = 0x0B
_CALL, _RETURN_CALL, _REF_FUNC = 0x10, 0x12, 0xD2
_CALL_INDIRECT, _RETURN_CALL_INDIRECT, _CALL_REF, _RETURN_CALL_REF = 0x11, 0x13, 0x14, 0x15
_DIRECT: Final = frozenset({_CALL, _RETURN_CALL, _REF_FUNC})
_INDIRECT: Final = frozenset({_CALL_INDIRECT, _RETURN_CALL_INDIRECT, _CALL_REF, _RETURN_CALL_REF})


class Calls(NamedTuple):  # a module has tens of thousands, and a dataclass takes thrice as long
    """What one function calls, each once, in the order of the code.

    Args:
        functions: the indices of those that it calls, or takes a reference to.
        types: the indices of the types of what it calls through a table or a reference.
    """

    functions: tuple[int, ...] = ()
    types: tuple[int, ...] = ()


_NONE: Final = Calls()


def read_bodies(data: bytes | mmap.mmap, info: ModuleInfo) -> Sequence[tuple[int, int]]:
    """Return where the body of each function of the module's own begins and ends in the file.

    A body is its locals and its instructions; the number before it that says its size is no part.

    Raises:
        Unreadable: `malformed-module`: they are not as long as they say.
    """
    try:
        return _bodies(data, info)
    except MalformedError as error:
        raise unreadable(error) from None


def read_calls(data: bytes | mmap.mmap, info: ModuleInfo) -> tuple[Calls, ...]:
    """Return what each function of the module's own calls.

    Raises:
        Unreadable: `malformed-module`: there is something that is no instruction, or what is called
            is not there. All of the code is read then, or none: a call is never made up.
    """
    targets = _Targets(info)
    try:
        return tuple(
            [targets.of(found, at) for at, found in read_instructions(data, info, next_call())]
        )
    except MalformedError as error:
        raise unreadable(error) from None


def read_instructions(
    data: bytes | mmap.mmap, info: ModuleInfo, pattern: re.Pattern[bytes]
) -> Iterator[tuple[int, Collection[bytes]]]:
    """Yield where each function's body begins, and what a pattern of `instructions` captures in it.

    What is alike comes once. Of an instruction with a vector (`br_table`, `select` of types,
    `try_table`) that was not passed, its first byte.

    Raises:
        MalformedError: there is something that is no instruction.
    """
    for start, end in _bodies(data, info):
        found: dict[bytes, None] = {}
        stop = _scan(data, _pass_locals(data, start, end), end, pattern, found)
        while stop is not None:
            cursor = Cursor(data, stop, end)
            _pass_vector(cursor, len(info.types))
            found[data[stop : stop + 1]] = None
            stop = _scan(data, cursor.position, end, pattern, found)
        if data[end - 1] != _END:
            raise MalformedError(end, "a function's code has no end")
        yield start, found


def _scan(
    data: bytes | mmap.mmap,
    start: int,
    end: int,
    pattern: re.Pattern[bytes],
    found: dict[bytes, None],
) -> int | None:
    """Add what is captured to `found`; return where something stands that the pattern is not of."""
    for one in pattern.finditer(data, start, end):
        captured: bytes | None = one[1]
        if captured is None:
            return None if one.lastindex is None else one.start(2)
        found[captured] = None
    return None


def _bodies(data: bytes | mmap.mmap, info: ModuleInfo) -> list[tuple[int, int]]:
    section = info.section("code")
    if section is None:
        return []
    cursor = Cursor(data, section.start, section.end)
    bodies = []
    for _ in range(cursor.u32()):
        start = cursor.position
        size = cursor.u32()
        position = cursor.position
        end = position + size
        if end > cursor.end:
            raise MalformedError(start, "a function's code is longer than its section")
        if not 2 <= size <= _LARGEST_BODY:
            raise MalformedError(
                start,
                f"a function's code has {size:,} bytes, and engines take 2 to {_LARGEST_BODY:,}",
            )
        bodies.append((position, end))
        cursor.position = end
    cursor.finish()
    return bodies


def _pass_locals(data: bytes | mmap.mmap, start: int, end: int) -> int:
    """Return where the instructions of a body begin."""
    cursor = Cursor(data, start, end)
    count = cursor.u32()
    position = cursor.position
    for _ in range(count):
        found = LOCALS.match(data, position, end)
        if found is None:
            raise MalformedError(position, "what stands here declares no locals")
        position = found.end()
    return position


def _pass_vector(cursor: Cursor, types: int) -> None:
    """Read an instruction that no expression can be of, as it has a vector of any length."""
    start = cursor.position
    match cursor.byte():
        case 0x0E:  # br_table
            count = cursor.count("labels", _LARGEST_BODY) + 1
            cursor.indices(count, "label", _LARGEST_BODY)
        case 0x1C:  # select
            for _ in range(cursor.count("types", _LARGEST_BODY)):
                cursor.value_type(types)
        case 0x1F:  # try_table
            cursor.pass_block_type(types)
            for _ in range(cursor.count("handlers", _LARGEST_BODY)):
                _pass_handler(cursor)
        case code:
            raise MalformedError(
                start, f"what `{code:#04x}` begins is no instruction that is known"
            )


def _pass_handler(cursor: Cursor) -> None:
    """Read what catches a tag or all, and the label where it goes on."""
    start = cursor.position
    match cursor.byte():
        case 0 | 1:
            cursor.u32()
            cursor.u32()
        case 2 | 3:
            cursor.u32()
        case code:
            raise MalformedError(start, f"`{code:#04x}` is no kind of handler")


class _Targets:
    """Tells what the call instructions of a module refer to; most of them come again and again."""

    def __init__(self, info: ModuleInfo) -> None:
        self._functions = info.function_count
        self._types = len(info.types)
        self._known: dict[bytes, int] = {}

    def of(self, instructions: Collection[bytes], offset: int) -> Calls:
        """Return what these call, which stand in the body at that offset.

        Raises:
            MalformedError: what is called is not there.
        """
        if not instructions:
            return _NONE
        functions: dict[int, None] = {}
        types: dict[int, None] = {}
        for one in instructions:
            if one[0] in _DIRECT:
                functions[self._index(one, offset)] = None
            elif one[0] in _INDIRECT:
                types[self._index(one, offset)] = None
        return Calls(tuple(functions), tuple(types))

    def _index(self, instruction: bytes, offset: int) -> int:
        if (index := self._known.get(instruction)) is None:
            try:
                index = Cursor(instruction, 1, len(instruction)).u32()
            except MalformedError as error:
                error.offset = offset
                raise
            direct = instruction[0] in _DIRECT
            if index >= (number := self._functions if direct else self._types):
                raise absent(offset, "function" if direct else "type", index, number)
            self._known[instruction] = index
        return index
