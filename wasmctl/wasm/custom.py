"""Custom sections that compilers leave: what made a module, and what its code may use. Pure.

What a custom section holds cannot make a module invalid (core specification, 5.5.3): one that is
broken reads as absent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from wasmctl.wasm.binary import Cursor, MalformedError

__all__ = ["read_features", "read_producers"]

# More than any compiler writes of each.
_MOST: Final = 100_000
_USED: Final = ord("+")


def read_producers(cursor: Cursor) -> Mapping[str, Mapping[str, str]] | None:
    """Read field → tool → version; None where the section is broken.

    https://github.com/WebAssembly/tool-conventions/blob/main/ProducersSection.md
    """
    found: dict[str, dict[str, str]] = {}
    try:
        for _ in range(cursor.count("fields", _MOST)):
            tools = found.setdefault(cursor.name("a field"), {})
            for _ in range(cursor.count("tools", _MOST)):
                tool = cursor.name("a tool")
                tools[tool] = cursor.name("a version")
    except MalformedError:
        return None
    return found


def read_features(cursor: Cursor) -> tuple[str, ...] | None:
    """Read `target_features`: those that the code may use; None where the section is broken.

    https://github.com/WebAssembly/tool-conventions/blob/main/Linking.md#target-features-section
    """
    found = []
    try:
        for _ in range(cursor.count("features", _MOST)):
            prefix = cursor.byte()
            feature = cursor.name("a feature")
            if prefix == _USED:
                found.append(feature)
    except MalformedError:
        return None
    return tuple(found)
