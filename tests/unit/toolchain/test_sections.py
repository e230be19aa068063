"""That debugging sections alone are taken out of a module."""

from __future__ import annotations

import pytest

from wasmctl.toolchain.sections import without_debug_sections

PREAMBLE = b"\0asm\1\0\0\0"
TYPES = b"\x01\x04\x01\x60\0\0"


def custom(name: str, size: int = 3) -> bytes:
    body = bytes([len(name)]) + name.encode() + b"x" * size
    length = bytes([len(body) & 0x7F | 0x80, len(body) >> 7])  # two bytes of LEB128
    return b"\0" + length + body


def test_only_debugging_sections_go() -> None:
    kept = PREAMBLE + custom("producers") + TYPES + custom("name", 300)
    module = PREAMBLE + custom(".debug_info", 900) + kept[8:] + custom(".debug_line")
    assert without_debug_sections(module) == kept


def test_a_module_without_any_stays_itself() -> None:
    assert without_debug_sections(PREAMBLE + TYPES) == PREAMBLE + TYPES


@pytest.mark.parametrize(
    "broken", [b"", b"\0asm", PREAMBLE + b"\0", PREAMBLE + b"\0\x80", PREAMBLE + b"\1\x7f\0"]
)
def test_what_is_broken_is_left_alone(broken: bytes) -> None:
    assert without_debug_sections(broken) == broken
