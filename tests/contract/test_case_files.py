"""All case files of this repository are what the reader and the schema take."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from tests.conftest import ROOT, CommandLine
from tests.contract.reference import CASES_SCHEMA
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


def test_the_command_prints_the_schema(wasmctl: CommandLine, tmp_path: Path) -> None:
    said = wasmctl("config", "schema", "--cases", cwd=tmp_path)
    assert (said.code, said.out) == (0, CASES_SCHEMA.read_text(encoding="utf-8"))
    told = json.loads(wasmctl("config", "schema", "--cases", "--json", cwd=tmp_path).out)
    assert told["data"]["json_schema"] == json.loads(said.out)
