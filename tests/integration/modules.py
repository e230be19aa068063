"""Compiled plug-ins that tests share: the probe, the template `header-auth`, and the culprits.

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

__all__ = [
    "browser_module",
    "go_culprits_module",
    "header_auth_module",
    "probe_module",
    "rust_culprits_module",
]

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


@pytest.fixture(scope="session")
def rust_culprits_module(pytestconfig: pytest.Config) -> Path:
    """The plug-in of tests/modules/culprits-rust, which asks WASI for much; with DWARF."""
    return _compiled(ROOT / "tests/modules/culprits-rust", "culprits", pytestconfig)


@pytest.fixture(scope="session")
def browser_module(pytestconfig: pytest.Config) -> Path:
    """The other one there, which has wasm-bindgen through a dependency of a dependency."""
    folder = ROOT / "tests/modules/culprits-rust"
    return _compiled(folder, "culprits_js", pytestconfig, target="wasm32-unknown-unknown")


@pytest.fixture(scope="session")
def go_culprits_module(pytestconfig: pytest.Config) -> Path:
    """The plug-in of tests/modules/culprits-go: files, links, templates, HTTP; 15 MB."""
    path = pytestconfig.cache.mkdir("go-modules") / "culprits.wasm"
    # Another worker may be reading what an earlier one has made.
    part = path.with_name(f"{os.getpid()}.wasm")
    argv = [
        "go",
        "build",
        "-buildmode=c-shared",
        "-trimpath",
        "-buildvcs=false",
        "-o",
        str(part),
        ".",
    ]
    env = {**os.environ, "GOOS": "wasip1", "GOARCH": "wasm"}
    folder = ROOT / "tests/modules/culprits-go"
    done = subprocess.run(argv, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return part.replace(path)


def _compiled(folder: Path, name: str, config: pytest.Config, *, target: str = _TARGET) -> Path:
    results = config.cache.mkdir("cargo-modules")
    cargo = shutil.which("cargo") or str(Path.home() / ".cargo/bin/cargo")
    argv = [cargo, "build", "--release", "--locked"]
    done = subprocess.run(
        [*argv, "--target", target, "--package", name.replace("_", "-")],
        cwd=folder,
        env={**os.environ, "CARGO_TARGET_DIR": str(results), "CARGO_TERM_COLOR": "never"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return results / target / "release" / f"{name}.wasm"
