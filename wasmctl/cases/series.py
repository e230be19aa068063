"""The cases of one file in one Envoy release: which VM serves when, and what survives a failure.

Owns the order of things: a proxy, in it one VM after another, in each its cases. A VM that trapped
is replaced, a proxy that hangs or is gone too; what a plug-in does to one case never decides about
the next.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wasmctl.cases.compare import compare_log
from wasmctl.cases.curl import curl_command, request_to_see, run_command
from wasmctl.cases.groups import (
    Group,
    group_cases,
    is_load_case,
    listener_for,
    reads_metrics,
    singles_of,
    traces,
)
from wasmctl.cases.model import Case, CaseFile
from wasmctl.cases.play import Player
from wasmctl.cases.results import CaseOutcome, CaseResult, Difference
from wasmctl.cases.scene import Scene, set_scene
from wasmctl.cases.watch import Watch, lines_of, records_of, telling
from wasmctl.envoy.bootstrap import Listener
from wasmctl.envoy.envoy import Envoy
from wasmctl.envoy.folders import make_run_folder
from wasmctl.envoy.logs import Record
from wasmctl.envoy.proxy import Loaded, Proxy, Rejected, Stuck, running
from wasmctl.errors import ProxyError, WasmctlError
from wasmctl.hosts.traps import find_trap

if TYPE_CHECKING:
    from wasmctl.hosts.explanations import Explanation

__all__ = ["Series"]

# So often may a proxy be lost in one file before the rest is given up.
_LOSSES: Final = 2
# How long what is expected may still come after the last request, or after the start of a plug-in
# that is all the case is about: ticks, answers to callouts (seconds).
_PATIENCE: Final = 0.5
_PATIENCE_AT_START: Final = 2.0
# What a start may take beyond the cases' own time: a module of many megabytes takes seconds to
# compile, several at once on few cores more (seconds).
_COMPILING: Final = 20.0
# Of a case's log, in its result.
_LINES: Final = 1000
# What Envoy calls before a plug-in serves.
_STARTS: Final = frozenset(
    {
        "_initialize",
        "_start",
        "main",
        "proxy_on_configure",
        "proxy_on_context_create",
        "proxy_on_vm_start",
        "proxy_validate_configuration",
    }
)


class _Gone(Exception):
    """The proxy is of no more use; what that means for cases is told."""


class Series:
    """One run of a file's cases in one release.

    Args:
        module: the module's file.
        file: the cases.
        envoy: the release.
        name: what the plug-in is called in Envoy: log lines and `plugin_name` say it.
        env: the environment, for Envoy and the run folder.
        told: is given each result as it comes.
        is_over: whether the whole run ends here, asked before each case.
    """

    def __init__(
        self,
        module: Path,
        file: CaseFile,
        envoy: Envoy,
        *,
        name: str,
        env: Mapping[str, str],
        told: Callable[[CaseResult], None],
        is_over: Callable[[], bool],
    ) -> None:
        self._module = module
        self._name = name
        self._file = file
        self._envoy = envoy
        self._env = env
        self._told = told
        self._is_over = is_over
        # What is still to do: a case leaves when its result is told, a group with its last case.
        self._groups = deque(group_cases(file))
        self._results: dict[str, CaseResult] = {}
        self._folder: Path | None = None
        self._serving: Listener | None = None
        self._losses = 0
        self._vms = 0

    async def run(self) -> tuple[CaseResult, ...]:
        """Run the cases; return their results in the file's order."""
        async with set_scene(self._file.cases) as scene:
            while self._groups and not self._is_over() and self._losses < _LOSSES:
                try:
                    await self._use_a_proxy(scene)
                except _Gone:
                    continue
                except ProxyError as error:
                    self._lose(error)
        while self._groups:
            self._tell(self._groups[0].cases[0], outcome="not-run")
        return tuple(self._results[case.name] for case in self._file.cases)

    async def _use_a_proxy(self, scene: Scene) -> None:
        self._folder = make_run_folder(self._env)
        async with running(
            self._envoy,
            folder=self._folder,
            env=self._env,
            clusters=scene.clusters,
            wasm_log_level="trace" if traces(self._file.cases) else "debug",
        ) as proxy:
            self._serving = None
            while self._groups and not self._is_over():
                await self._use_a_vm(proxy, scene)

    async def _use_a_vm(self, proxy: Proxy, scene: Scene) -> None:
        """Load a VM for the next group and play its cases, all of them or up to a trap."""
        group = self._groups[0]
        first = group.cases[0]
        clock = time.monotonic()
        scene.begin(first)
        metrics = await _metrics(proxy, first)
        self._vms += 1
        vm_id = f"vm-{self._vms}"
        loaded = await self._load(proxy, group, vm_id, clock)
        if loaded is None:
            return
        address, records = loaded
        for case in group.cases:
            if self._is_over():
                return
            watch = Watch(proxy, vm_id, records if is_load_case(case) else ())
            if not is_load_case(case):
                clock = time.monotonic()
                scene.begin(case)
                metrics = await _metrics(proxy, case)
            player = Player(
                case,
                proxy=proxy,
                scene=scene,
                address=address,
                watch=watch,
                patience=_patience(case),
                metrics=metrics,
            )
            if await self._play(player, case, watch, clock, records):
                return

    async def _load(
        self, proxy: Proxy, group: Group, vm_id: str, clock: float
    ) -> tuple[tuple[str, int], Sequence[Record]] | None:
        """Return where the group's plug-in listens and all that was logged of its start.

        None where Envoy refused it, which is told.
        """
        listener = listener_for(group, self._module, name=self._name, vm_id=vm_id)
        # A VM of the same module has to live, or all of it is compiled again for the next.
        kept = [self._serving] if group.is_refused and self._serving is not None else []
        proxy.new_records()
        try:
            outcome = (await proxy.load([*kept, listener], timeout=_load_timeout(group)))[vm_id]
            records = records_of(await proxy.barrier(timeout=_load_timeout(group)), vm_id)
        except Stuck as error:
            for case in group.cases:
                self._tell(
                    case,
                    outcome="failed" if case.expect.load_refused else "refused",
                    message=error.message,
                    explanation=_explained(error),
                )
            raise _Gone from error
        if isinstance(outcome, Loaded):
            self._serving = listener
            # One that trapped in its start may be loaded, but answers no request. A tick's trap
            # may be that of the VM before, which lives until this one serves.
            trap = find_trap([record.message for record in records])
            if trap is None or trap.function not in _STARTS or is_load_case(group.cases[0]):
                return outcome.address, records
        for case in group.cases:
            self._tell_refusal(case, outcome, records, vm_id, clock)
        return None

    def _tell_refusal(
        self,
        case: Case,
        refusal: Rejected | Loaded,
        records: Sequence[Record],
        vm_id: str,
        clock: float,
    ) -> None:
        lines = lines_of(records, vm_id)
        log = tuple(map(str, lines))
        seconds = time.monotonic() - clock
        if case.expect.load_refused:
            found = () if case.expect.log is None else compare_log(case.expect.log, lines)
            outcome: CaseOutcome = "failed" if found else "passed"
            self._tell(case, outcome=outcome, seconds=seconds, differences=found, log=log)
            return
        explanation = _explain([record.message for record in records])
        words = refusal.details.strip() if isinstance(refusal, Rejected) else "it trapped"
        self._tell(
            case,
            outcome="refused",
            seconds=seconds,
            message=explanation.message if explanation else f"Envoy says: {words}",
            explanation=explanation,
            log=log,
            proxy_log=telling(records),
        )

    async def _play(
        self, player: Player, case: Case, watch: Watch, clock: float, start: Sequence[Record]
    ) -> bool:
        """Play a case and tell its result; return whether its VM has trapped."""
        try:
            found = await player.play()
        except Stuck as error:
            self._tell(
                case,
                outcome="failed",
                seconds=time.monotonic() - clock,
                message=error.message,
                explanation=_explained(error),
                log=tuple(map(str, watch.lines)),
            )
            raise _Gone from error
        if case.expect.load_refused:
            found = (Difference(where="load", expected="refused", got="loaded"), *found)
        trapped = watch.trap() is not None
        bad = trapped or bool(found)
        explanation = None
        if bad:
            # What went wrong between the start and the case is told with the start.
            explanation = _explain(watch.messages) or _explain([one.message for one in start])
        self._tell(
            case,
            outcome="failed" if bad else "passed",
            seconds=time.monotonic() - clock,
            differences=found,
            explanation=explanation,
            message=explanation.message if trapped and explanation else None,
            log=tuple(map(str, watch.lines)),
            proxy_log=telling(watch.records) if bad else (),
        )
        return trapped

    def _lose(self, error: ProxyError) -> None:
        """Tell that a proxy could not be had, or was lost in the case at hand."""
        if error.code == "envoy-ended":
            self._losses += 1
        else:
            self._losses = _LOSSES  # another try would end alike
        self._tell(
            self._groups[0].cases[0],
            outcome="proxy",
            message=error.message,
            explanation=_explained(error),
            proxy_log=tuple(error.output.splitlines()),
        )

    def _tell(
        self,
        case: Case,
        *,
        outcome: CaseOutcome,
        seconds: float = 0.0,
        differences: tuple[Difference, ...] = (),
        log: tuple[str, ...] = (),
        proxy_log: tuple[str, ...] = (),
        explanation: Explanation | None = None,
        message: str | None = None,
    ) -> None:
        """Hand on a case's result, and strike the case off."""
        failed = outcome not in {"passed", "not-run"}
        asked = request_to_see(case, differences)
        result = CaseResult(
            file=self._file.path,
            line=case.line,
            name=case.name,
            envoy=self._envoy.version,
            outcome=outcome,
            seconds=seconds,
            differences=differences,
            log=_latest(log),
            proxy_log=_latest(proxy_log),
            explanation=explanation,
            message=message,
            curl=curl_command(asked) if failed and asked else None,
            serve=run_command(case.plugin),
            run_folder=self._folder,
        )
        self._results[case.name] = result
        rest = tuple(one for one in self._groups[0].cases if one is not case)
        if rest:
            self._groups[0] = replace(self._groups[0], cases=rest)
        else:
            self._groups.popleft()
        self._told(result)


