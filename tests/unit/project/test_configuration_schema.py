from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from wasmctl.errors import UsageError
from wasmctl.project.configuration_schema import (
    ConfigurationSchema,
    check_configuration,
    read_schema,
    schema_file,
)
from wasmctl.project.settings import PluginSettings

SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["cluster"],
    "properties": {
        "cluster": {"type": "string", "minLength": 1},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "policy": {"enum": ["open", "closed"]},
        "name": {"type": "string", "pattern": "^[a-z]+$", "maxLength": 5},
        "add": {
            "type": "object",
            "propertyNames": {"pattern": "^[a-z-]+$"},
            "additionalProperties": {"type": "string"},
        },
        "remove": {"type": "array", "items": {"type": "string"}, "maxItems": 2},
        "either": {"anyOf": [{"type": "string"}, {"type": "object", "required": ["file"]}]},
        "nested": {
            "type": "object",
            "additionalProperties": False,
            "required": ["depth"],
            "properties": {"depth": {"type": ["integer", "null"]}},
        },
    },
}


def naming(file: str | None) -> PluginSettings:
    return PluginSettings(config_schema=file)


def problems(text: str | None, document: Any = SCHEMA) -> list[str]:
    return [*ConfigurationSchema("config.schema.json", document).problems(text)]


@pytest.mark.parametrize(
    ("configuration", "said"),
    [
        ({"status": 99}, "`status` must be at least 400"),
        ({"status": 600}, "`status` must be at most 599"),
        ({"status": "403"}, "`status` must be a whole number, not text"),
        ({"status": 403.5}, "`status` must be a whole number, not `403.5`"),
        ({"status": True}, "`status` must be a whole number, not `true`"),
        ({"policy": "ajar"}, '`policy` must be one of `"open"`, `"closed"`'),
        ({"name": "Ann"}, "`name` must match `^[a-z]+$`"),
        ({"name": "barnaby"}, "`name` must have at most 5 characters"),
        ({"cluster": ""}, "`cluster` must not be empty"),
        ({"cluster": None}, "`cluster` must be text, not `null`"),
        ({"cluser": "x"}, "`cluser` is not known; did you mean `cluster`?"),
        ({"zzz": 1}, "`zzz` is not known"),
        ({"add": {"x-a": 1}}, "`add.x-a` must be text, not `1`"),
        ({"add": {"X A": "1"}}, "the key `X A` in `add` must match `^[a-z-]+$`"),
        ({"add": ["x"]}, "`add` must be a table, not a list"),
        ({"remove": ["a", {}]}, "`remove[1]` must be text, not a table"),
        ({"remove": ["a", "b", "c"]}, "`remove` must have at most 2 items"),
        ({"either": {}}, "`either.file` is missing"),
        ({"nested": {}}, "`nested.depth` is missing"),
        ({"nested": {"depth": "x"}}, "`nested.depth` must be a whole number or null, not text"),
        ({"nested": {"depth": 1, "dept": 2}}, "`nested.dept` is not known; did you mean `depth`?"),
    ],
)
def test_the_place_and_what_has_to_be_there(configuration: dict[str, Any], said: str) -> None:
    assert problems(json.dumps({"cluster": "authz", **configuration})) == [said]


def test_what_fits() -> None:
    assert problems('{"cluster": "a", "status": 403, "remove": []}') == []
    assert problems("anything", {}) == ["it is not JSON: expecting value: line 1 column 1 (char 0)"]
    assert problems('{"any": "thing"}', {}) == []
    assert problems("{}", False) == ["it is not allowed"]


def test_no_configuration_counts_as_one_without_keys() -> None:
    assert problems(None) == problems("") == problems("{}") == ["`cluster` is missing"]


@pytest.mark.parametrize("text", ["[]", "7", '"x"', "null"])
def test_a_configuration_of_the_wrong_kind(text: str) -> None:
    (said,) = problems(text)
    assert said.startswith("it must be a table, not ")


@pytest.mark.parametrize("text", ["{", "{'a': 1}", '{"a": NaN}', "{} {}", "\x00"])
def test_what_is_no_json(text: str) -> None:
    (said,) = problems(text)
    assert said.startswith("it is not JSON: ")


def test_no_value_that_is_text_is_repeated() -> None:
    secret = json.dumps({"cluster": "a", "status": "s3cret", "name": "S3CRET", "policy": "s3cret"})
    assert "s3cret" not in " ".join(problems(secret)).lower()


def test_several_are_told_and_not_too_many() -> None:
    said = problems(json.dumps({str(number): 1 for number in range(100)}))
    assert (len(said), said[-1]) == (6, "and 96 more")


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ({"type": "texts"}, "`type` breaks the rules"),
        ({"properties": {"a": 7}}, "`properties.a` breaks the rules"),
        ([], "`its top` breaks the rules"),
        ({"pattern": "("}, "`pattern` breaks the rules"),
    ],
)
def test_what_is_no_schema(document: Any, why: str) -> None:
    with pytest.raises(UsageError, match=why) as caught:
        problems("{}", document)
    assert caught.value.code == "bad-schema"


@pytest.mark.parametrize(
    ("reference", "why"),
    [
        ("#/$defs/none", "there is no"),
        ("https://example.com/schema.json", "there is no"),
        ("#", "refers to itself without end"),
    ],
)
def test_references_that_lead_nowhere(
    reference: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "create_connection", None)
    with pytest.raises(UsageError, match=why):
        problems("{}", {"$ref": reference})


def test_older_drafts_are_read_as_what_they_are() -> None:
    old = {"$schema": "http://json-schema.org/draft-07/schema#", "dependencies": {"a": ["b"]}}
    assert problems('{"a": 1}', old) == ["it breaks `dependencies`"]


def test_the_schema_is_the_file_of_the_usual_name_or_the_one_that_is_named(tmp_path: Path) -> None:
    assert schema_file(naming(None), tmp_path) is None
    assert read_schema(naming(None), tmp_path) is None
    check_configuration(naming(None), tmp_path, "whatever", place="it")
    usual = tmp_path / "config.schema.json"
    usual.write_text("{}")
    assert schema_file(naming(None), tmp_path) == usual
    assert schema_file(naming("schemas/own.json"), tmp_path) == tmp_path / "schemas/own.json"
    assert schema_file(naming(""), tmp_path) is None


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "no such file or directory"),
        (b"{", "it is not JSON: "),
        (b"\xff", "it is not UTF-8 text"),
    ],
)
def test_a_schema_that_cannot_be_read(content: bytes | None, why: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "own.json").write_bytes(content)
    with pytest.raises(UsageError, match=why) as caught:
        check_configuration(naming("own.json"), tmp_path, "{}", place="it")
    assert "`own.json`" in caught.value.message


def test_the_error_names_the_place_what_is_wrong_and_the_schema(tmp_path: Path) -> None:
    (tmp_path / "config.schema.json").write_text(json.dumps(SCHEMA))
    place = "`[deploy] config`"
    with pytest.raises(UsageError) as caught:
        check_configuration(naming(None), tmp_path, '{"status": 7}', place=place)
    assert caught.value.code == "bad-configuration"
    assert caught.value.message == (
        "`[deploy] config` does not fit `config.schema.json`:\n"
        "  `cluster` is missing\n"
        "  `status` must be at least 400"
    )


def test_without_a_schema_nothing_heavy_is_loaded() -> None:
    program = "import wasmctl.flow.prove, wasmctl.flow.serve.request, sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert not {"jsonschema", "referencing"} & set(done.stdout.split())
