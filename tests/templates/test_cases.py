"""The cases of a template pass in a real Envoy, whatever compiles the plug-in."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.conftest import CommandLine
from tests.templates.shapes import CASES, Case

pytestmark = pytest.mark.envoy
_MARKS = {"cargo": pytest.mark.cargo, "go": pytest.mark.go, "tinygo": pytest.mark.tinygo}


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=str(case), marks=_MARKS[case.toolchain]) for case in CASES]
)
def test_every_case_passes(
    case: Case, tmp_path: Path, wasmctl: CommandLine, pytestconfig: pytest.Config
) -> None:
    project = case.make(tmp_path / "p")
    env = {
        "CARGO_TARGET_DIR": str(pytestconfig.cache.mkdir("cargo-target")),
        # TinyGo's cache: nobody gains by filling it again.
        "XDG_CACHE_HOME": str(Path.home() / ".cache"),
    }
    if case.tinygo is not None:
        env["WASMCTL_TINYGO"] = f"/opt/tinygo-{case.tinygo}/bin/tinygo"
    said = wasmctl("test", cwd=project, env=env, timeout=300)
    assert said.code == 0, said.out + said.err
    declared = len(
        re.findall(r"^- name: ", next(project.glob("tests/*.yaml")).read_text(), re.MULTILINE)
    )
    assert said.out.splitlines()[-1].startswith(f"{declared} passed in Envoy 1.")
    (note,) = json.loads((project / "dist/plugin.json").read_text())["tests"]
    assert (note["passed"], note["failed"]) == (declared, 0)
