"""`wasmctl quickstart`: the whole road, also where there is no Envoy to be had."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from tests.conftest import CommandLine

pytestmark = pytest.mark.go


@pytest.mark.envoy
def test_the_road_is_scaffold_build_test_package(wasmctl: CommandLine, tmp_path: Path) -> None:
    said = wasmctl("quickstart", "hello", "--json", cwd=tmp_path)
    assert said.code == 0, said.err
    data = json.loads(said.out)["data"]
    assert [step["name"] for step in data["steps"]] == ["scaffold", "build", "test", "package"]
    (cases,) = (tmp_path / "hello/tests").glob("*.cases.yaml")
    declared = cases.read_text().count("\n- name: ")
    assert data["tested"]["passed"] == declared > 0
    assert f"  {declared} passed in Envoy {data['tested']['envoy']}\n" in said.err
    (note,) = json.loads((tmp_path / "hello/dist/plugin.json").read_text())["tests"]
    assert note["module_sha256"] == data["module"]["sha256"]


def test_without_an_envoy_it_says_so_with_the_remedy_and_goes_on(
    wasmctl: CommandLine, tmp_path: Path
) -> None:
    env = {
        "WASMCTL_ENVOY": "1.36",
        "XDG_CACHE_HOME": str(tmp_path / "empty"),
        "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
        "PIP_RETRIES": "0",
        "PIP_CONFIG_FILE": os.devnull,
    }
    said = wasmctl("quickstart", "hello", cwd=tmp_path, env=env)
    assert said.code == 0, said.err
    assert "warning: not tested: " in said.err
    assert "  for later: " in said.err
    assert "; then `wasmctl test`\n" in said.err
    assert (tmp_path / "hello/dist/image/index.json").is_file()
    assert "  wasmctl test " in said.out


@pytest.mark.envoy
def test_an_envoy_that_is_lost_tested_nothing(wasmctl: CommandLine, tmp_path: Path) -> None:
    real = Path(sys.executable).with_name("envoy")
    lost = tmp_path / "envoy"
    # It answers whatever is asked of it, and ends as soon as it shall serve.
    lost.write_text(f'#!/bin/sh\ncase "$*" in *admin-address*) exit 9 ;; esac\nexec {real} "$@"\n')
    lost.chmod(0o755)
    said = wasmctl("quickstart", "--json", cwd=tmp_path, env={"WASMCTL_ENVOY": str(lost)})
    assert said.code == 0, said.err
    assert json.loads(said.out)["data"]["tested"] is None
    assert "warning: not tested: " in said.err
