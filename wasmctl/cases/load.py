"""A case file → its cases, with defaults filled in and all that can never hold refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from wasmctl.cases.forms import (
    FILE,
    CaseDraft,
    FileDraft,
    ParallelDraft,
    SingleDraft,
    StepDraft,
    WaitDraft,
)
from wasmctl.cases.model import (
    Callouts,
    Case,
    CaseFile,
    Closes,
    EqualTo,
    Expect,
    ExpectedRequest,
    ExpectedResponse,
    Gets,
    IsClosed,
    Parallel,
    Plugin,
    Reply,
    Sends,
    Single,
    Step,
    Wait,
)
from wasmctl.cases.problems import Place, Problem, ProblemsError, suggestion
from wasmctl.cases.yaml import parse_yaml
from wasmctl.errors import UsageError

__all__ = ["load_cases", "read_cases"]


def load_cases(path: Path, *, plugin: Plugin | None = None, shown: str | None = None) -> CaseFile:
    """Read a case file.

    Args:
        path: the file; files that it names are relative to its folder.
        plugin: the project's configuration, over which the file's and a case's own stand.
        shown: how errors call the file; as `path` does when absent.

    Raises:
        UsageError: it cannot be read, or is wrong; every place is named with line and column.
    """
    name = shown or str(path)
    try:
        raw = path.read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        message = f"the case file `{name}` cannot be read: {reason}"
        raise UsageError("unreadable-file", message, hint="name a case file") from None
    try:
        return CaseFile(path=path, cases=read_cases(raw, path.parent, plugin or Plugin()))
    except ProblemsError as error:
        raise error.told(name) from None


def read_cases(raw: bytes, folder: Path, plugin: Plugin) -> tuple[Case, ...]:
    """Return the cases in a case file's bytes.

    Raises:
        ProblemsError: something is wrong in it.
    """
    node = parse_yaml(raw)
    if node is None:
        hint = "write `cases:` with a first case, or remove the file"
        raise ProblemsError.one(Place(1, 1), "an empty file where cases are expected", hint)
    draft = FILE.read(node, folder)
    problems = _repeated_names(draft.cases)
    cases: list[Case] = []
    for case in draft.cases:
        finished = _case(case, draft, plugin)
        cases.append(finished)
        problems.extend(_contradictions(case, finished))
    if problems:
        raise ProblemsError(problems)
    return tuple(cases)


def _repeated_names(cases: tuple[CaseDraft, ...]) -> list[Problem]:
    problems: list[Problem] = []
    lines: dict[str, int] = {}
    for case in cases:
        if case.name in lines:
            message = f"the case `{case.name}` is in line {lines[case.name]} already"
            problems.append(Problem(case.place, message, "give one of the two another name"))
        lines.setdefault(case.name, case.place.line)
    return problems


def _case(draft: CaseDraft, file: FileDraft, plugin: Plugin) -> Case:
    upstream = draft.upstream or file.upstream or Reply()
    callouts = _merged(file.callouts, draft.callouts)
    return Case(
        name=draft.name,
        line=draft.place.line,
        plugin=_configured(plugin, {**file.plugin, **draft.plugin}),
        upstream=upstream,
        callouts=callouts,
        fresh=draft.fresh,
        timeout=draft.timeout,
        steps=tuple(_step(step, upstream, callouts) for step in draft.steps),
        tcp=draft.tcp,
        expect=draft.expect,
    )


def _configured(plugin: Plugin, given: Mapping[str, object]) -> Plugin:
    # The forms have made the values, so that their types are the attributes'.
    return replace(plugin, **given) if given else plugin  # type: ignore[arg-type]


def _merged(defaults: tuple[Callouts, ...], given: tuple[Callouts, ...]) -> tuple[Callouts, ...]:
    """Return the answers of both, by cluster, method and path; `given` wins."""
    if not given:
        return defaults
    routes: dict[str, dict[tuple[str, str], Reply]] = {}
    for callouts in (*defaults, *given):
        known = routes.setdefault(callouts.cluster, {})
        known.update({(method, path): reply for method, path, reply in callouts.replies})
    return tuple(
        Callouts(
            cluster=cluster,
            replies=tuple((method, path, reply) for (method, path), reply in known.items()),
        )
        for cluster, known in routes.items()
    )


def _step(draft: StepDraft, upstream: Reply, callouts: tuple[Callouts, ...]) -> Step:
    match draft:
        case SingleDraft():
            return _single(draft, upstream, callouts)
        case WaitDraft():
            return Wait(line=draft.place.line, seconds=draft.seconds, expect=draft.expect)
        case ParallelDraft():
            return Parallel(
                line=draft.place.line,
                requests=tuple(_single(item, upstream, callouts) for item in draft.requests),
                expect=draft.expect,
            )


def _single(draft: SingleDraft, upstream: Reply, callouts: tuple[Callouts, ...]) -> Single:
    return Single(
        line=draft.place.line,
        request=draft.request,
        upstream=draft.upstream or upstream,
        callouts=_merged(callouts, draft.callouts),
        expect=draft.expect,
    )


def _contradictions(draft: CaseDraft, case: Case) -> list[Problem]:
    """Return what can never hold of a whole case."""
    problems = _unknown_callouts(draft.expect, _all_callouts(case), draft.expected)
    singles: list[tuple[SingleDraft, tuple[Callouts, ...]]] = []
    for step, finished in zip(draft.steps, case.steps, strict=True):
        if isinstance(step, ParallelDraft):
            singles.extend((item, case.callouts) for item in step.requests)
        elif isinstance(step, SingleDraft):
            singles.append((step, case.callouts))
        declared = finished.callouts if isinstance(finished, Single) else case.callouts
        problems.extend(_unknown_callouts(step.expect, declared, step.expected))
        if case.expect.log == () and step.expect.log:
            message = "a line is expected here, and `log: nothing` of the whole case"
            problems.append(Problem(step.expected, message, "keep one of the two"))
    for single, _ in singles:
        problems.extend(_head_with_body(single))
    waits = sum(step.seconds for step in case.steps if isinstance(step, Wait))
    if waits >= case.timeout:
        message = f"the waits take {waits:g}s, and the case ends after {case.timeout:g}s"
        hint = f"give the case time: `timeout: {waits + 10:g}s`"
        problems.append(Problem(draft.place, message, hint))
    problems.extend(_after_the_end(case))
    return problems


def _all_callouts(case: Case) -> tuple[Callouts, ...]:
    singles = [step for step in case.steps if isinstance(step, Single)]
    declared = case.callouts
    for single in singles:
        declared = _merged(declared, single.callouts)
    return declared


def _unknown_callouts(
    expect: Expect, declared: tuple[Callouts, ...], place: Place
) -> list[Problem]:
    problems: list[Problem] = []
    routes = {callouts.cluster: callouts.replies for callouts in declared}
    for cluster, requests in expect.callouts:
        if cluster not in routes:
            message = f"callouts to `{cluster}` are expected, and no answers of it are declared"
            near = suggestion(cluster, routes)
            hint = f"{near}write `callouts: {{{cluster}: {{GET /path: {{status: 200}}}}}}`"
            problems.append(Problem(place, message, hint))
            continue
        for request in requests:
            if not any(_may_meet(request, *route[:2]) for route in routes[cluster]):
                message = f"no answer is declared for the request expected of `{cluster}`"
                known = ", ".join(f"`{method} {path}`" for method, path, _ in routes[cluster])
                hint = f"declared are {known or 'none'}"
                problems.append(Problem(place, message, hint))
    return problems


def _may_meet(request: ExpectedRequest, method: str, path: str) -> bool:
    if request.method not in (None, method):
        return False
    if not isinstance(request.path, EqualTo):
        return True
    expected = request.path.value.decode("utf-8", "replace")
    return expected == path or ("?" not in path and expected.partition("?")[0] == path)


def _head_with_body(draft: SingleDraft) -> list[Problem]:
    response = draft.expect.response
    if draft.request.method != "HEAD" or not isinstance(response, ExpectedResponse):
        return []
    for name, asked in (("body", response.body), ("trailers", response.trailers)):
        if asked and asked != EqualTo(b""):
            message = f"the response to a HEAD request has no {name}"
            hint = f"leave `{name}` out, or take another method"
            return [Problem(draft.expected, message, hint)]
    return []


def _after_the_end(case: Case) -> list[Problem]:
    """Return lines of `tcp` that come when their side has sent, or seen, the end."""
    problems: list[Problem] = []
    closed: dict[tuple[type[object], str], int] = {}
    for step in case.tcp:
        before = {
            Sends: Closes,
            Closes: Closes,
            Gets: IsClosed,
            IsClosed: IsClosed,
        }[type(step)]
        if (line := closed.get((before, step.side))) is not None:
            said = "closes" if before is Closes else "is closed"
            message = f"the {step.side} {said} in line {line}, so that this can never be"
            hint = "move it above that line, or leave it out"
            problems.append(Problem(Place(step.line, 1), message, hint))
        if isinstance(step, Closes | IsClosed):
            closed.setdefault((type(step), step.side), step.line)
    return problems
