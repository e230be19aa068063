"""The case file itself: its cases, their steps, and how the plug-in is configured.

Makes drafts, in which the file's defaults are not filled in yet: `load` does that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from wasmctl.cases import texts
from wasmctl.cases.expectations import (
    CASE_EXPECT,
    LOAD,
    STEP_EXPECT,
    TOGETHER_EXPECT,
    WHOLE_EXPECT,
)
from wasmctl.cases.grammar import Defined, Entries, Form, ListOf, Mapped
from wasmctl.cases.json_values import CONFIGURATION
from wasmctl.cases.model import (
    TIMEOUT,
    Callouts,
    Expect,
    Reply,
    Request,
    TcpStep,
)
from wasmctl.cases.parts import REPLY, REQUEST
from wasmctl.cases.problems import Place
from wasmctl.cases.records import Apart, Fields, Key, Record, Variants
from wasmctl.cases.tcp_steps import TCP_STEP

__all__ = [
    "FILE",
    "CaseDraft",
    "FileDraft",
    "ParallelDraft",
    "PluginDraft",
    "SingleDraft",
    "StepDraft",
    "WaitDraft",
]

PluginDraft = Mapping[str, object]
"""Those attributes of `Plugin` that are written down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SingleDraft:
    """A request; `expected` is where its expectations stand."""

    place: Place
    request: Request
    upstream: Reply | None = None
    callouts: tuple[Callouts, ...] = ()
    expect: Expect = field(default_factory=Expect)
    expected: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitDraft:
    """Time that passes."""

    place: Place
    seconds: float
    expect: Expect
    expected: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class ParallelDraft:
    """Requests at once."""

    place: Place
    requests: tuple[SingleDraft, ...]
    expect: Expect
    expected: Place


StepDraft = SingleDraft | WaitDraft | ParallelDraft


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseDraft:
    """A case; attributes as in `Case`."""

    name: str
    place: Place
    plugin: PluginDraft
    upstream: Reply | None
    callouts: tuple[Callouts, ...]
    fresh: bool
    timeout: float
    steps: tuple[StepDraft, ...]
    tcp: tuple[TcpStep, ...]
    expect: Expect
    expected: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class FileDraft:
    """A whole file."""

    plugin: PluginDraft
    upstream: Reply | None
    callouts: tuple[Callouts, ...]
    cases: tuple[CaseDraft, ...]


_CONFIG: Final = Key(
    "config",
    CONFIGURATION,
    "What the plug-in is configured with: a text as it is, anything else as JSON, null: nothing.",
)
_VM_CONFIG: Final = Key("vm-config", CONFIGURATION, "What its VM is configured with.")
_ENVIRONMENT: Final = Key(
    "environment",
    Mapped(
        Entries(texts.ENVIRONMENT_NAME, texts.TEXT, "a table of variables"),
        lambda pairs: tuple(sorted(pairs)),
    ),
    "Its environment variables.",
)
_ROOT_ID: Final = Key("root-id", texts.TEXT, "The root id that the plug-in registers, if any.")
_FAILURE_POLICY: Final = Key(
    "failure-policy",
    texts.POLICY,
    "What becomes of requests when the plug-in has failed: they fail too (closed), pass (open), "
    "or the plug-in is loaded again (reload).",
)
_CAPABILITIES: Final = Key(
    "capabilities",
    ListOf(texts.FUNCTION, "a list of functions"),
    "The only functions that it may call and be called by, such as proxy_log.",
)
_ATTRIBUTES: Final[Mapping[str, Key[object]]] = {
    "configuration": _CONFIG,
    "vm_configuration": _VM_CONFIG,
    "environment": _ENVIRONMENT,
    "root_id": _ROOT_ID,
    "failure_policy": _FAILURE_POLICY,
    "capabilities": _CAPABILITIES,
}


def _plugin(fields: Fields) -> PluginDraft:
    return {name: fields.one(key) for name, key in _ATTRIBUTES.items() if key in fields}


_PLUGIN: Final = Key(
    "plugin",
    Record("plug-in settings", _plugin, tuple(_ATTRIBUTES.values())),
    "How the plug-in is configured; a case's keys replace the file's.",
)
_UPSTREAM: Final = Key("upstream", REPLY, "What the upstream answers; 200 when absent.")


