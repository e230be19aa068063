"""What case files mean."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.unit.cases.readings import case, cases
from wasmctl.cases.load import load_cases
from wasmctl.cases.model import (
    Closes,
    Contains,
    EqualTo,
    Expect,
    ExpectedLine,
    ExpectedRequest,
    ExpectedResponse,
    Gets,
    GrpcReply,
    Interrupted,
    IsClosed,
    JsonEqualTo,
    Metric,
    Parallel,
    Plugin,
    Regex,
    Reply,
    Request,
    Sends,
    Single,
    Wait,
)
from wasmctl.errors import UsageError

QUIET = "expect: {log: nothing}\n"


def single(text: str, *, before: str = "", folder: Path = Path("/nowhere")) -> Single:
    (step,) = case(text, before=before, folder=folder).steps
    assert isinstance(step, Single)
    return step


def request(text: str, folder: Path = Path("/nowhere")) -> Request:
    return single(f"request: {text}\n{QUIET}", folder=folder).request


def response(text: str) -> ExpectedResponse:
    asked = single(f"request: {{}}\nexpect: {{response: {text}}}").expect.response
    assert isinstance(asked, ExpectedResponse)
    return asked


class TestRequests:
    def test_nothing_said_is_a_get_of_the_root(self) -> None:
        assert request("{}") == Request(method="GET", path="/", http=1)

    def test_a_body_makes_it_a_post(self) -> None:
        assert request("{body: x}") == Request(method="POST", body=(b"x",))
        assert request("{method: PUT, body: x}").method == "PUT"

    def test_an_empty_body_is_one(self) -> None:
        assert request('{body: ""}') == Request(method="POST", body=(b"",))

    def test_a_list_is_a_body_in_chunks(self) -> None:
        assert request("{body: [my sec, ret plan]}").body == (b"my sec", b"ret plan")

    def test_bytes_that_are_no_text_are_base64(self) -> None:
        assert request("{body: {base64: /wA=}}").body == (b"\xff\x00",)
        assert request("{body: [a, {base64: /w==}]}").body == (b"a", b"\xff")
        assert request("{headers: {x: {base64: /w==}}}").headers == ((b"x", b"\xff"),)

    def test_a_body_can_be_in_a_file_beside_the_case_file(self, tmp_path: Path) -> None:
        (tmp_path / "body.bin").write_bytes(b"\x00\xff")
        assert request("{body: {file: body.bin}}", tmp_path).body == (b"\x00\xff",)

    @pytest.mark.parametrize(
        "text",
        ["true", "yes", "12:30", "0x10", "1e3", "1.10", "2026-11-21", "007", ".5", "-", "off"],
    )
    def test_texts_stay_as_they_are_written(self, text: str) -> None:
        asked = request(f"{{headers: {{x: {text}}}, body: {text}}}")
        assert asked.headers == ((b"x", text.encode()),)
        assert asked.body == (text.encode(),)

    def test_quotes_make_texts_of_what_yaml_calls_nothing(self) -> None:
        asked = request("{headers: {x: 'null', y: '', z: \"~\"}}")
        assert asked.headers == ((b"x", b"null"), (b"y", b""), (b"z", b"~"))

    def test_header_names_are_lower_case_and_repeat(self) -> None:
        asked = request("{headers: {Accept: [a, b], X-Id: é}}")
        assert asked.headers == ((b"accept", b"a"), (b"accept", b"b"), (b"x-id", "é".encode()))

    def test_trailers_and_http_2(self) -> None:
        asked = request("{http: 2, body: x, trailers: {sum: 1}}")
        assert (asked.http, asked.trailers) == (2, ((b"sum", b"1"),))


class TestAnswers:
    def test_an_upstream_that_is_not_declared_answers_200(self) -> None:
        assert single(f"request: {{}}\n{QUIET}").upstream == Reply(status=200)

    def test_a_case_replaces_the_answer_of_the_file(self) -> None:
        before = "upstream: {status: 500, body: file}\n"
        assert single(f"request: {{}}\n{QUIET}", before=before).upstream.body == (b"file",)
        own = single(f"upstream: {{body: own}}\nrequest: {{}}\n{QUIET}", before=before)
        assert own.upstream == Reply(body=(b"own",))

    @pytest.mark.parametrize(("text", "seconds"), [("20ms", 0.02), ("1.5s", 1.5), ("2m", 120)])
    def test_durations(self, text: str, seconds: float) -> None:
        reply = single(f"upstream: {{delay: {text}}}\nrequest: {{}}\n{QUIET}").upstream
        assert reply.delay == pytest.approx(seconds)

    def test_a_grpc_answer(self) -> None:
        text = "upstream: {grpc: {status: NOT_FOUND, message: no, reply: [a, {base64: /w==}]}}\n"
        grpc = single(f"{text}request: {{}}\n{QUIET}").upstream.grpc
        assert grpc == GrpcReply(status="NOT_FOUND", message="no", messages=(b"a", b"\xff"))

    def test_answers_of_callouts_are_merged_by_route(self) -> None:
        before = "callouts: {a: {GET /x: {status: 201}, GET /y: {status: 202}}}\n"
        text = f"callouts: {{a: {{GET /x: {{fail: hang}}}}, b: {{}}}}\nrequest: {{}}\n{QUIET}"
        declared = {item.cluster: item.replies for item in case(text, before=before).callouts}
        assert declared == {
            "a": (("GET", "/x", Reply(fail="hang")), ("GET", "/y", Reply(status=202))),
            "b": (),
        }

    def test_a_step_declares_answers_over_those_of_its_case(self) -> None:
        text = (
            "callouts: {a: {GET /x: {status: 201}}}\n"
            "steps:\n"
            "- {request: {}, callouts: {a: {GET /x: {status: 401}}}, upstream: {body: step}}\n"
            "- {request: {}, expect: {callouts: {a: {path: /x}}}}\n"
        )
        first, second = case(text).steps
        assert isinstance(first, Single)
        assert isinstance(second, Single)
        assert first.callouts[0].replies == (("GET", "/x", Reply(status=401)),)
        assert first.upstream.body == (b"step",)
        assert second.callouts[0].replies == (("GET", "/x", Reply(status=201)),)


class TestPlugin:
    def test_texts_are_passed_raw_and_all_else_as_json(self) -> None:
        def configuration(text: str) -> str | None:
            return case(f"plugin: {{config: {text}}}\nrequest: {{}}\n{QUIET}").plugin.configuration

        assert configuration("allow 7") == "allow 7"
        assert configuration("'{\"a\":1}'") == '{"a":1}'
        assert configuration("7") == "7"
        assert configuration("null") is None
        assert json.loads(configuration("{a: [1, -1.5, 1e3, true, null]}") or "") == {
            "a": [1, -1.5, 1000.0, True, None]
        }

    @pytest.mark.parametrize("text", ["yes", "12:30", "0x10", "2026-11-21", "010", "+1", "1_0"])
    def test_only_what_json_has_keeps_a_type(self, text: str) -> None:
        plugin = case(f"plugin: {{config: [{text}]}}\nrequest: {{}}\n{QUIET}").plugin
        assert plugin.configuration == f'["{text}"]'

    def test_the_case_stands_over_the_file_and_that_over_the_project(self) -> None:
        text = (
            "plugin: {config: file, root-id: r, environment: {B: 2, A: true}}\n"
            "cases:\n"
            "- {name: a, expect: {log: nothing}}\n"
            "- {name: b, plugin: {config: case, capabilities: [proxy_log]}, "
            "expect: {log: nothing}}\n"
            "- {name: c, plugin: {config: null, failure-policy: open}, expect: {log: nothing}}\n"
        )
        plugin = Plugin(configuration="project", vm_configuration="vm")
        first, second, third = (item.plugin for item in cases(text, plugin=plugin))
        environment = (("A", "true"), ("B", "2"))
        assert first == Plugin(
            configuration="file", vm_configuration="vm", root_id="r", environment=environment
        )
        assert (second.configuration, second.capabilities) == ("case", ("proxy_log",))
        assert (third.configuration, third.failure_policy) == (None, "open")

    def test_equal_configurations_are_equal_keys(self) -> None:
        first, second = cases(
            "cases:\n"
            "- {name: a, plugin: {environment: {A: 1, B: 2}}, expect: {log: nothing}}\n"
            "- {name: b, plugin: {environment: {B: 2, A: 1}}, expect: {log: nothing}}\n"
        )
        assert len({first.plugin, second.plugin}) == 1


class TestExpectations:
    @pytest.mark.parametrize(
        ("text", "match"),
        [
            ("hello", EqualTo(b"hello")),
            ("true", EqualTo(b"true")),
            ("{base64: /w==}", EqualTo(b"\xff")),
            ("{contains: 12}", Contains(b"12")),
            ("{contains: {base64: /w==}}", Contains(b"\xff")),
            ("{matches: '^a(b|c)$'}", Regex("^a(b|c)$")),
            ("{json: {b: [1, x], a: null}}", JsonEqualTo('{"a": null, "b": [1, "x"]}')),
            ("{json: }", JsonEqualTo("null")),
        ],
    )
    def test_matches(self, text: str, match: object) -> None:
        assert response(f"{{body: {text}}}").body == match

    def test_headers(self) -> None:
        asked = response("{headers: {A: x, b: [y, {contains: z}]}, without-headers: [C]}")
        assert asked.headers == (("a", EqualTo(b"x")), ("b", (EqualTo(b"y"), Contains(b"z"))))
        assert asked.without_headers == ("c",)

    def test_a_grpc_status(self) -> None:
        asked = response("{grpc: {status: PERMISSION_DENIED, message: {contains: no}}}")
        assert (asked.grpc_status, asked.grpc_message) == ("PERMISSION_DENIED", Contains(b"no"))

    def test_a_response_that_breaks_off(self) -> None:
        step = single("request: {}\nexpect: {response: {fail: reset}}")
        assert step.expect.response == Interrupted()

    def test_what_the_upstream_receives(self) -> None:
        def upstream(text: str) -> object:
            return single(f"request: {{}}\nexpect: {{upstream: {text}}}").expect.upstream

        get = ExpectedRequest(method="GET")
        assert upstream("nothing") == ()
        assert upstream("{method: GET}") == (get,)
        assert upstream("[{method: GET}, {path: /x}]") == (
            get,
            ExpectedRequest(path=EqualTo(b"/x")),
        )

    def test_a_request_splits_what_is_expected_of_it_from_the_rest(self) -> None:
        text = "request: {}\nexpect: {response: {status: 403}, upstream: nothing, log: [{warn: x}]}"
        found = case(text)
        line = ExpectedLine(level="warn", text=EqualTo(b"x"))
        assert found.expect == Expect(log=(line,))
        (step,) = found.steps
        assert step.expect == Expect(response=ExpectedResponse(status=403), upstream=())

    def test_metrics_and_their_labels(self) -> None:
        text = 'request: {}\nexpect: {metrics: {a: 1, "b{y=2, x=1}": -3, c: 0}}'
        assert case(text).expect.metrics == (
            Metric(name="a", growth=1),
            Metric(name="b", labels=(("x", "1"), ("y", "2")), growth=-3),
            Metric(name="c", growth=0),
        )

    def test_callouts_that_are_made(self) -> None:
        text = (
            "callouts: {a: {POST /s.S/M: {grpc: {}}}, b: {}}\n"
            "request: {}\n"
            "expect: {callouts: {a: {path: /s.S/M, message: hi}, b: nothing}}"
        )
        asked = ExpectedRequest(path=EqualTo(b"/s.S/M"), message=EqualTo(b"hi"))
        assert case(text).expect.callouts == (("a", (asked,)), ("b", ()))

    def test_a_path_without_a_query_answers_any(self) -> None:
        text = "callouts: {a: {GET /x: {}}}\nrequest: {}\nexpect: {callouts: {a: {path: '/x?y=1'}}}"
        assert case(text).expect.callouts

    def test_a_plug_in_that_is_refused(self) -> None:
        found = case("plugin: {config: 7}\nexpect: {load: refused, log: [{error: no}]}")
        assert found.expect.load_refused
        assert found.steps == ()


class TestSteps:
    def test_requests_waits_and_parallel_requests(self) -> None:
        text = (
            "steps:\n"
            "- {request: {path: /a}, expect: {log: [{info: a}]}}\n"
            "- {wait: 20ms, expect: {metrics: {ticks: 1}}}\n"
            "- parallel:\n"
            "  - {request: {path: /b}, expect: {response: {status: 200}}}\n"
            "  - {request: {path: /c}, upstream: {status: 503}}\n"
        )
        first, second, third = case(text).steps
        assert isinstance(first, Single)
        assert isinstance(second, Wait)
        assert isinstance(third, Parallel)
        assert [first.line, second.line, third.line] == [4, 5, 6]
        assert second.seconds == pytest.approx(0.02)
        assert [item.request.path for item in third.requests] == ["/b", "/c"]
        assert third.requests[1].upstream == Reply(status=503)

    def test_a_conversation(self) -> None:
        text = (
            "tcp:\n"
            '- client sends: "AUTH 1234\\r\\n"\n'
            "- upstream gets: {contains: AUTH}\n"
            "- upstream closes\n"
            "- client is closed\n"
        )
        assert case(text).tcp == (
            Sends(line=4, side="client", data=b"AUTH 1234\r\n"),
            Gets(line=5, side="upstream", data=Contains(b"AUTH")),
            Closes(line=6, side="upstream"),
            IsClosed(line=7, side="client"),
        )

    def test_a_case_knows_its_line(self) -> None:
        text = "cases:\n- {name: a, expect: {log: nothing}}\n\n- {name: b, expect: {log: nothing}}"
        assert [item.line for item in cases(text)] == [2, 4]

    def test_fresh_and_timeout(self) -> None:
        found = case(f"fresh: true\ntimeout: 500ms\nrequest: {{}}\n{QUIET}")
        assert (found.fresh, found.timeout) == (True, 0.5)


class TestFiles:
    def test_an_alias_stands_for_its_value(self) -> None:
        first, second = cases(
            "cases:\n"
            "- {name: a, request: &get {path: /a}, expect: &quiet {log: nothing}}\n"
            "- {name: b, request: *get, expect: *quiet}\n"
        )
        assert first.expect == second.expect
        assert [step.request.path for step in second.steps if isinstance(step, Single)] == ["/a"]

    def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(self, tmp_path: Path) -> None:
        path = tmp_path / "w.cases.yaml"
        path.write_bytes(
            b"\xef\xbb\xbfcases:\r\n- name: a\r\n  request: {body: x}\r\n"
            b"  expect: {log: nothing}\r\n"
        )
        (only,) = load_cases(path).cases
        assert (only.name, only.line) == ("a", 2)

    def test_an_error_names_file_line_and_column(self, tmp_path: Path) -> None:
        path = tmp_path / "x.cases.yaml"
        path.write_text("cases:\n- name: a\n  requst: {}\n")
        with pytest.raises(UsageError) as caught:
            load_cases(path, shown="tests/x.cases.yaml")
        error = caught.value
        assert error.exit_code == 2
        assert error.code == "bad-case-file"
        assert error.message == "tests/x.cases.yaml:3:3: unknown key `requst` in a case"
        assert error.hint is not None
        assert error.hint.startswith("did you mean `request`? allowed here: `name`, ")

    def test_all_that_is_wrong_is_said_at_once(self, tmp_path: Path) -> None:
        path = tmp_path / "x.cases.yaml"
        path.write_text("upstream: {staus: 200}\ncases:\n- {name: a, fresh: yes}\n- {nam: b}\n")
        with pytest.raises(UsageError) as caught:
            load_cases(path)
        lines = [line for line in caught.value.message.splitlines() if str(path) in line]
        assert [line.removeprefix(f"{path}:").split(":")[0] for line in lines] == [
            "1",
            "3",
            "4",
            "4",
        ]

    def test_a_file_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="cannot be read: no such file") as caught:
            load_cases(tmp_path / "none.cases.yaml")
        assert caught.value.code == "unreadable-file"

    def test_hundreds_of_cases_are_read_in_no_time(self) -> None:
        item = "- {name: n%d, request: {path: /a}, expect: {response: {status: 200, body: hi}}}\n"
        text = "cases:\n" + "".join(item % number for number in range(400))
        started = time.process_time()
        assert len(cases(text)) == 400
        assert time.process_time() - started < 2
