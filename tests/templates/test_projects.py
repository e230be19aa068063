"""What the templates make passes what its language's people run: formatters, linters, tests."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.templates.shapes import CASES, Case

RUST = [case for case in CASES if case.toolchain == "cargo"]
# Toolchains that take the same sources need not say the same twice.
GO = [*{(case.template.name, case.layers): case for case in CASES if case.toolchain != "cargo"}.values()]

Run = Callable[..., str]


@pytest.fixture
def run(pytestconfig: pytest.Config, tmp_path: Path) -> Run:
    """Runs a tool in tmp_path/p; what the compilers make is kept from one run to the next."""
    target = pytestconfig.cache.mkdir("cargo-target")

    def run(*argv: str, **env: str) -> str:
        done = subprocess.run(
            argv,
            cwd=tmp_path / "p",
            env={**os.environ, "CARGO_TARGET_DIR": str(target), "CARGO_TERM_COLOR": "never", **env},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


@pytest.mark.cargo
@pytest.mark.parametrize("case", RUST, ids=str)
def test_a_rust_project_is_formatted_clean_and_tested(case: Case, tmp_path: Path, run: Run) -> None:
    project = case.make(tmp_path / "p")
    lock = (project / "Cargo.lock").read_bytes()
    run("cargo", "fmt", "--check")
    run("cargo", "clippy", "--locked", "--all-targets", "--", "-D", "warnings")
    run("cargo", "clippy", "--locked", "--target", "wasm32-wasip1", "--", "-D", "warnings")
    assert re.search(r"test result: ok\. [1-9]", run("cargo", "test", "--locked"))
    assert (project / "Cargo.lock").read_bytes() == lock


@pytest.mark.cargo
@pytest.mark.parametrize("name", ["a", "h-2", "proxy-wasm-x", "zz"])
def test_cargo_takes_the_lock_file_whatever_the_name(name: str, tmp_path: Path, run: Run) -> None:
    RUST[0].make(tmp_path / "p", name)
    run("cargo", "metadata", "--locked", "--format-version", "1")


@pytest.mark.old_rust
@pytest.mark.parametrize("case", RUST, ids=str)
def test_the_rust_of_the_old_target_name_takes_it(case: Case, tmp_path: Path, run: Run) -> None:
    case.make(tmp_path / "p")
    run("cargo", "+1.77.2", "check", "--locked", "--target", "wasm32-wasi")


@pytest.mark.go
@pytest.mark.staticcheck
@pytest.mark.parametrize("case", GO, ids=str)
def test_a_go_project_is_formatted_clean_and_tested(case: Case, tmp_path: Path, run: Run) -> None:
    project = case.make(tmp_path / "p")
    module = [(project / name).read_bytes() for name in ("go.mod", "go.sum")]
    assert run("gofmt", "-l", ".") == ""
    # As on a machine without a C compiler; and what one of them compiles, the next one finds.
    for command in ("go vet", "staticcheck", "go test"):
        run(*command.split(), "./...", CGO_ENABLED="0")
    assert [(project / name).read_bytes() for name in ("go.mod", "go.sum")] == module


@pytest.mark.go
@pytest.mark.parametrize("case", GO, ids=str)
def test_no_project_makes_go_fetch_another_go(case: Case, tmp_path: Path, run: Run) -> None:
    """Go reads the version a module needs, and a toolchain line, before anything else."""
    text = (case.make(tmp_path / "p") / "go.mod").read_text()
    assert "toolchain" not in text
    # The Go below 0.31.2's TinyGo is at most 1.22, that below 0.39's at most 1.25.
    newest = (1, 22) if case.tinygo == "0.31.2" else (1, 24)
    needed = text.partition("\ngo ")[2].split()[0].split(".")
    assert (int(needed[0]), int(needed[1])) <= newest
    assert run("go", "list", "-m", GOTOOLCHAIN="local") == "my-plug-in\n"
