"""What leads to each function of a module: calls, pointers, and what languages do unseen. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Final

from wasmctl.wasm.chain import Link
from wasmctl.wasm.packages import is_glue, is_plumbing
from wasmctl.wasm.pointers import read_go_pointers, read_rust_pointers
from wasmctl.wasm.program import Program

__all__ = ["Graph"]

# Of Go's names: what runs because a package is there, and the methods that others see.
_GO_INIT: Final = re.compile(r"\.(?:init(?:\.\d+)?(?:\.func\d+)*|map\.init\.\d+|glob\.\.func\d+)\Z")
_GO_METHOD: Final = re.compile(r"\.(?:\(\*\w+(?:\[.*\])?\)|\w+)\.[A-Z]\w*\Z")
# Of a function that calls these, Go's linker does not know which methods it will find: it keeps all
# that are exported (cmd/link/internal/ld/deadcode.go, ReflectMethod).
_LOOK_FOR_METHODS: Final = frozenset(
    ("reflect.Value.MethodByName", "reflect.Value.Method", "reflect.(*rtype).MethodByName")
)
_CALLBACK: Final = re.compile(r"(?:^|[.:])[oO]n_?(?P<words>\w+?)(?:\$invoke)?\Z")
_PREFIX: Final = "proxy_on_"
# All that joins Rust to JavaScript counts as one package.
_GLUE: Final = "glue"
_GLUE_MODULE: Final = "__wbindgen"


class Graph:
    """The calls of one module, seen from what is called."""

    def __init__(self, program: Program) -> None:
        self.program = program

    @cached_property
    def entries(self) -> frozenset[int]:
        """The exported functions that a host calls; those for wasm-bindgen's own tool are none."""
        return frozenset(
            function
            for function in self.program.exports
            if not is_glue(self.program.package(function))
        )

    def before(self, function: int) -> Iterator[tuple[int, Link]]:
        """Yield what leads to a function, and how."""
        for caller in self._callers.get(function, ()):
            yield caller, Link.CALL
        for holder in self._holders.get(function, ()):
            yield holder, Link.POINTER
        if (callback := self._callback_of(function)) is not None:
            yield callback, Link.DISPATCH
        if self.program.go_table is not None:
            yield from self._before_in_go(function)
            return
        for caller in self._callers_of_type(function):
            yield caller, Link.INDIRECT
        if is_glue(self.program.package(function)) and function not in self._callers:
            for user in self._users.get(_GLUE, ()):
                yield user, Link.IMPORTED

    def _before_in_go(self, function: int) -> Iterator[tuple[int, Link]]:
        name, package = self.program.name(function), self.program.package(function)
        if _GO_INIT.search(name):
            if not is_plumbing(package) and "_initialize" in self._entries:
                yield self._entries["_initialize"], Link.DISPATCH
        elif function in self._callers or function in self._holders:
            return
        elif self._looking_for_methods and _GO_METHOD.search(name):
            for looking in self._looking_for_methods:
                yield looking, Link.REFLECTION
            return
        for user in self._users.get(package, ()):
            yield user, Link.IMPORTED

    def _callback_of(self, function: int) -> int | None:
        """Return the exported callback that an SDK calls this method for, told by its name."""
        if function not in self._in_table:
            return None
        found = _CALLBACK.search(self.program.name(function))
        if found is None or is_plumbing(self.program.package(function)):
            return None
        return self._callbacks.get(_plain(found["words"]))

    def _callers_of_type(self, function: int) -> Sequence[int]:
        """Return the functions that call something of this one's type through the table."""
        own = function - self.program.imported
        if own < 0 or function not in self._in_table:
            return ()
        return self._callers_by_type.get(self.program.info.functions[own], ())

    @cached_property
    def _callers(self) -> Mapping[int, Sequence[int]]:
        callers: dict[int, list[int]] = {}
        for caller, calls in enumerate(self.program.calls, self.program.imported):
            for function in calls.functions:
                callers.setdefault(function, []).append(caller)
        return callers

    @cached_property
    def _callers_by_type(self) -> Mapping[int, Sequence[int]]:
        callers: dict[int, list[int]] = {}
        for caller, calls in enumerate(self.program.calls, self.program.imported):
            for one in calls.types:
                callers.setdefault(one, []).append(caller)
        return callers

    @cached_property
    def _holders(self) -> Mapping[int, Sequence[int]]:
        """Function → those that hold its address."""
        program = self.program
        read = read_rust_pointers if program.go_table is None else read_go_pointers
        holders: dict[int, list[int]] = {}
        for own, held in read(program.data, program.bodies, program.memory, program.slots).items():
            # Go's functions store their own addresses before they call: it is where they return to.
            for function in held - {own + program.imported}:
                holders.setdefault(function, []).append(own + program.imported)
        return holders

    @cached_property
    def _looking_for_methods(self) -> Sequence[int]:
        """The functions that have reflection look for methods."""
        return [
            caller
            for function, callers in self._callers.items()
            if self.program.name(function) in _LOOK_FOR_METHODS
            for caller in callers
            if self.program.package(caller) != "reflect"
        ]

    @cached_property
    def _users(self) -> Mapping[str, Sequence[int]]:
        """Package → the functions of others that call one of it."""
        users: dict[str, set[int]] = {_GLUE: set(self._declaring)}
        for function, callers in self._callers.items():
            package = self._group(function)
            for caller in callers:
                if self._group(caller) != package:
                    users.setdefault(package, set()).add(caller)
        return {package: sorted(found) for package, found in users.items()}

    @cached_property
    def _declaring(self) -> Sequence[int]:
        """The functions of JavaScript that crates declare themselves, beside those of the glue."""
        return [
            function
            for function, one in enumerate(self.program.info.imported_functions)
            if one.module.startswith(_GLUE_MODULE)
            and not _is_unknown_or_plumbing(self.program.package(function))
        ]

    def _group(self, function: int) -> str:
        package = self.program.package(function)
        return _GLUE if is_glue(package) else package

    @cached_property
    def _in_table(self) -> frozenset[int]:
        return frozenset(self.program.slots.values())

    @cached_property
    def _entries(self) -> Mapping[str, int]:
        return {name: index for index, name in self.program.exports.items()}

    @cached_property
    def _callbacks(self) -> Mapping[str, int]:
        return {
            _plain(name.removeprefix(_PREFIX)): index
            for name, index in self._entries.items()
            if name.startswith(_PREFIX)
        }


def _is_unknown_or_plumbing(package: str) -> bool:
    return not package or is_plumbing(package)


def _plain(words: str) -> str:
    """Return what `on_http_request_headers` and `OnHttpRequestHeaders` have in common with the ABI.

    SDKs say `http_request_headers` where the ABI says `request_headers`.
    """
    plain = words.replace("_", "").lower()
    return plain if plain.startswith("httpcall") else plain.removeprefix("http")
