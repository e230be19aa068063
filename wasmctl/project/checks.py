"""Whether a value is of the kind that a setting takes, and what is said where it is not.

The kinds are those that project/settings.py declares. The schema, which pydantic derives from the
same declarations, says the same; pydantic itself would take a tenth of a second to say it.
"""

from __future__ import annotations

import datetime as dt
import difflib
import math
import types
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Final, Literal, Union, get_args, get_origin

from wasmctl.project.rules import Rule

__all__ = ["Complaint", "complain"]

_WORDS: Final[Mapping[object, str]] = {
    str: "text",
    int: "a whole number",
    bool: "`true` or `false`",
}
# What people call the toolchains.
_MEANT: Final[Mapping[str, str]] = {"rust": "cargo", "rustc": "cargo", "golang": "go"}
_HINT: Final = "`wasmctl config schema` says what each setting takes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """What is wrong with a value.

    Args:
        inside: where within the value: keys of tables, indices of lists.
        wanted: what it must be: `text`, `a list`.
        value: what it is instead.
        remedy: what to do, where the rule that is broken says so.
    """

    inside: tuple[str | int, ...]
    wanted: str
    value: object
    remedy: str | None = None

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
    def hint(self) -> str:
        """What to do, as plainly as what was written allows."""
        value = self.value
        if self.remedy is not None:
            return self.remedy
        if self.wanted.startswith("text"):
            return _quoted(value) or _HINT
        if self.wanted == "a list" and isinstance(value, str):
            return f'make it a list: `["{value}"]`'
        if self.wanted == "a whole number" and isinstance(value, str) and value.isdecimal():
            return f"leave out the quotes: `{value}`"
        if self.wanted == "a whole number" and isinstance(value, float) and value.is_integer():
            return f"leave out the fraction: `{value:.0f}`"
        return _HINT


def _quoted(value: object) -> str | None:
    match value:
        case bool():
            text = str(value).lower()
        case dt.date() | dt.time():
            text = value.isoformat()
        case int() | float():
            text = str(value)
        case _:
            return None
    return f'put it in quotes: `"{text}"`'


def complain(value: object, kind: object) -> Complaint | None:
    """Return what is wrong with a value of TOML for a setting of `kind`, None where it fits."""
    origin, options = get_origin(kind), get_args(kind)
    if origin in {Union, types.UnionType}:
        return _of_several(value, [option for option in options if option is not types.NoneType])
    if origin is Annotated:
        return complain(value, options[0]) or _of_rule(value, options[1])
    if origin is Literal:
        return _of_choice(value, options)
    if origin is tuple:
        return _of_list(value, options[0])
    if origin is dict:
        return _of_table(value, *options)
    if kind is object:
        return _of_json(value)
    fits = isinstance(value, str) if kind is str else type(value) is kind
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
    if inside is None and len(wrong) > 1:
        return _complaint(" or ".join(complaint.wanted for complaint in wrong), value)
    return inside or wrong[0]


def _of_list(value: object, kind: object) -> Complaint | None:
    if not isinstance(value, list | tuple):
        return _complaint("a list", value)
    for index, item in enumerate(value):
        if found := complain(item, kind):
            return _within(index, found)
    return None


def _of_rule(value: object, rule: Rule) -> Complaint | None:
    if not isinstance(value, str | int) or rule.allows(value):
        return None
    return replace(_complaint(rule.wanted, value), remedy=rule.hint)


def _of_choice(value: object, options: tuple[str, ...]) -> Complaint | None:
    if isinstance(value, str) and value in options:
        return None
    listed = [f"`{option}`" for option in options]
    found = _complaint(f"one of {', '.join(listed[:-1])} or {listed[-1]}", value)
    words = {option.lower(): option for option in options}
    close = difflib.get_close_matches(str(value).lower(), [*words, *_MEANT], n=1)
    meant = _MEANT.get(close[0], words.get(close[0])) if close else None
    return replace(found, remedy=f"did you mean `{meant}`?") if meant in options else found


def _of_table(value: object, names: object, kind: object) -> Complaint | None:
    if not isinstance(value, dict):
        return _complaint("a table", value)
    for key, item in value.items():
        if found := complain(key, names) or complain(item, kind):
            return _within(str(key), found)
    return None


def _of_json(value: object) -> Complaint | None:
    if isinstance(value, dict):
        return _of_table(value, str, object)
    if isinstance(value, list):
        return _of_list(value, object)
    if isinstance(value, float) and not math.isfinite(value):
        return _complaint("a number that JSON knows", value)
    if isinstance(value, str | bool | int | float):
        return None
    return _complaint("text, since JSON has no dates", value)
