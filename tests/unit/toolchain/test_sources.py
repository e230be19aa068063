"""Which files count as a project's sources, and how a save shows."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.integration.builds import project_at, write
from wasmctl.project.settings import Settings
from wasmctl.toolchain.sources import SourceTree, changed_paths, find_sources

MAIN = "package main\n"


def names(tree: SourceTree, folder: Path) -> set[str]:
    return {os.path.relpath(path, folder) for path in tree.look()}


def test_what_tools_and_editors_leave_does_not_count(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "go.mod": "module a\n",
            "main.go": MAIN,
            "rules/data.json": "{}",
            ".cargo/config.toml": "",
            ".main.go.swp": "",
            "main.go~": "",
            "4913": "",
            ".git/HEAD": "",
            "dist/.gitignore": "*\n",
            "dist/plugin.wasm": "",
            "out/CACHEDIR.TAG": "",
            "out/x.rs": "",
            "kept/.gitignore": "*\n!*.go\n",
            "kept/b.go": MAIN,
        },
    )
    tree = find_sources(project_at(tmp_path, "go", Settings()))
    assert names(tree, tmp_path) == {
        *("go.mod", "main.go", "rules/data.json", ".cargo/config.toml", "kept/b.go")
    }


def test_modules_and_packages_beside_count(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "go/plugin/go.mod": "module a\nreplace b => ../b\n",
            "go/plugin/cmd/main.go": MAIN,
            "go/plugin/other.go": "package a\n",
            "go/b/b.go": "package b\n",
            "go/c/c.go": "package c\n",
            "rust/plugin/Cargo.toml": '[dependencies]\nlib = { path = "../lib" }\n',
            "rust/lib/Cargo.toml": '[dependencies]\ndeep = { path = "../deep" }\n',
            "rust/deep/Cargo.toml": '[dependencies]\nlib = { path = "../lib" }\n',
            "rust/deep/src/lib.rs": "",
            "rust/none/src/lib.rs": "",
        },
    )
    go = find_sources(project_at(tmp_path / "go/plugin/cmd", "go", Settings()))
    assert go.folders == (tmp_path / "go/b", tmp_path / "go/plugin")
    rust = find_sources(project_at(tmp_path / "rust/plugin", "cargo", Settings()))
    assert rust.folders == tuple(tmp_path / "rust" / name for name in ("deep", "lib", "plugin"))


@pytest.mark.parametrize("how", ["written", "renamed", "added", "removed"])
def test_a_save_shows(tmp_path: Path, how: str) -> None:
    path = write(tmp_path, {"main.go": MAIN}) / "main.go"
    tree = find_sources(project_at(tmp_path, "go", Settings()))
    before = tree.look()
    assert not changed_paths(before, tree.look())
    match how:
        case "written":
            path.write_text(MAIN + "\n")
        case "renamed":
            (tmp_path / ".new").write_text(MAIN)
            (tmp_path / ".new").replace(path)
        case "added":
            path = write(tmp_path, {"new/b.go": MAIN}) / "new/b.go"
        case _:
            path.unlink()
    assert changed_paths(before, tree.look()) == (path,)
