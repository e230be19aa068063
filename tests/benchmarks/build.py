"""Builds against the raw compilers: from clean, after an edit, and with nothing to do."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.timing import Command, compare, show
from tests.conftest import WASMCTL
from tests.integration.builds import scaffold

if TYPE_CHECKING:
    from wasmctl.project.settings import ToolchainName

TINYGO = Path("/opt/tinygo-0.39.0/bin/tinygo")
CLEAN = "at most 0.2 s more"
UNCHANGED = "at most 0.15 s more"

Clean = Callable[[Path], Callable[[], None]]


def removing(*names: str) -> Clean:
    """Return what takes results away before each run."""

    def prepare(folder: Path) -> Callable[[], None]:
        def before() -> None:
            for name in names:
                shutil.rmtree(folder / name, ignore_errors=True)
                (folder / name).unlink(missing_ok=True)

        return before

    return prepare


def editing(name: str) -> Clean:
    """Return what appends a line to a source before each run."""

    def prepare(folder: Path) -> Callable[[], None]:
        def before() -> None:
            path = folder / name
            path.write_text(path.read_text() + "// edited\n")

        return before

    return prepare


def measure(
    title: str,
    toolchain: ToolchainName,
    raw: Sequence[str],
    before: Clean,
    *,
    runs: int,
    bound: str,
) -> None:
    """Print a line: our build of a scaffolded plug-in against the raw command in its own copy."""
    tools = {"WASMCTL_TINYGO": str(TINYGO), "GOTOOLCHAIN": "auto"}
    ours_env = {**os.environ, **tools}
    raw_env = {**os.environ}
    if toolchain == "tinygo":
        raw_env["GOTOOLCHAIN"] = "go1.25.5"
    if toolchain == "go":
        raw_env |= {"GOOS": "wasip1", "GOARCH": "wasm"}
    with tempfile.TemporaryDirectory() as folder:
        mine, other = (scaffold(Path(folder, name), toolchain) for name in ("ours", "theirs"))
        ours = Command(argv=[WASMCTL, "build"], cwd=mine, env=ours_env, before=before(mine))
        theirs = Command(argv=raw, cwd=other, env=raw_env, before=before(other))
        show(title, *compare(ours, theirs, runs=runs), bound=bound)


def main() -> None:
    """Print the ratios."""
    cargo = ["cargo", "build", "--release", "--target", "wasm32-wasip1"]
    go = ["go", "build", "-buildmode=c-shared", "-trimpath", "-o", "x.wasm", "."]
    flags = ["-target=wasip1", "-scheduler=none", "-buildmode=c-shared"]
    tinygo = [str(TINYGO), "build", "-o", "x.wasm", *flags, "main.go"]
    nothing = removing()
    results = removing("dist", "target", "x.wasm")
    measure("cargo, from clean", "cargo", cargo, results, runs=3, bound=CLEAN)
    measure("cargo, edited", "cargo", cargo, editing("src/lib.rs"), runs=5, bound=CLEAN)
    measure("cargo, unchanged", "cargo", cargo, nothing, runs=15, bound=UNCHANGED)
    measure("go, from clean", "go", go, results, runs=7, bound=CLEAN)
    measure("go, edited", "go", go, editing("main.go"), runs=7, bound=CLEAN)
    measure("go, unchanged", "go", go, nothing, runs=15, bound=UNCHANGED)
    measure("tinygo, from clean", "tinygo", tinygo, results, runs=3, bound=CLEAN)
    typer = [sys.executable, "-c", "import typer"]
    bound = "at most 2.5 times `import typer`"
    measure("tinygo, unchanged", "tinygo", typer, nothing, runs=15, bound=bound)


if __name__ == "__main__":
    main()
