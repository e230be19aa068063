"""What happened against what is expected: which differences are told, and how they read."""

from __future__ import annotations

import pytest

from wasmctl.cases.compare import (
    LogLine,
    compare_log,
    compare_metrics,
    compare_parallel,
    compare_requests,
    compare_response,
    unlisted_errors,
)
from wasmctl.cases.model import (
    Contains,
    EqualTo,
    Expect,
    ExpectedLine,
    ExpectedRequest,
    ExpectedResponse,
    Interrupted,
    Level,
    Match,
    Metric,
)
from wasmctl.cases.results import Difference
from wasmctl.wire.grpc import frame
from wasmctl.wire.messages import Broken, Headers, Received, Response


def response(
    status: int = 200, body: bytes = b"", headers: Headers = (), trailers: Headers = ()
) -> Response:
    return Response(status=status, headers=headers, body=body, trailers=trailers, seconds=0.1)


def received(path: str = "/", body: bytes = b"", headers: Headers = ()) -> Received:
    return Received(method="GET", path=path, headers=headers, body=body, trailers=(), version="1.1")


def line(level: Level, text: str) -> LogLine:
    return LogLine(level=level, text=text)


def wanted(level: Level, text: str | Match) -> ExpectedLine:
    return ExpectedLine(level=level, text=EqualTo(text.encode()) if isinstance(text, str) else text)


def test_a_response_as_expected_has_no_differences() -> None:
    expected = ExpectedResponse(
        status=403,
        headers=(("x", EqualTo(b"a, b")),),
        without_headers=("server",),
        body=Contains(b"Forbidden"),
        trailers=(("t", EqualTo(b"1")),),
    )
    headers = ((b"X", b"a"), (b"x", b"b"))
    got = response(403, b"403 Forbidden\n", headers, ((b"t", b"1"),))
    assert compare_response(expected, got) == ()


def test_every_part_of_a_response_that_differs_is_told() -> None:
    expected = ExpectedResponse(
        status=403,
        headers=(("powered-by", EqualTo(b"wasm")),),
        without_headers=("server",),
        body=EqualTo(b"no"),
        trailers=(("t", EqualTo(b"1")),),
    )
    assert compare_response(expected, response(200, b"yes", ((b"server", b"envoy"),))) == (
        Difference(where="response.status", expected="403", got="200"),
        Difference(where="response.headers.powered-by", expected='"wasm"', got="absent"),
        Difference(where="response.without-headers", expected="no server", got='server: "envoy"'),
        Difference(where="response.body", expected='"no"', got='"yes"'),
        Difference(where="response.trailers.t", expected='"1"', got="absent"),
    )


def test_an_exchange_that_broke_is_a_difference_even_where_nothing_is_asked() -> None:
    broken = Broken("reset", "the connection was reset", response(200))
    assert compare_response(None, broken) == (
        Difference(
            where="response",
            expected="an answer",
            got="the connection was reset, after status 200",
        ),
    )


def test_a_reset_is_met_by_a_reset_only() -> None:
    assert compare_response(Interrupted(), Broken("reset", "it was reset")) == ()
    (told,) = compare_response(Interrupted(), Broken("timeout", "no answer within 10 s"))
    assert told.got == "no answer within 10 s"
    (told,) = compare_response(Interrupted(), response(503))
    assert (told.expected, told.got) == ("fail: reset", "a whole answer, status 503")


def test_a_grpc_status_is_told_by_its_name() -> None:
    got = response(trailers=((b"grpc-status", b"7"), (b"grpc-message", b"not%20you")))
    expected = ExpectedResponse(grpc_status="PERMISSION_DENIED", grpc_message=EqualTo(b"not you"))
    assert compare_response(expected, got) == ()
    (told,) = compare_response(ExpectedResponse(grpc_status="OK"), got)
    assert told == Difference(where="response.grpc.status", expected="OK", got="PERMISSION_DENIED")


def test_the_number_of_requests_counts() -> None:
    assert compare_requests((), (), "upstream") == ()
    (told,) = compare_requests((), [received("/a")], "upstream")
    assert (told.expected, told.got) == ("nothing", "1 request: GET /a")
    expected = [ExpectedRequest(method="GET", path=EqualTo(b"/a"))] * 2
    (told,) = compare_requests(expected, [], "callouts.authz")
    assert told.expected == "2 requests: GET /a, GET /a"
    assert told.got == "nothing"


def test_requests_are_compared_in_order() -> None:
    expected = [ExpectedRequest(path=EqualTo(b"/a")), ExpectedRequest(path=EqualTo(b"/b"))]
    assert compare_requests(expected, [received("/a"), received("/b")], "upstream") == ()
    told = compare_requests(expected, [received("/b"), received("/a")], "upstream")
    assert [one.where for one in told] == ["upstream[0].path", "upstream[1].path"]


