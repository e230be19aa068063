"""Compiled plug-ins that tests share: the probe, and the template `header-auth` in Rust.

Each is compiled once a machine: cargo locks its target folder, which lies in pytest's cache, and
finds there what an earlier run, or another worker of this one, has made.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT
from wasmctl.scaffold.scaffold import Answers, plan_scaffold
from wasmctl.scaffold.template import find_bundled

__all__ = ["header_auth_module", "probe_module"]

_TARGET = "wasm32-wasip1"


@pytest.fixture(scope="session")
def probe_module(pytestconfig: pytest.Config) -> Path:
    """The plug-in of tests/modules/probe, which does what a request tells it."""
    return _compiled(ROOT / "tests/modules/probe", "probe", pytestconfig)


@pytest.fixture(scope="session")
def header_auth_module(pytestconfig: pytest.Config) -> Path:
    """The template `header-auth`, compiled by cargo."""
    folder = pytestconfig.cache.mkdir("header-auth")
    answers = Answers(name="header-auth", toolchain="cargo")
    for file in plan_scaffold(find_bundled("header-auth"), folder / "none", answers).create:
        path = folder / "project" / file.path
        # What is there keeps its time, so that cargo need not compile it again.
        if not path.exists() or path.read_bytes() != file.content:
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_name(f".{os.getpid()}.part")
            part.write_bytes(file.content)
            part.replace(path)
    return _compiled(folder / "project", "header_auth", pytestconfig)


def _compiled(folder: Path, name: str, config: pytest.Config) -> Path:
    target = config.cache.mkdir("cargo-modules")
    cargo = shutil.which("cargo") or str(Path.home() / ".cargo/bin/cargo")
    done = subprocess.run(
        [cargo, "build", "--release", "--locked", "--target", _TARGET],
        cwd=folder,
        env={**os.environ, "CARGO_TARGET_DIR": str(target), "CARGO_TERM_COLOR": "never"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return target / _TARGET / "release" / f"{name}.wasm"
