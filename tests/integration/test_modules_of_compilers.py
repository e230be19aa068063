"""What real compilers' modules say of themselves."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from wasmctl.wasm.info import ModuleInfo
from wasmctl.wasm.reader import open_module, read_module

RUST = """
#[no_mangle]
pub extern "C" fn proxy_abi_version_0_2_1() {}
"""
GO = """
package main

//go:wasmexport proxy_abi_version_0_2_1
func marker() {}

func main() {}
"""


def read(path: Path) -> ModuleInfo:
    with open_module(path) as data:
        return read_module(data, str(path))


@pytest.mark.cargo
@pytest.mark.parametrize("target", ["wasm32-wasip1", "wasm32-unknown-unknown"])
def test_rusts_module(tmp_path: Path, user_env: dict[str, str], target: str) -> None:
    (tmp_path / "lib.rs").write_text(RUST)
    argv = ["rustc", "--crate-type=cdylib", f"--target={target}", "-o", "x.wasm", "lib.rs"]
    subprocess.run(argv, cwd=tmp_path, env=user_env, check=True)
    found = read(tmp_path / "x.wasm")
    assert found.abi_versions == ("0.2.1",)
    assert found.producers["processed-by"]["rustc"].startswith("1.")


@pytest.mark.go
def test_gos_module(tmp_path: Path, user_env: dict[str, str]) -> None:
    (tmp_path / "main.go").write_text(GO)
    (tmp_path / "go.mod").write_text("module x\n\ngo 1.24\n")
    env = {**user_env, "GOOS": "wasip1", "GOARCH": "wasm"}
    argv = ["go", "build", "-buildmode=c-shared", "-o", "x.wasm"]
    subprocess.run(argv, cwd=tmp_path, env=env, check=True)
    found = read(tmp_path / "x.wasm")
    assert found.abi_versions == ("0.2.1",)
    assert found.producers["processed-by"]["Go cmd/compile"].startswith("go1.")