def _callouts(
    entries: tuple[tuple[str, tuple[tuple[tuple[str, str], Reply], ...]], ...],
) -> tuple[Callouts, ...]:
    return tuple(
        Callouts(
            cluster=cluster,
            replies=tuple((method, path, reply) for (method, path), reply in routes),
        )
        for cluster, routes in entries
    )


_ANSWERS: Final = Mapped(
    Entries(
        texts.CLUSTER,
        Entries(texts.ROUTE, REPLY, "a table such as `{GET /check: {status: 200}}`"),
        "a table of clusters and what each answers",
    ),
    _callouts,
)
_CALLOUTS: Final = Key(
    "callouts",
    Defined("callouts", _ANSWERS),
    "What clusters answer that the plug-in calls: cluster, then `METHOD /path`, then the answer.",
)

_REQUEST: Final = Key("request", REQUEST, "The request that the client sends.", required=True)
_STEP_EXPECT: Final = Key("expect", STEP_EXPECT, "What has to hold of this step.")
_TOGETHER_EXPECT: Final = Key("expect", TOGETHER_EXPECT, "What has to hold of this request.")
_WHOLE_EXPECT: Final = Key("expect", WHOLE_EXPECT, "What has to hold of this step.")


def _single(expect: Key[Expect], fields: Fields) -> SingleDraft:
    return SingleDraft(
        place=fields.place,
        request=fields.one(_REQUEST),
        upstream=fields.get(_UPSTREAM, None),
        callouts=fields.get(_CALLOUTS, ()),
        expect=fields.get(expect, Expect()),
        expected=fields.place_of(expect),
    )


_PARALLEL: Final = Key(
    "parallel",
    ListOf(
        Record(
            "a request among others",
            partial(_single, _TOGETHER_EXPECT),
            (_REQUEST, _UPSTREAM, _TOGETHER_EXPECT),
        ),
        "a list of requests",
        least=2,
        few="a single request is a step of its own, without `parallel`",
    ),
    "Requests that are sent at once.",
    required=True,
)


def _duration(seconds: float) -> float:
    if seconds == 0:
        raise ValueError("no time at all", "write how long, such as `20ms` or `1.5s`")
    return seconds


_WAIT: Final = Key(
    "wait", Mapped(texts.DURATION, _duration), "Time that passes, such as `1.5s`.", required=True
)


def _wait(fields: Fields) -> WaitDraft:
    return WaitDraft(
        place=fields.place,
        seconds=fields.one(_WAIT),
        expect=fields.get(_WHOLE_EXPECT, Expect()),
        expected=fields.place_of(_WHOLE_EXPECT),
    )


def _parallel(fields: Fields) -> ParallelDraft:
    return ParallelDraft(
        place=fields.place,
        requests=fields.one(_PARALLEL),
        expect=fields.get(_WHOLE_EXPECT, Expect()),
        expected=fields.place_of(_WHOLE_EXPECT),
    )


_STEP: Final[Form[StepDraft]] = Variants(
    "a step",
    (
        Record(
            "a request step",
            partial(_single, _STEP_EXPECT),
            (_REQUEST, _UPSTREAM, _CALLOUTS, _STEP_EXPECT),
        ),
        Record("a waiting step", _wait, (_WAIT, _WHOLE_EXPECT)),
        Record("a parallel step", _parallel, (_PARALLEL, _WHOLE_EXPECT)),
    ),
)
_STEPS: Final = Key("steps", ListOf(_STEP, "a list of steps"), "Requests and waits, in order.")

_TCP: Final = Key(
    "tcp",
    ListOf(TCP_STEP, "a list of what each side does"),
    "A conversation, with the plug-in as a network filter: what each side sends and gets.",
)

_NAME: Final = Key(
    "name", texts.NAME, "What the plug-in promises; unique in its file.", required=True
)
_FRESH: Final = Key("fresh", texts.FLAG, "true: the case gets a VM of its own.")
_TIMEOUT: Final = Key(
    "timeout",
    Mapped(texts.DURATION, _duration),
    f"How long the whole case may take; {TIMEOUT:g}s when absent.",
)
_CASE_REQUEST: Final = Key("request", REQUEST, "The request that the client sends.")
_EXPECT: Final = Key("expect", CASE_EXPECT, "What has to hold of the case.")


