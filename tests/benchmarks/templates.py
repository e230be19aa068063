"""Requests per second through each template in a real Envoy, beside no plug-in, and their sizes.

One Envoy with one worker serves all of them, a listener each, in turn; a load from wrk on loopback,
16 connections. grpc-auth is left out: it asks a service for each request, whose figure it were.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.conftest import WASMCTL
from tests.integration.proxies import started
from tests.templates.shapes import CASES, Case
from wasmctl.envoy.bootstrap import Listener, WasmPlugin
from wasmctl.envoy.proxy import Loaded

_SECONDS: Final = 2
_ROUNDS: Final = 3
# What a plug-in lets pass.
_HEADERS: Final[Mapping[str, tuple[str, ...]]] = {
    "header-auth": ("allow: true",),
    "prime-token": ("token: 32323",),
}


def main() -> None:
    """Print the table."""
    if shutil.which("wrk") is None:
        sys.exit("wrk is needed: `apt-get install wrk`")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        modules = {str(case): _built(case, folder) for case in CASES}
        asyncio.run(_measure(folder, modules))


def _built(case: Case, folder: Path) -> Path:
    project = case.make(folder / str(case))
    env = {**os.environ, "CARGO_TARGET_DIR": str(folder / "target")}
    if case.tinygo is not None:
        env["WASMCTL_TINYGO"] = f"/opt/tinygo-{case.tinygo}/bin/tinygo"
    subprocess.run([str(WASMCTL), "build", str(project)], check=True, capture_output=True, env=env)
    return project / "dist/plugin.wasm"


async def _measure(folder: Path, modules: Mapping[str, Path]) -> None:
    modules = {name: path for name, path in modules.items() if "grpc" not in name}
    listeners = [Listener(name="no plug-in")] + [
        Listener(name=name, plugins=(WasmPlugin(name=name, module=path, vm_id=name),))
        for name, path in modules.items()
    ]
    run = folder / "run"
    run.mkdir()
    async with started(run) as proxy:
        loaded = await proxy.load(listeners)
        rates: dict[str, list[float]] = {one.name: [] for one in listeners}
        for _ in range(_ROUNDS):
            for listener in listeners:
                outcome = loaded[listener.name]
                assert isinstance(outcome, Loaded), outcome
                rates[listener.name].append(await _rate(outcome.address, listener.name))
    bare = statistics.median(rates["no plug-in"])
    for name, found in rates.items():
        size = f"{modules[name].stat().st_size / 1e3:.0f} kB" if name in modules else ""
        rate = statistics.median(found)
        print(f"{name:<28} {size:>9}  {rate:>7.0f} requests/s  {rate / bare:.2f} of no plug-in")


async def _rate(address: tuple[str, int], name: str) -> float:
    headers = next((found for stem, found in _HEADERS.items() if name.startswith(stem)), ())
    argv = ["wrk", "-t1", "-c16", f"-d{_SECONDS}s", *(f"-H{header}" for header in headers)]
    process = await asyncio.create_subprocess_exec(
        *argv, f"http://{address[0]}:{address[1]}/", stdout=subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert b"Non-2xx" not in out, out.decode()
    found = re.search(rb"Requests/sec:\s+([\d.]+)", out)
    assert found is not None
    return float(found[1])


if __name__ == "__main__":
    main()
