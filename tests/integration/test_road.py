"""The road from an empty folder to a registry and back, and what the verbs chain."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.conftest import CommandLine
from tests.integration.registries import RunningRegistry

pytestmark = [pytest.mark.go, pytest.mark.registry]


@pytest.fixture
def project(wasmctl: CommandLine, tmp_path: Path) -> Path:
    """A scaffolded plug-in for the standard Go toolchain, not built yet."""
    said = wasmctl("init", "auth", "--language", "go", cwd=tmp_path)
    assert said.code == 0, said.err
    return tmp_path / "auth"


def manifest(reference: str) -> dict[str, object]:
    """Return the manifest as crane, not we, reads it."""
    argv = ["crane", "manifest", "--insecure", reference]
    said = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    document: dict[str, object] = json.loads(said)
    return document


@pytest.mark.crane
def test_from_an_empty_folder_to_a_registry_and_back(
    wasmctl: CommandLine, project: Path, plain_registry: RunningRegistry
) -> None:
    name = plain_registry.new_name()
    said = wasmctl("push", f"{name}:1.0.0", cwd=project)
    assert said.code == 0, said.err
    reference = said.out.splitlines()[-1]
    assert reference.startswith(f"{name}:1.0.0@sha256:")

    annotations = manifest(reference.replace(":1.0.0@", "@"))["annotations"]
    assert isinstance(annotations, dict)
    assert annotations["org.opencontainers.image.title"] == "auth"
    assert annotations["org.opencontainers.image.version"] == "0.1.0"
    assert annotations["module.wasm.runtime/abi_version"] == "0.2.0"
    assert "go1." in annotations["module.wasm.toolchain"]

    pulled = wasmctl("pull", reference, "--output", "back.wasm", cwd=project)
    assert (pulled.code, pulled.out) == (0, "back.wasm\n")
    module = (project / "dist/plugin.wasm").read_bytes()
    assert (project / "back.wasm").read_bytes() == module


def test_the_layout_and_the_registry_agree_on_the_digest(
    wasmctl: CommandLine, project: Path, plain_registry: RunningRegistry
) -> None:
    packaged = wasmctl("package", cwd=project)
    pushed = wasmctl("push", f"{plain_registry.new_name()}:1", cwd=project)
    assert packaged.out.strip() == pushed.out.strip().partition("@")[2]


def test_push_notes_what_it_pushed(
    wasmctl: CommandLine, project: Path, plain_registry: RunningRegistry
) -> None:
    name = plain_registry.new_name()
    said = wasmctl("push", name, "--json", cwd=project)
    data = json.loads(said.out)["data"]
    record = json.loads((project / "dist/plugin.json").read_text())
    note = record["images"][-1]
    assert note == {
        "reference": f"{name}:0.1.0",
        "digest": data["digest"],
        "module_sha256": record["module"]["sha256"],
        "format": "oci",
    }
    assert data["reference"] == f"{name}:0.1.0@{data['digest']}"
    assert (data["format"], data["pushed"]) == ("oci", True)
    again = json.loads(wasmctl("push", name, "--json", cwd=project).out)["data"]
    assert (again["digest"], again["pushed"]) == (data["digest"], False)


def test_no_build_ships_what_is_there_and_says_so(
    wasmctl: CommandLine, project: Path, plain_registry: RunningRegistry
) -> None:
    none = wasmctl("push", plain_registry.new_name(), "--no-build", cwd=project)
    assert none.code == 2
    assert "there is no `dist/plugin.wasm`" in none.err
    assert wasmctl("build", cwd=project).code == 0
    (project / "main.go").write_text("package main\nthis does not compile")
    said = wasmctl("push", plain_registry.new_name(), "--no-build", cwd=project)
    assert said.code == 0
    assert "taking dist/plugin.wasm as it stands\n" in said.err
    with (project / "dist/plugin.wasm").open("ab") as module:
        module.write(b"\0\1\0")  # an empty custom section
    changed = wasmctl("push", plain_registry.new_name(), "--no-build", cwd=project)
    assert "not what `wasmctl build` recorded" in changed.err


def test_a_failed_build_pushes_nothing(
    wasmctl: CommandLine, project: Path, plain_registry: RunningRegistry
) -> None:
    (project / "main.go").write_text("package main\nthis does not compile")
    name = plain_registry.new_name()
    said = wasmctl("push", name, cwd=project)
    assert (said.code, said.out) == (4, "")
    asked = plain_registry.requests(name.partition("/")[2])
    assert {method for method, _, _ in asked} <= {"GET", "HEAD"}


def test_several_tags_and_several_projects(
    wasmctl: CommandLine, project: Path, plain_registry: RunningRegistry
) -> None:
    name = plain_registry.new_name()
    said = wasmctl("push", name, "--tag", "edge", "--tag", "2.0.0", cwd=project)
    assert said.out.startswith(f"{name}:edge@sha256:")
    for tag in ("edge", "2.0.0"):
        assert wasmctl("pull", f"{name}:{tag}", "-o", f"{tag}.wasm", cwd=project).code == 0

    for plugin in ("one", "two"):
        wasmctl("init", plugin, "--language", "go", cwd=project.parent)
    env = {"WASMCTL_IMAGE_REPOSITORY": f"{name}/{{name}}"}
    both = wasmctl("push", "one", "two", cwd=project.parent, env=env)
    assert both.code == 0, both.err
    assert [line.partition("@")[0] for line in both.out.splitlines()] == [
        f"{name}/one:0.1.0",
        f"{name}/two:0.1.0",
    ]


def test_github_actions_gets_outputs_and_a_summary(
    wasmctl: CommandLine, project: Path, plain_registry: RunningRegistry
) -> None:
    env = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_OUTPUT": str(project / "output"),
        "GITHUB_STEP_SUMMARY": str(project / "summary"),
    }
    (project / "output").write_text("earlier=1\n")
    reference = wasmctl("push", plain_registry.new_name(), cwd=project, env=env).out.strip()
    digest = reference.partition("@")[2]
    wanted = f"earlier=1\nreference={reference}\ndigest={digest}\n"
    assert (project / "output").read_text() == wanted
    assert reference in (project / "summary").read_text()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["push"], 2, "where to push `auth` is not known"),
        (["push", "hello"], 2, "names no registry"),
        (["push", "./nowhere"], 2, "does not exist"),
        (["push", "a.io/b", "c.io/d"], 2, "several REFs"),
        (["push", "a.io/b:1", "--via", "docker", "--format", "oci"], 2, "its own format"),
        (["push", "a.io/b:1", "--password-stdin"], 2, "without a user"),
    ],
)
def test_bad_arguments(
    arguments: list[str], code: int, words: str, wasmctl: CommandLine, project: Path
) -> None:
    said = wasmctl(*arguments, cwd=project)
    assert said.code == code
    assert words in said.err
    assert "hint: " in said.err


def test_two_that_fail_are_both_reported_and_the_rest_is_built(
    wasmctl: CommandLine, tmp_path: Path
) -> None:
    for plugin in ("good", "bad", "worse"):
        wasmctl("init", plugin, "--language", "go", cwd=tmp_path)
    (tmp_path / "bad/main.go").write_text("package main\nfunc main() { undefinedThing() }")
    (tmp_path / "worse/main.go").write_text("package main\nfunc main() { otherThing() }")
    one = wasmctl("build", "good", "bad", "-o", "x.wasm", cwd=tmp_path)
    assert (one.code, "`-o` is for one plug-in" in one.err) == (2, True)
    said = wasmctl("build", "good", "bad", "worse", "good", "--json", cwd=tmp_path)
    document = json.loads(said.out)
    assert (said.code, document["status"]) == (4, "error")
    assert [Path(item["project"]).name for item in document["data"]["modules"]] == ["good"]
    assert len(document["errors"]) == 2
    assert "undefinedThing" in said.err
    assert "otherThing" in said.err
    assert "good: built (" in said.err
