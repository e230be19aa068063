"""`wasmctl run --compose`: files that the real Envoy and the real docker-compose take."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.conftest import CommandLine
from tests.integration.builds import scaffold

ENVOY = Path(sys.executable).parent / "envoy"


@pytest.fixture
def project(tmp_path: Path, header_auth_module: Path) -> Path:
    """A project whose module is there."""
    folder = scaffold(tmp_path / "p", "cargo")
    (folder / "dist").mkdir()
    shutil.copy(header_auth_module, folder / "dist/plugin.wasm")
    return folder


@pytest.mark.envoy
@pytest.mark.cargo
def test_envoy_takes_what_is_written(project: Path, wasmctl: CommandLine, tmp_path: Path) -> None:
    said = wasmctl("run", "--no-build", "--compose", "deploy", cwd=project)
    assert said.code == 0, said.err
    assert said.out.splitlines() == ["deploy/docker-compose.yaml", "deploy/envoy.yaml"]
    composed = yaml.safe_load((project / "deploy/docker-compose.yaml").read_text())
    proxy = composed["services"]["proxy"]
    assert proxy["image"].startswith("envoyproxy/envoy:v1.")
    assert proxy["ports"][0] == "127.0.0.1:18000:18000"
    mounts = {mount["target"]: mount["source"] for mount in proxy["volumes"]}
    assert (project / "deploy" / mounts["/plugin"]).resolve() == project / "dist"
    # Where the container has it mounted.
    text = (project / "deploy/envoy.yaml").read_text()
    mapped = tmp_path / "envoy.yaml"
    mapped.write_text(text.replace("/plugin/plugin.wasm", str(project / "dist/plugin.wasm")))
    done = subprocess.run(
        [str(ENVOY), "--mode", "validate", "-c", str(mapped)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.compose
@pytest.mark.cargo
def test_docker_compose_takes_what_is_written(project: Path, wasmctl: CommandLine) -> None:
    said = wasmctl("run", "--no-build", "--compose", "deploy", cwd=project)
    assert said.code == 0, said.err
    path = project / "deploy/docker-compose.yaml"
    done = subprocess.run(
        ["docker-compose", "-f", str(path), "config"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert str(project / "dist") in done.stdout


@pytest.mark.envoy
@pytest.mark.cargo
def test_files_that_differ_are_overwritten_only_by_force(
    project: Path, wasmctl: CommandLine
) -> None:
    first = wasmctl("run", "--no-build", "--compose", ".", cwd=project)
    assert first.code == 0, first.err
    again = wasmctl("run", "--no-build", "--compose", ".", "--json", cwd=project)
    assert json.loads(again.out)["data"]["files"] == []
    (project / "envoy.yaml").write_text("mine: true\n")
    refused = wasmctl("run", "--no-build", "--compose", ".", cwd=project)
    assert refused.code == 2
    assert "`envoy.yaml`" in refused.err
    assert (project / "envoy.yaml").read_text() == "mine: true\n"
    forced = wasmctl("run", "--no-build", "--compose", ".", "--force", cwd=project)
    assert forced.code == 0
    assert forced.out == "envoy.yaml\n"
