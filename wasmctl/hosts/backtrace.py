"""A trap's backtrace, with what the module itself knows of the functions in it. Pure.

V8 gives each frame's offset in the module's file, and the function's name where the module has a
`name` section (proxy-wasm-cpp-host, src/v8/v8.cc, getFailMessage; the offset was measured in Envoy
1.36 and 1.40). It gives 10 frames in older releases, 20 in newer ones.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from wasmctl.hosts.traps import Trap, own_frame
from wasmctl.wasm.demangle import demangle

if TYPE_CHECKING:
    from wasmctl.results import JSONValue

__all__ = ["Backtrace", "Frame", "Functions", "restore"]

_NAMELESS: Final = re.compile(r"unknown\(function index:(?P<index>\d+)\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A function that was being run.

    Args:
        function: its name, demangled; empty where nobody knows it.
        address: the offset in the module's file.
        own: whether it is the innermost of the author's.
        package: the crate or package that it is of; empty where that is not known.
        place: file and line; empty where they are not known.
    """

    function: str
    address: int
    own: bool = False
    package: str = ""
    place: str = ""

    def data(self) -> dict[str, JSONValue]:
        """Return it as the envelope tells it."""
        return {
            "function": self.function,
            "address": self.address,
            "own": self.own,
            "package": self.package,
            "place": self.place,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Backtrace:
    """The functions that were being run, the innermost first.

    Args:
        frames: they.
        matches: whether the module that was asked is the one that trapped; None where none was, or
            where that cannot be told.
        note: what is to be said of the module.
    """

    frames: tuple[Frame, ...] = ()
    matches: bool | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Functions:
    """What a module knows of its functions.

    Args:
        module: what it is called.
        bodies: where the body of each function of its own begins and ends in the file.
        imported: how many functions it imports: indices count them first.
        names: raw names by index.
        exports: names of exported functions, by index.
        package_of: says which crate or package a function of such a raw name is of.
        place_of: says which file and line an offset in the file is of.
    """

    module: str
    bodies: Sequence[tuple[int, int]]
    imported: int
    names: Mapping[int, str]
    exports: Mapping[int, str] = field(default_factory=dict)
    package_of: Callable[[str], str] | None = None
    place_of: Callable[[int], str] | None = None

    def at(self, address: int) -> int | None:
        """Return the index of the function whose body holds an offset; None: there is none."""
        number = bisect_right(self.bodies, (address, 1 << 62)) - 1
        if number < 0 or not self.bodies[number][0] <= address < self.bodies[number][1]:
            return None
        return self.imported + number


def restore(trap: Trap, functions: Functions | None = None) -> Backtrace:
    """Return a trap's backtrace, with what a module knows of it where it is the one that trapped.

    Args:
        trap: as read from the log.
        functions: of the module; None where there is none to ask.
    """
    if functions is None or not trap.frames:
        return Backtrace(frames=_frames(trap, trap.frames), note=_without_names(trap, functions))
    found = [functions.at(address) for address in trap.addresses]
    strange = next(
        (
            (address, said)
            for address, said, index in zip(trap.addresses, trap.frames, found, strict=True)
            if not _agrees(said, index, functions)
        ),
        None,
    )
    if strange is not None:
        return Backtrace(
            frames=_frames(trap, trap.frames),
            matches=False,
            note=f"`{functions.module}` is not the module that trapped:"
            f" {_difference(*strange, functions)}; give the one that was deployed",
        )
    names = [_name(said, index, functions) for said, index in zip(trap.frames, found, strict=True)]
    told = [name for said, name in zip(trap.frames, names, strict=True) if said == name]
    packages = [_package(index, functions) for index in found]
    places = [
        functions.place_of(address) if functions.place_of is not None else ""
        for address in trap.addresses
    ]
    return Backtrace(
        frames=_frames(trap, names, packages, places),
        matches=True if told else None,
        note="" if told else f"the names are those of `{functions.module}`, if it is the one",
    )


def _frames(
    trap: Trap, names: Sequence[str], packages: Sequence[str] = (), places: Sequence[str] = ()
) -> tuple[Frame, ...]:
    own = own_frame(names)
    return tuple(
        Frame(
            function=name,
            address=trap.addresses[index],
            own=index == own,
            package=packages[index] if packages else "",
            place=(places[index] if places else "") or (trap.place if index == own else ""),
        )
        for index, name in enumerate(names)
    )


def _agrees(said: str, index: int | None, functions: Functions) -> bool:
    if index is None:
        return False
    if nameless := _NAMELESS.fullmatch(said):
        return int(nameless["index"]) == index
    known = [functions.names.get(index), functions.exports.get(index)]
    return not any(known) or any(name and _same(name, said) for name in known)


def _same(raw: str, said: str) -> bool:
    return said in {raw, demangle(raw)}


def _name(said: str, index: int | None, functions: Functions) -> str:
    if not _NAMELESS.fullmatch(said) or index is None:
        return said
    raw = functions.names.get(index) or functions.exports.get(index)
    return demangle(raw) if raw else f"function {index}"


def _package(index: int | None, functions: Functions) -> str:
    raw = "" if index is None else functions.names.get(index, "")
    return functions.package_of(raw) if raw and functions.package_of is not None else ""


def _difference(address: int, said: str, functions: Functions) -> str:
    index = functions.at(address)
    if index is None:
        return f"it has no function at {address:#x}, where the log has `{said}`"
    raw = functions.names.get(index) or functions.exports.get(index) or ""
    has = f"`{demangle(raw)}`" if raw else f"function {index}"
    return f"at {address:#x} it has {has}, the log `{said}`"


def _without_names(trap: Trap, functions: Functions | None) -> str:
    if trap.frames or functions is None:
        return ""
    return "the log has no backtrace: the module that trapped has no names of functions"
