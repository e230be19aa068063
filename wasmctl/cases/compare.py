"""What happened against what a case expects: responses, requests, log lines, metrics. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from wasmctl.cases.matches import compare_bytes, compare_headers, compare_without, holds
from wasmctl.cases.model import (
    EqualTo,
    Expect,
    ExpectedLine,
    ExpectedRequest,
    ExpectedResponse,
    Interrupted,
    Level,
    Metric,
)
from wasmctl.cases.results import Difference
from wasmctl.cases.shown import shown, shown_match
from wasmctl.wire.grpc import grpc_status, unframe
from wasmctl.wire.messages import Broken, Received, Response

__all__ = [
    "LogLine",
    "compare_log",
    "compare_metrics",
    "compare_parallel",
    "compare_requests",
    "compare_response",
    "growth_of",
    "unlisted_errors",
]

# What the SDKs of Rust and Go make of the host's answer to a call of a cluster it does not know.
_BAD_ARGUMENT: Final = re.compile("BadArgument|bad argument")
_UNKNOWN_CLUSTER: Final = "; was it a call to a cluster that `callouts` does not declare?"
# One label at the end, as proxy-wasm's examples join it to the name.
_LABEL: Final = re.compile(r"[_.,;](?P<label>[A-Za-z][A-Za-z0-9]*=[^=]*)$")
_SERIOUS: Final[frozenset[Level]] = frozenset({"error", "critical"})


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """A line that the plug-in logged."""

    level: Level
    text: str

    def __str__(self) -> str:
        return f"{self.level}: {self.text}"


def compare_response(
    expected: ExpectedResponse | Interrupted | None, got: Response | Broken, where: str = ""
) -> tuple[Difference, ...]:
    """Return the differences between the answer, or what broke it, and what is expected.

    An exchange that broke is a difference wherever no break is expected.
    """
    place = f"{where}response"
    if isinstance(expected, Interrupted):
        return _compare_interrupted(got, place)
    if isinstance(got, Broken):
        if expected is None:
            expected = ExpectedResponse()
        wanted = "an answer" if expected.status is None else f"status {expected.status}"
        came = "" if got.response is None else f", after status {got.response.status}"
        return (Difference(where=place, expected=wanted, got=f"{got.message}{came}"),)
    if expected is None:
        return ()
    return _compare_response(expected, got, place)


def _compare_interrupted(got: Response | Broken, where: str) -> tuple[Difference, ...]:
    if isinstance(got, Broken) and got.kind in {"reset", "protocol"}:
        return ()
    came = got.message if isinstance(got, Broken) else f"a whole answer, status {got.status}"
    return (Difference(where=where, expected="fail: reset", got=came),)


def _compare_response(
    expected: ExpectedResponse, got: Response, where: str
) -> tuple[Difference, ...]:
    found: list[Difference] = []
    if expected.status not in {None, got.status}:
        status = f"{where}.status"
        found.append(Difference(where=status, expected=f"{expected.status}", got=f"{got.status}"))
    found += compare_headers(expected.headers, got.headers, f"{where}.headers")
    found += compare_without(expected.without_headers, got.headers, where)
    if expected.body is not None:
        found += compare_bytes(expected.body, got.body, f"{where}.body")
    found += compare_headers(expected.trailers, got.trailers, f"{where}.trailers")
    grpc, message = grpc_status(got)
    name = "none" if grpc is None else grpc.name
    if expected.grpc_status not in {None, name}:
        place = f"{where}.grpc.status"
        found.append(Difference(where=place, expected=f"{expected.grpc_status}", got=name))
    if expected.grpc_message is not None:
        found += compare_bytes(expected.grpc_message, message.encode(), f"{where}.grpc.message")
    return tuple(found)


def compare_requests(
    expected: Sequence[ExpectedRequest], got: Sequence[Received], where: str
) -> tuple[Difference, ...]:
    """Return the differences between the requests a server got and those it has to get."""
    if len(expected) != len(got):
        wanted = _counted(len(expected), [_summary(one) for one in expected])
        came = _counted(len(got), [f"{one.method} {one.path}" for one in got])
        return (Difference(where=where, expected=wanted, got=came),)
    several = len(expected) > 1
    return tuple(
        difference
        for index, (wanted, came) in enumerate(zip(expected, got, strict=True))
        for difference in _compare_request(wanted, came, f"{where}[{index}]" if several else where)
    )


def compare_parallel(
    expected: Sequence[tuple[ExpectedRequest, ...] | None], got: Sequence[Received], where: str
) -> tuple[Difference, ...]:
    """The same for requests sent at once, whose order is nobody's choice.

    Args:
        expected: for each of those sent what the upstream gets of it; None: whatever.
        got: all that the upstream got.
        where: the step.
    """
    left = list(got)
    found: list[Difference] = []
    for index, requests in enumerate(expected):
        for wanted in requests or ():
            place = f"{where}parallel[{index}].upstream"
            trials = [(_compare_request(wanted, one, place), one) for one in left]
            if not trials:
                found.append(Difference(where=place, expected=_summary(wanted), got="nothing"))
                continue
            nearest, taken = min(trials, key=lambda trial: len(trial[0]))
            found += nearest
            left.remove(taken)
    if len(left) > sum(requests is None for requests in expected):
        came = _counted(len(left), [f"{one.method} {one.path}" for one in left])
        place = f"{where}upstream"
        found.append(Difference(where=place, expected="nothing more", got=came))
    return tuple(found)


def _compare_request(
    expected: ExpectedRequest, got: Received, where: str
) -> tuple[Difference, ...]:
    found: list[Difference] = []
    if expected.method not in {None, got.method}:
        place = f"{where}.method"
        found.append(Difference(where=place, expected=f"{expected.method}", got=got.method))
    if expected.path is not None:
        found += compare_bytes(expected.path, got.path.encode(), f"{where}.path")
    found += compare_headers(expected.headers, got.headers, f"{where}.headers")
    found += compare_without(expected.without_headers, got.headers, where)
    if expected.body is not None:
        found += compare_bytes(expected.body, got.body, f"{where}.body")
    found += compare_headers(expected.trailers, got.trailers, f"{where}.trailers")
    if expected.message is not None:
        place = f"{where}.message"
        try:
            messages = unframe(got.body)
        except ValueError as error:
            text = shown_match(expected.message)
            return (*found, Difference(where=place, expected=text, got=f"no gRPC: {error}"))
        found += compare_bytes(expected.message, messages[0] if messages else b"", place)
    return tuple(found)


def compare_log(
    expected: Sequence[ExpectedLine], lines: Sequence[LogLine], where: str = ""
) -> tuple[Difference, ...]:
    """Return the expected line that does not come, in order, among the lines; or any, for none."""
    place = f"{where}log"
    if not expected:
        came = "; ".join(map(str, lines[:3]))
        return (Difference(where=place, expected="nothing", got=came),) if lines else ()
    at = 0
    for index, wanted in enumerate(expected):
        following = (number for number in range(at, len(lines)) if _is(wanted, lines[number]))
        number = next(following, None)
        if number is None:
            here = f"{place}[{index}]"
            return (Difference(where=here, expected=_line(wanted), got=_instead(wanted, lines)),)
        at = number + 1
    return ()


def _instead(wanted: ExpectedLine, lines: Sequence[LogLine]) -> str:
    if not lines:
        return "nothing"
    if any(_is(wanted, line) for line in lines):
        return "that line, but before another that has to come first"
    text = next((line for line in lines if holds(wanted.text, line.text.encode())), None)
    if text is not None:
        return f"{text.level}: {shown(text.text.encode())}"
    same = [line for line in lines if line.level == wanted.level] or lines
    more = f" and {len(same) - 3} more" if len(same) > 3 else ""
    return "; ".join(str(line) for line in same[:3]) + more


def unlisted_errors(expects: Iterable[Expect], lines: Sequence[LogLine]) -> tuple[Difference, ...]:
    """Return the error and critical lines that no part of the case expects."""
    listed = [wanted for expect in expects for wanted in expect.log or ()]
    return tuple(
        Difference(
            where="log",
            expected="no error that `log` does not list",
            got=f"{line}{_UNKNOWN_CLUSTER if _BAD_ARGUMENT.search(line.text) else ''}",
        )
        for line in lines
        if line.level in _SERIOUS and not any(_is(wanted, line) for wanted in listed)
    )


def compare_metrics(
    expected: Sequence[Metric],
    before: Mapping[str, int],
    after: Mapping[str, int],
    where: str = "",
) -> tuple[Difference, ...]:
    """Return the metrics that grew by something else."""
    found: list[Difference] = []
    for metric in expected:
        growth = growth_of(metric, before, after)
        if (growth or 0) != metric.growth:
            place = f"{where}metrics.{_metric(metric)}"
            came = f"{growth}" if growth is not None else _no_metric(metric, before, after)
            found.append(Difference(where=place, expected=f"{metric.growth}", got=came))
    return tuple(found)


def growth_of(metric: Metric, before: Mapping[str, int], after: Mapping[str, int]) -> int | None:
    """Return by how much a metric grew; None where the proxy has none of that name."""
    names = [raw for raw in after if _is_stat(raw, metric)]
    if not names:
        return None
    return sum(after[raw] - before.get(raw, 0) for raw in names)


def _is_stat(raw: str, metric: Metric) -> bool:
    """Return whether a proxy's raw name is the metric's, however the plug-in spells labels.

    `requests_verdict=denied` (proxy-wasm's examples: labels joined to the name) and
    `istiocustom.requests;.;verdict=.=denied;.;` (Istio's stats filter).
    """
    raw = _without_prefix(raw)
    if not raw.startswith(metric.name):
        return False
    rest = raw[len(metric.name) :]
    if ";.;" in rest:
        labels = [part.replace("=.=", "=") for part in rest.split(";.;") if part]
        return sorted(labels) == sorted(f"{key}={value}" for key, value in metric.labels)
    for key, value in sorted(metric.labels, key=lambda label: -len(label[1])):
        for separator in "_.,;":
            if (part := f"{separator}{key}={value}") in rest:
                rest = rest.replace(part, "", 1)
                break
        else:
            return False
    return not rest


def _no_metric(metric: Metric, before: Mapping[str, int], after: Mapping[str, int]) -> str:
    # What is new is the plug-in's; Envoy has hundreds of its own.
    known = {_as_written(raw): raw not in before for raw in after}
    bare = {name: name.partition("{")[0] for name in known}
    typed = get_close_matches(metric.name, {bare[name] for name, new in known.items() if new})
    alike = [name for name in known if metric.name in name or bare[name] in typed]
    near = sorted(name for name in alike if known[name]) or sorted(alike)
    return "no such metric" + (f"; there is {', '.join(near[:3])}" if near else "")


def _as_written(raw: str) -> str:
    """Return a raw name as a case file spells it, as far as labels can be told from it."""
    raw = _without_prefix(raw)
    if ";.;" in raw:
        name, *labels = (part for part in raw.split(";.;") if part)
        return f"{name}{{{','.join(label.replace('=.=', '=') for label in labels)}}}"
    if (label := _LABEL.search(raw)) is None:
        return raw
    return f"{raw[: label.start()]}{{{label['label']}}}"


def _without_prefix(raw: str) -> str:
    # What Envoy, and Istio's plug-ins, put before the name: not all releases show it.
    return raw.removeprefix("wasmcustom.").removeprefix("istiocustom.")


def _metric(metric: Metric) -> str:
    labels = ",".join(f"{key}={value}" for key, value in metric.labels)
    return f"{metric.name}{{{labels}}}" if labels else metric.name


def _is(wanted: ExpectedLine, line: LogLine) -> bool:
    return wanted.level == line.level and holds(wanted.text, line.text.encode())


def _line(wanted: ExpectedLine) -> str:
    return f"{wanted.level}: {shown_match(wanted.text)}"


def _counted(count: int, what: list[str]) -> str:
    if not count:
        return "nothing"
    noun = "request" if count == 1 else "requests"
    listed = [one for one in what if one]
    return f"{count} {noun}" + (f": {', '.join(listed)}" if listed else "")


def _summary(wanted: ExpectedRequest) -> str:
    match wanted.path:
        case None:
            path = ""
        case EqualTo(value):
            path = value.decode("utf-8", "backslashreplace")
        case other:
            path = f"path {shown_match(other)}"
    return f"{wanted.method or ''} {path}".strip()
