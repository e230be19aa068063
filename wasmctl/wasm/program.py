"""A module as its author sees it: functions with names and packages, and who leads to whom.

Pure.
"""

from __future__ import annotations

import mmap
import re
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
    is_plumbing,
    package_of,
    version_of_path,
)
from wasmctl.wasm.pointers import read_go_pointers, read_rust_pointers
from wasmctl.wasm.segments import read_elements

__all__ = ["Program", "read_program"]

# Of Go's names: what runs because a package is there, and the methods that others see.
_GO_INIT: Final = re.compile(r"\.(?:init(?:\.\d+)?(?:\.func\d+)*|map\.init\.\d+|glob\.\.func\d+)\Z")
_GO_METHOD: Final = re.compile(r"\.(?:\(\*\w+(?:\[.*\])?\)|\w+)\.[A-Z]\w*\Z")
_LOOK_FOR_METHODS: Final = frozenset(
    ("reflect.Value.MethodByName", "reflect.Value.Method", "reflect.(*rtype).MethodByName")
)
# So many bytes are the numbers that LLD filled in, of functions, too.
_RELOCATED: Final = 5
_CALLBACK: Final = re.compile(r"(?:^|[.:])(?:\w+::)*[oO]n_?(?P<words>\w+?)(?:\$invoke)?\Z")


