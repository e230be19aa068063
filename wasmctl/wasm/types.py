"""The type section: types of functions, and the structs and arrays among them. Pure.

https://webassembly.github.io/spec/core/binary/types.html
"""

from __future__ import annotations

from typing import Final

from wasmctl.wasm.binary import Cursor, MalformedError
from wasmctl.wasm.info import FunctionType

__all__ = ["read_types"]

# https://webassembly.github.io/spec/js-api/#limits
_MOST_TYPES: Final = 1_000_000
_MOST_PARAMETERS: Final = 1_000
_MOST_FIELDS: Final = 10_000
_MOST_SUPERTYPES: Final = 1

_GROUP, _FINAL, _OPEN = 0x4E, 0x4F, 0x50
_FUNCTION, _STRUCT, _ARRAY = 0x60, 0x5F, 0x5E
_PACKED: Final = {0x78: "i8", 0x77: "i16"}


def read_types(cursor: Cursor) -> tuple[FunctionType | None, ...]:
    """Read the section's contents; None stands for a type that is no function's.

    Raises:
        MalformedError: it is none.
    """
    found: list[FunctionType | None] = []
    same: dict[FunctionType, FunctionType] = {}
    for _ in range(cursor.count("types", _MOST_TYPES)):
        start = cursor.position
        code, members = cursor.byte(), 1
        grouped = code == _GROUP
        if grouped:
            members = cursor.count("types of a group", _MOST_TYPES)
        if len(found) + members > _MOST_TYPES:
            raise MalformedError(start, f"engines take {_MOST_TYPES:,} types at most")
        # Types of a group may refer to each other, a type outside of one to itself.
        known = len(found) + members
        for _ in range(members):
            start = cursor.position if grouped else start
            code = cursor.byte() if grouped else code
            one = _read_type(cursor, start, code, known, len(found))
            found.append(None if one is None else same.setdefault(one, one))
    return tuple(found)


def _read_type(
    cursor: Cursor, start: int, code: int, known: int, index: int
) -> FunctionType | None:
    if code in {_FINAL, _OPEN}:
        for _ in range(cursor.count("supertypes", _MOST_SUPERTYPES)):
            cursor.index("type", index)
        start = cursor.position
        code = cursor.byte()
    if code == _FUNCTION:
        return FunctionType(_values(cursor, "parameters", known), _values(cursor, "results", known))
    if code == _STRUCT:
        for _ in range(cursor.count("fields", _MOST_FIELDS)):
            _pass_field(cursor, known)
    elif code == _ARRAY:
        _pass_field(cursor, known)
    else:
        raise MalformedError(start, f"`{code:#04x}` is no form of a type")
    return None


def _values(cursor: Cursor, what: str, known: int) -> tuple[str, ...]:
    count = cursor.count(what, _MOST_PARAMETERS)
    return tuple([cursor.value_type(known) for _ in range(count)])


def _pass_field(cursor: Cursor, known: int) -> None:
    start = cursor.position
    if cursor.byte() not in _PACKED:
        cursor.position = start
        cursor.value_type(known)
    cursor.flag("whether a field may change")
