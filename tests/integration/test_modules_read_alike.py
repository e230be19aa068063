"""What others read of real compilers' modules, we read of them too: engine and disassembler."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import wasmtime

from wasmctl.wasm.code import read_calls
from wasmctl.wasm.info import FunctionType
from wasmctl.wasm.reader import read_module


@pytest.fixture(scope="module", params=["probe_module", "header_auth_module"])
def module(request: pytest.FixtureRequest) -> Path:
    path = request.getfixturevalue(request.param)
    assert isinstance(path, Path)
    return path


def signature(kind: object) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    if isinstance(kind, wasmtime.FuncType):
        return tuple(map(str, kind.params)), tuple(map(str, kind.results))
    return None


def pair(kind: FunctionType | None) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    return None if kind is None else (kind.parameters, kind.results)


@pytest.mark.cargo
def test_an_engine_finds_the_same_imports_and_exports(module: Path) -> None:
    data = module.read_bytes()
    info, theirs = read_module(data, "x"), wasmtime.Module(wasmtime.Engine(), data)
    assert [(one.module, one.name, pair(one.type)) for one in info.imports] == [
        (one.module, one.name, signature(one.type)) for one in theirs.imports
    ]
    types = info.exported_functions
    assert [(one.name, pair(types.get(one.name))) for one in info.exports] == [
        (one.name, signature(one.type)) for one in theirs.exports
    ]


@pytest.mark.cargo
@pytest.mark.binaryen
def test_a_disassembler_finds_the_same_calls(module: Path) -> None:
    data = module.read_bytes()
    info = read_module(data, "x")
    argv = ["wasm-dis", str(module)]
    text = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
    indices: dict[str, int] = {}
    called: list[set[str]] = []
    for line in text.splitlines():
        if found := re.match(r" \((import .*)?\(?func (\$\S+)", line):
            indices[found[2]] = len(indices)
            if not found[1]:
                called.append(set())
        elif found := re.match(r" +\(call (\$\S+)", line):
            called[-1].add(found[1].rstrip(")"))
    assert sum(map(len, called)) > 500
    assert [{indices[name] for name in names} for names in called] == [
        set(calls.functions) for calls in read_calls(data, info)
    ]