@dataclass(frozen=True, kw_only=True)
class Program:
    """The functions of one module, each by its index, imported ones first.

    Args:
        data: the module.
        info: what it is made of.
        symbols: index → name in the `name` section.
        bodies: start and end of the code of each function that the module defines.
        calls: what each of these calls.
        slots: of the table of functions: slot → function.
        lines: of the module or its twin, where it has DWARF.
    """

    data: bytes | mmap.mmap
    info: ModuleInfo
    symbols: Mapping[int, str]
    bodies: Sequence[tuple[int, int]]
    calls: Sequence[Calls]
    slots: Mapping[int, int]
    lines: Lines | None = None
    _names: dict[int, str] = field(default_factory=dict)
    _packages: dict[int, str] = field(default_factory=dict)

    @cached_property
    def imported(self) -> int:
        """How many functions are imported: the index of the first that is not."""
        return len(self.info.imported_functions)

    @cached_property
    def memory(self) -> bytes:
        return read_memory(self.data, self.info)

    @cached_property
    def go_table(self) -> GoTable | None:
        """Go's own table of functions, in a module of its standard toolchain."""
        return read_go_table(self.memory, len(self.bodies))

    @cached_property
    def exports(self) -> Mapping[int, str]:
        """Function → the name that hosts call it by."""
        return {one.index: one.name for one in self.info.exports[::-1] if one.kind is Kind.FUNCTION}

    def name(self, function: int) -> str:
        """Return a function's name for people; of one without a name, its index."""
        if (known := self._names.get(function)) is not None:
            return known
        table, own = self.go_table, function - self.imported
        name = table.name(own) if table is not None and own >= 0 else ""
        name = name or demangle(self.symbols.get(function, ""))
        if not name and own < 0:
            name = str(self.info.imported_functions[function])
        self._names[function] = name or f"function {function}"
        return self._names[function]

    def package(self, function: int) -> str:
        """Return the crate or Go package of a function; empty where that is not known."""
        if (known := self._packages.get(function)) is not None:
            return known
        raw = self.symbols.get(function, "")
        if self.go_table is None:
            package = package_of(raw, self.name(function)) if raw else ""
            if self._has_rust_sdk and raw.startswith("proxy_"):
                package = RUST_SDK
        elif function < self.imported or function in self.exports:
            package = ""
        else:
            # Without a package is what the runtime and the compiler make themselves.
            package = go_package_of(self.name(function)) or "runtime"
        self._packages[function] = package
        return package

    def frames(self, function: int, called: int) -> tuple[Step, ...]:
        """Return a function that calls another, and those that the compiler put into it there.

        The outermost is first: the function itself; the last one calls. Where there is no call of
        the other, or nothing tells the place, it is the function alone.
        """
        own = function - self.imported
        return self.frames_at(function, self._call(own, called) if own >= 0 else -1)

    def frames_at(self, function: int, at: int) -> tuple[Step, ...]:
        """Return a function, and those that the compiler put into it at a place in its code.

        The outermost is first: the function itself; the last one is what stands there.

        Args:
            function: its index.
            at: where in the file; -1: the place is not known.
        """
        own = function - self.imported
        alone = Step(function=self.name(function), package=self.package(function))
        if own < 0:
            return (alone,)
        if self.go_table is not None:
            block = _go_block(self.data, self.bodies[own][0], at) if at >= 0 else 0
            frames = self.go_table.frames(own, block) or [(alone.function, "")]
            return tuple(_go_steps(frames, alone))
        code = self.info.section("code")
        if self.lines is None or code is None:
            return (alone,)
        found = self.lines.frames((at if at >= 0 else self.bodies[own][0]) - code.start)
        if not found or at < 0:
            return (replace(alone, place=found[0].place),) if found else (alone,)
        return (
            replace(found[0], function=alone.function, package=alone.package or found[0].package),
            *(replace(one, package=one.package or alone.package) for one in found[1:]),
        )

    def _call(self, own: int, called: int) -> int:
        """Return where the code of a function calls another; -1: nowhere."""
        start, end = self.bodies[own]
        for number in (_unsigned(called), _unsigned(called, width=_RELOCATED)):
            if (at := self.data.find(b"\x10" + number, start, end)) >= 0:
                return at
        return -1

    @cached_property
    def callers(self) -> Mapping[int, Sequence[int]]:
        """Function → those that call it directly."""
        callers: dict[int, list[int]] = {}
        for own, calls in enumerate(self.calls):
            for function in calls.functions:
                callers.setdefault(function, []).append(own + self.imported)
        return callers

    @cached_property
    def holders(self) -> Mapping[int, Sequence[int]]:
        """Function → those that hold its address."""
        read = read_rust_pointers if self.go_table is None else read_go_pointers
        holders: dict[int, list[int]] = {}
        for own, held in read(self.data, self.bodies, self.memory, self.slots).items():
            # Go's functions store their own addresses before they call: it is where they return to.
            for function in held - {own + self.imported}:
                holders.setdefault(function, []).append(own + self.imported)
        return holders

    def before(self, function: int) -> Iterator[tuple[int, Link]]:
        """Yield what leads to a function, and how."""
        for caller in self.callers.get(function, ()):
            yield caller, Link.CALL
        for holder in self.holders.get(function, ()):
            yield holder, Link.POINTER
        if (callback := self.callback_of(function)) is not None:
            yield callback, Link.DISPATCH
        if self.go_table is not None:
            yield from self._before_in_go(function)
        else:
            for caller in self._callers_of_type(function):
                yield caller, Link.INDIRECT
            package = self.package(function)
            if is_glue(package) and not self.callers.get(function):
                for user in self.users("glue"):
                    yield user, Link.IMPORTED

    def callback_of(self, function: int) -> int | None:
        """Return the exported callback that an SDK calls this method for, told by its name."""
        if function not in self._in_table:
            return None
        found = _CALLBACK.search(self.name(function))
        if found is None or is_plumbing(self.package(function)):
            return None
        return self._callbacks.get(_plain(found["words"]))

    def users(self, package: str) -> Sequence[int]:
        """Return the functions of others that call a package; `glue`: any that joins JavaScript."""
        return self._users.get(package, ())

    def _before_in_go(self, function: int) -> Iterator[tuple[int, Link]]:
        name = self.name(function)
        if _GO_INIT.search(name):
            if not is_plumbing(self.package(function)) and "_initialize" in self._entries:
                yield self._entries["_initialize"], Link.DISPATCH
            for user in self.users(self.package(function)):
                yield user, Link.IMPORTED
        elif function not in self.callers and function not in self.holders:
            if _GO_METHOD.search(name):
                for looking in self._looking_for_methods:
                    yield looking, Link.REFLECTION
            for user in self.users(self.package(function)):
                yield user, Link.IMPORTED

    @cached_property
    def _looking_for_methods(self) -> Sequence[int]:
        """The functions that have reflection look for methods."""
        return [
            caller
            for function, callers in self.callers.items()
            if self.package(function) == "reflect" and self.name(function) in _LOOK_FOR_METHODS
            for caller in callers
            if self.package(caller) != "reflect"
        ]

    @cached_property
    def _users(self) -> Mapping[str, Sequence[int]]:
        users: dict[str, set[int]] = {}
        for function, callers in self.callers.items():
            package = self.package(function)
            group = "glue" if is_glue(package) else package
            for caller in callers:
                other = self.package(caller)
                if other != package and not (group == "glue" and is_glue(other)):
                    users.setdefault(group, set()).add(caller)
        return {package: sorted(found) for package, found in users.items()}

    @cached_property
    def _in_table(self) -> frozenset[int]:
        return frozenset(self.slots.values())

    @cached_property
    def _entries(self) -> Mapping[str, int]:
        return {name: index for index, name in self.exports.items()}

    @cached_property
    def _callbacks(self) -> Mapping[str, int]:
        prefix = "proxy_on_"
        return {
            _plain(name.removeprefix(prefix)): index
            for name, index in self._entries.items()
            if name.startswith(prefix)
        }

    @cached_property
    def _by_type(self) -> Mapping[int, Sequence[int]]:
        callers: dict[int, list[int]] = {}
        for own, calls in enumerate(self.calls):
            for one in calls.types:
                callers.setdefault(one, []).append(own + self.imported)
        return callers

    @cached_property
    def _has_rust_sdk(self) -> bool:
        """Whether the exported callbacks are proxy-wasm's: their names do not say."""
        return any(RUST_SDK in raw for raw in self.symbols.values())

    def _callers_of_type(self, function: int) -> Sequence[int]:
        own = function - self.imported
        if own < 0 or function not in self._in_table:
            return ()
        return self._by_type.get(self.info.functions[own], ())


