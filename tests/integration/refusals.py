"""Command lines that are refused before anything starts, many of them by one process."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.conftest import ROOT, Said

__all__ = ["refused"]

_PROGRAM = """
import io, json, sys
from wasmctl.cli.app import run

told = []
for argv in json.loads(sys.argv[1]):
    sys.stdout, sys.stderr = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in "oe")
    code = run(argv)
    told.append([code, *(io.BytesIO.getvalue(s.buffer).decode() for s in (sys.stdout, sys.stderr))])
print(json.dumps(told), file=sys.__stdout__)
"""


def refused(
    lines: Sequence[Sequence[str]], *, cwd: Path, env: Mapping[str, str]
) -> dict[tuple[str, ...], Said]:
    """Return what each command line says; none of them may start a program."""
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, json.dumps([[*line] for line in lines])],
        cwd=cwd,
        env={**env, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    said = [Said(code=code, out=out, err=err) for code, out, err in json.loads(done.stdout)]
    return dict(zip(map(tuple, lines), said, strict=True))
