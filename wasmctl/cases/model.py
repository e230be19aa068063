"""What a case file says, as frozen values: defaults filled in, texts as bytes, times as seconds.

Owns the values that the reader makes and the runner takes. Knows neither YAML nor Envoy. Everything
is hashable, so that cases of one plug-in configuration can be grouped by it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

__all__ = [
    "TIMEOUT",
    "Callouts",
    "Case",
    "CaseFile",
    "Closes",
    "Contains",
    "EqualTo",
    "Expect",
    "ExpectedHeaders",
    "ExpectedLine",
    "ExpectedRequest",
    "ExpectedResponse",
    "FailurePolicy",
    "Gets",
    "GrpcReply",
    "Headers",
    "Interrupted",
    "IsClosed",
    "JsonEqualTo",
    "Level",
    "Match",
    "Metric",
    "Parallel",
    "Plugin",
    "Regex",
    "Reply",
    "Request",
    "Sends",
    "Side",
    "Single",
    "Step",
    "TcpStep",
    "Wait",
]

Headers = tuple[tuple[bytes, bytes], ...]
"""Names in lower case, and values; a repeated name stands once for each line."""

Level = Literal["trace", "debug", "info", "warn", "error", "critical"]
FailurePolicy = Literal["closed", "open", "reload"]
Side = Literal["client", "upstream"]

TIMEOUT = 10.0
"""Seconds that a case gets when it names no timeout of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugin:
    """How the plug-in is configured.

    Args:
        configuration: what `proxy_on_configure` reads, ready to be handed over; None: nothing.
        vm_configuration: the same for `proxy_on_vm_start`.
        environment: pairs in order of their names.
        root_id: empty when none is asked for.
        failure_policy: what becomes of requests when the plug-in has failed.
        capabilities: the only functions it may use and be called by; None: all of them.
    """

    configuration: str | None = None
    vm_configuration: str | None = None
    environment: tuple[tuple[str, str], ...] = ()
    root_id: str = ""
    failure_policy: FailurePolicy = "closed"
    capabilities: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request that the client sends.

    Args:
        method: `GET`, or `POST` with a body, when the file names none.
        path: with its query.
        headers: without those that a client adds by itself.
        body: its chunks, each sent on its own; empty: no body (`(b"",)` is an empty one).
        trailers: sent after the body.
        http: the version that the client speaks.
    """

    method: str = "GET"
    path: str = "/"
    headers: Headers = ()
    body: tuple[bytes, ...] = ()
    trailers: Headers = ()
    http: Literal[1, 2] = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class GrpcReply:
    """A gRPC answer.

    Args:
        status: a status name: `OK`, `PERMISSION_DENIED` …
        message: the status's text.
        messages: the serialized messages of the answer, without their length prefixes.
    """

    status: str = "OK"
    message: str = ""
    messages: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a server (the upstream, or the target of a callout) answers.

    Args:
        body: its chunks, each sent on its own.
        delay: seconds before the answer.
        fail: `reset`: what is declared is sent, then the connection ends; `hang`: no answer ever.
        grpc: the answer is this; status, body and trailers mean nothing then.
    """

    status: int = 200
    headers: Headers = ()
    body: tuple[bytes, ...] = ()
    trailers: Headers = ()
    delay: float = 0.0
    fail: Literal["reset", "hang"] | None = None
    grpc: GrpcReply | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Callouts:
    """What one cluster that the plug-in calls answers.

    Args:
        cluster: its name.
        replies: method, path and answer. A path without `?` stands for any query; one with a
            query wins over it.
    """

    cluster: str
    replies: tuple[tuple[str, str, Reply], ...] = ()


@dataclass(frozen=True, slots=True)
class EqualTo:
    """Holds for exactly these bytes."""

    value: bytes


@dataclass(frozen=True, slots=True)
class Contains:
    """Holds where these bytes occur."""

    value: bytes


@dataclass(frozen=True, slots=True)
class Regex:
    """Holds where the pattern is found (`re.search`, on the bytes decoded as UTF-8)."""

    pattern: str


@dataclass(frozen=True, slots=True)
class JsonEqualTo:
    """Holds for JSON of the same value: order of keys and white space do not matter.

    Args:
        text: the value as JSON, with sorted keys.
    """

    text: str


Match = EqualTo | Contains | Regex | JsonEqualTo

