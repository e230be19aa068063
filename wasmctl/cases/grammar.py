"""The shapes that values of a case file take: each reads a node, and tells its JSON Schema.

Reader and schema come from the same declaration, so that no key is listed twice. Knows nothing of
what a case file says. Reading raises `ProblemsError` with every problem found, not just the first.
Tables with known keys are in `records`.

Shapes are constants that nobody compares: without what frozen values get, they load three times as
fast, and every `test` waits for that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from wasmctl.cases.problems import Place, Problem, ProblemsError
from wasmctl.cases.yaml import Items, Node, Scalar, Table
from wasmctl.results import JSONValue

__all__ = [
    "ByKind",
    "Defined",
    "Definitions",
    "Entries",
    "Form",
    "ListOf",
    "Mapped",
    "Placed",
    "Schema",
    "Text",
    "define",
    "unexpected",
]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
U = TypeVar("U")
Schema = dict[str, JSONValue]
Definitions = dict[str, JSONValue]


class Form(Protocol[T_co]):
    """A shape; `expected` names it in errors, as in `expected …`."""

    @property
    def expected(self) -> str: ...

    def read(self, node: Node, folder: Path) -> T_co:
        """Return the value; files that it names are relative to `folder`.

        Raises:
            ProblemsError: the node has another shape.
        """
        ...

    def schema(self, definitions: Definitions) -> Schema:
        """Return the JSON Schema; shapes with a name put themselves into `definitions`."""
        ...


def _kind_of(node: Node) -> str:
    """Return what a node is, for errors."""
    match node:
        case Items():
            return "a list"
        case Table():
            return "a table"
        case Scalar(text="", plain=True):
            return "nothing"
        case Scalar(text=text):
            return f"`{text}`" if len(text) <= 40 and text.isprintable() else "a text"


def unexpected(node: Node, expected: str, hint: str = "") -> ProblemsError:
    """Return the error of a node of the wrong kind."""
    message = f"{_kind_of(node)} where {expected} is expected"
    return ProblemsError.one(node.place, message, hint or f"write {expected}")


@dataclass(slots=True, eq=False, repr=False)
class Text(Generic[T]):
    """A single text that means something.

    Args:
        expected: what it is, with an example.
        convert: makes the value; raises ValueError with what is wrong, and as a second argument
            what to write instead.
        described: its JSON Schema.
        quoted: whether it may stand in quotes.
    """

    expected: str
    convert: Callable[[str], T]
    described: Schema
    quoted: bool = True

    def read(self, node: Node, folder: Path) -> T:
        del folder
        if not isinstance(node, Scalar):
            raise unexpected(node, self.expected)
        if node.plain and node.text in ("", "~", "null", "Null", "NULL"):
            meant = f"the text `{node.text}`" if node.text else "an empty text"
            hint = f'write {self.expected}; if {meant} is meant, `"{node.text}"`'
            raise ProblemsError.one(node.place, f"no value: {self.expected} is expected", hint)
        if not node.plain and not self.quoted:
            message = f"a text where {self.expected} is expected"
            hint = f"write {self.expected}, without quotes"
            raise ProblemsError.one(node.place, message, hint)
        try:
            return self.convert(node.text)
        except ValueError as error:
            message, *hints = error.args
            hint = hints[0] if hints else f"write {self.expected}"
            raise ProblemsError.one(node.place, message, hint) from None

    def schema(self, definitions: Definitions) -> Schema:
        del definitions
        return dict(self.described)


@dataclass(slots=True, eq=False, repr=False)
class Mapped(Generic[T, U]):
    """A shape whose value is made into another; ValueError as in `Text`."""

    form: Form[T]
    convert: Callable[[T], U]

    @property
    def expected(self) -> str:
        return self.form.expected

    def read(self, node: Node, folder: Path) -> U:
        value = self.form.read(node, folder)
        try:
            return self.convert(value)
        except ValueError as error:
            message, *hints = error.args
            hint = hints[0] if hints else f"write {self.expected}"
            raise ProblemsError.one(node.place, message, hint) from None

    def schema(self, definitions: Definitions) -> Schema:
        return self.form.schema(definitions)


@dataclass(slots=True, eq=False, repr=False)
class Placed(Generic[T, U]):
    """A shape whose value is made into another that knows its line."""

    form: Form[T]
    convert: Callable[[T, int], U]

    @property
    def expected(self) -> str:
        return self.form.expected

    def read(self, node: Node, folder: Path) -> U:
        return self.convert(self.form.read(node, folder), node.place.line)

    def schema(self, definitions: Definitions) -> Schema:
        return self.form.schema(definitions)


@dataclass(slots=True, eq=False, repr=False)
class Defined(Generic[T]):
    """A shape that the schema describes once, under a name, and refers to wherever it is used."""

    name: str
    form: Form[T]

    @property
    def expected(self) -> str:
        return self.form.expected

    def read(self, node: Node, folder: Path) -> T:
        return self.form.read(node, folder)

    def schema(self, definitions: Definitions) -> Schema:
        return define(self.name, definitions, lambda: self.form.schema(definitions))


def define(name: str, definitions: Definitions, describe: Callable[[], Schema]) -> Schema:
    """Return a reference to a definition, which is made the first time."""
    key = name.replace(" ", "-")
    if key not in definitions:
        definitions[key] = None  # holds the place, so that definitions keep a stable order
        definitions[key] = describe()
    return {"$ref": f"#/$defs/{key}"}


@dataclass(slots=True, eq=False, repr=False)
class ListOf(Generic[T]):
    """A list of at least `least` values.

    Args:
        few: what to do about a list that is too short.
    """

    form: Form[T]
    expected: str
    least: int = 1
    few: str = "leave the key out"

    def read(self, node: Node, folder: Path) -> tuple[T, ...]:
        if not isinstance(node, Items):
            hint = f"write {self.expected}: each item begins with `- `, or `[…, …]`"
            raise unexpected(node, self.expected, hint)
        problems: list[Problem] = []
        values: list[T] = []
        for item in node.items:
            try:
                values.append(self.form.read(item, folder))
            except ProblemsError as error:
                problems.extend(error.problems)
        if len(node.items) < self.least:
            items = "no item" if not node.items else "a single item"
            message = f"{items} where at least {self.least} are expected"
            message = message if self.least > 1 else "an empty list"
            problems.append(Problem(node.place, message, self.few))
        if problems:
            raise ProblemsError(problems)
        return tuple(values)

    def schema(self, definitions: Definitions) -> Schema:
        return {
            "type": "array",
            "items": self.form.schema(definitions),
            **({"minItems": self.least} if self.least else {}),
        }


@dataclass(slots=True, eq=False, repr=False)
class Entries(Generic[T, U]):
    """A table whose keys the author chooses.

    Args:
        name: what a key has to be; a quoted key is as good as a plain one.
        form: what stands behind each key.
    """

    name: Text[T]
    form: Form[U]
    expected: str

    def read(self, node: Node, folder: Path) -> tuple[tuple[T, U], ...]:
        if not isinstance(node, Table):
            raise unexpected(node, self.expected)
        problems: list[Problem] = []
        entries: list[tuple[T, U]] = []
        places: dict[T, Place] = {}
        for key, value in node.pairs:
            try:
                name = self.name.read(Scalar(key.place, key.text, plain=False), folder)
                if name in places:
                    message = f"`{key.text}` is in line {places[name].line} already"
                    problems.append(Problem(key.place, message, "keep one of the two"))
                places[name] = key.place
                entries.append((name, self.form.read(value, folder)))
            except ProblemsError as error:
                problems.extend(error.problems)
        if problems:
            raise ProblemsError(problems)
        return tuple(entries)

    def schema(self, definitions: Definitions) -> Schema:
        return {
            "type": "object",
            "propertyNames": self.name.schema(definitions),
            "additionalProperties": self.form.schema(definitions),
        }


@dataclass(slots=True, eq=False, repr=False)
class ByKind(Generic[T]):
    """One of several shapes, told apart by the kind of the node."""

    expected: str
    scalar: Form[T] | None = None
    items: Form[T] | None = None
    table: Form[T] | None = None

    def read(self, node: Node, folder: Path) -> T:
        form: Form[T] | None
        match node:
            case Scalar():
                form = self.scalar
            case Items():
                form = self.items
            case Table():
                form = self.table
        if form is None:
            raise unexpected(node, self.expected)
        return form.read(node, folder)

    def schema(self, definitions: Definitions) -> Schema:
        forms = [form for form in (self.scalar, self.table, self.items) if form is not None]
        return {"anyOf": [form.schema(definitions) for form in forms]}