def _case(fields: Fields) -> CaseDraft:
    expect = fields.get(_EXPECT, Expect())
    steps = fields.get(_STEPS, ())
    _check_expectations(fields, expect)
    request = fields.get(_CASE_REQUEST, None)
    if request is not None:
        own = Expect(response=expect.response, upstream=expect.upstream)
        expected = fields.place_of(_EXPECT)
        steps = (SingleDraft(place=fields.place, request=request, expect=own, expected=expected),)
    return CaseDraft(
        name=fields.one(_NAME),
        place=fields.place_of(_NAME),
        plugin=fields.get(_PLUGIN, {}),
        upstream=fields.get(_UPSTREAM, None),
        callouts=fields.get(_CALLOUTS, ()),
        fresh=fields.get(_FRESH, False),
        timeout=fields.get(_TIMEOUT, TIMEOUT),
        steps=steps,
        tcp=fields.get(_TCP, ()),
        expect=Expect(
            log=expect.log,
            metrics=expect.metrics,
            callouts=expect.callouts,
            load_refused=expect.load_refused,
        ),
        expected=fields.place_of(_EXPECT),
    )


def _check_expectations(fields: Fields, expect: Expect) -> None:
    """Refuse expectations of what the case does not do, and a case that expects nothing."""
    sent = [key.name for key in (_CASE_REQUEST, _STEPS, _TCP) if key in fields]
    asks = "response" if expect.response is not None else "upstream"
    if expect.load_refused and (
        others := [*sent, *([_UPSTREAM.name] if _UPSTREAM in fields else [])]
    ):
        message = f"a plug-in that is refused handles nothing, so `{others[0]}` cannot be"
        raise fields.wrong(_EXPECT, message, f"leave out `{others[0]}`, or `{LOAD.name}: refused`")
    if (expect.response or expect.upstream is not None) and _CASE_REQUEST not in fields:
        message = f"`expect` has `{asks}`, and the case sends no `request`"
        hint = {
            "steps": f"put `{asks}` into the `expect` of its step",
            "tcp": "say in `tcp` what each side gets",
        }.get(sent[0] if sent else "", "add `request`")
        raise fields.wrong(_EXPECT, message, hint)
    stepwise = any(step.expect != Expect() for step in _flat(fields.get(_STEPS, ())))
    if _EXPECT not in fields and not stepwise and _TCP not in fields:
        hint = "add `expect`, with `response` for instance"
        raise fields.wrong(_NAME, "a case that expects nothing", hint)
    if _TCP in fields and _UPSTREAM in fields:
        message = "`upstream` is what an HTTP server answers, and this case is about `tcp`"
        raise fields.wrong(_UPSTREAM, message, "write `upstream sends: …` in `tcp`")


def _flat(steps: tuple[StepDraft, ...]) -> list[StepDraft]:
    flat: list[StepDraft] = []
    for step in steps:
        flat.append(step)
        if isinstance(step, ParallelDraft):
            flat.extend(step.requests)
    return flat


_CASE: Final = Record(
    "a case",
    _case,
    (
        _NAME,
        _PLUGIN,
        _UPSTREAM,
        _CALLOUTS,
        _FRESH,
        _TIMEOUT,
        _CASE_REQUEST,
        _STEPS,
        _TCP,
        _EXPECT,
    ),
    apart=(
        Apart(_CASE_REQUEST, (_STEPS, _TCP), "a case is about one of them"),
        Apart(_STEPS, (_TCP,), "a case is about one of them"),
    ),
)
_CASES: Final = Key(
    "cases",
    ListOf(_CASE, "a list of cases", few="write a first case, or remove the file"),
    "The cases.",
    required=True,
)


def _file(fields: Fields) -> FileDraft:
    return FileDraft(
        plugin=fields.get(_PLUGIN, {}),
        upstream=fields.get(_UPSTREAM, None),
        callouts=fields.get(_CALLOUTS, ()),
        cases=fields.one(_CASES),
    )


FILE: Final = Record("a case file", _file, (_PLUGIN, _UPSTREAM, _CALLOUTS, _CASES))
