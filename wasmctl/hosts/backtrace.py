"""A trap's backtrace, with what the module that trapped knows of the functions in it. Pure.

V8 tells each frame's offset in the module's file, and the function's name where the module has a
`name` section (proxy-wasm-cpp-host, src/v8/v8.cc, getFailMessage; that it is the file's was
measured in Envoy 1.36 and 1.40). Of frames it tells 10 in older releases, 20 in newer ones.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from wasmctl.hosts.traps import Trap, own_frame
from wasmctl.wasm.chain import Link, Step
from wasmctl.wasm.demangle import demangle

if TYPE_CHECKING:
    from wasmctl.results import JSONValue
    from wasmctl.wasm.program import Program

__all__ = ["Backtrace", "Frame", "backtrace_of", "restore"]

# What a host writes of a function without a name.
_NAMELESS: Final = re.compile(r"unknown\(function index:(?P<index>\d+)\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A function that was being run.

    Args:
        function: its name, demangled.
        address: the offset in the module's file.
        own: whether it is the innermost of the author's.
        package: the crate or package that it is of; empty where that is not known.
        place: file and line; empty where they are not known.
        inlined: whether the compiler put it into the next one.
    """

    function: str
    address: int
    own: bool = False
    package: str = ""
    place: str = ""
    inlined: bool = False

    def data(self) -> dict[str, JSONValue]:
        """Return it as the envelope tells it."""
        return {
            "function": self.function,
            "address": self.address,
            "own": self.own,
            "package": self.package,
            "place": self.place,
            "inlined": self.inlined,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Backtrace:
    """The functions that were being run, the innermost first.

    Args:
        frames: they.
        matches: whether the module that was asked is the one that trapped; None where none was, or
            where that cannot be told.
        note: what is to be said of the module; empty where nothing is.
    """

    frames: tuple[Frame, ...] = ()
    matches: bool | None = None
    note: str = ""


def backtrace_of(trap: Trap) -> Backtrace:
    """Return a trap's backtrace as the log has it."""
    own = own_frame(trap.frames)
    return Backtrace(
        frames=tuple(
            Frame(
                function=name,
                address=address,
                own=index == own,
                place=trap.place if index == own else "",
            )
            for index, (name, address) in enumerate(zip(trap.frames, trap.addresses, strict=True))
        )
    )


def restore(trap: Trap, program: Program, module: str) -> Backtrace:
    """Return a trap's backtrace with names, packages and places out of a module.

    Where the module is not the one that trapped, as the log has it.

    Args:
        trap: as it was read from the log.
        program: the module's functions.
        module: what the module is called.
    """
    if not trap.frames:
        note = "the log has no backtrace: the module that trapped has no names of functions"
        return Backtrace(note=note)
    where = [(address, program.function_at(address)) for address in trap.addresses]
    agreed = [
        _agrees(said, index, program) for said, (_, index) in zip(trap.frames, where, strict=True)
    ]
    if False in agreed:
        strange = agreed.index(False)
        said, (address, index) = trap.frames[strange], where[strange]
        return Backtrace(
            frames=backtrace_of(trap).frames,
            matches=False,
            note=f"`{module}` is not the module that trapped: at {address:#x} it has"
            f" {_told(index, program)}, the log has `{said}`; `--module` takes the deployed one",
        )
    matches = True if True in agreed else None
    note = "" if matches else f"the names are `{module}`'s; whether it is the one is not known"
    return Backtrace(frames=_frames(trap, where, program), matches=matches, note=note)


def _frames(
    trap: Trap, where: Sequence[tuple[int, int | None]], program: Program
) -> tuple[Frame, ...]:
    steps = [
        (address, step)
        for said, (address, index) in zip(trap.frames, where, strict=True)
        if index is not None
        for step in _steps(program, index, address, said)
    ]
    own = own_frame([step.function for _, step in steps])
    return tuple(
        Frame(
            function=step.function,
            address=address,
            own=position == own,
            package=step.package,
            place=step.place or (trap.place if position == own else ""),
            inlined=step.link is Link.INLINED,
        )
        for position, (address, step) in enumerate(steps)
    )


def _steps(program: Program, index: int, address: int, said: str) -> Sequence[Step]:
    """Return the functions at an address, the innermost first."""
    outermost, *inlined = program.frames_at(address)
    if index not in program.symbols:
        known = program.exports.get(index) or _NAMELESS.sub("", said) or outermost.function
        outermost = replace(outermost, function=known)
    return [*inlined[::-1], outermost]


def _agrees(said: str, index: int | None, program: Program) -> bool | None:
    """Return whether log and module say the same; None where the module says nothing."""
    if index is None:
        return False
    if nameless := _NAMELESS.fullmatch(said):
        return None if int(nameless["index"]) == index else False
    known = [name for name in (program.symbols.get(index), program.exports.get(index)) if name]
    return any(said in {name, demangle(name)} for name in known) if known else None


def _told(index: int | None, program: Program) -> str:
    if index is None:
        return "no function"
    return f"`{program.exports.get(index, '') or program.name(index)}`"
