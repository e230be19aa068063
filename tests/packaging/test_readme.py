"""The README's first command, as it stands there, for somebody with Python and nothing else."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

NOBODY = 65534


def command_one() -> str:
    """Return the line that the README gives for the road."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    lines = re.findall(r"^python3 -m venv .*$", readme, re.MULTILINE)
    assert len(lines) == 1, "the README's first command is one line"
    line: str = lines[0]
    return line


@pytest.fixture
def clone() -> Iterator[Path]:
    """A fresh clone that belongs to nobody, outside pytest's folders, which are root's alone."""
    folder = Path("/tmp") / f"wasmctl-readme-{os.getpid()}-{time.time_ns()}"
    folder.mkdir()
    subprocess.run(["git", "clone", "-q", str(ROOT), str(folder / "wasmctl")], check=True)
    subprocess.run(["chown", "-R", f"{NOBODY}:{NOBODY}", str(folder)], check=True)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.root
@pytest.mark.timeout(900)
def test_command_one_needs_python_and_nothing_else(clone: Path) -> None:
    """No root, no Docker, no Rust and no Go: only what a bare machine's PATH has."""
    bare = clone / "bin"
    bare.mkdir()
    for program in ("python3", "sh", "env", "git"):
        (bare / program).symlink_to(f"/usr/bin/{program}")
    names = re.compile(r"(PIP|SSL|REQUESTS|CURL|HTTPS?|NO|GOPROXY|GOSUMDB)(_|$)", re.IGNORECASE)
    env = {key: value for key, value in os.environ.items() if names.match(key)}
    env |= {"HOME": str(clone), "PATH": str(bare), "TMPDIR": str(clone)}
    argv = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    done = subprocess.run(
        [shutil.which("setpriv") or "setpriv", *argv[1:], "/bin/sh", "-c", command_one()],
        cwd=clone / "wasmctl",
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    hello = clone / "wasmctl/hello"
    assert (hello / "dist/plugin.wasm").read_bytes()[:4] == b"\0asm"
    assert (hello / "dist/image/index.json").is_file()
    assert "cd hello" in done.stdout
    assert re.search(r"^  [1-9]\d* passed in Envoy 1\.", done.stderr, re.MULTILINE), done.stderr
    # Go's module cache is read-only: what cannot be written cannot be removed either.
    subprocess.run(["chmod", "-R", "u+w", str(clone)], check=False)
