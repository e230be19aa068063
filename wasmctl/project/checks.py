"""Whether a value is of the kind that a setting takes, and what is said where it is not.

The kinds are those that project/settings.py declares. The schema, which pydantic derives from the
same declarations, says the same; pydantic itself would take a tenth of a second to say it.
"""

from __future__ import annotations

import math
import types
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal, Union, get_args, get_origin

__all__ = ["Complaint", "complain"]

_WORDS: Final[Mapping[object, str]] = {str: "text", int: "a whole number"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """What is wrong with a value.

    Args:
        inside: where within the value: keys of tables, indices of lists.
        wanted: what it must be: `text`, `a list`.
        value: what it is instead.
    """

    inside: tuple[str | int, ...]
    wanted: str
    value: object

    @property
    def place(self) -> str:
        """The same for people: empty, `[1]`, `.key`."""
        return "".join(f".{key}" if isinstance(key, str) else f"[{key}]" for key in self.inside)

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of `inside` as far as the first list."""
        first = next((i for i, key in enumerate(self.inside) if isinstance(key, int)), None)
        return tuple(str(key) for key in self.inside[:first])

    @property
    def hint(self) -> str | None:
        """What to do where that is plain from what was written."""
        plain = isinstance(self.value, (int, float)) and not isinstance(self.value, bool)
        if self.wanted == "text" and plain:
            return f'put it in quotes: `"{self.value}"`'
        if self.wanted == "a list" and isinstance(self.value, str):
            return f'make it a list: `["{self.value}"]`'
        if self.wanted == "a whole number" and isinstance(self.value, str):
            return f"leave out the quotes: `{self.value}`" if self.value.isdecimal() else None
        return None


def complain(value: object, kind: object) -> Complaint | None:
    """Return what is wrong with a value of TOML for a setting of `kind`, None where it fits."""
    origin, options = get_origin(kind), get_args(kind)
    if origin in {Union, types.UnionType}:
        return _of_several(value, [option for option in options if option is not types.NoneType])
    if origin is Literal:
        listed = [f"`{option}`" for option in options]
        wanted = f"one of {', '.join(listed[:-1])} or {listed[-1]}"
        return None if isinstance(value, str) and value in options else _complaint(wanted, value)
    if origin is tuple:
        return _of_list(value, options[0])
    if origin is dict:
        return _of_table(value, options[1])
    if kind is object:
        return _of_json(value)
    fits = isinstance(value, str) if kind is str else type(value) is int
    return None if fits else _complaint(_WORDS[kind], value)


def _complaint(wanted: str, value: object) -> Complaint:
    return Complaint(inside=(), wanted=wanted, value=value)


def _within(key: str | int, found: Complaint) -> Complaint:
    return replace(found, inside=(key, *found.inside))


def _of_several(value: object, kinds: list[object]) -> Complaint | None:
    complaints = [complain(value, kind) for kind in kinds]
    wrong = [complaint for complaint in complaints if complaint is not None]
    if len(wrong) < len(complaints):
        return None
    # One that looked inside knows more than one that did not get so far.
    inside = next((complaint for complaint in wrong if complaint.inside), None)
    return inside or _complaint(" or ".join(complaint.wanted for complaint in wrong), value)


def _of_list(value: object, kind: object) -> Complaint | None:
    if not isinstance(value, list | tuple):
        return _complaint("a list", value)
    for index, item in enumerate(value):
        if found := complain(item, kind):
            return _within(index, found)
    return None


def _of_table(value: object, kind: object) -> Complaint | None:
    if not isinstance(value, dict):
        return _complaint("a table", value)
    for key, item in value.items():
        if found := complain(item, kind):
            return _within(str(key), found)
    return None


def _of_json(value: object) -> Complaint | None:
    if isinstance(value, dict):
        return _of_table(value, object)
    if isinstance(value, list):
        return _of_list(value, object)
    if isinstance(value, float) and not math.isfinite(value):
        return _complaint("a number that JSON knows", value)
    if isinstance(value, str | bool | int | float):
        return None
    return _complaint("text, since JSON has no dates", value)
