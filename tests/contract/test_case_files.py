"""All case files of this repository are what the reader and the schema take."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest

from tests.conftest import ROOT, CommandLine
from tests.contract.reference import CASES_SCHEMA
from tests.unit.cases.page import page_examples
from tests.unit.cases.readings import json_of
from wasmctl.cases.load import load_cases
from wasmctl.cases.schema import cases_schema

FOLDERS = ("templates", "tests", "docs")
FILES = sorted(path for name in FOLDERS for path in (ROOT / name).rglob("*.cases.yaml"))


def test_there_are_some() -> None:
    names = {path.name for path in FILES}
    assert {"header-auth.cases.yaml", "first.cases.yaml", "probe.cases.yaml"} <= names


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_case_file_is_read_and_fits_the_schema(path: Path) -> None:
    assert load_cases(path).cases
    jsonschema.validate(json_of(path.read_bytes()), json.loads(cases_schema()))


def test_the_page_shows_every_key_and_fits_the_schema() -> None:
    schema = json.loads(cases_schema())
    shown: set[str] = set()
    for example in page_examples():
        document = json_of(example.encode())
        jsonschema.validate(document, schema)
        shown |= set(keys_of(document))
    declared = {name for shape in tables_of(schema) for name in shape}
    assert declared - shown == set()


def keys_of(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for item in items:
        yield from keys_of(item)


def tables_of(schema: object) -> Iterator[dict[str, object]]:
    """Yield the properties of every table that a schema describes."""
    if isinstance(schema, dict):
        if "properties" in schema:
            yield schema["properties"]
        for item in schema.values():
            yield from tables_of(item)
    if isinstance(schema, list):
        for item in schema:
            yield from tables_of(item)


def test_the_command_prints_the_schema(wasmctl: CommandLine, tmp_path: Path) -> None:
    said = wasmctl("config", "schema", "--cases", cwd=tmp_path)
    assert (said.code, said.out) == (0, CASES_SCHEMA.read_text(encoding="utf-8"))
    told = json.loads(wasmctl("config", "schema", "--cases", "--json", cwd=tmp_path).out)
    assert told["data"]["json_schema"] == json.loads(said.out)
