"""`wasmctl inspect` as it is typed: what it says is what other tools find in the same module."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import wasmtime

from tests.conftest import CommandLine, Said
from tests.integration.builds import write
from tests.integration.registries import RunningRegistry
from tests.modules.assembler import plugin


def data(said: Said) -> dict[str, Any]:
    assert said.code == 0, said.err
    found = json.loads(said.out)["data"]
    assert isinstance(found, dict)
    return found


@pytest.mark.cargo
def test_a_real_module(wasmctl: CommandLine, tmp_path: Path, header_auth_module: Path) -> None:
    found = data(wasmctl("inspect", header_auth_module, "--json", cwd=tmp_path))
    assert found["size"] == header_auth_module.stat().st_size
    assert found["abi_versions"] == ["0.2.1"]
    engine = wasmtime.Module.from_file(wasmtime.Engine(), str(header_auth_module))
    assert [one["name"] for one in found["imports"]] == [
        f"{one.module}.{one.name}" for one in engine.imports
    ]
    assert [one["name"] for one in found["exports"]] == [one.name for one in engine.exports]
    # All of the file but its preamble is in sections.
    assert sum(one["size"] for one in found["sections"]) == found["size"] - 8
    packages = {one["name"]: one["size"] for one in found["packages"]}
    assert {"proxy_wasm", "header_auth"} <= {*packages}
    code = next(one["size"] for one in found["sections"] if one["name"] == "code")
    assert 0.9 * code < sum(packages.values()) <= code
    assert {"proxy_on_request_headers", "proxy_log", "fd_write"} <= {*found["capabilities"]}
    assert "proxy_on_memory_allocate" not in found["capabilities"]

    shown = wasmctl("inspect", header_auth_module, cwd=tmp_path).out
    assert "code by package" in shown
    assert max(map(len, shown.splitlines())) <= 110


@pytest.mark.registry
def test_an_image(wasmctl: CommandLine, tmp_path: Path, plain_registry: RunningRegistry) -> None:
    write(tmp_path, {"go.mod": "module x\n\ngo 1.24\n", "main.go": "package main\n"})
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist/plugin.wasm").write_bytes(plugin())
    ref = f"{plain_registry.new_name()}:1"
    assert wasmctl("push", "--no-build", ref, cwd=tmp_path).code == 0
    found = data(wasmctl("inspect", ref, "--json", cwd=tmp_path))
    assert found["image"]["format"] == "oci"
    assert [one["media_type"] for one in found["image"]["layers"]] == [
        "application/vnd.oci.image.layer.v1.tar+gzip"
    ]
    assert found["size"] == len(plugin())
    here = data(wasmctl("inspect", "--json", cwd=tmp_path))
    assert here["imports"] == found["imports"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(("absent.wasm",), 2), (("notes.txt",), 5), ((), 2), (("127.0.0.1:1/a/b:1",), 6)],
)
def test_bad_input(
    arguments: tuple[str, ...], code: int, wasmctl: CommandLine, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("no module")
    said = wasmctl("inspect", *arguments, cwd=tmp_path)
    assert said.code == code, said
    assert "hint:" in said.err
