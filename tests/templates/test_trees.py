"""What the bundled templates make, without any compiler."""

from __future__ import annotations

import io
import json
import re
import subprocess
import tomllib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_type_hints

import jsonschema
import pytest
import yaml

from tests.conftest import ROOT
from tests.templates.shapes import CASES, Case
from wasmctl.cases.load import load_cases
from wasmctl.cli.app import make_app
from wasmctl.console import Console
from wasmctl.project.layers import file_layer, merge
from wasmctl.project.settings import Settings
from wasmctl.scaffold.names import name_problem
from wasmctl.scaffold.scaffold import plan_adoption

EVERYWHERE = {
    ".gitignore",
    "README.md",
    "config.schema.json",
    "tests/wasmctl-cases.schema.json",
    "wasmctl.schema.json",
    "wasmctl.toml",
}
RUST = {"Cargo.lock", "Cargo.toml", "src/config.rs", "src/lib.rs"}
GO = {"config.go", "go.mod", "go.sum", "main.go", "main_test.go"}
TREES = {
    "body-rewrite-cargo": RUST | {"src/replace.rs", "src/rewriter.rs"},
    "body-rewrite-go": GO | {"replace.go", "replace_test.go", "rewriter.go"},
    "body-rewrite-tinygo0.39.0": GO | {"replace.go", "replace_test.go", "rewriter.go"},
    "config-cargo": RUST,
    "config-go": GO,
    "config-tinygo0.39.0": GO,
    "grpc-auth-cargo": RUST | {"src/message.rs", "proto/auth.proto"},
    "header-auth-cargo": RUST,
    "header-auth-go": GO,
    "header-auth-tinygo0.39.0": GO,
    "header-auth-tinygo0.31.2": GO | {"gc.go"},
    "prime-token-cargo": RUST | {"src/prime.rs"},
    "prime-token-go": GO | {"prime.go", "prime_test.go"},
    "prime-token-tinygo0.39.0": GO | {"prime.go", "prime_test.go"},
}

each_shape = pytest.mark.parametrize("case", CASES, ids=str)


def uncommented(text: str) -> str:
    """Return wasmctl.toml with every setting that is commented out put in."""
    return re.sub(r"^# (?=[a-z0-9-]+ = )", "", text, flags=re.MULTILINE)


def test_every_shape_has_its_golden_tree() -> None:
    assert {str(case) for case in CASES} == set(TREES)


@each_shape
def test_a_shape_makes_its_golden_tree(case: Case, tmp_path: Path) -> None:
    project = case.make(tmp_path / "p")
    made = {str(path.relative_to(project)) for path in project.rglob("*") if path.is_file()}
    cases = f"tests/{case.template.name}.cases.yaml"
    assert made == EVERYWHERE | {cases} | TREES[str(case)]


@each_shape
def test_nothing_is_left_of_the_template_language(case: Case, tmp_path: Path) -> None:
    for path in case.make(tmp_path / "p").rglob("*"):
        if path.is_file():
            assert "{%" not in path.read_text()
            assert "{{ " not in path.read_text()
            assert path.read_text().endswith("\n")
            assert "\n\n\n" not in path.read_text()


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.template.name == "header-auth"], ids=str
)
def test_the_answer_to_a_refused_request_stands_near_the_top(case: Case, tmp_path: Path) -> None:
    project = case.make(tmp_path / "p")
    source = project / ("src/lib.rs" if case.toolchain == "cargo" else "main.go")
    top = "".join(source.read_text().splitlines(keepends=True)[:25])
    for literal in ("403", '"content-type"', '"text/plain"', '"powered-by"', '"proxy-wasm"'):
        assert literal in top
    assert r'"Forbidden by wasmctl plug-in\n"' in top


@each_shape
def test_the_settings_are_valid_and_record_the_choice(case: Case, tmp_path: Path) -> None:
    project = case.make(tmp_path / "p")
    settings = merge((file_layer(project / "wasmctl.toml"),)).settings
    assert settings.build.toolchain == case.toolchain
    # Cargo.toml has a version of its own.
    assert settings.plugin.version == (None if case.toolchain == "cargo" else "0.1.0")
    text = (project / "wasmctl.toml").read_text()
    assert (f"TinyGo {case.tinygo}" in text) == (case.tinygo is not None)


@each_shape
def test_every_setting_that_is_commented_out_can_be_put_in(case: Case, tmp_path: Path) -> None:
    project = case.make(tmp_path / "p")
    text = uncommented((project / "wasmctl.toml").read_text())
    (project / "wasmctl.toml").write_text(text)
    merge((file_layer(project / "wasmctl.toml"),))


def test_the_settings_mention_every_key(tmp_path: Path) -> None:
    mentioned: set[tuple[str, str]] = set()
    for case in CASES:
        text = (case.make(tmp_path / str(case)) / "wasmctl.toml").read_text()
        for section, value in tomllib.loads(uncommented(text)).items():
            keys = value if isinstance(value, dict) else {"": value}
            mentioned |= {(section, key) for key in keys}
    known = {
        (section.replace("_", "-"), item.name.replace("_", "-"))
        for section, kind in get_type_hints(Settings).items()
        if isinstance(kind, type) and is_dataclass(kind)
        for item in fields(kind)
    }
    assert mentioned == known | {("required-version", "")}


@each_shape
def test_the_first_line_of_the_settings_names_the_schema_that_lies_beside(
    case: Case, tmp_path: Path
) -> None:
    project = case.make(tmp_path / "p")
    text = (project / "wasmctl.toml").read_text()
    assert text.splitlines()[0] == "#:schema wasmctl.schema.json"
    schema = yaml.safe_load((project / "wasmctl.schema.json").read_text())
    for settings in (text, uncommented(text)):
        jsonschema.validate(tomllib.loads(settings), schema)


