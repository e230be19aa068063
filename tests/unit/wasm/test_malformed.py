"""What no engine takes is told, with the byte and in words, and nothing else comes of it."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.modules.encoding import PREAMBLE, custom, module, name, number, section, vector
from wasmctl.errors import ExitCode, Unreadable
from wasmctl.wasm.reader import open_module, read_module

TYPES = section(1, vector(b"\x60\0\0", b"\x60\1\x7f\1\x7f", b"\x5f\0"))  # the last is a struct
FUNCTION = section(3, vector(b"\0"))
CODE = section(10, vector(b"\2\0\x0b"))
MOST = b"\xff\xff\xff\xff\x0f"

# Each shape: the bytes, where they are wrong, and what is said of it.
SHAPES: Mapping[str, tuple[bytes, int, str]] = {
    "an unknown section": (module(section(14, b"")), 8, "there is no section of number 14"),
    "a section twice": (module(TYPES, TYPES), 21, "there is a second type section"),
    "sections out of order": (
        module(section(5, vector()), section(4, vector())),
        11,
        "the table section stands behind the memory section",
    ),
    "tags behind globals": (
        module(section(6, vector()), section(13, vector())),
        11,
        "the tag section stands behind the global section",
    ),
    "data count behind code": (
        module(section(10, vector()), section(12, b"\0")),
        11,
        "the data count section stands behind the code section",
    ),
    "a size that is too long": (
        PREAMBLE + b"\1\x80\x80\x80\x80\x80\0",
        9,
        "the number has more than 32 bits",
    ),
    "a size of unused bits": (PREAMBLE + b"\1\xff\xff\xff\xff\x1f", 9, "more than 32 bits"),
    "bytes behind the last entry": (
        module(section(1, vector() + b"\0")),
        11,
        "nothing should follow here, in the type section",
    ),
    "an entry that ends early": (
        module(section(1, vector(b"\x60\0"))),
        13,
        "more should follow here, in the type section",
    ),
    "a count without entries": (
        module(section(1, MOST)),
        10,
        "it has 4,294,967,295 types, and engines take 1,000,000",
    ),
    "a count of more than the bytes": (
        module(section(3, number(5) + b"\0")),
        10,
        "it announces 5 functions, more than there are bytes, in the function section",
    ),
    "an unknown form of type": (module(section(1, vector(b"\x61\0\0"))), 11, "`0x61` is no form"),
    "an unknown type of value": (
        module(section(1, vector(b"\x60\1\x6f\1\x50"))),
        15,
        "`0x50` is no type of values",
    ),
    "a reference to no type": (
        module(section(1, vector(b"\x60\1\x64\1\0"))),
        14,
        "there is no type 1 to refer to here",
    ),
    "a reference to a negative type": (
        module(section(1, vector(b"\x60\1\x63\xc0\x7f\0"))),
        14,
        "there is no type",
    ),
    "an unknown type of reference": (
        module(section(1, vector(b"\x60\1\x63\x7f\0"))),
        14,
        "`0x7f` is no type of references",
    ),
    "a type that extends a later one": (
        module(section(1, vector(b"\x50\1\0\x60\0\0"))),
        13,
        "there is no type 0: there are none",
    ),
    "a field neither fixed nor not": (
        module(section(1, vector(b"\x5e\x7f\2"))),
        13,
        "`0x02` does not say whether a field may change",
    ),
    "too many parameters": (
        module(section(1, vector(b"\x60" + number(1001) + b"\x7f" * 1001 + b"\0"))),
        13,
        "it has 1,001 parameters, and engines take 1,000",
    ),
    "a group of endless types": (
        module(section(1, vector(b"\x4e" + MOST))),
        12,
        "types of a group, and engines take",
    ),
    "an import's name that is no UTF-8": (
        module(TYPES, section(2, vector(name(b"e\xffv") + name("f") + b"\0\0"))),
        26,
        "the name of an import's module is no UTF-8",
    ),
    "an import's name that is too long": (
        module(TYPES, section(2, vector(name("env") + b"\x64f"))),
        28,
        "the name of an import is longer than what is left",
    ),
    "an import of no kind": (
        module(TYPES, section(2, vector(name("env") + name("f") + b"\5\0"))),
        30,
        "`0x05` is no kind of an import or export",
    ),
    "an imported function of no type": (
        module(TYPES, section(2, vector(name("env") + name("f") + b"\0\3"))),
        31,
        "there is no type 3: the last is 2",
    ),
    "an imported function that is a struct": (
        module(TYPES, section(2, vector(name("env") + name("f") + b"\0\2"))),
        31,
        "type 2 is no function's",
    ),
    "a function of no type": (
        module(section(3, vector(b"\1")), CODE),
        11,
        "there is no type 1: there are none, in the function section",
    ),
    "a function that is a struct": (
        module(TYPES, section(3, vector(b"\2")), CODE),
        23,
        "type 2 is no function's, and a function has it",
    ),
    "a table of numbers": (
        module(section(4, vector(b"\x7f\0\0"))),
        11,
        "elements of tables are references, and no `i32`",
    ),
    "a table's limits": (
        module(section(4, vector(b"\x70\2\0"))),
        12,
        "`0x02` is no form of a table's limits",
    ),
    "a table's beginning": (
        module(section(4, vector(b"\x40\1\x70\0\0\x0b"))),
        12,
        "`0x01` stands where what a table begins with has 0",
    ),
    "a memory's limits": (
        module(section(5, vector(b"\x08\0\0"))),
        11,
        "`0x08` is no form of a memory's limits",
    ),
    "a memory that is too large": (
        module(section(5, vector(b"\0\x81\x80\4"))),
        11,
        "a memory has at most 65,536 pages of 64 KiB",
    ),
    "a memory that shrinks": (
        module(section(5, vector(b"\1\2\1"))),
        12,
        "the minimum, 2, is above the maximum, 1",
    ),
    "a shared memory without a maximum": (
        module(section(5, vector(b"\2\1"))),
        11,
        "a shared memory needs a maximum",
    ),
    "a global that may perhaps change": (
        module(section(6, vector(b"\x7f\2\x41\0\x0b"))),
        12,
        "`0x02` does not say whether a global may change",
    ),
    "a global that calls": (
        module(section(6, vector(b"\x7f\0\x10\0\x0b"))),
        13,
        "what stands here is no constant expression",
    ),
    "a global without an end": (
        module(section(6, vector(b"\x7f\0\x41\0")), section(7, vector())),
        13,
        "what stands here is no constant expression",
    ),
    "a tag with a result": (
        module(TYPES, section(13, vector(b"\0\1"))),
        25,
        "a tag has no results, and type 1 is i32 -> i32",
    ),
    "a tag with an attribute": (
        module(TYPES, section(13, vector(b"\1\0"))),
        24,
        "`0x01` stands where a tag's attribute has 0",
    ),
    "an export of what is not there": (
        module(TYPES, FUNCTION, section(7, vector(name("f") + b"\0\1")), CODE),
        31,
        "there is no function 1: the last is 0, in the export section",
    ),
    "an export of no memory": (
        module(section(7, vector(name("memory") + b"\2\0"))),
        19,
        "there is no memory 0: there are none",
    ),
    "an export twice": (
        module(TYPES, FUNCTION, section(7, vector(*[name("f") + b"\0\0"] * 2)), CODE),
        32,
        "`f` is exported twice",
    ),
    "a start function that is not there": (
        module(section(8, b"\0")),
        10,
        "there is no function 0: there are none, in the start section",
    ),
    "a start function with a result": (
        module(TYPES, section(3, vector(b"\1")), section(8, b"\0"), CODE),
        27,
        "the start function takes and gives nothing, and this one is i32 -> i32",
    ),
    "code without functions": (module(CODE), 10, "it has 1 of 0 functions, in the code section"),
    "functions without code": (module(TYPES, FUNCTION), 25, "the code of the functions is missing"),
    "code of fewer functions": (
        module(TYPES, section(3, vector(b"\0", b"\0")), CODE),
        28,
        "it has 1 of 2 functions, in the code section",
    ),
    "no data where some is announced": (
        module(section(12, b"\2")),
        11,
        "no data follows, and 2 segments are announced",
    ),
    "less data than is announced": (
        module(section(12, b"\2"), section(11, vector(b"\1\0"))),
        13,
        "it has 1 of 2 segments, in the data section",
    ),
    "a custom section's name that is no UTF-8": (
        module(custom(b"\xff", b"")),
        11,
        "the name of a custom section is no UTF-8",
    ),
    "a custom section's name that is too long": (
        module(section(0, b"\x09abc")),
        10,
        "the name of a custom section is longer than what is left",
    ),
    "a custom section without a name": (module(section(0, b"")), 10, "more should follow here"),
    "a name longer than engines take": (
        module(custom("x" * 100_001, b"")),
        12,
        "has 100,001 bytes, and engines take 100,000",
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_each_shape_is_told_with_its_byte(shape: str) -> None:
    content, offset, words = SHAPES[shape]
    with pytest.raises(Unreadable) as caught:
        read_module(content, "some.wasm")
    assert caught.value.code == "malformed-module"
    assert words in caught.value.message
    start = f"`some.wasm` is no valid WebAssembly module: at byte {offset}: "
    assert caught.value.message.startswith(start)
    assert caught.value.exit_code is ExitCode.UNREADABLE


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        (
            b"\0as",
            "not-wasm",
            "is no WebAssembly module: it does not start with the magic `\\0asm`",
        ),
        (b"\x7fELF\2\1\1\0", "not-wasm", "it does not start with the magic"),
        (b"\0asm", "not-wasm", "is no WebAssembly module: its version is not 1"),
        (b"\0asm\2\0\0\0", "not-wasm", "its version is not 1"),
        (b"\0asm\x0d\0\1\0", "component", "is a WebAssembly component, and proxies load modules"),
        (PREAMBLE + b"\1", "cut-off-module", "is cut off: at byte 9: more should follow here"),
        (PREAMBLE + b"\1\x80", "cut-off-module", "is cut off: at byte 10: more should follow here"),
        (
            PREAMBLE + b"\x0a\x85\2\1\2",
            "cut-off-module",
            "is cut off: at byte 8: the code section announces 261 bytes, and 2 are there",
        ),
    ],
)
def test_what_is_something_else_is_told(content: bytes, code: str, words: str) -> None:
    with pytest.raises(Unreadable) as caught:
        read_module(content, "some.wasm")
    assert (code, True) == (caught.value.code, words in caught.value.message)


def test_an_empty_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "plugin.wasm").touch()
    with (
        pytest.raises(Unreadable, match="it is empty"),
        open_module(tmp_path / "plugin.wasm"),
    ):
        pass


def test_of_more_than_engines_take_nothing_is_read(tmp_path: Path) -> None:
    with (tmp_path / "plugin.wasm").open("wb") as stream:
        stream.write(PREAMBLE)
        stream.truncate((1 << 30) + 1)
    with (
        open_module(tmp_path / "plugin.wasm") as data,
        pytest.raises(Unreadable, match="1,073,741,825 bytes, and engines take 1,073,741,824"),
    ):
        read_module(data, "x")


@pytest.mark.parametrize("identifier", [1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 13])
def test_an_endless_count_takes_no_memory_and_no_time(identifier: int) -> None:
    content = module(section(identifier, MOST + b"\0" * 100))
    tracemalloc.start()
    started = time.process_time()
    with pytest.raises(Unreadable, match="engines take"):
        read_module(content, "x")
    assert time.process_time() - started < 0.1
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000


def test_long_sections_take_no_memory(tmp_path: Path) -> None:
    size = 64_000_000
    content = module(
        custom("name", bytes(size)), custom("producers", b"\1" + number(size) + bytes(size))
    )
    (tmp_path / "plugin.wasm").write_bytes(content)
    del content
    tracemalloc.start()
    with open_module(tmp_path / "plugin.wasm") as data:
        assert read_module(data, "x").producers == {}
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000