async def _metrics(proxy: Proxy, case: Case) -> Mapping[str, int]:
    return await proxy.metrics() if reads_metrics(case) else {}


def _latest(lines: tuple[str, ...]) -> tuple[str, ...]:
    # Kept for all cases up to the end of the run; the run folder has the rest.
    if len(lines) <= _LINES:
        return lines
    return (f"… {len(lines) - _LINES} lines before", *lines[-_LINES:])


def _patience(case: Case) -> float:
    places = [case.callouts, *(single.callouts for single in singles_of(case))]
    declared = [callouts for place in places for callouts in place]
    delays = (reply.delay for callouts in declared for _, _, reply in callouts.replies)
    patience = _PATIENCE_AT_START if is_load_case(case) else _PATIENCE
    return patience + max(delays, default=0.0)


def _load_timeout(group: Group) -> float:
    return _COMPILING + max(case.timeout for case in group.cases)


def _explain(messages: Sequence[str]) -> Explanation | None:
    # A large table, which cases that pass never need.
    from wasmctl.hosts.explanations import explain

    return explain(messages)


def _explained(error: WasmctlError) -> Explanation:
    from wasmctl.hosts.explanations import Explanation
    from wasmctl.hosts.rows import Fault

    return Explanation(
        id=error.code,
        message=error.message,
        hint=error.hint or "look into the run folder",
        fault=Fault.PLUGIN if isinstance(error, Stuck) else Fault.PROXY,
        source="",
    )
