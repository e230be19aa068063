"""YAML text → nodes that know their place.

A text stays as it is written: what `true`, `12:30` or `0x10` means is for the reader to say. Taken
is the part of YAML 1.2 (https://yaml.org/spec/1.2.2/) that people write: aliases, but neither tags
nor merge keys. Reads the parser's events rather than PyYAML's node tree: its composer lets a second
key of one name pass, and overflows the stack on deep nesting.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import yaml

from wasmctl.cases.problems import Place, Problem, ProblemsError

__all__ = ["Items", "Node", "Scalar", "Table", "parse_yaml"]

# libyaml's parser is ten times as fast; PyYAML is also installed without it.
_LOADER: Final = yaml.CBaseLoader if yaml.__with_libyaml__ else yaml.BaseLoader
_DEEPEST: Final = 100
# Aliases count as often as they are used: some hundred bytes could otherwise stand for gigabytes.
_MOST_NODES: Final = 1_000_000
# What YAML allows (section 5.1), line ends besides.
_FORBIDDEN: Final = re.compile(
    "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
)
_TEXT_TAGS: Final = (None, "!", "tag:yaml.org,2002:str")

_QUOTE: Final = "put text that begins with this character, or has `: ` in it, into quotes"
_INDENT: Final = "check the indentation: keys of one table, and items of one list, stand in line"
# What the parsers say → what to do.
_HINTS: Final = (
    ("mapping values are not allowed", _QUOTE),
    ("cannot start any token", _QUOTE),
    ("undefined alias", "write the value here, or give it a name where it stands: `&name`"),
    ("unknown escape", "write `\\\\` for a backslash, or put the text into single quotes"),
    ("quoted scalar", "close the quotes"),
    ("flow sequence", "close the list with `]`, or put its items in lines of their own"),
    ("flow mapping", "close the table with `}`, or put its keys in lines of their own"),
    ("incompatible", "remove the line `%YAML …`"),
)


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single text.

    Args:
        text: as written, without the quotes.
        plain: it stands without quotes, and not as a block.
    """

    place: Place
    text: str
    plain: bool = True


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    place: Place
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Keys and their values, in the order of the file, each key once."""

    place: Place
    pairs: tuple[tuple[Scalar, Node], ...]


Node = Scalar | Items | Table


def parse_yaml(raw: bytes) -> Node | None:
    """Return the one document of a file; None when it has nothing but comments.

    Raises:
        ProblemsError: it is not UTF-8, not YAML, or more of YAML than is taken here.
    """
    text = _decoded(raw)
    try:
        return _Composer(yaml.parse(text, _LOADER)).document()
    except yaml.MarkedYAMLError as error:
        raise _broken(error, text) from None


class _Composer:
    """Makes nodes of a parser's events, without recursion."""

    def __init__(self, events: Iterator[yaml.Event]) -> None:
        self._events = events
        self._anchors: dict[str, tuple[Node, int]] = {}
        self._problems: list[Problem] = []

    def document(self) -> Node | None:
        """Return the only document."""
        root: Node | None = None
        started = False
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                if started:
                    message = "a second document begins here"
                    hint = "one file has one document: remove the line `---`, or make two files"
                    raise ProblemsError.one(_place(event), message, hint)
                started = True
                root, _ = self._node(next(self._events))
        if self._problems:
            raise ProblemsError(self._problems)
        empty = isinstance(root, Scalar) and root.plain and not root.text
        return None if empty else root

    def _node(self, first: yaml.Event) -> tuple[Node, int]:
        """Return the node that begins with an event, and how many nodes it stands for."""
        open_nodes: list[_Open] = []
        event = first
        while True:
            if isinstance(event, yaml.SequenceStartEvent | yaml.MappingStartEvent):
                open_nodes.append(self._begin(event, len(open_nodes)))
            else:
                if isinstance(event, yaml.SequenceEndEvent | yaml.MappingEndEvent):
                    finished = open_nodes.pop()
                    node, size = self._finish(finished)
                    anchor = finished.anchor
                else:
                    node, size = self._leaf(event, open_nodes)
                    anchor = getattr(event, "anchor", None)
                    anchor = None if isinstance(event, yaml.AliasEvent) else anchor
                if anchor is not None:
                    self._anchors[anchor] = (node, size)
                if not open_nodes:
                    return node, size
                open_nodes[-1].add(node, size)
            event = next(self._events)

    def _begin(self, event: yaml.CollectionStartEvent, depth: int) -> _Open:
        place = _place(event)
        if depth >= _DEEPEST:
            raise _too_deep(place)
        if event.tag not in (None, "!"):
            self._problems.append(_no_tags(place, event.tag))
        return _Open(place, isinstance(event, yaml.MappingStartEvent), event.anchor)

    def _leaf(self, event: yaml.Event, open_nodes: list[_Open]) -> tuple[Node, int]:
        place = _place(event)
        if isinstance(event, yaml.AliasEvent):
            if any(item.anchor == event.anchor for item in open_nodes):
                message = f"`*{event.anchor}` stands for the value that it is part of"
                raise ProblemsError.one(place, message, "write the value that is meant")
            if event.anchor not in self._anchors:
                message = f"no value is called `&{event.anchor}` above this line"
                hint = "write the value here; in quotes if a text with a `*` is meant"
                raise ProblemsError.one(place, message, hint)
            return self._anchors[event.anchor]
        assert isinstance(event, yaml.ScalarEvent)
        if event.tag not in _TEXT_TAGS:
            self._problems.append(_no_tags(place, event.tag))
        # A tag of text makes text of what would otherwise be a number, as quotes do.
        return Scalar(place, event.value, not event.style and event.tag is None), 1

    def _finish(self, finished: _Open) -> tuple[Node, int]:
        if finished.size > _MOST_NODES:
            message = f"with its aliases filled in, this has more than {_MOST_NODES:,} values"
            raise ProblemsError.one(finished.place, message, "use fewer aliases")
        if not finished.table:
            return Items(finished.place, tuple(finished.nodes)), finished.size
        pairs: list[tuple[Scalar, Node]] = []
        lines: dict[str, int] = {}
        for key, value in zip(finished.nodes[::2], finished.nodes[1::2], strict=True):
            if not isinstance(key, Scalar):
                self._problems.append(Problem(key.place, "a key is a list or table", _QUOTE))
            elif key.text == "<<" and key.plain:
                hint = "write the keys here; an alias (`key: *name`) stands for a whole value"
                self._problems.append(Problem(key.place, "merge keys mean nothing here", hint))
            elif key.text in lines:
                message = f"`{key.text}` is in line {lines[key.text]} already"
                self._problems.append(Problem(key.place, message, "keep one of the two"))
            else:
                lines[key.text] = key.place.line
                pairs.append((key, value))
        return Table(finished.place, tuple(pairs)), finished.size


