"""Which cases share a VM, and what the proxy is given for them. Pure.

A module can take seconds to load, so that cases of equal configuration share one VM. One VM at a
time serves: what ticks or calls out on its own cannot reach another's cases. That costs little, as
V8 keeps the compiled code while the VM before is still there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from wasmctl.cases.model import Case, CaseFile, Expect, Parallel, Plugin, Single, Step, Wait
from wasmctl.envoy.bootstrap import Listener, WasmPlugin

__all__ = [
    "UPSTREAM",
    "UPSTREAM_HTTP2",
    "UPSTREAM_TCP",
    "Group",
    "expects_of",
    "group_cases",
    "is_load_case",
    "listener_for",
    "reads_metrics",
    "singles_of",
    "traces",
]

# The clusters of the upstream; what a plug-in calls must not be called so.
UPSTREAM: Final = "wasmctl-upstream"
UPSTREAM_HTTP2: Final = "wasmctl-upstream-http2"
UPSTREAM_TCP: Final = "wasmctl-upstream-tcp"


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Cases that one VM serves, one after another.

    Args:
        plugin: their configuration.
        kind: whether the plug-in is an HTTP or a network filter.
        cluster: where their requests go.
        cases: in the file's order; at least one.
    """

    plugin: Plugin
    kind: Literal["http", "tcp"]
    cluster: str
    cases: tuple[Case, ...]

    @property
    def is_refused(self) -> bool:
        """Whether the proxy must not take the plug-in: such a case stands alone."""
        return self.cases[0].expect.load_refused


def group_cases(file: CaseFile) -> tuple[Group, ...]:
    """Return the groups of a file, in the order of their first cases; those to be refused last.

    A VM of its own gets a case that asks for it, that reads metrics, that is about the start, or
    that waits: what ticks only once must not have done so in a case before.
    Last, as V8 keeps compiled code for as long as a VM uses it, and a refusal leaves none.
    """
    groups: dict[object, list[Case]] = {}
    for case in file.cases:
        key = (case.plugin, _kind(case), _cluster(case))
        own = case.fresh or is_load_case(case) or reads_metrics(case) or _waits(case)
        groups.setdefault((case.name, key) if own else key, []).append(case)
    made = (
        Group(
            plugin=cases[0].plugin,
            kind=_kind(cases[0]),
            cluster=_cluster(cases[0]),
            cases=tuple(cases),
        )
        for cases in groups.values()
    )
    return tuple(sorted(made, key=lambda group: group.is_refused))


def is_load_case(case: Case) -> bool:
    """Return whether nothing is sent in the case: it is about the plug-in's start."""
    return not case.steps and not case.tcp


def listener_for(group: Group, module: Path, *, name: str, vm_id: str) -> Listener:
    """Return the listener that serves a group by a VM of its own.

    Args:
        group: which.
        module: the module's file.
        name: what the plug-in is called in Envoy.
        vm_id: new for each VM.
    """
    plugin = WasmPlugin(
        name=name,
        module=module,
        vm_id=vm_id,
        root_id=group.plugin.root_id,
        configuration=group.plugin.configuration,
        vm_configuration=group.plugin.vm_configuration,
        environment=dict(group.plugin.environment),
        failure_policy=group.plugin.failure_policy,
        capabilities=group.plugin.capabilities,
    )
    return Listener(name=vm_id, kind=group.kind, plugins=(plugin,), cluster=group.cluster)


def singles_of(case: Case) -> tuple[Single, ...]:
    """Return the requests that a case sends, in order."""
    return tuple(single for step in case.steps for single in _singles(step))


def _singles(step: Step) -> tuple[Single, ...]:
    if isinstance(step, Single):
        return (step,)
    return step.requests if isinstance(step, Parallel) else ()


def expects_of(case: Case) -> Iterator[Expect]:
    """Yield what is expected of the case and of all its parts."""
    yield case.expect
    for step in case.steps:
        yield step.expect
        if isinstance(step, Parallel):
            yield from (request.expect for request in step.requests)


def traces(cases: Sequence[Case]) -> bool:
    """Return whether a case asks for a line at trace level, which makes Envoy say a lot."""
    return any(
        line.level == "trace"
        for case in cases
        for expect in expects_of(case)
        for line in expect.log or ()
    )


def reads_metrics(case: Case) -> bool:
    """Return whether the case asks for metrics, which know no VM: it has one of its own."""
    return any(expect.metrics for expect in expects_of(case))


def _waits(case: Case) -> bool:
    return any(isinstance(step, Wait) for step in case.steps)


def _kind(case: Case) -> Literal["http", "tcp"]:
    return "tcp" if case.tcp else "http"


def _cluster(case: Case) -> str:
    if case.tcp:
        return UPSTREAM_TCP
    # gRPC is HTTP/2; a case whose upstream speaks it in one step does so in all.
    return UPSTREAM_HTTP2 if any(single.upstream.grpc for single in singles_of(case)) else UPSTREAM
