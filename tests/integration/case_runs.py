"""Runs case files, written down in a test, in the Envoy at hand."""

from __future__ import annotations

import asyncio
import io
import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil
import pytest

from wasmctl.cases.load import load_cases
from wasmctl.cases.results import CaseResult
from wasmctl.cases.run import RunOptions, run_cases
from wasmctl.console import Console
from wasmctl.envoy.envoy import Envoy
from wasmctl.envoy.find import find_envoy
from wasmctl.session import Session

__all__ = ["CaseRunner", "envoys_of_ours"]


class CaseRunner:
    """Runs a case file's text against a module, and keeps what was told.

    Args:
        folder: for the case files.
        env: a user's.
    """

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        self.folder = folder
        self.env = env
        self.told: list[CaseResult] = []

    def envoy(self) -> Envoy:
        """Return the Envoy at hand."""
        console = Console(out=io.StringIO(), err=io.StringIO())
        session = Session(env=self.env, cwd=self.folder, console=console)
        return find_envoy(session, None)

    def __call__(
        self,
        module: Path,
        *texts: str,
        stop_at_first: bool = False,
        jobs: int = 1,
        releases: int = 1,
        hook: Callable[[CaseResult], None] | None = None,
    ) -> dict[str, CaseResult]:
        """Return the results by the cases' names."""

        def told(result: CaseResult) -> None:
            self.told.append(result)
            if hook is not None:
                hook(result)

        files = []
        for number, text in enumerate(texts):
            path = self.folder / f"{number}.cases.yaml"
            path.write_text(textwrap.dedent(text))
            files.append(load_cases(path))
        options = RunOptions(env=self.env, jobs=jobs, stop_at_first=stop_at_first)
        envoys = [self.envoy()] * releases
        results = asyncio.run(run_cases(module, files, envoys, options, told))
        return {result.name: result for result in results}


def envoys_of_ours() -> list[psutil.Process]:
    """Return the Envoys that this process has started, and that still run."""
    children = psutil.Process().children(recursive=True)
    return [child for child in children if "envoy" in child.name()]


@pytest.fixture
def run_file(tmp_path: Path, user_env: dict[str, str]) -> CaseRunner:
    return CaseRunner(tmp_path, user_env)
