"""Takes sections out of a module. Pure."""

from __future__ import annotations

from wasmctl.wasm.binary import MalformedError
from wasmctl.wasm.frames import PREAMBLE, read_frames

__all__ = ["without_debug_sections"]


def without_debug_sections(module: bytes) -> bytes:
    """Return the module without DWARF (`.debug_*`); the names that traps are told by stay.

    What is no module, or a broken one, is returned as it is.
    """
    if not module.startswith(PREAMBLE):
        return module
    try:
        parts = [
            module[section.frame : section.end]
            for section in read_frames(module)
            if not (section.id == 0 and section.name.startswith(".debug_"))
        ]
    except MalformedError:
        return module
    return b"".join([PREAMBLE, *parts])
