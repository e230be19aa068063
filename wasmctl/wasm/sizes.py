"""What takes how much room in a module: sections, and packages that the code is of. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from wasmctl.wasm.info import ModuleInfo
    from wasmctl.wasm.program import Program

__all__ = ["Share", "size_packages", "size_sections"]

# What stands for functions whose package nothing tells.
_UNKNOWN: Final = "(unknown)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """One part of a module, and its bytes in the file."""

    name: str
    size: int


def size_sections(info: ModuleInfo) -> tuple[Share, ...]:
    """Return what each section takes with its frame, those of one name together; largest first."""
    return _largest((section.name or _UNKNOWN, section.size) for section in info.sections)


def size_packages(program: Program) -> tuple[Share, ...]:
    """Return what the code of each crate or Go package takes, largest first.

    Code that the compiler puts into a function of another package counts with that function.
    """
    return _largest(
        (program.package(program.imported + own) or _UNKNOWN, end - start)
        for own, (start, end) in enumerate(program.bodies)
    )


def _largest(parts: Iterable[tuple[str, int]]) -> tuple[Share, ...]:
    sizes: Counter[str] = Counter()
    for name, size in parts:
        sizes[name] += size
    return tuple(Share(name=name, size=size) for name, size in sizes.most_common())
