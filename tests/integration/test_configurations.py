"""A configuration that does not fit the project's schema reaches no proxy and no object."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import CommandLine
from tests.integration.builds import write

SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["header"],
    "properties": {"header": {"type": "string"}, "status": {"type": "integer", "minimum": 400}},
}
CASES = """
plugin: {config: {header: x, status: 403}}
cases:
- name: fits
  request: {}
  expect: {response: {status: 200}}
- name: is to be refused
  plugin: {config: {header: 7}}
  expect: {load: refused}
- name: does not fit
  plugin: {config: {header: x, status: 7}}
  request: {}
  expect: {response: {status: 200}}
"""
IMAGE = f"ghcr.io/acme/p:1@sha256:{'0' * 64}"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of which only the schema is real: nothing is built, and nothing started."""
    return write(
        tmp_path / "p",
        {
            "go.mod": "module example.com/p\n\ngo 1.24\n",
            "main.go": "package main\n\nfunc main() {}\n",
            "dist/plugin.wasm": "",
            "wasmctl.toml": '[plugin]\nconfig = {heder = "x"}\n',
            "config.schema.json": json.dumps(SCHEMA),
        },
    )


@pytest.mark.parametrize(
    ("arguments", "place"),
    [
        (["run", "--no-build"], "`[plugin] config`"),
        (["run", "--no-build", "--config", '{"heder": "x"}'], "`--config`"),
        (["run", "--no-build", "--compose", "composed"], "`[plugin] config`"),
        (["test", "--no-build"], "`[plugin] config`"),
        (["manifest", "--image", IMAGE], "`[plugin] config`"),
        (["manifest", "--kind", "envoy", "--module", "/p.wasm"], "`[plugin] config`"),
    ],
)
def test_every_verb_that_hands_one_over_refuses_it(
    arguments: list[str], place: str, wasmctl: CommandLine, project: Path
) -> None:
    said = wasmctl(*arguments, cwd=project)
    assert (said.code, said.out) == (2, "")
    assert f"error: {place} does not fit `config.schema.json`:\n" in said.err
    assert "  `header` is missing\n  `heder` is not known; did you mean `header`?\n" in said.err
    assert not (project / "composed").exists()


def test_a_case_is_named_with_its_line(wasmctl: CommandLine, project: Path) -> None:
    write(project, {"tests/p.cases.yaml": CASES})
    said = wasmctl("test", "--no-build", "--json", cwd=project)
    (error,) = json.loads(said.out)["errors"]
    assert (said.code, error["code"]) == (2, "bad-configuration")
    assert error["message"] == (
        "tests/p.cases.yaml:10: the configuration of `does not fit` does not fit "
        "`config.schema.json`: `status` must be at least 400"
    )


def test_what_is_deployed_is_checked_though_what_is_tried_out_fits(
    wasmctl: CommandLine, project: Path
) -> None:
    settings = "[plugin]\nconfig = {header = 'x'}\n[deploy]\nconfig = {header = 1}\n"
    write(project, {"wasmctl.toml": settings})
    said = wasmctl("manifest", "--image", IMAGE, cwd=project)
    assert said.code == 2
    assert "`[deploy] config` does not fit `config.schema.json`: `header` must be text" in said.err


def test_a_schema_of_another_name_and_none_at_all(wasmctl: CommandLine, project: Path) -> None:
    write(project, {"own.json": '{"maxProperties": 0}'})
    settings = "[plugin]\nconfig = {{heder = 'x'}}\nconfig-schema = '{}'\n"
    write(project, {"wasmctl.toml": settings.format("own.json")})
    said = wasmctl("manifest", "--image", IMAGE, cwd=project)
    assert (said.code, "`own.json`: it must have at most 0 keys" in said.err) == (2, True)
    write(project, {"wasmctl.toml": settings.format("none.json")})
    said = wasmctl("manifest", "--image", IMAGE, cwd=project)
    assert (said.code, "`none.json`, cannot be used: no such file" in said.err) == (2, True)
    write(project, {"wasmctl.toml": settings.format("")})
    assert wasmctl("manifest", "--image", IMAGE, cwd=project).code == 0
