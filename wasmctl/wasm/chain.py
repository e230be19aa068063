"""The way from what a host calls to what a module takes from it: values, and how it is shortened.

Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

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

    Of each package's stretch the first function stays; the last, too, of one that is no plumbing.
    """
    kept = []
    for position, step in enumerate(chain):
        before = chain[position - 1].package if position else None
        behind = chain[position + 1].package if position + 1 < len(chain) else None
        enters = step.package != before
        leaves = step.package != behind and not is_plumbing(step.package)
        if position in {0, len(chain) - 1} or enters or leaves:
            kept.append(step)
    return tuple(kept)
