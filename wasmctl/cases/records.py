"""Tables with known keys: a key is declared once, with its shape and what editors say of it.

A key is also the handle by which its value is taken from what was read, so that types are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar, cast

from wasmctl.cases.grammar import Definitions, Form, Schema, define, unexpected
from wasmctl.cases.problems import Place, Problem, ProblemsError, suggestion
from wasmctl.cases.yaml import Node, Scalar, Table

__all__ = ["Apart", "Fields", "Key", "OneKey", "Record", "Variants"]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
U = TypeVar("U")


@dataclass(slots=True, eq=False, repr=False)
class Key(Generic[T_co]):
    """A key of a table.

    Args:
        text: what it is for: one sentence, which editors show.
    """

    name: str
    form: Form[T_co]
    text: str
    required: bool = False

    def schema(self, definitions: Definitions) -> Schema:
        """Return the schema of its value, with the text."""
        return {**self.form.schema(definitions), "description": self.text}


@dataclass(slots=True, eq=False, repr=False)
class Apart:
    """A key that cannot stand beside others; `why` goes on after `… cannot stand together: `."""

    key: Key[object]
    others: tuple[Key[object], ...]
    why: str


class Fields:
    """What was read of a table: values by their keys."""

    def __init__(
        self, place: Place, values: Mapping[str, object], places: Mapping[str, Place]
    ) -> None:
        self.place = place
        self._values = values
        self._places = places

    def get(self, key: Key[T], default: U) -> T | U:
        """Return a key's value, or `default` where the file does not have the key."""
        if key.name not in self._values:
            return default
        return cast("T", self._values[key.name])

    def one(self, key: Key[T]) -> T:
        """Return a required key's value."""
        return cast("T", self._values[key.name])

    def __contains__(self, key: Key[T]) -> bool:
        return key.name in self._values

    def place_of(self, key: Key[object]) -> Place:
        """Return where a key stands, or the table where it does not have it."""
        return self._places.get(key.name, self.place)

    def wrong(self, key: Key[T], message: str, hint: str) -> ProblemsError:
        """Return the error of a key whose value cannot be, where it stands."""
        return ProblemsError.one(self.place_of(key), message, hint)


@dataclass(slots=True, eq=False, repr=False)
class Record(Generic[T_co]):
    """A table with known keys.

    Args:
        name: its name in the schema, and unless `called` says otherwise, in errors.
        make: makes the value; may raise `ProblemsError` for what cannot be.
        least: how many of the keys have to be there.
        called: how errors call it.
    """

    name: str
    make: Callable[[Fields], T_co]
    keys: tuple[Key[object], ...]
    apart: tuple[Apart, ...] = ()
    least: int = 0
    called: str = ""

    @property
    def expected(self) -> str:
        first = ", ".join(f"`{key.name}`" for key in self.keys[:3])
        return f"a table with {first}{' …' if len(self.keys) > 3 else ''}"

    def read(self, node: Node, folder: Path) -> T_co:
        if not isinstance(node, Table):
            hint = f"write keys and values, such as `{self.keys[0].name}: …`"
            raise unexpected(node, self.expected, hint)
        known = {key.name: key for key in self.keys}
        problems: list[Problem] = []
        values: dict[str, object] = {}
        places: dict[str, Place] = {}
        for scalar, value in node.pairs:
            key = known.get(scalar.text)
            if key is None:
                problems.append(_unknown(scalar, self.called or self.name, [*known]))
                continue
            places[key.name] = scalar.place
            try:
                values[key.name] = key.form.read(value, folder)
            except ProblemsError as error:
                problems.extend(error.problems)
        problems.extend(self._missing(node, places))
        problems.extend(self._together(places))
        if problems:
            raise ProblemsError(problems)
        return self.make(Fields(node.place, values, places))

    def _missing(self, node: Table, places: Mapping[str, Place]) -> list[Problem]:
        called = self.called or self.name
        problems = [
            Problem(
                node.place,
                f"{called} without `{key.name}`",
                f"add `{key.name}`, {key.form.expected}",
            )
            for key in self.keys
            if key.required and key.name not in places
        ]
        if len(node.pairs) < self.least:
            hint = f"write at least one of {_names(self.keys)}"
            problems.append(Problem(node.place, f"{called} that says nothing", hint))
        return problems

    def _together(self, places: Mapping[str, Place]) -> list[Problem]:
        return [
            Problem(
                max(places[rule.key.name], places[other.name], key=lambda item: item.line),
                f"`{rule.key.name}` and `{other.name}` cannot stand together: {rule.why}",
                "keep one of the two",
            )
            for rule in self.apart
            for other in rule.others
            if rule.key.name in places and other.name in places
        ]

    def schema(self, definitions: Definitions) -> Schema:
        return define(self.name, definitions, lambda: self._described(definitions))

    def _described(self, definitions: Definitions) -> Schema:
        described: Schema = {
            "type": "object",
            "properties": {key.name: key.schema(definitions) for key in self.keys},
            "additionalProperties": False,
        }
        if required := [key.name for key in self.keys if key.required]:
            described["required"] = required
        if self.least:
            described["minProperties"] = self.least
        if rules := [
            {"not": {"required": [rule.key.name, other.name]}}
            for rule in self.apart
            for other in rule.others
        ]:
            described["allOf"] = rules
        return described