ExpectedHeaders = tuple[tuple[str, tuple[Match, ...] | Match], ...]
"""Name in lower case → what is expected of it.

One Match: of the value, or where there are several lines of that name, of all values joined with
`, ` (RFC 9110, section 5.3). A tuple: exactly as many lines, each as its Match says, in order.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedResponse:
    """What the client has to get; None and empty: anything.

    Args:
        without_headers: names, in lower case, of headers that must not be there.
        grpc_status: name of the gRPC status.
        grpc_message: the gRPC status's text.
    """

    status: int | None = None
    headers: ExpectedHeaders = ()
    without_headers: tuple[str, ...] = ()
    body: Match | None = None
    trailers: ExpectedHeaders = ()
    grpc_status: str | None = None
    grpc_message: Match | None = None


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The client gets no whole response: the connection or stream ends before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedRequest:
    """What a server has to receive; None and empty: anything.

    Args:
        path: with its query.
        message: the one gRPC message in the body, without its length prefix.
    """

    method: str | None = None
    path: Match | None = None
    headers: ExpectedHeaders = ()
    without_headers: tuple[str, ...] = ()
    body: Match | None = None
    trailers: ExpectedHeaders = ()
    message: Match | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedLine:
    """A line in the plug-in's log."""

    level: Level
    text: Match


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """By how much a counter or gauge of the plug-in has to grow.

    Args:
        name: without labels.
        labels: pairs in order of their names.
        growth: 0: it must not move; below 0: a gauge that falls.
    """

    name: str
    labels: tuple[tuple[str, str], ...] = ()
    growth: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Expect:
    """What has to hold of a case or of a step; None: nothing is asked.

    Args:
        upstream: the requests that the upstream receives, all of them, in order; empty: none.
        log: lines in this order, others may stand between; empty: the plug-in logs nothing.
        callouts: cluster → the requests that it receives, all of them, in order; empty: none.
        load_refused: the proxy must not take the plug-in with its configuration.
    """

    response: ExpectedResponse | Interrupted | None = None
    upstream: tuple[ExpectedRequest, ...] | None = None
    log: tuple[ExpectedLine, ...] | None = None
    metrics: tuple[Metric, ...] = ()
    callouts: tuple[tuple[str, tuple[ExpectedRequest, ...]], ...] = ()
    load_refused: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Single:
    """One request; its answers are the case's with the step's own over them.

    Args:
        line: where it stands in the case file.
    """

    line: int
    request: Request
    upstream: Reply = Reply()
    callouts: tuple[Callouts, ...] = ()
    expect: Expect = Expect()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Time that passes; `expect` asks for log, metrics and callouts only."""

    line: int
    seconds: float
    expect: Expect = Expect()


@dataclass(frozen=True, slots=True, kw_only=True)
class Parallel:
    """Requests that are all sent at once; at least two.

    Args:
        requests: their `expect` asks for response and upstream only.
        expect: what holds of all of them together: log, metrics and callouts only.
    """

    line: int
    requests: tuple[Single, ...]
    expect: Expect = Expect()


Step = Single | Wait | Parallel


@dataclass(frozen=True, slots=True, kw_only=True)
class Sends:
    """A side sends these bytes."""

    line: int
    side: Side
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Gets:
    """A side has to get this, next after what it got before."""

    line: int
    side: Side
    data: Match


@dataclass(frozen=True, slots=True, kw_only=True)
class Closes:
    """A side ends the connection."""

    line: int
    side: Side


@dataclass(frozen=True, slots=True, kw_only=True)
class IsClosed:
    """A side has to see the connection's end."""

    line: int
    side: Side


TcpStep = Sends | Gets | Closes | IsClosed


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One case, with the file's defaults filled in.

    Args:
        line: where it stands in its file; counts from 1.
        plugin: the whole configuration.
        upstream: what the upstream answers; 200 without a body where the file declares nothing.
        callouts: what is declared for each cluster; a step may declare more.
        fresh: the case gets a VM of its own.
        timeout: seconds for the whole case.
        steps: the requests; a case of one request is one step whose `expect` asks for response
            and upstream. Empty: nothing is sent.
        tcp: the plug-in is a network filter, and this is the conversation; empty: it is not.
        expect: what holds of the whole case: log, metrics, callouts, load.
    """

    name: str
    line: int
    plugin: Plugin
    upstream: Reply = Reply()
    callouts: tuple[Callouts, ...] = ()
    fresh: bool = False
    timeout: float = TIMEOUT
    steps: tuple[Step, ...] = ()
    tcp: tuple[TcpStep, ...] = ()
    expect: Expect = Expect()


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFile:
    """A case file.

    Args:
        path: as it was asked for.
        cases: in the file's order; at least one, no two of one name.
    """

    path: Path
    cases: tuple[Case, ...]
