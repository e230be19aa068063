"""A module's twin: the same code with debugging sections, kept beside it by `wasmctl build`.

What is shipped has none (toolchain/sections.py). A twin counts only where its code is that of the
module, byte by byte: whoever puts another module in its place need not think of the twin.
"""

from __future__ import annotations

import contextlib
import mmap
from collections.abc import Iterator
from pathlib import Path

from wasmctl.errors import Unreadable
from wasmctl.wasm.info import ModuleInfo
from wasmctl.wasm.lines import Lines
from wasmctl.wasm.program import Program
from wasmctl.wasm.reader import open_module, read_module

__all__ = ["open_program", "open_twin", "twin_of"]


def twin_of(path: Path) -> Path:
    """Return where the twin of a module lies, if it has one."""
    return path.with_suffix(".debug.wasm")


@contextlib.contextmanager
def open_twin(path: Path, data: bytes | mmap.mmap, info: ModuleInfo) -> Iterator[Lines | None]:
    """Yield the lines of a module's twin; None where there is none that belongs to it.

    Args:
        path: the module's file.
        data: the module.
        info: what it is made of.
    """
    with contextlib.ExitStack() as opened:
        lines = None
        with contextlib.suppress(OSError, Unreadable):
            twin = opened.enter_context(open_module(twin_of(path)))
            twin_info = read_module(twin, str(twin_of(path)))
            if _code(twin, twin_info) == _code(data, info):
                lines = Lines(twin, twin_info)
        yield lines


@contextlib.contextmanager
def open_program(path: Path) -> Iterator[Program]:
    """Yield the functions of a module's file, with the lines of its twin.

    Raises:
        Unreadable: it is no module.
        OSError: it cannot be read.
    """
    with open_module(path) as data:
        info = read_module(data, str(path))
        with open_twin(path, data, info) as twin:
            yield Program(data=data, info=info, twin=twin)


def _code(data: bytes | mmap.mmap, info: ModuleInfo) -> bytes:
    section = info.section("code")
    return b"" if section is None else data[section.start : section.end]
