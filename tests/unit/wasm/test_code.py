"""What functions call, and where their bodies lie."""

from __future__ import annotations

import time

import pytest
import wasmtime

from tests.modules.assembler import Function, Import, call, plugin
from tests.modules.encoding import module, name, number, section, vector
from wasmctl.errors import Unreadable
from wasmctl.wasm.code import Calls, read_bodies, read_calls
from wasmctl.wasm.features import used_features
from wasmctl.wasm.info import ModuleInfo
from wasmctl.wasm.names import read_names
from wasmctl.wasm.reader import read_module

END = b"\x0b"
BLOCK = b"\x02\x40"
CALL = b"\x10\1"


def one_function(code: bytes, declared: bytes = b"\0") -> tuple[bytes, ModuleInfo]:
    """Return a module of two functions, the second of this code."""
    data = module(
        section(1, vector(b"\x60\0\0", b"\x60\1\x7f\0")),
        section(3, vector(b"\0", b"\0")),
        section(4, vector(b"\x70\0\x09")),
        section(10, vector(b"\2\0\x0b", name(declared + code))),
    )
    return data, read_module(data, "x")


def calls(code: bytes, declared: bytes = b"\0") -> Calls:
    return read_calls(*one_function(code, declared))[1]


def test_calls_bodies_and_names_are_of_the_same_functions() -> None:
    data = plugin(
        imports=[Import("env", "proxy_done", "-> i32")],
        functions=[
            Function("a", "->", [call("proxy_done"), b"\x1a", call("b"), call("b")]),
            Function("b", "->", []),
        ],
        names=True,
    )
    info = read_module(data, "x")
    names = read_names(data, info)
    assert [names[index] for index in range(info.function_count)] == [
        *("proxy_done", "proxy_abi_version_0_2_1", "proxy_on_memory_allocate", "a", "b")
    ]
    assert read_calls(data, info) == (Calls(), Calls(), Calls((0, 4)), Calls())
    bodies = [data[start:end] for start, end in read_bodies(data, info)]
    assert bodies[0] == bodies[3] == b"\0\x0b"
    assert bodies[2] == b"\0\x10\0\x1a\x10\4\x10\4\x0b"


def test_each_way_to_call_is_found() -> None:
    text = """(module (type $a (func)) (type $b (func (param i32))) (type $c (func))
        (import "env" "f" (func $f)) (table $t 1 funcref) (table $u 1 funcref)
        (func $g) (func $h) (func $i) (elem declare func $g)
        (func (call $f) (return_call $h))
        (func (drop (ref.func $g)))
        (func (call_indirect $u (type $b) (i32.const 0) (i32.const 0))
              (return_call_indirect $t (type $a) (i32.const 0)))
        (func (param (ref $c)) (call_ref $c (local.get 0)) (return_call_ref $c (local.get 0))))"""
    data = bytes(wasmtime.wat2wasm(text))
    assert read_calls(data, read_module(data, "x"))[3:] == (
        Calls((0, 2)),
        Calls((1,)),
        Calls((), (1, 0)),
        Calls((), (2,)),
    )


@pytest.mark.parametrize("labels", [0, 1, 9, 127, 128, 300, 20_000])
@pytest.mark.parametrize("label", [b"\0", b"\x80\0"])
def test_a_br_table_of_any_length_is_passed(labels: int, label: bytes) -> None:
    # Labels that would be calls if they were instructions.
    table = b"\x0e" + number(labels) + b"\x10" * labels + label
    assert calls(BLOCK + b"\x41\0" + table + END + CALL + END) == Calls((1,))


def test_other_vectors_are_passed() -> None:
    select = b"\x1c\1\x7f" + b"\x1c\2\x63\1\x7f" + b"\x1c\0"
    handlers = vector(b"\0\x10\0", b"\1\x10\0", b"\2\x10", b"\3\x10")
    blocks = b"\x1f\x40" + handlers + b"\x1f\x7f" + vector() + b"\x1f\1" + vector()
    assert calls(select + blocks + b"\x1f\x63\1" + vector() + CALL + END) == Calls((1,))


@pytest.mark.parametrize(
    "instruction",
    [
        b"\x41\x90\x90\x90\x90\x10",  # i32.const
        b"\x42\x90\x90\x90\x90\x90\x90\x90\x90\x90\x10",
        b"\x43\x10\1\x10\1",
        b"\x44\x10\1\x10\1\x10\1\x10\1",
        b"\x28\2\x10",  # i32.load
        b"\x28\x82\0\x90\x10",
        b"\x28\x42\x10\x10",  # of memory 16
        b"\x28\xc2\x80\0\x10\x90\x90\x90\x90\x90\x10",
        b"\x02\x63\x10",
        b"\x02\x90\0",
        b"\xfc\x00",
        b"\xfc\x80\0",
        b"\xfc\x0a\x10\x10",
        b"\xfc\x8b\x80\x80\x80\0\x10",
        b"\xfd\x0c" + b"\x10" * 16,
        b"\xfd\x8d\0" + b"\x10" * 16,
        b"\xfd\x15\x10",
        b"\xfd\x54\0\x10\x10",
        b"\xfd\xae\1",
        b"\xfd\xae\x81\0",
        b"\xfd\x93\2",
        b"\xfe\x10\2\x10",
        b"\xfe\3\0",
        b"\xfb\2\x10\x10",
        b"\xfb\x18\3\x10\x10\x10",
        b"\xfb\x9c\0",
    ],
)
def test_operands_are_never_taken_for_calls(instruction: bytes) -> None:
    assert calls(instruction + CALL + END) == Calls((1,))
    assert calls(CALL + instruction + END) == Calls((1,))
    used_features(*one_function(instruction + END))