def configuration_schema(project: Path) -> Any:
    schema = json.loads((project / "config.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return schema


@each_shape
def test_the_schema_of_the_configuration_takes_the_example_and_the_defaults(
    case: Case, tmp_path: Path
) -> None:
    project = case.make(tmp_path / "p")
    schema = configuration_schema(project)
    settings = tomllib.loads(uncommented((project / "wasmctl.toml").read_text()))
    assert settings["plugin"]["config"] == settings["deploy"]["config"] != {}
    jsonschema.validate(settings["plugin"]["config"], schema)
    jsonschema.validate(settings["deploy"]["config"], schema)
    for key, described in schema["properties"].items():
        assert described["description"].endswith("."), key
        if "default" in described:
            jsonschema.validate({key: described["default"]}, schema)


@each_shape
def test_schema_and_cases_agree_on_what_is_a_bad_configuration(
    case: Case, tmp_path: Path
) -> None:
    project = case.make(tmp_path / "p")
    accepts = jsonschema.Draft202012Validator(configuration_schema(project)).is_valid
    refused = {
        item.name: item.expect.load_refused
        for item in load_cases(project / f"tests/{case.template.name}.cases.yaml").cases
        if accepts(json.loads(item.plugin.configuration or "{}")) == item.expect.load_refused
    }
    assert refused == {}


def named_schema(cases: str, files: Mapping[str, str]) -> Any:
    """Return the schema that a case file's first line names, of the files beside it."""
    first, _, _ = cases.partition("\n")
    assert first == "# yaml-language-server: $schema=wasmctl-cases.schema.json"
    return yaml.safe_load(files["tests/wasmctl-cases.schema.json"])


@each_shape
def test_the_first_line_of_the_cases_names_the_schema_that_lies_beside(
    case: Case, tmp_path: Path
) -> None:
    project = case.make(tmp_path / "p")
    schema = (project / "tests/wasmctl-cases.schema.json").read_text()
    text = (project / f"tests/{case.template.name}.cases.yaml").read_text()
    described = named_schema(text, {"tests/wasmctl-cases.schema.json": schema})
    jsonschema.validate(yaml.safe_load(text), described)


@each_shape
def test_at_least_three_cases_are_declared(case: Case, tmp_path: Path) -> None:
    paths = [*case.make(tmp_path / "p").glob("tests/*.cases.yaml")]
    assert len(paths) == 1
    cases = yaml.safe_load(paths[0].read_text())["cases"]
    assert len(cases) >= 3
    assert len({item["name"] for item in cases}) == len(cases)
    assert all({"request", "steps", "expect"} & set(item) for item in cases)


@each_shape
def test_the_readme_names_commands_that_exist(case: Case, tmp_path: Path) -> None:
    readme = (case.make(tmp_path / "p") / "README.md").read_text()
    assert len(re.findall(r"^\| `(?:wasmctl|cargo|go) ", readme, re.MULTILINE)) == 6
    # One screen.
    assert len(readme.splitlines()) <= 50
    app = make_app(Console(out=io.StringIO(), err=io.StringIO()))
    verbs = {command.name or command.callback.__name__ for command in app.registered_commands}  # type: ignore[union-attr]
    named = set(re.findall(r"`wasmctl ([a-z]+)", readme))
    assert named
    assert named <= verbs


@pytest.mark.parametrize("name", ["a", "header-auth", "proxy-wasm-x", "zz"])
def test_the_lock_file_is_sorted_as_cargo_sorts_it(name: str, tmp_path: Path) -> None:
    case = next(case for case in CASES if case.toolchain == "cargo")
    lock = tomllib.loads((case.make(tmp_path / "p", name) / "Cargo.lock").read_text())
    names = [package["name"] for package in lock["package"]]
    assert lock["version"] == 3
    assert names == sorted(names)
    assert name in names


def test_no_plug_in_takes_the_name_of_a_crate_in_its_lock_file(tmp_path: Path) -> None:
    for case in CASES:
        if case.toolchain == "cargo":
            lock = tomllib.loads((case.make(tmp_path / str(case)) / "Cargo.lock").read_text())
            crates = {package["name"] for package in lock["package"]} - {"my-plug-in"}
            assert crates
            assert all(name_problem(name) for name in crates)


def test_git_ignores_no_file_of_a_template() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "--others", "--ignored", "--exclude-standard", "templates"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert listed.stdout == ""


@pytest.mark.parametrize("toolchain", ["cargo", "go", "tinygo"])
def test_adoption_adds_settings_and_a_case_file(toolchain: str, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("mine")
    plan = plan_adoption(tmp_path, name="Mine", toolchain=toolchain)  # type: ignore[arg-type]
    assert plan.paths == (
        "tests/first.cases.yaml",
        "tests/wasmctl-cases.schema.json",
        "wasmctl.toml",
    )
    contents = {str(file.path): file.content.decode() for file in plan.create}
    settings = tomllib.loads(contents["wasmctl.toml"])
    assert settings["build"]["toolchain"] == toolchain
    assert settings["plugin"] == {}
    assert "#:schema" not in contents["wasmctl.toml"]
    cases = contents["tests/first.cases.yaml"]
    assert yaml.safe_load(cases)["cases"]
    jsonschema.validate(yaml.safe_load(cases), named_schema(cases, contents))


def test_adoption_leaves_the_cases_that_are_there(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/own.cases.yaml").write_text("cases: []\n")
    assert plan_adoption(tmp_path, name="m", toolchain="go").paths == ("wasmctl.toml",)
