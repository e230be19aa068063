"""A running Envoy: started, given listeners, asked, and ended. Knows no cases and no build.

Listeners are read from a file (LDS), so that one Envoy serves one set of plug-ins after another,
and goes on when it refuses one. What Envoy reads and says lies in its run folder:
`bootstrap.json`, `lds/listeners.json`, `modules/`, `envoy.log`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from wasmctl.envoy.admin import Admin, ListenerState, get
from wasmctl.envoy.barrier import BARRIER, is_barrier
from wasmctl.envoy.bootstrap import (
    Cluster,
    Listener,
    Service,
    make_bootstrap,
)
from wasmctl.envoy.envoy import Envoy
from wasmctl.envoy.failures import Stuck, ended, known_failure, tail_of, unanswered
from wasmctl.envoy.folders import writing_to
from wasmctl.envoy.lds import keep_authorities, keep_module, write_listeners
from wasmctl.envoy.logs import LOG_OPTIONS, LogFile, Record, without_others
from wasmctl.errors import WasmctlError
from wasmctl.process import Service as Process
from wasmctl.process import serving
from wasmctl.wire.messages import Broken

__all__ = ["Loaded", "Proxy", "Rejected", "Stuck", "running"]

# Seconds between two looks at something that Envoy is about to do.
_PAUSE = 0.002
# How long Envoy may take to end when asked, and to be seen dead when it has hung up (seconds).
_GRACE = 1.0
# How many records that were told already are kept, for errors to show.
_REMEMBERED = 1000
_UPDATES = r"^listener_manager\.lds\.update_(success|rejected|failure)$"


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A listener that Envoy serves.

    Args:
        address: where it listens.
        records: what was logged when it was loaded.
    """

    address: tuple[str, int]
    records: tuple[Record, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """A listener that Envoy refused; where it had an earlier form, that is served on.

    Args:
        details: Envoy's summary, which seldom tells the reason.
        records: what was logged when it was refused: it tells the reason.
    """

    details: str
    records: tuple[Record, ...]


class Proxy:
    """An Envoy that runs; made by `running`.

    Once a method has raised ProxyError or Stuck, this Envoy is of no more use.
    """

    def __init__(self, envoy: Envoy, process: Process, folder: Path, *, drains: bool) -> None:
        self.envoy = envoy
        self.folder = folder
        self.admin = Admin("127.0.0.1", 0)
        # Where each listener that was loaded listens.
        self.addresses: dict[str, tuple[str, int]] = {}
        self._process = process
        self._drains = drains
        self._log = LogFile(folder / "envoy.log")
        # The records that were read, but for the first `_dropped`; `_told` counts from there on.
        self._seen: list[Record] = []
        self._dropped = 0
        self._told = 0
        self._served: dict[str, Listener] = {}
        self._barrier = ("", 0)
        self._version = 0

    @property
    def exit_code(self) -> int | None:
        """How Envoy ended, negative: by which signal; None while it runs. Never waits."""
        return self._process.exit_code

    @property
    def admin_port(self) -> int:
        """Where the admin interface listens."""
        return self.admin.port

    def tail(self, lines: int = 20) -> str:
        """Return the log's last records as text."""
        return tail_of(self._last(), lines)

    def new_records(self) -> tuple[Record, ...]:
        """Return what was logged since the last call of this or of `barrier`."""
        fresh = self._since(self._told)
        self._told += len(fresh)
        done = min(self._told - self._dropped, len(self._seen) - _REMEMBERED)
        if done > 0:
            del self._seen[:done]
            self._dropped += done
        return tuple(record for record in fresh if not is_barrier(record))

    def shorten_log(self, longest: int) -> None:
        """Begin the log file anew when it is longer than so many bytes; its records were read."""
        self._read()
        self._log.begin_anew(longest)

    async def load(
        self, listeners: Sequence[Listener], *, timeout: float = 60.0
    ) -> dict[str, Loaded | Rejected]:
        """Serve exactly these listeners; return what became of each, by name.

        A listener that is as it was is not touched. One that changed keeps its port, and serves
        every new connection by its new form from now on. Connections that it has stay with the
        earlier form for the drain time: requests on them are answered, and told `connection:
        close`; then they are cut. One that is removed does so too, but takes no new connections.
        Without a drain time they are cut now, and the earlier VMs are gone when this returns.

        Modules are copied first: a file that changes later changes nothing here, and counts as
        changed in the next call.

        Args:
            listeners: the whole set; those of earlier calls that are not in it are removed.
            timeout: seconds.

        Raises:
            Stuck: a module does not return from its start or its configuration.
            UsageError: a port is taken.
            ProxyError: Envoy ended, or has no Wasm.
            Unreadable: a module's file is not there.
        """
        kept = [self._keep_modules(listener) for listener in listeners]
        names = {listener.name for listener in kept}
        try:
            async with asyncio.timeout(timeout):
                # One by one: what is logged meanwhile is about that one. Those that are no longer
                # wanted go with the first: V8 keeps the code that a VM going and one coming share.
                outcomes = {one.name: await self._load_one(one, names) for one in kept}
                if self._served.keys() - names:
                    await self._update(self._of(names))
        except TimeoutError as error:
            raise self._stuck("while it is loaded", timeout) from error
        except Broken as error:
            raise await self._lost() from error
        return outcomes

    async def barrier(self, *, timeout: float = 10.0) -> tuple[Record, ...]:
        """Return the new records, when all that Envoy has to say of earlier requests is among them.

        With one worker (`concurrency=1`): it says so itself, after all that it did before.

        Raises:
            Stuck: the worker does not answer: a callback of the plug-in does not return.
            ProxyError: Envoy ended.
        """
        looked = self._read()
        try:
            async with asyncio.timeout(timeout):
                await get(*self._barrier, "/")
                while not any(map(is_barrier, fresh := self._since(looked))):
                    looked += len(fresh)
                    await asyncio.sleep(_PAUSE)
        except TimeoutError as error:
            raise self._stuck("on a request", timeout) from error
        except Broken as error:
            raise await self._lost() from error
        return self.new_records()

    async def metrics(self, names: str = "", *, timeout: float = 10.0) -> Mapping[str, int]:
        """Return counters and gauges, Envoy's and the plug-ins', by Envoy's name for them.

        Args:
            names: a regular expression that is found in the names of those wanted; empty: all.
            timeout: seconds.

        Raises:
            ProxyError: Envoy ended, or does not answer.
        """
        try:
            async with asyncio.timeout(timeout):
                return await self.admin.stats(names)
        except Broken as error:
            raise await self._lost() from error

    async def check(self, *, timeout: float = 5.0) -> None:
        """Return when Envoy is there and answers.

        Raises:
            ProxyError: it ended, or does not answer.
        """
        try:
            async with asyncio.timeout(timeout):
                await self.admin.is_live()
        except Broken as error:
            raise await self._lost() from error

    async def ended(self) -> WasmctlError:
        """Return, once Envoy has ended unasked, the error that tells how."""
        while self.exit_code is None:
            await asyncio.sleep(0.02)
        return await self._lost()

    def kill(self) -> None:
        """End Envoy at once."""
        self._process.kill()

    async def start(self, timeout: float) -> None:
        """Wait until Envoy serves; part of `running`."""
        try:
            async with asyncio.timeout(timeout):
                self.admin = await self._find_admin()
                while not await self.admin.is_live():
                    await asyncio.sleep(_PAUSE)
                self._barrier = (await self.admin.addresses())[BARRIER]
        except TimeoutError as error:
            raise unanswered(self.envoy, timeout, self._last(), self.folder) from error
        except Broken as error:
            raise await self._lost() from error

    async def end(self) -> None:
        """Ask Envoy to end, and wait for it a while; part of `running`."""
        self._process.terminate()
        deadline = time.monotonic() + _GRACE
        while self.exit_code is None and time.monotonic() < deadline:
            await asyncio.sleep(_PAUSE)

    async def _find_admin(self) -> Admin:
        path = self.folder / "admin.address"
        while True:
            if self.exit_code is not None:
                raise Broken("refused", "Envoy ended")
            with contextlib.suppress(FileNotFoundError):
                host, _, port = path.read_text().rpartition(":")
                if port:
                    return Admin(host, int(port))
            await asyncio.sleep(_PAUSE)

    async def _load_one(self, listener: Listener, names: Collection[str]) -> Loaded | Rejected:
        if self._served.get(listener.name) == listener:
            return Loaded(address=self.addresses[listener.name], records=())
        before = self._read()
        earlier = self._of(names)
        refusal = (await self._update({**earlier, listener.name: listener}))[listener.name].refusal
        records = without_others(self._since(before), {one.vm_id for one in listener.plugins})
        if refusal is None:
            return Loaded(address=self.addresses[listener.name], records=records)
        # It would be tried again, and refused again, with every update.
        self._served = earlier
        words = "\n".join([refusal, *(record.message for record in records)])
        if known := known_failure(self.envoy, words):
            raise known
        return Rejected(details=refusal, records=records)

    def _of(self, names: Collection[str]) -> dict[str, Listener]:
        return {name: one for name, one in self._served.items() if name in names}

    async def _update(self, listeners: Mapping[str, Listener]) -> Mapping[str, ListenerState]:
        """Have Envoy read the listeners; return their states when it has done all it does."""
        before = sum((await self.admin.stats(_UPDATES)).values())
        self._version += 1
        write_listeners(self.folder, tuple(listeners.values()), self._version)
        # Every move into the folder is one update, and every update counts in one of the three.
        while sum((await self.admin.stats(_UPDATES)).values()) == before:
            await asyncio.sleep(_PAUSE)
        states = await self._settled(listeners)
        self._served = dict(listeners)
        self.addresses = await self.admin.addresses()
        self.addresses.pop(BARRIER, None)
        return states

    async def _settled(self, names: Collection[str]) -> Mapping[str, ListenerState]:
        """Return the listeners' states when no one of them is on its way."""
        while True:
            states = await self.admin.listener_states()
            coming = any(state.warming for state in states.values()) or {*names} - {*states}
            going = any(state.draining for state in states.values()) and not self._drains
            if not coming and not going:
                return states
            await asyncio.sleep(_PAUSE)

    def _keep_modules(self, listener: Listener) -> Listener:
        plugins = tuple(keep_module(plugin, self.folder) for plugin in listener.plugins)
        return replace(listener, plugins=plugins)

    def _read(self) -> int:
        """Read on in the log; return how many records there have been."""
        self._seen += self._log.read()
        return self._dropped + len(self._seen)

    def _since(self, position: int) -> list[Record]:
        self._read()
        return self._seen[max(0, position - self._dropped) :]

    def _last(self) -> list[Record]:
        return [record for record in self._since(0) if not is_barrier(record)]

    def _stuck(self, when: str, waited: float) -> WasmctlError:
        if self.exit_code is not None:
            return ended(self.envoy, self.exit_code, self._last(), self.folder)
        # It listens to no signal that asks.
        self.kill()
        message = f"the plug-in does not return {when}: Envoy did not answer for {waited:g} s"
        hint = "look for a loop without end, or for one that waits"
        return Stuck("plugin-stuck", message, hint=hint)

    async def _lost(self) -> WasmctlError:
        """Return the error for an Envoy that hung up."""
        deadline = time.monotonic() + _GRACE
        while (exit_code := self.exit_code) is None:
            if time.monotonic() > deadline:
                return unanswered(self.envoy, _GRACE, self._last(), self.folder)
            await asyncio.sleep(_PAUSE)
        return ended(self.envoy, exit_code, self._last(), self.folder)


@contextlib.asynccontextmanager
async def running(
    envoy: Envoy,
    *,
    folder: Path,
    env: Mapping[str, str],
    clusters: Sequence[Cluster] = (),
    services: Sequence[Service] = (),
    admin_port: int = 0,
    wasm_log_level: Literal["trace", "debug", "info"] = "debug",
    concurrency: int = 1,
    drain_seconds: int = 0,
    timeout: float = 30.0,
) -> AsyncIterator[Proxy]:
    """Run an Envoy for as long as the block lasts; it has no listeners yet.

    Args:
        envoy: which.
        folder: its run folder, empty; see `make_run_folder`.
        env: its environment.
        clusters: the servers that listeners and plug-ins may use.
        services: plug-ins beside the traffic. Envoy ends when it refuses one.
        admin_port: 0 lets the kernel choose.
        wasm_log_level: from which level on plug-ins' lines are logged. `trace` adds every call
            across the border of the VM.
        concurrency: workers; each has VMs of its own.
        drain_seconds: how long connections of a listener that is changed or removed live on.
        timeout: seconds until it must serve.

    Raises:
        ProxyError: it did not start.
        UsageError: the admin port is taken; the run folder cannot be written.
    """
    with writing_to(folder):
        lds = write_listeners(folder, (), 0)
        services = [replace(one, plugin=keep_module(one.plugin, folder)) for one in services]
        bootstrap = make_bootstrap(
            clusters=[keep_authorities(cluster, folder, env) for cluster in clusters],
            services=services,
            lds=lds,
            admin_port=admin_port,
            barrier=True,
        )
        (folder / "bootstrap.json").write_text(json.dumps(bootstrap, indent=1))
    arguments = [
        *("-c", str(folder / "bootstrap.json")),
        *("--admin-address-path", str(folder / "admin.address")),
        # Any number of them at once, and nothing in shared memory.
        "--disable-hot-restart",
        *("--concurrency", str(concurrency)),
        *("--drain-time-s", str(drain_seconds)),
        # Else clients that keep their connection would meet the earlier form for long.
        *("--drain-strategy", "immediate"),
        *("--component-log-level", f"wasm:{wasm_log_level}"),
        *LOG_OPTIONS,
    ]
    argv = envoy.argv(arguments, folder)
    with serving(argv, env=env, cwd=folder, output=folder / "envoy.log") as process:
        proxy = Proxy(envoy, process, folder, drains=drain_seconds > 0)
        try:
            await proxy.start(timeout)
            yield proxy
        finally:
            await proxy.end()
