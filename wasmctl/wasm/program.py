"""A module as its author sees it: functions with names, packages and places in the sources. Pure.

Everything is read when it is first asked for: names alone cost little, the calls of ten megabytes
do not.
"""

from __future__ import annotations

import mmap
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final

from wasmctl.wasm.chain import Link, Step
from wasmctl.wasm.code import Calls, read_bodies, read_calls
from wasmctl.wasm.demangle import demangle
from wasmctl.wasm.go_table import GoTable, read_go_table
from wasmctl.wasm.info import Kind, ModuleInfo
from wasmctl.wasm.lines import Lines
from wasmctl.wasm.memory import read_memory
from wasmctl.wasm.names import read_names
from wasmctl.wasm.packages import (
    RUST_SDK,
    go_package_of,
    is_glue,
    package_of,
    package_of_path,
    version_of_path,
)
from wasmctl.wasm.segments import read_elements

__all__ = ["Program"]

# So many bytes are the numbers that LLD filled in, of functions, too.
_RELOCATED: Final = 5
_GO_CLOSURE: Final = re.compile(r"\.(?:func|gowrap)\d")


@dataclass(frozen=True, kw_only=True)
class Program:
    """The functions of one module, each by its index, imported ones first.

    What it reads raises `Unreadable` where the module is damaged there.

    Args:
        data: the module.
        info: what it is made of.
        twin: lines of its twin, where that has any; else the module's own are taken.
    """

    data: bytes | mmap.mmap
    info: ModuleInfo
    twin: Lines | None = None
    _names: dict[int, str] = field(default_factory=dict)
    _packages: dict[int, str] = field(default_factory=dict)

    @cached_property
    def imported(self) -> int:
        """How many functions are imported: the index of the first that is not."""
        return len(self.info.imported_functions)

    @cached_property
    def symbols(self) -> Mapping[int, str]:
        """Function → its name in the `name` section, as it stands there."""
        return read_names(self.data, self.info)

    @cached_property
    def bodies(self) -> Sequence[tuple[int, int]]:
        """Where the code of each function of the module's own begins and ends."""
        return read_bodies(self.data, self.info)

    @cached_property
    def calls(self) -> Sequence[Calls]:
        """What each function of the module's own calls."""
        return read_calls(self.data, self.info)

    @cached_property
    def slots(self) -> Mapping[int, int]:
        """Of the table of functions: slot → function."""
        slots: dict[int, int] = {}
        for segment in read_elements(self.data, self.info):
            if segment.active and segment.constants:
                first = _constant(segment.constants[0])
                slots.update(enumerate(segment.functions, first))
        return slots

    @cached_property
    def exports(self) -> Mapping[int, str]:
        """Function → the name that hosts call it by."""
        return {one.index: one.name for one in self.info.exports[::-1] if one.kind is Kind.FUNCTION}

    @cached_property
    def memory(self) -> bytes:
        """What the module's memory holds when it starts."""
        return read_memory(self.data, self.info)

    @cached_property
    def go_table(self) -> GoTable | None:
        """Go's own table of functions, in a module of its standard toolchain."""
        return read_go_table(self.memory, len(self.bodies)) if self._is_go else None

    @cached_property
    def lines(self) -> Lines | None:
        """Where places stand in the sources, as far as DWARF tells."""
        own = Lines(self.data, self.info)
        return self.twin or (own if own.present else None)

    def name(self, function: int) -> str:
        """Return a function's name for people; of one without a name, its index."""
        if (known := self._names.get(function)) is not None:
            return known
        table, own = self.go_table, function - self.imported
        if own < 0:
            # As hosts know it, whatever the code that declares it calls it.
            name = str(self.info.imported_functions[function])
        else:
            name = table.name(own) if table is not None else ""
            name = name or demangle(self.symbols.get(function, ""))
            name = name or self.exports.get(function, "")
        self._names[function] = name or f"function {function}"
        return self._names[function]

    def package(self, function: int) -> str:
        """Return the crate or Go package of a function; empty where that is not known."""
        if (known := self._packages.get(function)) is not None:
            return known
        raw = self.symbols.get(function, "")
        if self.go_table is None:
            written = demangle(raw) if function < self.imported else self.name(function)
            package = package_of(raw, written) if raw else ""
            if self._has_rust_sdk and raw.startswith("proxy_"):
                package = RUST_SDK
        elif function < self.imported or function in self.exports:
            package = ""
        else:
            # Without a package is what the runtime and the compiler make themselves.
            package = self._go_package(function) or "runtime"
        self._packages[function] = package
        return package

    def function_at(self, offset: int) -> int | None:
        """Return the function whose code holds an offset in the file; None: there is none."""
        own = bisect_right(self.bodies, (offset, len(self.data))) - 1
        if own < 0 or offset >= self.bodies[own][1]:
            return None
        return own + self.imported

    def frames_at(self, offset: int) -> tuple[Step, ...]:
        """Return the function at an offset in the file, and those that were put into it there.

        The outermost is first: the function itself. Each has the place where it calls the next, the
        last that of the offset, as far as the module or its twin tells.
        """
        function = self.function_at(offset)
        if function is None:
            return ()
        alone = Step(function=self.name(function), package=self.package(function))
        own = function - self.imported
        if self.go_table is not None:
            block = _go_block(self.data, self.bodies[own][0], offset)
            return tuple(_go_steps(self.go_table.frames(own, block), alone)) or (alone,)
        code = self.info.section("code")
        found = self.lines.frames(offset - code.start) if self.lines and code else ()
        if not found:
            return (alone,)
        package = alone.package
        if found[0].package and (not package or is_glue(package)):
            package = found[0].package
        first = replace(found[0], function=alone.function, package=package)
        return (first, *(replace(one, package=one.package or package) for one in found[1:]))

    def frames(self, function: int, called: int) -> tuple[Step, ...]:
        """Return the frames where a function calls another; else its own, with its first place."""
        own = function - self.imported
        if own < 0:
            return (Step(function=self.name(function), package=self.package(function)),)
        start, end = self.bodies[own]
        for number in (_unsigned(called), _unsigned(called, width=_RELOCATED)):
            if (at := self.data.find(b"\x10" + number, start, end)) >= 0:
                return self.frames_at(at)
        return self.frames_at(start)[:1]

    def _go_package(self, function: int) -> str:
        name = self.name(function)
        if _GO_CLOSURE.search(name) and self.go_table is not None:
            # It has the name of the function that its own was put into: the file is its own.
            frames = self.go_table.frames(function - self.imported, 0)
            if frames and (package := package_of_path(frames[-1][1].rpartition(":")[0])):
                return package
        return go_package_of(name)

    @cached_property
    def _is_go(self) -> bool:
        # Producers are what everyone may strip; the build ID is Go's alone.
        return "Go" in self.info.producers.get("language", {}) or (
            self.info.section("go:buildid") is not None
        )

    @cached_property
    def _has_rust_sdk(self) -> bool:
        """Whether the exported callbacks are proxy-wasm's: their names do not say."""
        return any(RUST_SDK in raw for raw in self.symbols.values())


