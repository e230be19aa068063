"""What is wrong in a case file is said with its place, and how to mend it; editors see it too."""

from __future__ import annotations

import json

import jsonschema
import pytest

from tests.unit.cases.readings import json_of, problems
from tests.unit.cases.refusals import REFUSALS, Refusal
from wasmctl.cases.schema import cases_schema

SCHEMA = json.loads(cases_schema())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


@pytest.mark.parametrize("refusal", REFUSALS, ids=str)
def test_what_is_wrong_is_said_once_with_its_place_and_remedy(refusal: Refusal) -> None:
    (problem,) = problems(refusal.text)
    assert f"{problem.place.line}:{problem.place.column}" == refusal.place
    assert problem.message.startswith(refusal.message)
    assert problem.hint.startswith(refusal.hint)


def test_a_key_with_nothing_behind_it_is_not_an_empty_text() -> None:
    (problem,) = problems("cases:\n- {name: , expect: {log: nothing}}")
    assert problem.message == "no value: a name is expected"
    assert problem.hint == 'write a name; if an empty text is meant, `""`'


@pytest.mark.parametrize("refusal", [item for item in REFUSALS if item.in_schema], ids=str)
def test_an_editor_marks_what_is_wrong_in_a_single_place(refusal: Refusal) -> None:
    assert not VALIDATOR.is_valid(json_of(refusal.text.encode()))


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_every_key_has_a_description_for_editors() -> None:
    described = [
        (name, key, value)
        for name, definition in SCHEMA["$defs"].items()
        for key, value in definition.get("properties", {}).items()
    ]
    assert len(described) > 50
    for name, key, value in described:
        assert value.get("description", "").endswith((".", "`.")), f"{key} of {name}"


def test_every_definition_is_used() -> None:
    text = cases_schema()
    for name in SCHEMA["$defs"]:
        root = SCHEMA["$ref"] == f"#/$defs/{name}"
        assert root or text.count(f'"#/$defs/{name}"') >= 1, name
