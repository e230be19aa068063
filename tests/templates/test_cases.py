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


# Of one template that Rust's other target does as well.
_OTHER_TARGET = [case for case in CASES if str(case) == "prime-token-cargo"]


@pytest.mark.parametrize(
    ("case", "target"),
    [
        pytest.param(case, target, id=f"{case}{target}", marks=_MARKS[case.toolchain])
        for cases, target in ((CASES, ""), (_OTHER_TARGET, "wasm32-unknown-unknown"))
        for case in cases
    ],
)
def test_every_case_passes(
    case: Case, target: str, tmp_path: Path, wasmctl: CommandLine, pytestconfig: pytest.Config
) -> None:
    project = case.make(tmp_path / "p")
    env = {
        "CARGO_TARGET_DIR": str(pytestconfig.cache.mkdir("cargo-target")),
        # The Envoys' cache, and TinyGo's: nobody gains by filling them again.
        "XDG_CACHE_HOME": str(ENVOY_CACHE),
        "WASMCTL_BUILD_TARGET": target,
    }
    if case.tinygo is not None:
        env["WASMCTL_TINYGO"] = f"/opt/tinygo-{case.tinygo}/bin/tinygo"
    envoys = [word for release in RELEASES for word in ("--envoy", release)]
    # One after the other: V8 takes all cores for a module that Go made.
    said = wasmctl("test", *envoys, "--jobs", "1", cwd=project, env=env, timeout=300)
    assert said.code == 0, said.out + said.err
    declared = len(
        re.findall(r"^- name: ", next(project.glob("tests/*.yaml")).read_text(), re.MULTILINE)
    )
    assert said.out.splitlines()[-1].startswith(f"{declared * len(RELEASES)} passed, ")
    checked = wasmctl("check", cwd=project, env=env)
    assert checked.code == 0, checked.out + checked.err
    # TinyGo's own malloc would cost memory with every request.
    assert "allocators-two" not in checked.out
    record = json.loads((project / "dist/plugin.json").read_text())
    assert target in {"", record["module"]["target"]}
    notes = record["tests"]
    assert {(note["asked"], note["passed"], note["failed"]) for note in notes} == {
        (release, declared, 0) for release in RELEASES
    }
