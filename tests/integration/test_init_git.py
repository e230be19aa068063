"""`wasmctl init --template` with a git repository or a folder."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.conftest import ROOT, CommandLine
from tests.integration.test_init import git
from tests.unit.scaffold.trees import read_tree, write_tree


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with a template: v1 in a tag, v2 on a branch with a slash, v3 on main."""
    folder = write_tree(tmp_path / "origin", {"x.jinja": "v1 of {{ name }}\n"})
    git("init", "-q", cwd=folder)
    for version, command in (
        ("v1", ("tag", "v1")),
        ("v2", ("branch", "next/v2")),
        ("v3", ("tag", "v3")),
    ):
        write_tree(folder, {"x.jinja": f"{version} of {{{{ name }}}}\n"})
        git("add", ".", cwd=folder)
        git("commit", "-qm", version, cwd=folder)
        git(*command, cwd=folder)
    return folder


@pytest.mark.parametrize(
    ("suffix", "version"), [("", "v3"), ("@v1", "v1"), ("/.git@next/v2", "v2"), ("/.git", "v3")]
)
def test_a_repository_is_a_template(
    wasmctl: CommandLine, tmp_path: Path, repository: Path, suffix: str, version: str
) -> None:
    said = wasmctl("init", "Mine", "--template", f"file://{repository}{suffix}", cwd=tmp_path)
    assert said.code == 0, said.err
    assert said.out == "Mine/x\n"
    assert read_tree(tmp_path / "Mine") == {"x": f"{version} of mine\n"}


def test_a_folder_is_taken_as_it_stands(
    wasmctl: CommandLine, tmp_path: Path, repository: Path
) -> None:
    write_tree(repository, {"x.jinja": "not committed\n"})
    assert wasmctl("init", "Mine", "--template", "./origin", cwd=tmp_path).code == 0
    assert read_tree(tmp_path / "Mine") == {"x": "not committed\n"}


def test_a_bundled_template_can_be_the_start_of_ones_own(
    wasmctl: CommandLine, tmp_path: Path
) -> None:
    shutil.copytree(ROOT / "templates/header-auth", tmp_path / "own")
    flags = ("--language", "rust")
    assert wasmctl("init", "a/x", *flags, cwd=tmp_path).code == 0
    assert wasmctl("init", "b/x", *flags, "--template", "./own", cwd=tmp_path).code == 0
    assert read_tree(tmp_path / "a") == read_tree(tmp_path / "b")


@pytest.mark.parametrize("suffix", ["-nope", "@nope"])
def test_what_git_cannot_fetch_is_told_in_gits_words(
    wasmctl: CommandLine, tmp_path: Path, repository: Path, suffix: str
) -> None:
    said = wasmctl("init", "x", "--template", f"file://{repository}{suffix}", cwd=tmp_path)
    assert said.code == 4
    assert "fatal: " in said.err
    assert "error: git could not fetch the template" in said.err
    assert not (tmp_path / "x").exists()


def test_without_git_a_folder_is_suggested(wasmctl: CommandLine, tmp_path: Path) -> None:
    env = {"PATH": str(tmp_path)}
    said = wasmctl("init", "x", "--template", "https://h.invalid/x.git", cwd=tmp_path, env=env)
    assert said.code == 3
    assert "hint: install git, or give a folder" in said.err


def test_a_repository_that_wants_to_run_code_is_refused(
    wasmctl: CommandLine, tmp_path: Path, repository: Path
) -> None:
    write_tree(repository, {"copier.yml": f"_tasks: ['touch {tmp_path}/ran']\n"})
    git("add", ".", cwd=repository)
    git("commit", "-qm", "x", cwd=repository)
    said = wasmctl("init", "x", "--template", f"file://{repository}", "--json", cwd=tmp_path)
    assert said.code == 2
    assert json.loads(said.out)["errors"][0]["code"] == "unsafe-template"
    assert {path.name for path in tmp_path.iterdir()} == {"origin"}


def test_answers_can_be_given(wasmctl: CommandLine, tmp_path: Path) -> None:
    write_tree(tmp_path / "t", {"copier.yml": "port: {type: int}\n", "x.jinja": "{{ port }}"})
    said = wasmctl("init", "x", "--template", "./t", cwd=tmp_path)
    assert said.code == 2
    assert "hint: add `--data port=VALUE`" in said.err
    assert wasmctl("init", "x", "--template", "./t", "--data", "port=80", cwd=tmp_path).code == 0
    assert read_tree(tmp_path / "x") == {"x": "80"}
