"""The way from what a host calls to what a module takes from it: values, and how it is shortened.

Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from wasmctl.wasm.packages import is_plumbing

__all__ = ["Link", "Step", "shorten"]


class Link(StrEnum):
    """How a function on the way is reached from the one before it, the surest first."""

    CALL = "call"
    POINTER = "pointer"
    """The one before has its address: in a table of methods, or as a value."""
    INLINED = "inlined"
    """The one before calls it, and the compiler put it there."""
    DISPATCH = "dispatch"
    """The SDK calls it for the callback of that name."""
    INDIRECT = "indirect"
    """The one before calls something of its type through the table: it may be this."""
    IMPORTED = "imported"
    """The one before uses its package: with that come the package's init and what it holds."""
    REFLECTION = "reflection"
    """The one before looks for methods by their names: so the linker keeps those of every type."""


# What is no call of a function by one that knows it.
_LEAPS: Final = frozenset((Link.INDIRECT, Link.IMPORTED, Link.REFLECTION))


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One function on the way from what a proxy calls to what the module takes from it.

    Args:
        function: its name, demangled; of one without a name, its index.
        package: the crate or Go package that it is of; empty where that is not known.
        place: file and line where it calls the next one, as far as that is known.
        link: how it is reached from the step before.
        version: of the package, where the place tells it.
    """

    function: str
    package: str = ""
    place: str = ""
    link: Link = Link.CALL
    version: str = ""


def shorten(chain: Sequence[Step]) -> tuple[Step, ...]:
    """Leave of a chain where it begins and ends, and where one package hands over to another.

    Plumbing counts as one package: of a stretch of it the first function stays, for it is what was
    asked for. Of any other package the last stays, too, and all that is between no calls.
    """
    plumbing = [not step.package or is_plumbing(step.package) for step in chain]
    last = len(chain) - 1
    kept = []
    for at, step in enumerate(chain):
        alike = [
            0 <= other <= last
            and ((plumbing[at] and plumbing[other]) or step.package == chain[other].package)
            for other in (at - 1, at + 1)
        ]
        leaps = any(chain[one].link in _LEAPS for one in (at, at + 1) if one <= last)
        if at in {0, last} or not alike[0] or (not alike[1] and not plumbing[at]) or leaps:
            kept.append(step)
    return tuple(kept)
