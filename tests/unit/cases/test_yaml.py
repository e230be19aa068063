"""YAML as files have it: odd encodings, odd syntax, and files made to hurt."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
import yaml

from tests.unit.cases.readings import problems
from wasmctl.cases.problems import ProblemsError
from wasmctl.cases.yaml import Items, Scalar, Table, parse_yaml


def refused(raw: bytes | str) -> tuple[str, str, str]:
    """Return place, message and hint of a file's only problem."""
    with pytest.raises(ProblemsError) as caught:
        parse_yaml(raw.encode() if isinstance(raw, str) else raw)
    (problem,) = caught.value.problems
    return f"{problem.place.line}:{problem.place.column}", problem.message, problem.hint


def test_nodes_know_their_places() -> None:
    node = parse_yaml(b"a: 1\nb:\n- 'x'\n- |\n  y\n")
    assert isinstance(node, Table)
    (_, first), (key, second) = node.pairs
    assert isinstance(first, Scalar)
    assert isinstance(second, Items)
    assert (first.place.line, first.place.column, first.text, first.plain) == (1, 4, "1", True)
    assert (key.place.line, key.place.column) == (2, 1)
    texts = [(item.text, item.plain) for item in second.items if isinstance(item, Scalar)]
    assert texts == [("x", False), ("y\n", False)]


@pytest.mark.parametrize("raw", [b"", b"\n\n", b"# nothing\n", b"---\n", b"---\n...\n"])
def test_a_file_without_a_value_is_empty(raw: bytes) -> None:
    assert parse_yaml(raw) is None


@pytest.mark.parametrize(
    ("raw", "place", "message", "hint"),
    [
        (b"a: \xe9", "1:4", "not UTF-8, which YAML has to be", "save the file as UTF-8"),
        ("a: 1".encode("utf-16"), "1:1", "not UTF-8, which YAML has to be", "save the file"),
        ("é: \xe9\nb: ".encode() + b"\xff", "2:4", "not UTF-8", "save the file as UTF-8"),
        ("a: \x07", "1:4", "the character U+0007, which YAML does not allow", 'write it as `"\\u'),
        ("a:\n\t- b", "2:1", "a tab, and YAML indents with spaces only", "replace the tab"),
        ("a: b: c", "1:5", "not YAML: mapping values are not allowed", "put text that begins"),
        ("a: @x", "1:4", "not YAML: found character", "put text that begins with this character"),
        ("a: [1\nb: 2\n", "2:2", "not YAML", "close the list with `]`"),
        ("a: 'x", "1:6", "not YAML: found unexpected end of stream", "close the quotes"),
        ('a: "\\q"', "1:5", "not YAML: found unknown escape character", "write `\\\\` for a back"),
        ("a: 1\n- b", "2:1", "not YAML: did not find expected key", "check the indentation"),
        ("--- a\n--- b", "2:1", "a second document begins here", "one file has one document"),
        ("a: 1\nb: 2\na: 3", "3:1", "`a` is in line 1 already", "keep one of the two"),
        ("x:\n  a: 1\n  'a': 2", "3:3", "`a` is in line 2 already", "keep one of the two"),
        ("? [a]\n: b", "1:3", "a key is a list or table", "put text that begins"),
        ("a: !!int 3", "1:4", "tags such as `!!int` mean nothing here", "remove it"),
        ("a: !x {}", "1:4", "tags such as `!x` mean nothing here", "remove it"),
        ("a: &b {}\nc:\n  <<: *b", "3:3", "merge keys mean nothing here", "write the keys here"),
        ("a: *b", "1:4", "no value is called `&b` above this line", "write the value here"),
        ("a: &b [*b]", "1:8", "`*b` stands for the value that it is part of", "write the value"),
    ],
)
def test_what_is_no_yaml_is_refused(raw: bytes | str, place: str, message: str, hint: str) -> None:
    found = refused(raw)
    if yaml.__with_libyaml__ or not found[1].startswith("not YAML"):
        assert found[0] == place
        assert found[1].startswith(message)
    assert found[2].startswith(hint)


def test_a_tag_of_text_makes_text() -> None:
    node = parse_yaml(b"a: !!str 12")
    assert isinstance(node, Table)
    assert node.pairs[0][1] == Scalar(node.pairs[0][1].place, "12", plain=False)


def test_a_billion_laughs_are_refused_at_once() -> None:
    names = "abcdefghijkl"
    text = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{later}: &{later} [{', '.join([f'*{earlier}'] * 10)}]\n"
        for earlier, later in pairwise(names)
    )
    started = time.process_time()
    _, message, hint = refused(text)
    assert message == "with its aliases filled in, this has more than 1,000,000 values"
    assert hint == "use fewer aliases"
    assert time.process_time() - started < 2


@pytest.mark.parametrize("text", ["[" * 300_000, "{a: " * 300_000, "- " * 300_000 + "x"])
def test_deep_nesting_is_refused_before_any_stack_ends(text: str) -> None:
    place, message, _ = refused(text)
    assert message == "nested more than 100 deep"
    assert place.startswith("1:")


def test_an_alias_used_often_is_no_trouble() -> None:
    items = "".join(
        f"- {{name: n{number}, request: *r, expect: {{log: nothing}}}}\n" for number in range(300)
    )
    first = "- {name: n, request: &r {path: /a}, expect: {log: nothing}}\n"
    assert problems(f"cases:\n{first}{items}") == ()
