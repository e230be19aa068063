"""Asks real Envoys, one process a release, what they make of one module after another."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.integration.proxies import envoy_beside, unpacked
from wasmctl.envoy.bootstrap import Listener, WasmPlugin
from wasmctl.envoy.envoy import Envoy
from wasmctl.envoy.proxy import Proxy, Rejected, running
from wasmctl.errors import ProxyError

__all__ = ["Answer", "Prober", "envoy_of", "probing"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a module.

    Args:
        loaded: whether Envoy serves it.
        words: what its Wasm part said, in its order.
        died: whether Envoy itself ended of it.
    """

    loaded: bool
    words: tuple[str, ...]
    died: bool = False


@dataclass(slots=True)
class Prober:
    """One release of Envoy; started anew when a module has ended it."""

    envoy: Envoy
    folder: Path
    proxies: int = 0
    _proxy: Proxy | None = None
    _stack: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack)

    async def ask(self, module: bytes) -> Answer:
        """Return what becomes of the module."""
        proxy = self._proxy or await self._start()
        path = self.folder / "plugin.wasm"
        path.write_bytes(module)
        plugin = WasmPlugin(name="probe", vm_id="probe", module=path)
        try:
            outcome = (await proxy.load([Listener(name="probe", plugins=(plugin,))]))["probe"]
        except ProxyError as error:
            if error.code != "envoy-ended":
                raise
            await self.close()
            return Answer(loaded=False, words=tuple(error.output.splitlines()), died=True)
        proxy.shorten_log(1_000_000)
        return Answer(
            loaded=not isinstance(outcome, Rejected),
            words=tuple(one.message for one in outcome.records if one.logger == "wasm"),
        )

    async def close(self) -> None:
        """End Envoy."""
        self._proxy = None
        await self._stack.aclose()

    async def _start(self) -> Proxy:
        self.proxies += 1
        folder = self.folder / f"run-{self.proxies}"
        folder.mkdir()
        env = {"PATH": os.environ["PATH"], "HOME": "/"}
        self._proxy = await self._stack.enter_async_context(
            running(self.envoy, folder=folder, env=env)
        )
        return self._proxy


def envoy_of(release: str) -> Envoy:
    """Return the Envoy of a release: the one beside our interpreter, or that of its package."""
    beside = envoy_beside()
    return beside if beside.version == release else unpacked(release)


@contextlib.asynccontextmanager
async def probing(envoy: Envoy) -> AsyncIterator[Prober]:
    """Ask this Envoy for as long as the block lasts."""
    with tempfile.TemporaryDirectory(prefix="wasmctl-probe-") as folder:
        prober = Prober(envoy, Path(folder))
        try:
            yield prober
        finally:
            await prober.close()