def read_program(
    data: bytes | mmap.mmap, info: ModuleInfo, *, lines: Lines | None = None
) -> Program:
    """Read the functions of a module and what they call.

    Args:
        data: the module.
        info: what it is made of.
        lines: of its twin; the module's own when absent, if it has any.

    Raises:
        Unreadable: `malformed-module`: its code or its tables are none.
    """
    slots: dict[int, int] = {}
    for segment in read_elements(data, info):
        if segment.active and segment.constants:
            first = _constant(segment.constants[0])
            slots.update(enumerate(segment.functions, first))
    own = Lines(data, info)
    return Program(
        data=data,
        info=info,
        symbols=read_names(data, info),
        bodies=read_bodies(data, info),
        calls=read_calls(data, info),
        slots=slots,
        lines=lines or (own if own.present else None),
    )


def _constant(expression: bytes) -> int:
    """Return the number of a constant expression, which is an offset in a table."""
    value = 0
    for byte in reversed(expression[1:]):
        value = value << 7 | byte & 0x7F
    return value


def _plain(words: str) -> str:
    """Return what `on_http_request_headers` and `OnHttpRequestHeaders` have in common with the ABI.

    SDKs say `http_request_headers` where the ABI says `request_headers`.
    """
    plain = words.replace("_", "").lower()
    return plain.removeprefix("http") if not plain.startswith("httpcall") else plain


def _go_steps(frames: Sequence[tuple[str, str]], alone: Step) -> Iterator[Step]:
    for position, (name, place) in enumerate(frames):
        yield Step(
            function=name if position else alone.function,
            package=go_package_of(name) if position else alone.package,
            place=place,
            link=Link.INLINED if position else Link.CALL,
            version=version_of_path(place),
        )


def _go_block(data: bytes | mmap.mmap, start: int, call: int) -> int:
    """Return the number of the place that a call goes on at, less one, which is the call's own.

    Go stores the PC to return to before a call: `i64.const PC; i64.store 3 0; i32.const 0; call`.
    """
    before = data.rfind(b"\x42", max(start, call - 16), call - 4)
    if before < 0:
        return 0
    value = shift = 0
    for byte in data[before + 1 : call]:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    return max((value & 0xFFFF) - 1, 0)


def _unsigned(value: int, *, width: int = 1) -> bytes:
    """Return a number as LEB128 of at least so many bytes."""
    number = bytearray()
    while value >= 0x80 or len(number) < width - 1:
        number.append(value & 0x7F | 0x80)
        value >>= 7
    number.append(value)
    return bytes(number)
