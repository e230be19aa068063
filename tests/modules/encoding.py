"""Encoded parts of modules, for those that no assembler would write."""

from __future__ import annotations

from tests.modules import binary

__all__ = ["PREAMBLE", "custom", "module", "name", "number", "section", "vector"]

PREAMBLE = b"\0asm\1\0\0\0"
number = binary.unsigned


def name(text: str | bytes) -> bytes:
    """Encode a name, also one that is no UTF-8."""
    return binary.sized(text.encode() if isinstance(text, str) else text)


def vector(*entries: bytes) -> bytes:
    return binary.vector(entries)


def section(identifier: int, content: bytes) -> bytes:
    return bytes([identifier]) + binary.sized(content)


def custom(title: str | bytes, content: bytes) -> bytes:
    return section(0, name(title) + content)


def module(*sections: bytes) -> bytes:
    return PREAMBLE + b"".join(sections)
