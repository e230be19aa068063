"""The cases of a template pass in the newest and the oldest Envoy, whatever compiles the plug-in."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.conftest import CommandLine
from tests.integration.envoys import ENVOY_CACHE
from tests.templates.shapes import CASES, Case

pytestmark = pytest.mark.envoy
# The newest and the oldest release that the package index has with Wasm.
RELEASES = ("1.40", "1.36")
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
        # The Envoys' cache, and TinyGo's: nobody gains by filling them again.
        "XDG_CACHE_HOME": str(ENVOY_CACHE),
    }
    if case.tinygo is not None:
        env["WASMCTL_TINYGO"] = f"/opt/tinygo-{case.tinygo}/bin/tinygo"
    envoys = [word for release in RELEASES for word in ("--envoy", release)]
    said = wasmctl("test", *envoys, cwd=project, env=env, timeout=300)
    assert said.code == 0, said.out + said.err
    declared = len(
        re.findall(r"^- name: ", next(project.glob("tests/*.yaml")).read_text(), re.MULTILINE)
    )
    assert said.out.splitlines()[-1].startswith(f"{declared * len(RELEASES)} passed, ")
    notes = json.loads((project / "dist/plugin.json").read_text())["tests"]
    assert {(note["asked"], note["passed"], note["failed"]) for note in notes} == {
        (release, declared, 0) for release in RELEASES
    }