def test_a_grpc_message_is_compared_without_its_prefix() -> None:
    expected = [ExpectedRequest(message=EqualTo(b"hi"))]
    assert compare_requests(expected, [received(body=frame(b"hi"))], "callouts.g") == ()
    (told,) = compare_requests(expected, [received(body=b"hi")], "callouts.g")
    assert told.where == "callouts.g.message"
    assert told.got.startswith("no gRPC: ")


def test_requests_sent_at_once_may_come_in_any_order() -> None:
    expected = [(ExpectedRequest(path=EqualTo(b"/a")),), (ExpectedRequest(path=EqualTo(b"/b")),)]
    assert compare_parallel(expected, [received("/b"), received("/a")], "") == ()


def test_one_sent_at_once_that_must_not_come_is_told() -> None:
    expected = [(ExpectedRequest(path=EqualTo(b"/a")),), ()]
    (told,) = compare_parallel(expected, [received("/b"), received("/a")], "steps[1].")
    assert told == Difference(
        where="steps[1].upstream", expected="nothing more", got="1 request: GET /b"
    )


def test_log_lines_come_in_order_with_others_between() -> None:
    lines = [line("info", "a"), line("debug", "x"), line("warn", "b")]
    assert compare_log([wanted("info", "a"), wanted("warn", "b")], lines) == ()
    (told,) = compare_log([wanted("warn", "b"), wanted("info", "a")], lines, "steps[0].")
    assert told.where == "steps[0].log[1]"
    assert "before another" in told.got


@pytest.mark.parametrize(
    ("expected", "got"),
    [
        (wanted("info", "b"), 'warn: "b"'),  # the same text at another level
        (wanted("info", "c"), "info: a"),  # the lines of that level
        (wanted("error", "c"), "info: a; warn: b"),  # no line of that level: all
    ],
)
def test_a_line_that_does_not_come_is_told_by_what_came_instead(
    expected: ExpectedLine, got: str
) -> None:
    (told,) = compare_log([expected], [line("info", "a"), line("warn", "b")])
    assert told.got == got


def test_an_error_about_an_unknown_cluster_is_told_as_such() -> None:
    line = LogLine(level="error", text="no call to keys: BadArgument")
    (told,) = unlisted_errors([], [line])
    assert told.got.endswith("; was it a call to a cluster that `callouts` does not declare?")


def test_no_lines_at_all_can_be_asked_for() -> None:
    assert compare_log((), ()) == ()
    (told,) = compare_log((), [line("info", "a")])
    assert (told.expected, told.got) == ("nothing", "info: a")


def test_an_error_that_is_not_listed_is_told() -> None:
    expects = [Expect(log=(wanted("error", "known"),))]
    lines = [line("error", "known"), line("error", "known"), line("critical", "new")]
    assert [told.got for told in unlisted_errors(expects, lines)] == ["critical: new"]


@pytest.mark.parametrize(
    "raw",
    [
        "requests_verdict=denied_path=/a",
        "requests_path=/a_verdict=denied",
        "wasmcustom.requests_verdict=denied_path=/a",
        "istiocustom.requests;.;verdict=.=denied;.;path=.=/a;.;",
    ],
)
def test_a_metric_is_found_however_its_labels_are_spelled(raw: str) -> None:
    metric = Metric(name="requests", labels=(("path", "/a"), ("verdict", "denied")), growth=2)
    others = {"requests": 9, "requests_verdict=denied": 9, "requests_verdict=allowed_path=/a": 9}
    assert compare_metrics([metric], {raw: 1}, {raw: 3, **others}) == ()


def test_growth_counts_from_where_the_case_began() -> None:
    metric = Metric(name="n", growth=1)
    assert compare_metrics([metric], {}, {"n": 1}) == ()
    assert compare_metrics([Metric(name="n", growth=-2)], {"n": 5}, {"n": 3}) == ()
    (told,) = compare_metrics([metric], {"n": 5}, {"n": 7})
    assert told == Difference(where="metrics.n", expected="1", got="2")


def test_a_metric_that_is_not_there_is_told_with_those_alike() -> None:
    metric = Metric(name="auth", labels=(("v", "denied"),), growth=1)
    (told,) = compare_metrics([metric], {}, {"auth_v=allowed": 1, "other": 1})
    assert told.where == "metrics.auth{v=denied}"
    assert told.got == "no such metric; there is auth{v=allowed}"
    (told,) = compare_metrics([metric], {}, {"istiocustom.auth;.;v=.=allowed;.;": 1})
    assert told.got == "no such metric; there is auth{v=allowed}"
    (told,) = compare_metrics([metric], {"auht": 1}, {"auht": 1, "atuh_v=denied": 1, "x": 1})
    assert told.got == "no such metric; there is atuh{v=denied}"
    assert compare_metrics([Metric(name="auth", growth=0)], {}, {}) == ()
