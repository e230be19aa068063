"""What cases expect: of the response, of what servers receive, of the log, of metrics."""

from __future__ import annotations

from typing import Final, TypeVar

from wasmctl.cases import texts
from wasmctl.cases.grammar import ByKind, Defined, Entries, Form, ListOf, Mapped
from wasmctl.cases.model import (
    EqualTo,
    Expect,
    ExpectedHeaders,
    ExpectedLine,
    ExpectedRequest,
    ExpectedResponse,
    Interrupted,
    Level,
    Match,
    Metric,
)
from wasmctl.cases.parts import BODY_MATCH, MATCH, WITHOUT_BODY
from wasmctl.cases.records import Apart, Fields, Key, OneKey, Record

__all__ = [
    "CASE_EXPECT",
    "LOAD",
    "RESPONSE",
    "STEP_EXPECT",
    "TOGETHER_EXPECT",
    "UPSTREAM",
    "WHOLE_EXPECT",
]

T = TypeVar("T")


def _header_match(match: Match) -> Match:
    if isinstance(match, EqualTo) and match.value != match.value.strip(b" \t"):
        raise ValueError(
            "white space around the value, which HTTP drops: it is never equal",
            "write the value without it",
        )
    return match


_HEADER_MATCH: Final = Mapped(MATCH, _header_match)
_HEADER_MATCHES: Final[Form[tuple[Match, ...] | Match]] = ByKind(
    "a text, a match, or a list of them",
    scalar=_HEADER_MATCH,
    table=_HEADER_MATCH,
    items=ListOf(_HEADER_MATCH, "a list of texts or matches", few="use `without-headers`"),
)
_HEADER_TABLE: Final[Form[ExpectedHeaders]] = Entries(
    texts.HEADER_NAME, _HEADER_MATCHES, "a table of names and what is expected of each"
)
_EXPECTED_HEADERS: Final = Defined("expected headers", _HEADER_TABLE)

_STATUS: Final = Key("status", texts.STATUS, "The status.")
_METHOD: Final = Key("method", texts.METHOD, "The method.")
_PATH: Final = Key("path", MATCH, "The path with its query.")
_HEADERS: Final = Key(
    "headers", _EXPECTED_HEADERS, "Headers and their values; a list: one value for each line."
)
_WITHOUT_HEADERS: Final = Key(
    "without-headers",
    ListOf(texts.HEADER_NAME, "a list of names"),
    "Names of headers that must not be there.",
)
_BODY: Final = Key("body", BODY_MATCH, "The whole body, however it was cut into chunks.")
_TRAILERS: Final = Key("trailers", _EXPECTED_HEADERS, "Trailers and their values.")
_MESSAGE: Final = Key("message", MATCH, "The serialized gRPC message.")

_GRPC_STATUS: Final = Key("status", texts.GRPC_STATUS, "Name of the gRPC status.")
_GRPC_MESSAGE: Final = Key("message", MATCH, "The text of the gRPC status.")


def _grpc(fields: Fields) -> tuple[str | None, Match | None]:
    return fields.get(_GRPC_STATUS, None), fields.get(_GRPC_MESSAGE, None)


_GRPC: Final = Key(
    "grpc",
    Record("an expected gRPC status", _grpc, (_GRPC_STATUS, _GRPC_MESSAGE), least=1),
    "The gRPC status, be it in headers or trailers.",
)
_RESPONSE_FAIL: Final = Key(
    "fail",
    texts.word({"reset": Interrupted()}, "`reset`"),
    "`reset`: the connection or stream ends before the response is whole.",
)


def _check_headers(fields: Fields) -> None:
    names = {name for name, _ in fields.get(_HEADERS, ())}
    if both := [name for name in fields.get(_WITHOUT_HEADERS, ()) if name in names]:
        message = f"the header `{both[0]}` is expected both to be there and not to be there"
        raise fields.wrong(_WITHOUT_HEADERS, message, "keep one of the two")


def _response(fields: Fields) -> ExpectedResponse | Interrupted:
    if failed := fields.get(_RESPONSE_FAIL, None):
        return failed
    _check_headers(fields)
    status = fields.get(_STATUS, None)
    body = fields.get(_BODY, None)
    if status in WITHOUT_BODY and body is not None and body != EqualTo(b""):
        message = f"a response with status {status} has no body"
        raise fields.wrong(_BODY, message, "leave `body` out, or expect another status")
    grpc_status, grpc_message = fields.get(_GRPC, (None, None))
    return ExpectedResponse(
        status=status,
        headers=fields.get(_HEADERS, ()),
        without_headers=fields.get(_WITHOUT_HEADERS, ()),
        body=body,
        trailers=fields.get(_TRAILERS, ()),
        grpc_status=grpc_status,
        grpc_message=grpc_message,
    )


def _expected_request(fields: Fields) -> ExpectedRequest:
    _check_headers(fields)
    path = fields.get(_PATH, None)
    if isinstance(path, EqualTo) and not path.value.startswith((b"/", b"*")):
        message = "a path always begins with `/`"
        raise fields.wrong(_PATH, message, "write the whole path, or `{contains: …}`")
    return ExpectedRequest(
        method=fields.get(_METHOD, None),
        path=path,
        headers=fields.get(_HEADERS, ()),
        without_headers=fields.get(_WITHOUT_HEADERS, ()),
        body=fields.get(_BODY, None),
        trailers=fields.get(_TRAILERS, ()),
        message=fields.get(_MESSAGE, None),
    )


