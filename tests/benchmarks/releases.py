"""Five releases of Envoy in one `wasmctl test` against one of them.

The first run fetches those that are not in wasmctl's cache.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from tests.benchmarks.timing import Command, compare, show
from tests.conftest import WASMCTL

RELEASES = ("1.36", "1.37", "1.38", "1.39", "1.40")


def main() -> None:
    """Print what four more releases cost, one Envoy at a time and as many as there are cores."""
    with tempfile.TemporaryDirectory() as name:
        project = Path(name) / "header-auth"
        choices = ["--template", "header-auth", "--toolchain", "cargo", "--no-input"]
        Command(argv=[WASMCTL, "init", project, *choices]).seconds()
        Command(argv=[WASMCTL, "build"], cwd=project).seconds()
        matrix = [word for release in RELEASES for word in ("--envoy", release)]
        one = Command(argv=[WASMCTL, "test", "--envoy", RELEASES[-1]], cwd=project)
        five = Command(argv=[WASMCTL, "test", *matrix], cwd=project)
        alone = Command(argv=[*five.argv, "--jobs", "1"], cwd=project)
        cores = os.cpu_count() or 1
        bound = f"ratio under 5: in parallel within {cores} cores"
        show("five releases, one release", *compare(five, one, runs=5), bound=bound)
        show("five releases, --jobs 1", *compare(five, alone, runs=5), bound="ratio under 1")


if __name__ == "__main__":
    main()