@dataclass(slots=True, eq=False, repr=False)
class OneKey(Generic[T]):
    """A table with exactly one of several keys.

    Args:
        name: how errors call it.
        example: one, for errors.
    """

    name: str
    keys: tuple[Key[T], ...]
    example: str = ""

    @property
    def expected(self) -> str:
        if self.example:
            return f"{self.name} such as `{self.example}`"
        return f"a table with exactly one of {_names(self.keys)}"

    def read(self, node: Node, folder: Path) -> T:
        if not isinstance(node, Table):
            raise unexpected(node, self.expected)
        known = {key.name: key for key in self.keys}
        if problems := [
            _unknown(scalar, self.name, [*known])
            for scalar, _ in node.pairs
            if scalar.text not in known
        ]:
            raise ProblemsError(problems)
        if len(node.pairs) != 1:
            found = " and ".join(f"`{scalar.text}`" for scalar, _ in node.pairs) or "no key"
            message = f"{found} in {self.name}, which has exactly one key"
            raise ProblemsError.one(node.place, message, f"write one of {_names(self.keys)}")
        scalar, value = node.pairs[0]
        return known[scalar.text].form.read(value, folder)

    def schema(self, definitions: Definitions) -> Schema:
        return {
            "type": "object",
            "properties": {key.name: key.schema(definitions) for key in self.keys},
            "additionalProperties": False,
            "minProperties": 1,
            "maxProperties": 1,
        }


@dataclass(slots=True, eq=False, repr=False)
class Variants(Generic[T]):
    """One of several tables; the first key of each says which one it is."""

    name: str
    records: tuple[Record[T], ...]

    @property
    def expected(self) -> str:
        return f"a table with {_names(tuple(record.keys[0] for record in self.records), ' or ')}"

    def read(self, node: Node, folder: Path) -> T:
        if not isinstance(node, Table):
            raise unexpected(node, self.expected)
        names = {scalar.text for scalar, _ in node.pairs}
        heads = {record.keys[0].name: record for record in self.records}
        found = [head for head in heads if head in names]
        if len(found) == 1:
            return heads[found[0]].read(node, folder)
        if found:
            message = f"{' and '.join(f'`{head}`' for head in found)} in {self.name}"
            hint = f"make {self.name} of each"
            raise ProblemsError.one(node.place, message, hint)
        for scalar, _ in node.pairs:
            if near := suggestion(scalar.text, heads):
                message = f"unknown key `{scalar.text}` in {self.name}"
                raise ProblemsError.one(scalar.place, message, f"{near}write {self.expected}")
        raise ProblemsError.one(node.place, f"not {self.name}", f"write {self.expected}")

    def schema(self, definitions: Definitions) -> Schema:
        return {"anyOf": [record.schema(definitions) for record in self.records]}


def _unknown(scalar: Scalar, name: str, known: list[str]) -> Problem:
    near = suggestion(scalar.text, known)
    allowed = ", ".join(f"`{item}`" for item in known)
    message = f"unknown key `{scalar.text}` in {name}"
    return Problem(scalar.place, message, f"{near}allowed here: {allowed}")


def _names(keys: tuple[Key[T], ...], separator: str = ", ") -> str:
    return separator.join(f"`{key.name}`" for key in keys)