class _Open:
    """A list or table whose end has not come yet."""

    __slots__ = ("anchor", "nodes", "place", "size", "table")

    def __init__(self, place: Place, table: bool, anchor: str | None) -> None:  # noqa: FBT001
        self.place = place
        self.table = table
        self.anchor = anchor
        self.nodes: list[Node] = []
        self.size = 1

    def add(self, node: Node, size: int) -> None:
        self.nodes.append(node)
        self.size += size


def _place(event: yaml.Event) -> Place:
    mark = event.start_mark
    assert mark is not None
    return Place(mark.line + 1, mark.column + 1)


def _too_deep(place: Place) -> ProblemsError:
    message = f"nested more than {_DEEPEST} deep"
    return ProblemsError.one(place, message, "a case file needs a few levels only")


def _no_tags(place: Place, tag: str) -> Problem:
    shown = tag.replace("tag:yaml.org,2002:", "!!")
    hint = "remove it; a text that looks like a number goes into quotes"
    return Problem(place, f"tags such as `{shown}` mean nothing here", hint)


def _decoded(raw: bytes) -> str:
    try:
        text = raw.decode("utf-8-sig")  # editors on Windows begin a file with a byte order mark
    except UnicodeDecodeError as error:
        before = raw[: error.start]
        column = len(before.rpartition(b"\n")[2].decode("utf-8", "replace")) + 1
        place = Place(before.count(b"\n") + 1, column)
        hint = "save the file as UTF-8; bytes that are no text are written `{base64: …}`"
        raise ProblemsError.one(place, "not UTF-8, which YAML has to be", hint) from None
    if found := _FORBIDDEN.search(text):
        before_text = text[: found.start()]
        place = Place(before_text.count("\n") + 1, len(before_text.rpartition("\n")[2]) + 1)
        message = f"the character U+{ord(found[0]):04X}, which YAML does not allow"
        hint = f'write it as `"\\u{ord(found[0]):04x}"`, in double quotes'
        raise ProblemsError.one(place, message, hint)
    return text


def _broken(error: yaml.MarkedYAMLError, text: str) -> ProblemsError:
    mark = error.problem_mark or error.context_mark
    place = Place(mark.line + 1, mark.column + 1) if mark else Place(1, 1)
    said = f"{error.problem or ''} {error.context or ''}"
    if "maximum nesting depth" in said:
        # libyaml looks far ahead where a bracket may begin a key, and has a bound of its own.
        return _too_deep(place)
    lines = text.splitlines()
    line = lines[place.line - 1] if place.line <= len(lines) else ""
    if "cannot start any token" in said and line[place.column - 1 : place.column] == "\t":
        message = "a tab, and YAML indents with spaces only"
        return ProblemsError.one(place, message, "replace the tab by spaces")
    if error.context and error.context_mark and error.context_mark.line + 1 != place.line:
        begun = f" ({error.context}, which begins in line {error.context_mark.line + 1})"
    else:
        begun = ""
    hint = next((hint for words, hint in _HINTS if words in said), _INDENT)
    return ProblemsError.one(place, f"not YAML: {error.problem}{begun}", hint)
