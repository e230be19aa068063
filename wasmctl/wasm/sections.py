"""What a module says of itself: its Proxy-Wasm ABI and what produced it.

Reads the frames of the sections, the exports and the `producers` section; nothing else is decoded.
Binary format: https://webassembly.github.io/spec/core/binary/modules.html
"""

from __future__ import annotations

import contextlib
import mmap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from wasmctl.errors import Unreadable

__all__ = ["MAGIC", "Description", "describe_bytes", "describe_module"]

MAGIC: Final = b"\0asm"
_CUSTOM, _EXPORT = 0, 7
# The markers that the host knows: proxy-wasm-cpp-host, src/bytecode_util.cc, getAbiVersion.
_ABI_PREFIX: Final = b"proxy_abi_version_"
# No name that is looked for is longer; one of a damaged module may seem to be all of its bytes.
_LONGEST: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What a module says of itself.

    Args:
        abi_versions: of its markers, in their order: `("0.2.1",)`.
        producers: name and version of what processed it, for example rustc or Go's compiler.
    """

    abi_versions: tuple[str, ...] = ()
    producers: Mapping[str, str] = field(default_factory=dict)


def describe_module(path: Path) -> Description:
    """Read a module's file without loading the whole of it.

    Raises:
        Unreadable: it is empty, no WebAssembly, or cut off.
        OSError: it cannot be read.
    """
    with path.open("rb") as stream:
        if stream.seek(0, 2) == 0:
            raise _not_wasm(str(path), "it is empty")
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as view:
            return describe_bytes(view, str(path))


def describe_bytes(data: bytes | mmap.mmap, name: str) -> Description:
    """Read a module's bytes; `name` is what errors call it.

    Raises:
        Unreadable: as of `describe_module`.
    """
    if data[:4] != MAGIC:
        raise _not_wasm(name, "it does not start with the magic `\\0asm`")
    if data[4:8] != b"\1\0\0\0":
        raise _not_wasm(name, "it is no core module of version 1 (a component?)")
    abi_versions: tuple[str, ...] = ()
    producers: dict[str, str] = {}
    try:
        for number, start, end in _sections(data):
            if number == _EXPORT:
                abi_versions = tuple(_abi_versions(data, start, end))
            elif number == _CUSTOM:
                title, body = _name(data, start, end)
                if title == b"producers":
                    _read_producers(data, body, end, into=producers)
    except _CutOffError as error:
        raise _not_wasm(name, f"it is cut off or damaged at byte {error.offset}") from None
    return Description(abi_versions=abi_versions, producers=producers)


class _CutOffError(Exception):
    def __init__(self, offset: int) -> None:
        super().__init__(offset)
        self.offset = offset


def _not_wasm(name: str, why: str) -> Unreadable:
    return Unreadable(
        "not-wasm", f"`{name}` is no WebAssembly module: {why}", hint="build it again"
    )


def _sections(data: bytes | mmap.mmap) -> Iterator[tuple[int, int, int]]:
    position = 8
    while position < len(data):
        number = data[position]
        size, start = _number(data, position + 1, len(data))
        if start + size > len(data):
            raise _CutOffError(position)
        yield number, start, start + size
        position = start + size


def _abi_versions(data: bytes | mmap.mmap, position: int, end: int) -> Iterator[str]:
    count, position = _number(data, position, end)
    for _ in range(count):
        title, position = _name(data, position, end)
        _, position = _number(data, position + 1, end)  # after the byte of its kind
        if title.startswith(_ABI_PREFIX):
            yield title.removeprefix(_ABI_PREFIX).decode("utf-8", "replace").replace("_", ".")


def _read_producers(
    data: bytes | mmap.mmap, position: int, end: int, *, into: dict[str, str]
) -> None:
    # https://github.com/WebAssembly/tool-conventions/blob/main/ProducersSection.md
    # What a custom section holds cannot make a module invalid: core specification, 5.5.3.
    with contextlib.suppress(_CutOffError):
        fields, position = _number(data, position, end)
        for _ in range(fields):
            title, position = _name(data, position, end)
            values, position = _number(data, position, end)
            for _ in range(values):
                tool, position = _name(data, position, end)
                version, position = _name(data, position, end)
                if title == b"processed-by":
                    into[tool.decode("utf-8", "replace")] = version.decode("utf-8", "replace")


def _name(data: bytes | mmap.mmap, position: int, end: int) -> tuple[bytes, int]:
    """Read a name, the start of it where it is absurdly long; return it and what is behind it."""
    size, position = _number(data, position, end)
    if position + size > end:
        raise _CutOffError(position)
    return data[position : position + min(size, _LONGEST)], position + size


def _number(data: bytes | mmap.mmap, position: int, end: int) -> tuple[int, int]:
    """Read an unsigned LEB128 of at most 32 bits; return it and the position behind it."""
    value = 0
    for shift in range(0, 35, 7):
        if position >= end:
            raise _CutOffError(position)
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise _CutOffError(position)
