"""Modules, right and wrong in every way that a host looks at, for comparing verdicts."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from tests.measure import questions
from tests.modules.assembler import (
    ALLOCATOR,
    DROP,
    MARKER,
    UNREACHABLE,
    Call,
    Function,
    call,
    number,
    proxy_log,
)
from tests.modules.binary import Export, Import, Kind, limits, plain, write
from tests.modules.features import ENDING, FEATURES
from wasmctl.hosts.host import ABIS, releases

__all__ = ["generated"]

_MEMORY = Export("memory", Kind.MEMORY, 0)
_LOG = Import("env", "proxy_log", "i32 i32 i32 -> i32")
_EXIT = Import("wasi_snapshot_preview1", "proc_exit", "i32 ->")
_TICK = Import("env", "proxy_set_tick_period_milliseconds", "i32 -> i32")
_SET_TICK: Final[list[bytes | Call]] = [
    number(0),
    call("proxy_set_tick_period_milliseconds"),
    DROP,
]
_EXITS: Final[list[bytes | Call]] = [number(0), call("proc_exit")]
_ZERO: Final = [number(0)]
_MAIN: Final = "i32 i32 -> i32"
_NUMBER: Final = b"\x7f\0\x41\0\x0b"


def generated() -> Mapping[str, bytes]:
    """Return the modules by what they are."""
    return {
        **_imports(),
        **_exports(),
        **{f"feature {name}": module for name, module in FEATURES.items()},
        **{f"type: {name}": module for name, module in ENDING.items()},
        **_starts(),
        **_markers(),
        **_allocators(),
        **_memories(),
        **_tables(),
        **_combined(),
    }


def _newest() -> tuple[Mapping[str, Mapping[str, str]], Mapping[str, Mapping[str, str]]]:
    host = [one.host for one in releases().values() if one.host][-1]
    return host.imports, host.exports


def _signature(type_: str) -> str:
    return type_.replace("void", "")


def _imports() -> dict[str, bytes]:
    has, _ = _newest()
    found = {}
    for name in questions.IMPORTS:
        abi = next((abi for abi in reversed(ABIS) if name in has[abi]), "0.2.1")
        right = _signature(has[abi].get(name, "i32 -> i32"))
        found[f"import {name}"] = questions.import_with(name, abi, right)
        if name.partition(".")[0] != "wasi_unstable":
            found[f"import {name} of a wrong type"] = questions.import_with(name, abi, "i64 ->")
    specific = {name for typed in has.values() for name in typed if name not in has["0.2.0"]}
    specific |= {name for name in has["0.2.0"] if name not in has["0.1.0"]}
    for name in sorted(specific):
        type_ = _signature(next(typed[name] for typed in has.values() if name in typed))
        for abi in ABIS:
            found[f"import {name} in {abi}"] = questions.import_with(name, abi, type_)
    return {
        **found,
        "import of Go's path_link": questions.import_with(
            "wasi_snapshot_preview1.path_link", "0.2.1", "i32 i32 i32 i32 i32 i32 i32 -> i32"
        ),
        "import of Go's path_symlink": questions.import_with(
            "wasi_snapshot_preview1.path_symlink", "0.2.1", "i32 i32 i32 i32 i32 -> i32"
        ),
        "import of a global": plain(imports=[Import("env", "g", b"\x7f\0", Kind.GLOBAL)]),
        "import of a changing global": plain(imports=[Import("env", "g", b"\x7f\1", Kind.GLOBAL)]),
        "import of wasm-bindgen": plain(imports=[Import("wbg", "__wbg_now_b7a1", "-> f64")]),
        "import twice": plain(imports=[_LOG, _LOG]),
        "imports missing twice": plain(imports=[Import("env", "a"), Import("env", "b")]),
        "import with a name of no words": plain(imports=[Import("", "")]),
        "import with a name of many": plain(imports=[Import("a b", "c, want: d")]),
    }


def _exports() -> dict[str, bytes]:
    _, has = _newest()
    found = {}
    for name in questions.CALLBACKS:
        right = _signature(has["0.2.1"].get(name, "i32 -> i32"))
        found[f"export {name}"] = questions.export_with(name, "0.2.1", right)
        found[f"export {name} of a wrong type"] = questions.export_with(name, "0.2.1", "i64 ->")
    for name in ("proxy_on_request_headers", "proxy_on_response_headers"):
        for abi in ABIS:
            for count in (2, 3):
                type_ = f"{'i32 ' * count}-> i32"
                key = f"export {name} with {count} in {abi}"
                found[key] = questions.export_with(name, abi, type_)
    for abi in ABIS:
        key = f"export proxy_on_foreign_function wrong in {abi}"
        found[key] = questions.export_with("proxy_on_foreign_function", abi, "i32 ->")
    return {
        **found,
        "export of a callback as a global": plain(
            globals_=[_NUMBER], exports=[_MEMORY, Export("proxy_on_tick", Kind.GLOBAL, 0)]
        ),
        "export of two wrong callbacks": plain(
            functions=[Function("proxy_on_tick"), Function("proxy_on_log")]
        ),
        "export of what nobody knows": plain(
            functions=[Function("own", "i64 f32 -> f64", [UNREACHABLE])]
        ),
    }


def _starts() -> dict[str, bytes]:
    has, _ = _newest()
    found = {}
    for name in sorted({name for typed in has.values() for name in typed}):
        if name.startswith("wasi_unstable"):
            continue
        abi = next(abi for abi in reversed(ABIS) if name in has[abi])
        module = questions.calling(name, abi, has[abi][name])
        found[f"start _initialize calls {name}"] = module
        found[f"start section calls {name}"] = questions.calling(
            name, abi, has[abi][name], section=True
        )
    for start in ("_start", "main", "__main_void"):
        found.update(_starts_by(start))
    return {**found, **_sections(), **_conditional()}


def _starts_by(start: str) -> dict[str, bytes]:
    signature, result = {
        "_start": ("->", []),
        "main": (_MAIN, _ZERO),
        "__main_void": ("-> i32", _ZERO),
    }[start]
    first = [] if start == "_start" else [Function("_initialize")]

    def running(*body: bytes | Call, imports: Sequence[Import] = ()) -> bytes:
        own = Function(start, signature, [*body, *result])
        return plain(imports=imports, functions=[*first, own])

    return {
        f"start {start} does nothing": running(),
        f"start {start} logs": running(*proxy_log(2, 0, 0), imports=[_LOG]),
        f"start {start} sets a tick": running(*_SET_TICK, imports=[_TICK]),
        f"start {start} exits": running(*_EXITS, imports=[_EXIT]),
        f"start {start} traps": running(UNREACHABLE),
        f"start {start} of a wrong type": plain(functions=[*first, Function(start, "i64 ->")]),
        f"start {start} without the other": plain(
            imports=[_TICK], functions=[Function(start, signature, [*_SET_TICK, *result])]
        ),
        f"start {start} beside _initialize": plain(
            imports=[_TICK],
            functions=[Function("_initialize"), Function(start, signature, [*_SET_TICK, *result])],
        ),
    }


def _sections() -> dict[str, bytes]:
    def starting(*body: bytes | Call, imports: Sequence[Import] = ()) -> bytes:
        return plain(imports=imports, hidden=[Function("s", "->", body)], start="s")

    wasi = "wasi_snapshot_preview1"
    return {
        "start section that does nothing": starting(),
        "start section that traps": starting(UNREACHABLE),
        "start section that logs": starting(*proxy_log(2, 0, 0), imports=[_LOG]),
        "start section that sets a tick": starting(*_SET_TICK, imports=[_TICK]),
        "start section that exits": starting(*_EXITS, imports=[_EXIT]),
        "start section that asks for random numbers": starting(
            *(number(0), number(0), call("random_get"), DROP),
            imports=[Import(wasi, "random_get", "i32 i32 -> i32")],
        ),
        "start section that yields": starting(
            *(call("sched_yield"), DROP), imports=[Import(wasi, "sched_yield", "-> i32")]
        ),
        "start section that compares threads": starting(
            *(number(0), number(0), call("pthread_equal"), DROP),
            imports=[Import("env", "pthread_equal", "i32 i32 -> i32")],
        ),
        "start section that is an import": plain(
            imports=[Import("env", "proxy_done", "-> i32"), Import(wasi, "proc_exit", "i32 ->")],
        ),
        "start section behind a function": plain(
            imports=[_TICK],
            hidden=[Function("t", "->", _SET_TICK), Function("s", "->", [call("t")])],
            start="s",
        ),
    }


def _conditional() -> dict[str, bytes]:
    """Return modules that call the host on some ways through their start."""
    ways: Mapping[str, list[bytes | Call]] = {
        "never": [number(0), b"\x04\x40", *_SET_TICK, b"\x0b"],
        "if it is so": [number(1), b"\x04\x40", *_SET_TICK, b"\x0b"],
        "behind an if": [number(0), b"\x04\x40", b"\x0b", *_SET_TICK],
        "behind a block": [b"\x02\x40", number(0), b"\x0d\0", b"\x0b", *_SET_TICK],
        "in a block that is left": [b"\x02\x40", b"\x0c\0", *_SET_TICK, b"\x0b"],
        "in a block that may be left": [b"\x02\x40", number(1), b"\x0d\0", *_SET_TICK, b"\x0b"],
        "in a loop": [b"\x03\x40", *_SET_TICK, number(0), b"\x0d\0", b"\x0b"],
        "behind a loop": [b"\x03\x40", number(0), b"\x0d\0", b"\x0b", *_SET_TICK],
        "behind a return": [b"\x0f", *_SET_TICK],
        "behind a return that may be": [number(1), b"\x04\x40", b"\x0f", b"\x0b", *_SET_TICK],
        "behind a table of branches": [
            *(b"\x02\x40", number(0), b"\x0e\x01\x01\x00", b"\x0b"),
            *_SET_TICK,
        ],
    }
    found = {
        f"start calls the host {way}": plain(
            imports=[_TICK], functions=[Function("_initialize", "->", body)]
        )
        for way, body in ways.items()
    }
    return {
        **found,
        "start calls the host through others": plain(
            imports=[_TICK],
            functions=[Function("_initialize", "->", [call("a")])],
            hidden=[Function("a", "->", [call("b")]), Function("b", "->", _SET_TICK)],
        ),
        "start traps through another": plain(
            functions=[Function("_initialize", "->", [call("a")])],
            hidden=[Function("a", "->", [UNREACHABLE])],
        ),
    }


def _markers() -> dict[str, bytes]:
    old, unknown = questions.marker("0.1.0"), questions.marker("0.3.0")
    get_configuration = Import("env", "proxy_get_configuration", "i32 i32 -> i32")
    return {
        **{f"marker {abi}": plain(marker=questions.marker(abi)) for abi in ABIS},
        **{
            f"marker {abi}, which nobody knows": plain(marker=questions.marker(abi))
            for abi in ("0.3.0", "0.2.2", "1.0.0", "0.2")
        },
        "marker missing": write(functions=[ALLOCATOR]),
        "marker as a global": write(
            functions=[ALLOCATOR],
            globals_=[_NUMBER],
            exports=[_MEMORY, Export("proxy_abi_version_0_2_1", Kind.GLOBAL, 0)],
        ),
        "marker of another type": write(
            functions=[Function("proxy_abi_version_0_2_1", "i32 -> i32", _ZERO), ALLOCATOR]
        ),
        "markers, the older first": plain(
            marker=old, functions=[MARKER], imports=[get_configuration]
        ),
        "markers, the newer first": plain(functions=[old], imports=[get_configuration]),
        "markers, an unknown one first": plain(marker=unknown, functions=[MARKER]),
        "marker missing, import missing": write(
            functions=[ALLOCATOR], imports=[Import("env", "none")]
        ),
        "nothing in it": b"\0asm\1\0\0\0",
        "a component": b"\0asm\x0d\0\1\0",
        "no module": b"\x1f\x8b\x08 an archive",
        "cut off": plain()[:-10],
    }


def _allocators() -> dict[str, bytes]:
    malloc = Function("malloc", "i32 -> i32", _ZERO)
    return {
        "allocator missing": write(functions=[MARKER]),
        "allocator malloc": write(functions=[MARKER, malloc]),
        "allocators both": write(functions=[MARKER, malloc, ALLOCATOR]),
        "allocators, malloc wrong": write(functions=[MARKER, ALLOCATOR, Function("malloc")]),
        "allocators, the other wrong": write(
            functions=[MARKER, malloc, Function("proxy_on_memory_allocate")]
        ),
        "allocator malloc wrong": write(functions=[MARKER, Function("malloc", "i64 ->")]),
        "allocator wrong": write(functions=[MARKER, Function("proxy_on_memory_allocate")]),
        "allocator as a global": write(
            functions=[MARKER],
            globals_=[_NUMBER],
            exports=[_MEMORY, Export("malloc", Kind.GLOBAL, 0)],
        ),
        "free of a wrong type": plain(functions=[Function("free")]),
    }


def _memories() -> dict[str, bytes]:
    def importing(*encoded: bytes, module: str = "env") -> bytes:
        imports = [
            Import(module, f"m{place}", one, Kind.MEMORY) for place, one in enumerate(encoded)
        ]
        return plain(imports=imports, memories=[])

    return {
        **{
            f"memory of {pages} pages": plain(memories=[limits(pages)])
            for pages in (0, 1, 16_384, 16_385, 65_536, 65_537)
        },
        **{
            f"memory of up to {pages} pages": plain(memories=[limits(1, pages)])
            for pages in (1, 16_384, 65_536, 65_537)
        },
        **{
            f"memory of up to {pages} wide pages": plain(memories=[limits(1, pages, flags=4)])
            for pages in (65_536, 262_144, 262_145)
        },
        **{
            f"memory of {pages} wide pages": plain(memories=[limits(pages, flags=4)])
            for pages in (16_384, 16_385)
        },
        **{
            f"memory imported of {pages} pages": importing(limits(pages))
            for pages in (1, 16_384, 16_385)
        },
        "memory missing": plain(memories=[], exports=[]),
        "memory not exported": plain(exports=[]),
        "memory exported by another name": plain(exports=[Export("m", Kind.MEMORY, 0)]),
        "memory shared": plain(memories=[limits(1, 2, flags=2)]),
        "memory shared, large": plain(memories=[limits(16_385, 65_536, flags=2)]),
        "memory imported of another module": importing(limits(1), module="other"),
        "memory imported and exported": plain(
            imports=[Import("env", "m", limits(1), Kind.MEMORY)], memories=[], exports=[_MEMORY]
        ),
        "memory imported beside an own": plain(
            imports=[Import("env", "m", limits(1), Kind.MEMORY)]
        ),
        "memories imported": importing(limits(1), limits(1)),
        "memory imported, shared": importing(limits(1, 2, flags=2)),
        "memory imported, wide": importing(limits(1, flags=4)),
        "memories of two sizes": plain(memories=[limits(1), limits(16_385)]),
        "memories that are large together": plain(memories=[limits(10_000), limits(10_000)]),
    }


def _tables() -> dict[str, bytes]:
    def importing(encoded: bytes) -> bytes:
        return plain(imports=[Import("env", "t", encoded, Kind.TABLE)])

    return {
        **{
            f"table of {size}": plain(tables=[b"\x70" + limits(size)])
            for size in (0, 10_000_000, 10_000_001)
        },
        **{
            f"table imported of {size}": importing(b"\x70" + limits(size))
            for size in (0, 10_000_000, 10_000_001)
        },
        "table of up to all": plain(tables=[b"\x70" + limits(1, 0xFFFFFFFF)]),
        "table imported of externref": importing(b"\x6f" + limits(1)),
        "table imported, wide": importing(b"\x70" + limits(1, flags=4)),
        "tables imported": plain(
            imports=[Import("env", f"t{one}", b"\x70" + limits(1), Kind.TABLE) for one in "ab"]
        ),
    }


@dataclass(frozen=True, slots=True)
class _Parts:
    marker: Function = MARKER
    imports: tuple[Import, ...] = ()
    functions: tuple[Function, ...] = ()
    memory: bytes = b"\0\1"
    allocator: bool = True

    def and_(self, other: _Parts) -> _Parts:
        return _Parts(
            marker=other.marker if other.marker != MARKER else self.marker,
            imports=tuple(dict.fromkeys((*self.imports, *other.imports))),
            functions=tuple(
                {one.name: one for one in (*self.functions, *other.functions)}.values()
            ),
            memory=other.memory if other.memory != b"\0\1" else self.memory,
            allocator=self.allocator and other.allocator,
        )


_PIECES: Final = (
    _Parts(),
    _Parts(marker=questions.marker("0.1.0")),
    _Parts(marker=questions.marker("0.2.0")),
    _Parts(marker=questions.marker("0.3.0")),
    _Parts(imports=(_LOG,)),
    _Parts(imports=(Import("env", "proxy_log", "i32 ->"),)),
    _Parts(imports=(Import("env", "none"),)),
    _Parts(imports=(Import("env", "proxy_clear_route_cache", "-> i32"),)),
    _Parts(imports=(Import("env", "proxy_get_log_level", "i32 -> i32"),)),
    _Parts(imports=(Import("wasi_snapshot_preview1", "fd_pread", "i32 i32 i32 i64 i32 -> i32"),)),
    _Parts(imports=(Import("wasi_unstable", "sched_yield", "-> i32"),)),
    _Parts(functions=(Function("proxy_on_tick", "i32 ->"),)),
    _Parts(functions=(Function("proxy_on_tick"),)),
    _Parts(functions=(Function("proxy_on_request_headers", "i32 i32 -> i32", [number(0)]),)),
    _Parts(functions=(Function("proxy_on_response_headers", "i32 i32 i32 -> i32", [number(0)]),)),
    _Parts(functions=(Function("_initialize"),)),
    _Parts(functions=(Function("_initialize", "->", _SET_TICK),), imports=(_TICK,)),
    _Parts(functions=(Function("_start", "->", _EXITS),), imports=(_EXIT,)),
    _Parts(functions=(Function("malloc"),)),
    _Parts(functions=(Function("malloc", "i32 -> i32", [number(0)]),)),
    _Parts(memory=limits(20_000)),
    _Parts(memory=limits(1, 2, flags=2)),
    _Parts(allocator=False),
)


def _combined() -> dict[str, bytes]:
    """Return modules of three pieces each, the same every time."""
    choose = random.Random(5)
    found = {}
    for place in range(120):
        parts = _Parts()
        for piece in choose.sample(_PIECES, 3):
            parts = parts.and_(piece)
        # What is imported under one name is called by it: of two types the last is.
        parts = replace(parts, imports=tuple({one.name: one for one in parts.imports}.values()))
        found[f"combined {place}"] = plain(
            marker=parts.marker,
            imports=parts.imports,
            functions=parts.functions,
            memories=[parts.memory],
            allocator=parts.allocator,
        )
    return found
