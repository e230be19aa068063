"""Small images to push."""

from __future__ import annotations

import os
from pathlib import Path

from wasmctl.oci.image import Format, Image, package_image

_MODULE_HEADER = b"\0asm\1\0\0\0"


def make_image(folder: Path, *, size: int = 100, format: Format = Format.OCI) -> Image:  # noqa: A002
    """Return an image of a module that nobody has pushed before, of about `size` bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    module = folder / f"{os.urandom(6).hex()}.wasm"
    content = os.urandom(size)
    # A custom section without a name, so that the module is one.
    section = b"\0" + _leb128(len(content) + 1) + b"\0" + content
    module.write_bytes(_MODULE_HEADER + section)
    scratch = folder / f"{module.stem}.scratch"
    scratch.mkdir()
    return package_image(module, format=format, annotations={}, created=0, scratch=scratch)


def _leb128(number: int) -> bytes:
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])