RESPONSE: Final = Key(
    "response",
    Record(
        "expected response",
        _response,
        (_STATUS, _HEADERS, _WITHOUT_HEADERS, _BODY, _TRAILERS, _GRPC, _RESPONSE_FAIL),
        apart=(
            Apart(
                _RESPONSE_FAIL,
                (_STATUS, _HEADERS, _WITHOUT_HEADERS, _BODY, _TRAILERS, _GRPC),
                "there is no whole response to look at",
            ),
        ),
        least=1,
        called="`response`",
    ),
    "What the client gets.",
)

_REQUEST_KEYS: Final = (_METHOD, _PATH, _HEADERS, _WITHOUT_HEADERS, _BODY, _TRAILERS)


def _one(request: ExpectedRequest) -> tuple[ExpectedRequest, ...]:
    return (request,)


def _requests(record: Record[ExpectedRequest]) -> Form[tuple[ExpectedRequest, ...]]:
    expected = "`nothing`, a request, or a list of requests"
    return ByKind(
        expected,
        scalar=texts.word({"nothing": ()}, expected),
        table=Mapped(record, _one),
        items=ListOf(record, "a list of requests", few="write `nothing`"),
    )


UPSTREAM: Final = Key(
    "upstream",
    _requests(Record("an expected request", _expected_request, _REQUEST_KEYS)),
    "What the upstream receives: `nothing`, one request, or all of them in order.",
)
_CALLED: Final = Entries(
    texts.CLUSTER,
    _requests(Record("an expected callout", _expected_request, (*_REQUEST_KEYS, _MESSAGE))),
    "a table of clusters and what each receives",
)
_CALLOUTS: Final = Key(
    "callouts",
    Defined("expected callouts", _CALLED),
    "What each cluster receives from the plug-in: `nothing`, one request, or all in order.",
)


def _line(level: Level) -> Form[ExpectedLine]:
    return Mapped(MATCH, lambda text: ExpectedLine(level=level, text=text))


_LINE: Final = OneKey(
    "a log line",
    tuple(Key(level, _line(level), f"A line of level {level}.") for level in texts.LEVELS),
    example="info: allowed",
)
_LOGGED: Final = "`nothing`, or a list of lines such as `[{info: allowed}]`"
_LINES: Final[Form[tuple[ExpectedLine, ...]]] = ByKind(
    _LOGGED,
    scalar=texts.word({"nothing": ()}, _LOGGED),
    items=ListOf(_LINE, "a list of lines such as `[{info: allowed}]`", few="write `nothing`"),
)
_LOG: Final = Key(
    "log",
    Defined("log lines", _LINES),
    "Lines that the plug-in logs, in this order; others may stand between. `nothing`: no line.",
)


def _metrics(
    entries: tuple[tuple[tuple[str, tuple[tuple[str, str], ...]], int], ...],
) -> tuple[Metric, ...]:
    return tuple(
        Metric(name=name, labels=labels, growth=growth) for (name, labels), growth in entries
    )


_GROWTHS: Final = Mapped(
    Entries(texts.METRIC, texts.GROWTH, "a table of metrics and their growth"), _metrics
)
_METRICS: Final = Key(
    "metrics",
    Defined("metrics", _GROWTHS),
    "By how much counters and gauges grow: `requests` or `requests{verdict=denied}`.",
)
LOAD: Final = Key(
    "load",
    texts.word({"refused": True}, "`refused`"),
    "`refused`: the proxy must not take the plug-in with this configuration.",
)


def _expect(fields: Fields) -> Expect:
    return Expect(
        response=fields.get(RESPONSE, None),
        upstream=fields.get(UPSTREAM, None),
        log=fields.get(_LOG, None),
        metrics=fields.get(_METRICS, ()),
        callouts=fields.get(_CALLOUTS, ()),
        load_refused=LOAD in fields,
    )


_OF_ALL: Final = (_LOG, _METRICS, _CALLOUTS)
CASE_EXPECT: Final = Record(
    "expect",
    _expect,
    (RESPONSE, UPSTREAM, *_OF_ALL, LOAD),
    apart=(
        Apart(
            LOAD,
            (RESPONSE, UPSTREAM, _METRICS, _CALLOUTS),
            "a plug-in that is refused handles no request",
        ),
    ),
    least=1,
    called="`expect`",
)
STEP_EXPECT: Final = Record(
    "expect of a step", _expect, (RESPONSE, UPSTREAM, *_OF_ALL), least=1, called="`expect`"
)
TOGETHER_EXPECT: Final = Record(
    "expect in parallel", _expect, (RESPONSE, UPSTREAM), least=1, called="`expect`"
)
WHOLE_EXPECT: Final = Record(
    "expect of wait and parallel", _expect, _OF_ALL, least=1, called="`expect`"
)
