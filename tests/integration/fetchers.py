"""What go-containerregistry, in the steps of Istio's fetcher, makes of images in a registry.

Istio's own fetcher is not run here, as its Go module is not to be had everywhere: the steps are
restated in Go. Real are the registry's client, the choice from an index, media types, digests,
gzip, tar, and every error of theirs. Eleven of the layouts were once read by Istio's own fetcher
(2026-08), with the same verdicts.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import ROOT

_PROGRAM = ROOT / "tests/consumers/fetcher"


@dataclass(frozen=True)
class Answer:
    """What came of one fetch: `error`, or the module's size and hash."""

    ref: str
    error: str
    size: int
    sha256: str


class Fetcher:
    """The program, compiled."""

    def __init__(self, program: Path, home: Path) -> None:
        self._program = program
        self._env = {"HOME": str(home), "PATH": os.environ["PATH"]}

    def fetch(self, refs: Sequence[str]) -> dict[str, Answer]:
        done = subprocess.run(
            [self._program],
            input="".join(f"{ref}\n" for ref in refs),
            capture_output=True,
            text=True,
            env=self._env,
            check=True,
            timeout=120,
        )
        answers = [Answer(**json.loads(line)) for line in done.stdout.splitlines()]
        assert [answer.ref for answer in answers] == [*refs], done.stderr
        return {answer.ref: answer for answer in answers}


@pytest.fixture(scope="session")
def fetcher(tmp_path_factory: pytest.TempPathFactory) -> Fetcher:
    """The fetcher; needs the `go` marker, and the module proxy the first time."""
    folder = tmp_path_factory.mktemp("fetcher")
    program = folder / "fetcher"
    done = subprocess.run(
        ["go", "build", "-o", str(program), "."],
        cwd=_PROGRAM,
        env={**os.environ, "GOFLAGS": "-mod=readonly", "GOWORK": "off", "CGO_ENABLED": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return Fetcher(program, folder)
