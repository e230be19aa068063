"""What is served, in one Envoy after another: the running side of `run`.

A listener that is loaded again is changed in place: the port stays, new connections meet the new
module, and requests on their way are finished by the one that began them.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Final

from wasmctl.envoy.bootstrap import Cluster, Listener, WasmPlugin
from wasmctl.envoy.envoy import Envoy
from wasmctl.envoy.folders import make_run_folder
from wasmctl.envoy.logs import Record
from wasmctl.envoy.proxy import Proxy, Rejected, Stuck, running
from wasmctl.envoy.upstream import FAILURES, UPSTREAM, why_unreachable
from wasmctl.errors import Refused, WasmctlError
from wasmctl.flow.serve import events
from wasmctl.flow.serve.events import Event
from wasmctl.flow.serve.log import LogTeller, envoy_level
from wasmctl.flow.serve.rebuild import Rebuilder, Rebuilt, Saves
from wasmctl.flow.serve.request import HOST, Served, ServeRequest
from wasmctl.hosts.explanations import explain
from wasmctl.project.project import Project
from wasmctl.session import Session

__all__ = ["Serving"]

_LISTENER: Final = "http"
# Seconds between two looks at the log and at Envoy.
_PAUSE: Final = 0.03
# Seconds between two questions whether Envoy's worker still answers, and for how long it may not.
_PULSE: Final = 2.0
_PATIENCE: Final = 5.0
# Bytes of Envoy's log: a plug-in that says much, served for days, shall not fill the disk.
_LONGEST_LOG: Final = 100_000_000
# How long a module may take to be loaded: V8 needs a second for one that Go made, and ten of them
# on a machine that has other things to do.
_LOADING: Final = 60.0
# For how long requests on their way may go on with the module that began them. Its VM lives as
# long; Envoy does without a limit of its own for requests.
_DRAIN_SECONDS: Final = 60


class _Restart(Exception):
    """Another Envoy shall take the place of the one that runs."""


class Serving:
    """One `run`: the Envoys that it needs, one after another, and what they serve."""

    def __init__(
        self,
        *,
        project: Project,
        session: Session,
        request: ServeRequest,
        told: Callable[[Event], None],
        envoy: Envoy,
        served: Served,
        rebuilder: Rebuilder | None,
    ) -> None:
        self.is_told = False
        self._project = project
        self._session = session
        self._request = request
        self._tell = told
        self._log = LogTeller(request.log_level, told)
        self._envoy = envoy
        self._served = served
        self._rebuilder = rebuilder
        self._rebuilt: asyncio.Queue[Rebuilt] = asyncio.Queue()
        self._port = request.port
        self._loads = 0
        self._retired: set[str] = set()
        # Whether the VM that serves has crashed: the same module would be another one in a new VM.
        self._crashed = False
        # Why requests did not reach the upstream when they last were on their way to it.
        self._unreachable: tuple[str, str] | None = None

    async def run(self) -> None:
        """Serve until cancelled."""
        async with self._upstream() as cluster, self._following() as following:
            while True:
                with contextlib.suppress(_Restart):
                    await self._run_envoy(cluster, following)

    @contextlib.asynccontextmanager
    async def _upstream(self) -> AsyncIterator[Cluster]:
        if self._request.upstream is not None:
            yield self._request.upstream.cluster
            return
        from wasmctl.wire.echo import echo
        from wasmctl.wire.server import serve

        async with serve(echo) as listening:
            yield Cluster(name=UPSTREAM, host=listening.host, port=listening.port)

    @contextlib.asynccontextmanager
    async def _following(self) -> AsyncIterator[asyncio.Task[None] | None]:
        """Build for every save, whatever becomes of an Envoy meanwhile."""
        if self._rebuilder is None:
            yield None
            return
        task = asyncio.create_task(self._follow(self._rebuilder))
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _follow(self, rebuilder: Rebuilder) -> None:
        """Build for every save, and tell of it; of what may be no source only what is new."""
        failure: WasmctlError | None = None
        while True:
            saves = await rebuilder.saved()
            if saves.are_sources:
                self._tell(events.Saved(paths=saves.paths))
            try:
                rebuilt = await rebuilder.build(saves)
            except WasmctlError as error:
                if saves.are_sources or failure is None or _words(error) != _words(failure):
                    self._tell_late(saves)
                    self._tell(events.BuildFailed(error=error))
                failure = error
            else:
                if saves.are_sources or failure is not None or not rebuilt.fresh:
                    self._tell_late(saves)
                    self._rebuilt.put_nowait(rebuilt)
                failure = None

    def _tell_late(self, saves: Saves) -> None:
        if not saves.are_sources:
            self._tell(events.Saved(paths=saves.paths))

    async def _run_envoy(self, cluster: Cluster, following: asyncio.Task[None] | None) -> None:
        """Serve in one Envoy for as long as it is of use."""
        port = self._port
        async with running(
            self._envoy,
            folder=make_run_folder(self._session.env),
            env=self._session.env,
            clusters=(cluster,),
            admin_port=self._request.admin_port,
            wasm_log_level=envoy_level(self._request.log_level),
            drain_seconds=_DRAIN_SECONDS,
        ) as proxy:
            said: tuple[Record, ...] = ()
            try:
                try:
                    refusal = await self._load(proxy, self._served, port)
                finally:
                    # Before anybody knows the address: what comes later is of requests.
                    said = proxy.new_records()
                if refusal is not None:
                    raise refusal
                self._crashed = False
                # Another Envoy shall be found where this one was.
                self._port = proxy.addresses[_LISTENER][1]
                self._tell_start(proxy)
            finally:
                # The address comes before all that the plug-in says.
                self._tell_records(said, loading=True)
            try:
                await self._attend(proxy, port, following)
            finally:
                # What the last requests brought about.
                self._tell_records(proxy.new_records())

    async def _attend(self, proxy: Proxy, port: int, following: asyncio.Task[None] | None) -> None:
        pulse = time.monotonic() + _PULSE
        failures: Mapping[str, int] = {}
        while True:
            self._tell_records(proxy.new_records())
            if proxy.exit_code is not None:
                raise await proxy.ended()
            if following is not None and following.done():
                following.result()
            if not self._rebuilt.empty():
                await self._swap(proxy, self._rebuilt.get_nowait(), port)
            if time.monotonic() > pulse:
                await self._feel_pulse(proxy)
                failures = await self._look_behind(proxy, failures)
                proxy.shorten_log(_LONGEST_LOG)
                pulse = time.monotonic() + _PULSE
            await asyncio.sleep(_PAUSE)

    async def _feel_pulse(self, proxy: Proxy) -> None:
        try:
            self._tell_records(await proxy.barrier(timeout=_PATIENCE))
        except Stuck as error:
            self._tell_records(proxy.new_records())
            if self._rebuilder is None:
                raise
            self._tell(events.Crashed(message=error.message, hint=error.hint or ""))
            raise _Restart from error

    async def _look_behind(self, proxy: Proxy, before: Mapping[str, int]) -> Mapping[str, int]:
        """Tell once, each time anew, that requests do not reach the user's own upstream."""
        upstream = self._request.upstream
        if upstream is None:
            return before
        now = await proxy.metrics(FAILURES)
        reason = why_unreachable(before, now)
        if reason is not None and reason != self._unreachable:
            message, hint = reason
            self._tell(events.Unreachable(upstream=upstream.url, message=message, hint=hint))
        if now != before:
            self._unreachable = reason
        return now

    async def _swap(self, proxy: Proxy, rebuilt: Rebuilt, port: int) -> None:
        """Serve what was built, if it is anything new."""
        served = await asyncio.to_thread(
            Served.read, rebuilt.module, rebuilt.configuration, self._loads + 1
        )
        if served.is_as(self._served) and not self._crashed:
            self._tell(events.Unchanged())
            return
        started = time.monotonic()
        try:
            refusal = await self._load(proxy, served, port)
        except Stuck as error:
            self._tell(events.NotReloaded(error=error))
            raise _Restart from error
        finally:
            self._tell_records(proxy.new_records(), loading=True)
        if refusal is not None:
            self._tell(events.NotReloaded(error=refusal))
            return
        self._retired.add(self._served.vm_id)
        self._served = served
        self._crashed = False
        self._tell(
            events.Reloaded(
                sha256=served.sha256,
                size=rebuilt.module.stat().st_size,
                build_seconds=rebuilt.seconds,
                load_seconds=time.monotonic() - started,
            )
        )

    async def _load(self, proxy: Proxy, served: Served, port: int) -> WasmctlError | None:
        """Have Envoy serve something; return why it does not."""
        self._loads += 1
        upstream = self._request.upstream
        plugin = WasmPlugin(
            name=self._project.name,
            module=served.module,
            vm_id=served.vm_id,
            configuration=served.configuration,
        )
        listener = Listener(
            name=_LISTENER,
            plugins=(plugin,),
            cluster=UPSTREAM,
            port=port,
            authority=None if upstream is None else upstream.authority,
        )
        with self._session.console.waiting(f"loading it into Envoy {self._envoy.version}"):
            outcome = (await proxy.load([listener], timeout=_LOADING))[_LISTENER]
        return _refusal(outcome) if isinstance(outcome, Rejected) else None

    def _tell_start(self, proxy: Proxy) -> None:
        admin = f"http://{HOST}:{proxy.admin_port}"
        if self.is_told:
            self._tell(events.Restarted(admin=admin, run_folder=proxy.folder))
            return
        self.is_told = True
        upstream = self._request.upstream
        self._tell(
            events.Listening(
                address=f"http://{HOST}:{self._port}",
                admin=admin,
                upstream=None if upstream is None else upstream.url,
                envoy=self._envoy.version,
                module=self._served.module,
                sha256=self._served.sha256,
                run_folder=proxy.folder,
            )
        )

    def _tell_records(self, records: Sequence[Record], *, loading: bool = False) -> None:
        if self._log.tell(records, retired=self._retired, loading=loading):
            self._crashed = True


def _refusal(rejected: Rejected) -> WasmctlError:
    words = [rejected.details, *(record.message for record in rejected.records)]
    known = explain(words)
    if known is not None:
        return Refused(known.id, known.message, hint=known.hint)
    message = f"Envoy does not load the module: {rejected.details}"
    said = [record.message for record in rejected.records if record.logger == "wasm"]
    hint = "Envoy's own words are above" if said else "see what the plug-in does when it starts"
    return Refused("module-refused", message, hint=hint, output="\n".join(said))


def _words(error: WasmctlError) -> tuple[str, str]:
    return error.message, error.output
