"""What a module says of itself, and that no damage to it is anything but told."""

from __future__ import annotations

import random
import time
import tracemalloc
from pathlib import Path

import pytest

from wasmctl.errors import Unreadable
from wasmctl.wasm.sections import Description, describe_bytes, describe_module

HEADER = b"\0asm\1\0\0\0"


def number(value: int) -> bytes:
    """Encode an unsigned LEB128."""
    encoded = b""
    while value >= 0x80:
        encoded += bytes([value & 0x7F | 0x80])
        value >>= 7
    return encoded + bytes([value])


def name(text: bytes) -> bytes:
    return number(len(text)) + text


def section(kind: int, content: bytes) -> bytes:
    return bytes([kind]) + name(content)


def custom(title: bytes, content: bytes) -> bytes:
    return section(0, name(title) + content)


def exports(*titles: bytes) -> bytes:
    items = b"".join(name(title) + b"\0" + number(index) for index, title in enumerate(titles))
    return section(7, number(len(titles)) + items)


def producers(**fields: dict[str, str]) -> bytes:
    content = number(len(fields))
    for title, tools in fields.items():
        content += name(title.replace("_", "-").encode()) + number(len(tools))
        for tool, version in tools.items():
            content += name(tool.encode()) + name(version.encode())
    return custom(b"producers", content)


MODULE = (
    HEADER
    + section(1, b"\1\x60\0\0")
    + section(3, b"\1\0")
    + exports(b"memory", b"proxy_abi_version_0_2_1", b"proxy_on_vm_start")
    + section(10, b"\1\2\0\x0b")
    + custom(b"name", b"\0\2\1x")
    + producers(language={"Rust": ""}, processed_by={"rustc": "1.90.0", "walrus": "0.2"})
)


def test_markers_and_producers_are_read(tmp_path: Path) -> None:
    expected = Description(abi_versions=("0.2.1",), producers={"rustc": "1.90.0", "walrus": "0.2"})
    assert describe_bytes(MODULE, "x") == expected
    (tmp_path / "plugin.wasm").write_bytes(MODULE)
    assert describe_module(tmp_path / "plugin.wasm") == expected


def test_several_markers_keep_their_order() -> None:
    module = HEADER + exports(b"proxy_abi_version_0_2_1", b"proxy_abi_version_0_1_0")
    assert describe_bytes(module, "x").abi_versions == ("0.2.1", "0.1.0")


def test_a_module_without_any_is_one_too() -> None:
    assert describe_bytes(HEADER, "x") == Description()


@pytest.mark.parametrize(
    "content", [b"", b"\xff", b"\1\x0cprocessed-by\1", b"\x05\xff\xff\xff\xff\x0f", b"nonsense"]
)
def test_a_damaged_producers_section_does_no_harm(content: bytes) -> None:
    module = HEADER + exports(b"proxy_abi_version_0_2_1") + custom(b"producers", content)
    assert describe_bytes(module, "x") == Description(abi_versions=("0.2.1",))


def test_names_that_are_not_utf8_are_shown_somehow() -> None:
    content = b"\1" + name(b"processed-by") + b"\1" + name(b"r\xffc") + name(b"1\xfe")
    module = HEADER + custom(b"producers", content) + exports(b"proxy_abi_version_\xff")
    assert describe_bytes(module, "x").producers == {"r\ufffdc": "1\ufffd"}


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "it does not start with the magic"),
        (b"\0as", "it does not start with the magic"),
        (b"\x7fELF\2\1\1\0", "it does not start with the magic"),
        (b"\0asm", "no core module of version 1"),
        (b"\0asm\x0d\0\1\0", r"no core module of version 1 \(a component\?\)"),
        (HEADER + b"\1", "cut off or damaged at byte 9"),
        (HEADER + b"\1\5\0", "cut off or damaged at byte 8"),
        (HEADER + b"\1\x80\x80\x80\x80\x80\1", "cut off or damaged at byte 14"),
        (HEADER + section(7, b"\2\1a\0\0"), "cut off or damaged at byte 15"),
        (HEADER + section(7, b"\1\x05abc"), "cut off or damaged at byte 12"),
        (HEADER + section(0, b"\x09abc"), "cut off or damaged at byte 11"),
    ],
)
def test_what_is_no_module_is_told_with_the_place(content: bytes, why: str) -> None:
    with pytest.raises(Unreadable, match=rf"`some\.wasm` is no WebAssembly module: .*{why}"):
        describe_bytes(content, "some.wasm")


def test_an_empty_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "plugin.wasm").touch()
    with pytest.raises(Unreadable, match="it is empty"):
        describe_module(tmp_path / "plugin.wasm")


def read(content: bytes) -> bool:
    """Read a module; any exception but the one for what is unreadable fails the test."""
    try:
        describe_bytes(content, "x")
    except Unreadable:
        return False
    return True


def test_every_truncation_is_read_or_told() -> None:
    whole = [read(MODULE[:length]) for length in range(len(MODULE) + 1)]
    # Only where a section ends is the beginning of a module one itself.
    assert sum(whole) == 7


def test_every_change_of_one_byte_is_read_or_told() -> None:
    for position in range(len(MODULE)):
        for value in (0, 1, 0x7F, 0x80, 0xFF, MODULE[position] ^ 1, MODULE[position] ^ 0x80):
            changed = bytearray(MODULE)
            changed[position] = value
            read(bytes(changed))


def test_many_random_damages_are_read_or_told_in_no_time() -> None:
    chance = random.Random(1)
    started = time.monotonic()
    for _ in range(5000):
        changed = bytearray(MODULE)
        for _ in range(chance.randint(1, 8)):
            changed[chance.randrange(8, len(changed))] = chance.randrange(256)
        if chance.random() < 0.3:
            del changed[chance.randrange(8, len(changed)) :]
        if chance.random() < 0.3:
            changed += chance.randbytes(chance.randint(1, 40))
        read(bytes(changed))
    assert time.monotonic() - started < 10


def test_a_damaged_length_takes_no_memory(tmp_path: Path) -> None:
    size = 64_000_000
    long_name = number(size) + bytes(size)
    module = HEADER + section(0, long_name) + section(7, b"\1" + long_name + b"\0\0")
    (tmp_path / "plugin.wasm").write_bytes(module)
    del module
    tracemalloc.start()
    assert describe_module(tmp_path / "plugin.wasm") == Description()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000
