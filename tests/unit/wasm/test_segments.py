"""What stands in tables."""

from __future__ import annotations

import pytest
import wasmtime

from tests.modules.encoding import module, section, vector
from wasmctl.errors import Unreadable
from wasmctl.wasm.reader import read_module
from wasmctl.wasm.segments import Segment, functions_in_tables, read_constants, read_elements

FUNCTIONS = module(
    section(1, vector(b"\x60\0\0")),
    section(3, vector(*[b"\0"] * 5)),
    section(4, vector(b"\x70\0\x09")),
)
CODE = section(10, vector(*[b"\2\0\x0b"] * 5))
OFFSET = b"\x41\1"
EXPRESSIONS = vector(b"\xd2\1\x0b", b"\xd0\x70\x0b", b"\xd2\3\x0b")
REFERENCES = (b"\xd2\1", b"\xd0\x70", b"\xd2\3")

# Each form there is, by its flags.
FORMS = {
    0: (OFFSET + b"\x0b" + vector(b"\1", b"\3"), True, False, (OFFSET,)),
    1: (b"\0" + vector(b"\1", b"\3"), False, False, ()),
    2: (b"\0" + OFFSET + b"\x0b\0" + vector(b"\1", b"\3"), True, False, (OFFSET,)),
    3: (b"\0" + vector(b"\1", b"\3"), False, True, ()),
    4: (OFFSET + b"\x0b" + EXPRESSIONS, True, False, (OFFSET, *REFERENCES)),
    5: (b"\x70" + EXPRESSIONS, False, False, REFERENCES),
    6: (b"\0" + OFFSET + b"\x0b\x70" + EXPRESSIONS, True, False, (OFFSET, *REFERENCES)),
    7: (b"\x70" + EXPRESSIONS, False, True, REFERENCES),
}


def elements(*segments: bytes) -> bytes:
    return FUNCTIONS + section(9, vector(*segments)) + CODE


@pytest.mark.parametrize("flags", FORMS)
def test_each_form_is_read(flags: int) -> None:
    content, active, declared, constants = FORMS[flags]
    data = elements(bytes([flags]) + content, b"\1\0" + vector(b"\4"))
    wasmtime.Module.validate(wasmtime.Engine(), data)
    info = read_module(data, "x")
    first, second = read_elements(data, info)
    expected = Segment(functions=(1, 3), active=active, declared=declared, constants=constants)
    assert first == expected
    assert second.functions == (4,)
    assert functions_in_tables(data, info) == ({4} if declared else {1, 3, 4})


@pytest.mark.parametrize(
    ("segment", "words"),
    [
        (b"\x08\0", "`0x08` is no form of a segment of elements"),
        (b"\0\x10\0\x0b\0", "no constant expression"),
        (b"\1\1\0", "`0x01` stands where the kind of a segment's elements has 0"),
        (b"\1\0" + vector(b"\7"), "there is no function 7: the last is 4"),
        (b"\5\x70" + vector(b"\xd2\7\x0b"), "there is no function 7: the last is 4"),
        (b"\5\x7f\0", "elements of tables are references, and no `i32`"),
        (b"\1\0\xff\xff\xff\xff\x0f", "4,294,967,295 elements"),
        (b"\1\0\0\0", "nothing should follow here"),
    ],
)
def test_what_is_none_is_told(segment: bytes, words: str) -> None:
    data = elements(segment)
    with pytest.raises(Unreadable) as caught:
        read_elements(data, read_module(data, "x"))
    assert words in caught.value.message


def test_what_a_table_begins_with_stands_in_it() -> None:
    text = "(module (func) (func $f) (type $t (func)) (table 2 (ref $t) (ref.func $f)))"
    data = bytes(wasmtime.wat2wasm(text))
    assert functions_in_tables(data, read_module(data, "x")) == {1}


def test_constants_are_of_every_section() -> None:
    data = bytes(
        wasmtime.wat2wasm(
            """(module (global i32 (i32.const 1)) (table 2 funcref) (memory 1) (memory 1) (func $f)
                 (elem (i32.const 2) $f) (data (i32.const 9) "a") (data "b")
                 (data (i32.add (i32.const 0) (i32.const 3)) "a")
                 (data (memory 1) (i32.const 4) "c"))"""
        )
    )
    found = list(read_constants(data, read_module(data, "x")))
    assert found == [b"\x41\1", b"\x41\2", b"\x41\0\x41\3\x6a", b"\x41\4"]


@pytest.mark.parametrize("segment", [b"\3", b"\0\x0b\x05a", b"\1\xff\xff\xff\xff\x0f"])
def test_data_that_is_none_is_told(segment: bytes) -> None:
    data = module(section(5, vector(b"\0\1")), section(11, vector(segment)))
    with pytest.raises(Unreadable):
        list(read_constants(data, read_module(data, "x")))