def test_locals_are_never_taken_for_calls() -> None:
    declared = vector(b"\x10\x7f", b"\x90\x10\x7b", b"\1\x63\x10", b"\1\x64\x70")
    assert calls(CALL + END, declared) == Calls((1,))
    assert calls(CALL + END, vector(*[b"\1\x7f"] * 1000)) == Calls((1,))


def test_an_index_may_be_longer_than_it_need_be() -> None:
    assert calls(b"\x10\x81\x80\x80\x80\0\x10\1\x12\1\x11\x80\0\0" + END) == Calls((1,), (0,))


@pytest.mark.parametrize(
    ("code", "offset", "words"),
    [
        (b"\xff\1" + END, 37, "what `0xff` begins is no instruction that is known"),
        (CALL + b"\x27" + END, 39, "what `0x27` begins is no instruction that is known"),
        (
            b"\x41\xff\xff\xff\xff\xff\1" + END,
            37,
            "what `0x41` begins is no instruction that is known",
        ),
        (b"\xfc\x20" + END, 37, "what `0xfc` begins is no instruction that is known"),
        (b"\xfd\x0c\0" + END, 37, "what `0xfd` begins is no instruction that is known"),
        (b"\x44\0\0\0" + END, 37, "what `0x44` begins is no instruction that is known"),
        (b"\x10", 37, "what `0x10` begins is no instruction that is known"),
        (b"\x01\x01", 39, "a function's code has no end"),
        (b"\x0e\xff\xff\xff\xff\x0f" + END, 38, "4,294,967,295 labels"),
        (b"\x0e\5\0" + END, 38, "it announces 5 labels, more than there are bytes"),
        (b"\x1f\x40\1\5\0" + END, 40, "`0x05` is no kind of handler"),
        (b"\x10\2" + END, 36, "there is no function 2: the last is 1"),
        (b"\x11\2\0" + END, 36, "there is no type 2: the last is 1"),
        (b"\x10\xff\xff\xff\xff\x7f" + END, 36, "more than 32 bits"),
    ],
)
def test_what_is_no_code_is_told_and_calls_nothing(code: bytes, offset: int, words: str) -> None:
    data, info = one_function(code)
    with pytest.raises(Unreadable) as caught:
        read_calls(data, info)
    assert words in caught.value.message
    assert f"at byte {offset}: " in caught.value.message


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        (b"\1\1\x60", "what stands here declares no locals"),
        (b"\xff\xff\xff\xff\x0f", "what stands here declares no locals"),
        (b"\1\1", "what stands here declares no locals"),
    ],
)
def test_what_declares_no_locals_is_told(declared: bytes, words: str) -> None:
    data, info = one_function(END, declared)
    with pytest.raises(Unreadable, match=words):
        read_calls(data, info)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"\3\0\x0b", "a function's code is longer than its section"),
        (b"\0", "a function's code has 0 bytes, and engines take 2 to 7,654,321"),
        (b"\2\0\x0b\0", "nothing should follow here"),
    ],
)
def test_bodies_that_are_not_as_long_as_they_say_are_told(body: bytes, words: str) -> None:
    data = module(
        section(1, vector(b"\x60\0\0")), section(3, vector(b"\0")), section(10, vector(body))
    )
    with pytest.raises(Unreadable, match=words):
        read_bodies(data, read_module(data, "x"))


def test_of_a_module_without_code_there_is_none() -> None:
    data = module()
    info = read_module(data, "x")
    assert (read_bodies(data, info), read_calls(data, info)) == ([], ())
    assert used_features(data, info) == frozenset()


@pytest.mark.parametrize(
    "part",
    [
        b"\x0e\x81\0\0\0",  # br_table whose length is written long, and so read apart
        b"\x1f\x40\0",
        b"\xfc\0",
        b"\x02\x40",
        b"\x80",
    ],
)
def test_code_takes_time_as_it_is_long(part: bytes) -> None:
    """Whatever comes again and again: a megabyte in a second or so, and not in hours."""
    code = part * (1_000_000 // len(part)) + END
    data, info = one_function(code)
    started = time.process_time()
    try:
        read_calls(data, info)
    except Unreadable:
        assert part == b"\x80"
    assert time.process_time() - started < 20
