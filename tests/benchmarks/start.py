"""The start: `--help` and completion against importing typer alone."""

from __future__ import annotations

import os
import sys

from tests.benchmarks.timing import Command, compare, show
from tests.conftest import WASMCTL


def main() -> None:
    """Print the ratios."""
    typer = Command(argv=[sys.executable, "-c", "import typer"])
    completing = {
        "_WASMCTL_COMPLETE": "complete_bash",
        "COMP_WORDS": "wasmctl b",
        "COMP_CWORD": "1",
    }
    bound = "at most 1.5 times `import typer`"
    show("--help", *compare(Command(argv=[WASMCTL, "--help"]), typer, runs=15), bound=bound)
    completion = Command(argv=[WASMCTL], env={**os.environ, **completing, "COMP_CWORD": "1"})
    show("completion", *compare(completion, typer, runs=15), bound=bound)


if __name__ == "__main__":
    main()
