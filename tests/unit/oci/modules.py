"""Modules to package: WebAssembly as far as an image cares, the same bytes every time."""

from __future__ import annotations

import hashlib
from pathlib import Path

HEADER = b"\0asm\1\0\0\0"


def small_module(folder: Path) -> Path:
    """Return the smallest module there is."""
    return _write(folder / "small.wasm", HEADER)


def large_module(folder: Path, size: int = 9 * 1024 * 1024) -> Path:
    """Return a module that takes several gzip members, half of it hard to compress."""
    seed = b"".join(hashlib.sha256(number.to_bytes(4, "big")).digest() for number in range(2048))
    piece = seed + bytes(len(seed))
    content = (HEADER + piece * (size // len(piece) + 1))[:size]
    return _write(folder / "large.wasm", content)


def _write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path