def _go_steps(frames: Sequence[tuple[str, str]], alone: Step) -> Iterator[Step]:
    for position, (name, place) in enumerate(frames):
        yield Step(
            function=name if position else alone.function,
            package=package_of_path(place.rpartition(":")[0]) or go_package_of(name)
            if position
            else alone.package,
            place=place,
            link=Link.INLINED if position else Link.CALL,
            version=version_of_path(place),
        )


def _go_block(data: bytes | mmap.mmap, start: int, call: int) -> int:
    """Return the number of the place that a call goes on at, less one, which is the call's own.

    Go stores the PC to return to before a call: `i64.const PC; i64.store 3 0; i32.const 0; call`.
    """
    before = data.rfind(b"\x42", max(start, call - 16), max(start, call - 4))
    if before < 0:
        return 0
    value = shift = 0
    for byte in data[before + 1 : call]:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    return max((value & 0xFFFF) - 1, 0)


def _constant(expression: bytes) -> int:
    """Return the number of a constant expression, which is an offset in a table."""
    value = 0
    for byte in reversed(expression[1:]):
        value = value << 7 | byte & 0x7F
    return value


def _unsigned(value: int, *, width: int = 1) -> bytes:
    """Return a number as LEB128 of at least so many bytes."""
    number = bytearray()
    while value >= 0x80 or len(number) < width - 1:
        number.append(value & 0x7F | 0x80)
        value >>= 7
    number.append(value)
    return bytes(number)
