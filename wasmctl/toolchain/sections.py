"""The sections of a WebAssembly module: whether all are there, what they export, taking some out.

Pure.

https://webassembly.github.io/spec/core/binary/modules.html#sections
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator

__all__ = ["is_plug_in", "is_whole", "without_debug_sections"]

_PREAMBLE = 8
_EXPORTS = 7
# https://github.com/proxy-wasm/spec: a proxy knows by such an export which ABI to speak.
_MARKER = b"proxy_abi_version_"


def is_whole(module: bytes | mmap.mmap) -> bool:
    """Return whether a module ends where its last section does."""
    try:
        ends = [end for _, end, _ in _sections(module)]
    except IndexError:
        return False
    return bool(ends)


def is_plug_in(module: bytes | mmap.mmap) -> bool:
    """Return whether a whole module exports the marker of a Proxy-Wasm ABI."""
    return any(
        _MARKER in module[start:end]
        for start, end, _ in _sections(module)
        if module[start] == _EXPORTS
    )


def without_debug_sections(module: bytes) -> bytes:
    """Return the module without DWARF (`.debug_*`); the names that traps are told by stay.

    What is no module, or a broken one, is returned as it is.
    """
    try:
        parts = [
            module[start:end]
            for start, end, name in _sections(module)
            if not name.startswith(b".debug_")
        ]
    except IndexError:
        return module
    return b"".join([module[:_PREAMBLE], *parts])


def _sections(module: bytes | mmap.mmap) -> Iterator[tuple[int, int, bytes]]:
    """Yield start, end and, of a custom section, the name."""
    start = _PREAMBLE
    while start < len(module):
        size, body = _number(module, start + 1)
        end = body + size
        if end > len(module):
            raise IndexError
        name = b""
        if module[start] == 0:
            length, text = _number(module, body)
            name = module[text : text + length]
        yield start, end, name
        start = end


def _number(module: bytes | mmap.mmap, position: int) -> tuple[int, int]:
    """Return an unsigned LEB128 number, and where it ends."""
    value = shift = 0
    while True:
        byte = module[position]
        position += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, position
