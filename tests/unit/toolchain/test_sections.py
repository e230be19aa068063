"""What is read of a module, and that debugging sections alone are taken out of it."""

from __future__ import annotations

import pytest

from wasmctl.toolchain.sections import is_plug_in, is_whole, without_debug_sections

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


def test_a_module_is_whole_where_its_last_section_ends() -> None:
    module = PREAMBLE + TYPES + custom("name", 300)
    assert is_whole(module)
    cut = range(len(PREAMBLE), len(module))
    assert [size for size in cut if is_whole(module[:size])] == [len(PREAMBLE + TYPES)]


def test_a_plug_in_is_known_by_what_it_exports() -> None:
    name = b"proxy_abi_version_0_2_1"
    export = bytes([1, len(name)]) + name + b"\0\0"
    module = PREAMBLE + TYPES + bytes([7, len(export)]) + export
    assert is_plug_in(module)
    assert not is_plug_in(module.replace(b"abi", b"xyz"))
    assert not is_plug_in(PREAMBLE + TYPES + custom(name.decode()))
