"""What of a case a live route shows: the answers to its requests, as far as they are the plug-in's.

Pure. What is deployed has one configuration, VMs that others use, too, and an upstream of its own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from wasmctl.cases.compare import compare_response
from wasmctl.cases.groups import expects_of, is_load_case, singles_of
from wasmctl.cases.model import Case, Expect, ExpectedResponse, Plugin, Single
from wasmctl.cases.results import Difference, Unshown
from wasmctl.cases.scene import wire_reply
from wasmctl.cases.shown import same_json, shown
from wasmctl.wire.messages import Broken, Headers, Response, first_value

__all__ = ["Judgement", "Plan", "judge", "plan_case", "refusals_of"]

Differences = tuple[Difference, ...]

_LOG: Final = Unshown("log", "`wasmctl logs` shows the plug-in's lines in the proxy's log")
_UPSTREAM: Final = Unshown("upstream", "what reaches the upstream shows there alone")
_CALLOUTS: Final = Unshown("callouts", "what the plug-in calls shows there alone")
_METRICS: Final = Unshown("metrics", "the proxy counts everybody's requests")
_LOAD: Final = Unshown("load", "what is deployed is loaded already")
_PLUGIN: Final = Unshown(
    "plugin", "what is deployed has one configuration: `[deploy] config`, else `[plugin]`'s"
)
_FRESH: Final = Unshown("fresh", "what is deployed has VMs that others use, too")
_TCP: Final = Unshown("tcp", "the URL is one of HTTP")
_FAILING: Final = Unshown("upstream.fail", "the upstream behind the gateway fails when it likes")
_CALLED: Final = Unshown("callouts", "what the plug-in calls answers in its own way")
_OTHERWISE: Final = "the upstream behind the gateway answered, in its own way"
_MAYBE_UPSTREAM: Final = (
    "the case's `upstream` declares that answer; is the one behind the gateway to give it, too?"
)
# The router sets it on answers of upstreams; what a filter answers has none:
# https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/router_filter
_FROM_UPSTREAM: Final = b"x-envoy-upstream-service-time"
# A status that a case file need not declare.
_USUAL_STATUS: Final = 200
# RFC 9110, 15.4: those that send a client elsewhere.
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_STEP: Final = re.compile(r"^(?:steps\[\d+\]\.)?(?:parallel\[\d+\]\.)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A case, and what of it is not shown.

    Args:
        case: it.
        runs: whether its requests are sent: something of their answers is expected.
        unshown: what is known not to show before that.
    """

    case: Case
    runs: bool
    unshown: tuple[Unshown, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What an answer came to.

    Args:
        differences: what was not as expected.
        unshown: what the upstream's own answer does not show.
        shows: whether anything that is expected of it showed.
        note: what a failure may come from besides the plug-in; empty: nothing else.
    """

    differences: Differences = ()
    unshown: tuple[Unshown, ...] = ()
    shows: bool = True
    note: str = ""


def plan_case(case: Case, deployed: Plugin) -> Plan:
    """Return what of a case can be shown where `deployed` is how the plug-in is configured."""
    if whole := tuple(_in_the_way(case, deployed)):
        return Plan(case=case, runs=False, unshown=whole)
    unshown = tuple(dict.fromkeys(part for one in expects_of(case) for part in _parts(one)))
    runs = any(single.expect.response is not None for single in singles_of(case))
    return Plan(case=case, runs=runs, unshown=unshown)


def _in_the_way(case: Case, deployed: Plugin) -> Iterator[Unshown]:
    """Yield why nothing of a case can be shown; the first says most."""
    if case.tcp:
        yield _TCP
    elif not _is_configured(case.plugin, deployed):
        yield _PLUGIN
    elif case.expect.load_refused or is_load_case(case):
        yield _LOAD
    elif case.fresh:
        yield _FRESH
    elif any(single.upstream.fail for single in singles_of(case)):
        yield _FAILING
    elif _depends_on_callouts(case):
        yield _CALLED


def _is_configured(wanted: Plugin, deployed: Plugin) -> bool:
    texts = wanted.configuration or "", deployed.configuration or ""
    rest = replace(wanted, configuration=None) == replace(deployed, configuration=None)
    if texts[0] == texts[1] or not rest:
        return rest
    try:
        return same_json(json.loads(texts[0]), json.loads(texts[1]))
    except ValueError:
        return False


def _depends_on_callouts(case: Case) -> bool:
    """Return whether the case declares what servers answer that the plug-in may call."""
    singles = singles_of(case)
    declared = {one.cluster for one in case.callouts}
    declared |= {one.cluster for single in singles for one in single.callouts}
    silent = {
        cluster
        for expect in expects_of(case)
        for cluster, requests in expect.callouts
        if not requests
    }
    return bool(declared - silent)


def _parts(expect: Expect) -> Iterator[Unshown]:
    if expect.upstream is not None:
        yield _UPSTREAM
    if expect.callouts:
        yield _CALLOUTS
    if expect.log is not None:
        yield _LOG
    if expect.metrics:
        yield _METRICS


def refusals_of(cases: Sequence[Case]) -> tuple[ExpectedResponse, ...]:
    """Return what cases expect of answers that are the plug-in's own."""
    return tuple(
        single.expect.response
        for case in cases
        for single in singles_of(case)
        if single.expect.upstream == () and isinstance(single.expect.response, ExpectedResponse)
    )


def judge(
    single: Single,
    got: Response | Broken,
    where: str = "",
    *,
    refusals: Sequence[ExpectedResponse] = (),
) -> Judgement:
    """Compare an answer with what is expected of it.

    What the case's `upstream` answers is not what the upstream behind a gateway does. So where that
    one answered, what differs in a part that the case's declares is not the plug-in's doing.

    Args:
        single: the request, what the upstream of the case would have answered, what is expected.
        got: what came.
        where: the step.
        refusals: what the plug-in's own answers look like, which pass gateways as any others.
    """
    expected = single.expect.response
    found = _with_redirect(compare_response(expected, got, where), got)
    if not found:
        return Judgement(shows=expected is not None)
    if isinstance(got, Broken) or not isinstance(expected, ExpectedResponse):
        return Judgement(differences=found)
    declared = _Declared(single, expected, where)
    if single.expect.upstream == () or not all(map(declared.accounts_for, found)):
        return Judgement(differences=found)
    refused = any(not compare_response(one, got) for one in refusals)
    if refused or first_value(got.headers, _FROM_UPSTREAM) is None:
        return Judgement(differences=found, note="" if refused else _MAYBE_UPSTREAM)
    parts = tuple(dict.fromkeys(_STEP.sub("", one.where) for one in found))
    return Judgement(
        unshown=tuple(Unshown(part, _OTHERWISE) for part in parts),
        shows=_count(expected) > len(parts),
    )


def _with_redirect(found: Differences, got: Response | Broken) -> Differences:
    """Say where a redirect leads to: an answer like any other, but seldom one that is meant."""
    location = None if isinstance(got, Broken) else first_value(got.headers, b"location")
    if isinstance(got, Broken) or location is None or got.status not in _REDIRECTS:
        return found
    told = f"{got.status}, a redirect to {shown(location)}, which is not followed"
    return tuple(
        replace(one, got=told) if one.where.endswith("response.status") else one for one in found
    )


class _Declared:
    """What a case's own upstream answers, as far as it bears on what is expected."""

    def __init__(self, single: Single, expected: ExpectedResponse, where: str) -> None:
        reply = wire_reply(single.upstream)
        answer = Response(
            status=reply.status,
            headers=reply.headers,
            body=b"".join(reply.body),
            trailers=reply.trailers,
            seconds=0.0,
        )
        self._answer = answer
        self._lacking = {_key(one) for one in compare_response(expected, answer, where)}
        self._place = f"{where}response."

    def accounts_for(self, difference: Difference) -> bool:
        """Return whether what is expected there is what the upstream answers, or made from it."""
        if _key(difference) not in self._lacking:
            return True
        part, _, name = difference.where.removeprefix(self._place).partition(".")
        match part:
            case "status":
                return self._answer.status != _USUAL_STATUS
            case "body":
                return bool(self._answer.body)
            case "headers":
                return _has(self._answer.headers, name)
            case "trailers":
                return _has(self._answer.trailers, name)
            case _:
                return False


def _key(difference: Difference) -> tuple[str, str]:
    # Of headers that must not be there each is told at the same place.
    without = difference.where.endswith(".without-headers")
    return difference.where.partition("[")[0], difference.expected if without else ""


def _has(headers: Headers, name: str) -> bool:
    return first_value(headers, name.partition("[")[0].encode()) is not None


def _count(expected: ExpectedResponse) -> int:
    texts = (expected.status, expected.body, expected.grpc_status, expected.grpc_message)
    lists = (expected.headers, expected.without_headers, expected.trailers)
    return sum(text is not None for text in texts) + sum(map(len, lists))
