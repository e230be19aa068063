"""The rules of the rooms: who may import what."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGE = ROOT / "wasmctl"
MODULES = sorted(PACKAGE.rglob("*.py"))
# In the order in which data flows; a stage may use those to its left.
STAGES = (
    "project",
    "scaffold",
    "wasm",
    "toolchain",
    "hosts",
    "oci",
    "consumers",
    "wire",
    "envoy",
    "deploy",
    "cases",
)
# Library → the only modules that may import it.
OWNERS = {
    "subprocess": ("process.py",),
    "rich": ("console.py", "cli/"),
    "oras": ("oci/registry.py",),
    "docker": ("oci/daemon.py",),
    "typer": ("cli/",),
    "copier": ("scaffold/render.py",),
    "jinja2": ("scaffold/render.py",),
    "questionary": ("cli/ask.py",),
    "pydantic": ("project/",),
    "elftools": ("wasm/lines.py",),
    # Reading with the places of nodes, writing, and reading again to edit in place.
    "yaml": ("cases/yaml.py", "yaml_text.py", "deploy/update.py"),
    "jsonschema": ("project/configuration_schema.py",),
}


def imports(path: Path) -> Iterator[tuple[str, ast.stmt]]:
    """Yield every imported module's full name, wherever in the file it is imported."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module, node


def place(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


@pytest.mark.parametrize("library", OWNERS)
def test_each_library_has_one_owner(library: str) -> None:
    users = {
        place(path)
        for path in MODULES
        for name, _ in imports(path)
        if name.split(".")[0] == library
    }
    assert users, f"nobody imports {library}: the rule is stale"
    assert not {user for user in users if not user.startswith(OWNERS[library])}


@pytest.mark.parametrize("path", MODULES, ids=place)
def test_a_stage_uses_nothing_to_its_right(path: Path) -> None:
    room = place(path).split("/")[0]
    for name, _ in imports(path):
        parts = name.split(".")
        if parts[0] != "wasmctl" or len(parts) < 2:
            continue
        if room in STAGES:
            allowed = STAGES[: STAGES.index(room) + 1]
            assert parts[1] not in {"cli", "flow"}
            assert parts[1] not in STAGES or parts[1] in allowed
        elif room not in {"cli", "flow", "__main__.py"}:
            assert parts[1] not in {"cli", "flow", *STAGES}


@pytest.mark.parametrize("name", ["errors.py", "results.py"])
def test_errors_and_results_import_nothing_of_ours(name: str) -> None:
    assert not [found for found, _ in imports(PACKAGE / name) if found.startswith("wasmctl")]


def test_no_modules_need_each_other() -> None:
    """Neither when they are loaded, nor inside a function, nor for types."""
    names = {f"wasmctl.{place(path)[:-3].replace('/', '.')}": path for path in MODULES}
    needed: dict[str, set[str]] = {}
    for name, path in names.items():
        found = [*imports(path)]
        parts = [
            f"{used}.{alias.name}"
            for used, node in found
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        ]
        needed[name] = {*(used for used, _ in found), *parts} & {*names}
    assert needed["wasmctl.cases.play"] >= {"wasmctl.cases.scene", "wasmctl.wire.messages"}
    TopologicalSorter(needed).prepare()


def test_only_the_root_command_reads_the_environment() -> None:
    readers = {
        place(path)
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and (node.value.id, node.attr) in {("os", "environ"), ("os", "getenv"), ("sys", "stdin")}
    }
    assert readers == {"cli/app.py"}


def test_nothing_prints() -> None:
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id != "print", place(path)
