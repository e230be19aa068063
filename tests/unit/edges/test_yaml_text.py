"""What is written as YAML is read as what was meant, in every dialect."""

from __future__ import annotations

import pytest
import yaml

from wasmctl.yaml_text import dump_documents, dump_yaml

# What YAML 1.1, YAML 1.2, Go's or C++'s readers take for something else where it has no quotes.
TRICKY = [
    *("", " ", "a ", " a", "~", "null", "Null", "true", "True", "yes", "No", "on", "OFF", "y", "N"),
    *("1", "-1", "+1", "1.0", ".5", "1.", "1e3", "1E3", "12e03", "0x1F", "0o17", "017", "0b1"),
    *("1_000", "12:30", "1:2:3", "2024-01-01", "2024-01-01T00:00:00Z", ".inf", "-.Inf", ".nan"),
    *("=", "<<", "-", "--", "---", "...", "+", ".", "?", ":", "- a", "a: b", "a #b", "#", "&a"),
    *(
        "*a",
        "!a",
        "|",
        ">",
        "%a",
        "@a",
        "`a`",
        "[",
        "]",
        "{",
        "}",
        ",",
        "'",
        '"',
        "\\",
        "\t",
        "\t a",
    ),
    *("a\nb", "a\n", "\na", "\n", "a\n\n", " a\nb", "a\r\nb", "a\rb", "\x00", "\x1b[0m", "\x7f"),
    *("\x85", "a\u2028b\nc", "\ufeffa", "ü", "日本", "\U0001f600", "a" * 500, "word " * 100),
]


def test_values_are_written_as_people_write_them() -> None:
    text = dump_yaml({"b": [{"x": 1, "z": "true"}, "two\nlines\n"], "a": None})
    assert text == "b:\n  - x: 1\n    z: 'true'\n  - |\n    two\n    lines\na: null\n"


@pytest.mark.parametrize("text", TRICKY, ids=ascii)
def test_text_stays_text(text: str) -> None:
    written = dump_yaml({"key": text, "list": [text], text or "empty": "value"})
    assert yaml.safe_load(written) == {"key": text, "list": [text], text or "empty": "value"}


@pytest.mark.parametrize(
    "text", ["y", "N", "1e3", "12E03", "0o17", ".5", "1.", "-1e3", "+.inf", "+"]
)
def test_what_other_dialects_take_for_something_else_is_quoted(text: str) -> None:
    assert dump_yaml({text: text}) == f"'{text}': '{text}'\n"


def test_a_long_line_stays_one() -> None:
    assert dump_yaml({"a": "word " * 100 + "end"}).count("\n") == 1


def test_documents_are_told_apart() -> None:
    text = dump_documents([{"a": 1}, {"b": 2}])
    assert text == "a: 1\n---\nb: 2\n"
