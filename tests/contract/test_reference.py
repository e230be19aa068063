"""The generated references say what the code does."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import jsonschema
import pytest

from tests.contract import troubleshooting
from tests.contract.reference import BUNDLED_CASES_SCHEMA, CASES_SCHEMA, PAGE, SCHEMA, render
from wasmctl.cases.schema import cases_schema
from wasmctl.project.schema import settings_schema

REMEDY = "run `python -m tests.contract.reference`"


def test_the_reference_is_fresh() -> None:
    assert render() == PAGE.read_text(encoding="utf-8"), REMEDY


def test_troubleshooting_is_fresh() -> None:
    page = troubleshooting.PAGE.read_text(encoding="utf-8")
    assert troubleshooting.render() == page, "run `python -m tests.contract.troubleshooting`"


def test_the_shipped_schema_is_fresh() -> None:
    assert settings_schema() == SCHEMA.read_text(encoding="utf-8"), REMEDY


@pytest.mark.parametrize("path", [CASES_SCHEMA, BUNDLED_CASES_SCHEMA], ids=str)
def test_the_shipped_schema_of_case_files_is_fresh(path: Path) -> None:
    assert cases_schema() == path.read_text(encoding="utf-8"), REMEDY


def test_the_schema_takes_what_we_take_and_refuses_what_we_refuse() -> None:
    validator = jsonschema.Draft202012Validator(json.loads(settings_schema()))
    good = """
        required-version = ">=0.1"
        [plugin]
        config = { header = "allow" }
        [build]
        toolchain = "tinygo"
        args = ["-opt=2"]
        [deploy]
        target-refs = [{ kind = "Gateway", name = "edge" }]
    """
    assert validator.is_valid(tomllib.loads(good))
    for bad in ("[build]\ntoolchian = 'go'", "[build]\ntoolchain = 'rust'", "x = 1"):
        assert not validator.is_valid(tomllib.loads(bad))
