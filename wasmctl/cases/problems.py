"""What is wrong in a case file, and where; all of it is told at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from wasmctl.errors import UsageError

__all__ = ["Place", "Problem", "ProblemsError", "suggestion"]

# How many problems one error tells.
_MOST: Final = 20


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands in a file; both count from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that has to be mended.

    Args:
        place: where.
        message: what is wrong; no full stop.
        hint: what to write instead.
    """

    place: Place
    message: str
    hint: str


class ProblemsError(Exception):
    """What was read is wrong in at least one place."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(problems[0].message)
        self.problems = tuple(problems)

    @classmethod
    def one(cls, place: Place, message: str, hint: str) -> ProblemsError:
        """Return the error of a single problem."""
        return cls((Problem(place, message, hint),))

    def told(self, path: str) -> UsageError:
        """Return the error for users; `path` is how it calls the file."""
        ordered = sorted(self.problems, key=lambda item: (item.place.line, item.place.column))
        lines = [
            f"{path}:{item.place.line}:{item.place.column}: {item.message}" for item in ordered
        ]
        if len(ordered) == 1:
            return UsageError("bad-case-file", lines[0], hint=ordered[0].hint)
        told = [
            f"{line}\n  {item.hint}"
            for line, item in zip(lines[:_MOST], ordered[:_MOST], strict=True)
        ]
        if more := len(ordered) - len(told):
            told.append(f"… and {more} more")
        hint = f"mend these {len(ordered)} places of `{path}`"
        return UsageError("bad-case-file", "\n".join(told), hint=hint)


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return `did you mean …? `, or nothing where no known word is near."""
    from difflib import get_close_matches

    near = get_close_matches(word.lower(), [*known], n=1, cutoff=0.6)
    return f"did you mean `{near[0]}`? " if near else ""
