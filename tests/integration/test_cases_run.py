"""Cases in a real Envoy: what a case file can say comes true, or is told as it came.

One Envoy serves as many cases as can be: the probe does what each request tells it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.case_runs import CaseRunner, envoys_of_ours
from wasmctl.cases.results import CaseResult

pytestmark = [pytest.mark.envoy, pytest.mark.cargo]

PASSING = """
upstream: {status: 200, body: hello, headers: {x-up: "1"}}
callouts:
  authz:
    GET /check: {status: 200, body: fine}
    GET /check?slow: {status: 401, body: expired, delay: 20ms}
    GET /reset: {fail: reset}
  grpc.svc:
    POST /acme.Auth/Check: {grpc: {reply: yes}}
    POST /acme.Auth/Deny: {grpc: {status: PERMISSION_DENIED, message: not you}}

cases:
- name: repeated headers and odd bytes
  request: {path: "/a?b=1", headers: {x: [a, b], odd: {base64: "/+k="}, utf: "é"}}
  expect:
    response: {status: 200, body: hello, headers: {x-up: "1"}, without-headers: [x-down]}
    upstream:
      path: "/a?b=1"
      headers: {x: [a, b], odd: {base64: "/+k="}, utf: "é"}
- name: a body in chunks over HTTP/1
  request: {body: [my sec, ret plan], headers: {x-do: replace secret ******}}
  expect: {upstream: {method: POST, body: my ****** plan}}
- name: a body in chunks over HTTP/2
  request: {http: 2, body: [my sec, ret plan], headers: {x-do: replace secret ******}}
  expect: {upstream: {method: POST, body: my ****** plan}}
- name: trailers over HTTP/1
  request: {body: [a, b], trailers: {t: v}, headers: {x-do: trailer added yes}}
  upstream: {body: [c, d], trailers: {u: w}}
  expect:
    response: {body: cd, trailers: {u: w}}
    upstream: {body: ab, trailers: {t: v, added: yes}}
- name: trailers over HTTP/2
  request: {http: 2, body: [a, b], trailers: {t: v}, headers: {x-do: trailer added yes}}
  upstream: {body: [c, d], trailers: {u: w}}
  expect:
    response: {body: cd, trailers: {u: w}}
    upstream: {body: ab, trailers: {t: v, added: yes}}
- name: the response is rewritten
  request: {headers: {x-do: response-replace hello bye; response-log warn seen}}
  expect: {response: {body: bye}, log: [{warn: seen}]}
- name: configuration and environment
  plugin: {config: {a: [1]}, vm-config: vm, environment: {MODE: test}}
  request: {headers: {x-do: report}}
  expect:
    response:
      headers:
        x-configuration: {json: {a: [1]}}
        x-vm-configuration: vm
        x-environment: {contains: MODE=test}
- name: a fresh vm has seen nothing
  fresh: true
  request: {headers: {x-do: report}}
  expect: {response: {headers: {x-requests: "1"}}}
- name: a callout
  request: {headers: {x-do: "call authz GET /check?any"}}
  expect:
    response: {status: 200}
    upstream: {path: /}
    callouts: {authz: {path: "/check?any", method: GET}}
- name: a callout says no
  request: {headers: {x-do: "call authz GET /check?slow"}}
  expect:
    response: {status: 403, body: expired}
    upstream: nothing
    callouts: {authz: [{path: "/check?slow"}], grpc.svc: nothing}
- name: a callout is reset
  request: {headers: {x-do: call authz GET /reset}}
  expect: {response: {status: 403}}
- name: a case's own callout
  callouts: {authz: {GET /check: {status: 418}}}
  request: {headers: {x-do: call authz GET /check}}
  expect: {response: {status: 403}}
- name: a gRPC callout
  request: {headers: {x-do: grpc grpc.svc acme.Auth/Check hi}}
  expect:
    response: {status: 200}
    upstream: {headers: {x-grpc: yes}}
    callouts: {grpc.svc: {path: /acme.Auth/Check, message: hi}}
- name: a gRPC callout says no
  request: {headers: {x-do: grpc grpc.svc acme.Auth/Deny hi}}
  expect: {response: {status: 403, body: {contains: not you}}, upstream: nothing}
- name: metrics
  steps:
  - request: {headers: {x-do: "count n_verdict=denied"}}
    expect: {response: {status: 200}, metrics: {"n{verdict=denied}": 1}}
  - request: {headers: {x-do: "count n_verdict=denied; gauge g 7"}}
    expect: {response: {status: 200}}
  expect: {metrics: {"n{verdict=denied}": 2, g: 7, never: 0}}
- name: metrics count from the case's beginning
  request: {headers: {x-do: "count n_verdict=denied"}}
  expect: {metrics: {"n{verdict=denied}": 1}}
- name: every level
  request:
    headers:
      x-do: log trace a; log debug b; log info c; log warn d; log error e; log critical f
  expect: {log: [{trace: a}, {debug: b}, {info: c}, {warn: d}, {error: e}, {critical: f}]}
- name: steps
  steps:
  - request: {path: /a, headers: {x-do: log info one}}
    expect: {response: {status: 200}, upstream: {path: /a}, log: [{info: one}]}
  - {wait: 10ms}
  - request: {path: /b, headers: {x-do: log info two}}
    upstream: {status: 201}
    expect: {response: {status: 201}, upstream: {path: /b}, log: [{info: two}]}
  expect: {log: [{info: one}, {info: two}]}
- name: at once
  steps:
  - parallel:
    - request: {path: /a}
      upstream: {status: 201, delay: 30ms}
      expect: {response: {status: 201}, upstream: {path: /a}}
    - request: {path: /b, http: 2}
      upstream: {status: 202}
      expect: {response: {status: 202}, upstream: {path: /b}}
    - request: {path: /c, headers: {x-do: respond 418 tea}}
      expect: {response: {status: 418, body: tea}, upstream: nothing}
- name: the upstream resets
  upstream: {headers: {content-length: "10"}, body: abc, fail: reset}
  request: {path: /}
  expect: {response: {fail: reset}}
- name: the upstream speaks gRPC
  upstream: {grpc: {status: NOT_FOUND, message: nobody}}
  request: {method: POST, http: 2, path: /a.B/C, body: {base64: AAAAAAA=}}
  expect: {response: {status: 200, grpc: {status: NOT_FOUND, message: nobody}}}
- name: the start logs
  plugin: {config: log info configured}
  expect: {log: [{info: configured}]}
- name: the start calls
  plugin: {config: "call authz GET /check?start"}
  expect: {callouts: {authz: [{path: "/check?start"}]}}
- name: ticks come while they are waited for
  plugin: {config: tick 30 log info tick}
  expect: {log: [{info: tick}, {info: tick}, {info: tick}]}
- name: a bad configuration is refused
  plugin: {config: refuse header must be a string}
  expect: {load: refused, log: [{error: header must be a string}]}
- name: what follows a refusal is served
  request: {path: /}
  expect: {response: {status: 200}, log: nothing}
- name: a conversation
  plugin: {config: tcp 1234 ****}
  tcp:
  - client sends: "AUTH 1234\\r\\n"
  - upstream gets: "AUTH ****\\r\\n"
  - upstream sends: "OK\\r\\n"
  - client gets: "OK\\r\\n"
  - client closes
  - upstream is closed
- name: the upstream hangs up
  plugin: {config: tcp 1234 ****}
  tcp:
  - client sends: a
  - upstream gets: {contains: a}
  - upstream closes
  - client is closed
"""

FAILING = """
upstream: {status: 200, body: hello}
callouts: {authz: {GET /check: {}}}

cases:
- name: response
  request: {path: /}
  expect: {response: {status: 403, headers: {a: b}, body: bye}}
- name: upstream
  request: {path: /a}
  expect: {upstream: nothing}
- name: log
  request: {headers: {x-do: log info a}}
  expect: {log: [{warn: a}]}
- name: error
  request: {headers: {x-do: log error oops}}
  expect: {response: {status: 200}}
- name: undeclared
  request: {headers: {x-do: "call authz GET /other?a=b"}}
  expect: {response: {status: 403}}
- name: hangs
  timeout: 200ms
  upstream: {fail: hang}
  request: {path: /}
  expect: {response: {status: 200}}
- name: pauses
  timeout: 200ms
  callouts: {authz: {GET /check: {fail: hang}}}
  request: {headers: {x-do: call authz GET /check}}
  expect: {response: {status: 200}}
- name: no reset
  request: {path: /}
  expect: {response: {fail: reset}}
- name: step
  steps:
  - {request: {path: /a}, expect: {response: {status: 200}}}
  - {request: {path: /b}, expect: {response: {status: 201}}}
- name: metric
  request: {headers: {x-do: count a_b=c}}
  expect: {metrics: {"a{b=d}": 1}}
- name: refusal
  plugin: {config: refuse no such header}
  request: {path: /}
  expect: {response: {status: 200}}
- name: another refusal
  plugin: {config: refuse no such header}
  expect: {load: refused, log: [{error: no header}]}
- name: tcp
  plugin: {config: tcp 1234 ****}
  timeout: 200ms
  tcp:
  - client sends: "AUTH 1234"
  - upstream gets: "AUTH 1234"
- name: tcp more
  plugin: {config: tcp 1234 ****}
  tcp:
  - client sends: abc
  - upstream gets: ab
- name: tcp silence
  plugin: {config: tcp 1234 ****}
  timeout: 200ms
  tcp:
  - client gets: hello
- name: passes
  request: {path: /}
  expect: {response: {status: 200}}
"""


def told(result: CaseResult) -> list[tuple[str, str, str]]:
    return [(one.where, one.expected, one.got) for one in result.differences]


def test_what_a_case_file_can_say_comes_true(run_file: CaseRunner, probe_module: Path) -> None:
    results = run_file(probe_module, PASSING)
    assert {name: told(one) for name, one in results.items() if one.outcome != "passed"} == {}
    assert len({one.run_folder for one in results.values()}) == 1, "one Envoy served them all"


def test_what_differs_is_told(run_file: CaseRunner, probe_module: Path) -> None:
    results = run_file(probe_module, FAILING)
    found = {name: told(one) for name, one in results.items()}
    assert found == {
        "response": [
            ("response.status", "403", "200"),
            ("response.headers.a", '"b"', "absent"),
            ("response.body", '"bye"', '"hello"'),
        ],
        "upstream": [("upstream", "nothing", "1 request: GET /a")],
        "log": [("log[0]", 'warn: "a"', 'info: "a"')],
        "error": [("log", "no error that `log` does not list", "error: oops")],
        "undeclared": [
            (
                "callouts.authz",
                "calls that the case declares an answer for",
                "`GET /other`; declare it: `callouts: {authz: {GET /other: {status: 200}}}`",
            )
        ],
        "hangs": [
            ("response", "status 200", "no answer within 0.2 s; the upstream had the request")
        ],
        "pauses": [
            (
                "response",
                "status 200",
                "no answer within 0.2 s; the request did not reach the upstream: does the plug-in"
                " pause it and never resume?",
            )
        ],
        "no reset": [("response", "fail: reset", "a whole answer, status 200")],
        "step": [("steps[1].response.status", "201", "200")],
        "metric": [("metrics.a{b=d}", "1", "no such metric; there is a{b=c}")],
        "refusal": [],
        "another refusal": [("log[0]", 'error: "no header"', "error: no such header")],
        "tcp": [("tcp[1].upstream gets", '"AUTH 1234"', '"AUTH ****"')],
        "tcp more": [("tcp.upstream", "nothing more", '"c"')],
        "tcp silence": [("tcp[0].client gets", '"hello"', "nothing more came in time")],
        "passes": [],
    }
    outcomes = {name: one.outcome for name, one in results.items() if one.outcome != "failed"}
    assert outcomes == {"refusal": "refused", "passes": "passed"}
    refusal = results["refusal"]
    assert refusal.message is not None
    assert "no such header" in refusal.message
    assert results["log"].log == ("info: a",)
    assert results["log"].curl == "curl -i -H 'x-do: log info a' http://127.0.0.1:18000/"


def test_what_happened_instead_is_told(run_file: CaseRunner, probe_module: Path) -> None:
    """Where something did not happen, what else did is the first that one asks for."""
    results = run_file(
        probe_module,
        """
        callouts: {authz: {GET /allow: {}}, other: {GET /x: {}}}
        cases:
        - name: answered
          request: {headers: {x-do: respond 418 tea}}
          expect: {upstream: {method: GET, path: /}}
        - name: another cluster
          request: {headers: {x-do: call authz GET /allow}}
          expect: {callouts: {other: {path: {contains: x}}}}
        - name: steps
          plugin: {config: count started}
          steps:
          - {request: {path: /a}, expect: {response: {status: 200}}}
          - parallel:
            - {request: {path: /b}, expect: {response: {status: 200}}}
            - {request: {path: /c}, expect: {response: {status: 201}}}
        """,
    )
    assert {name: told(one) for name, one in results.items()} == {
        "answered": [("upstream", "1 request: GET /", "nothing; the client got status 418")],
        "another cluster": [
            ("callouts.other", '1 request: path contains "x"', "nothing; `authz` got GET /allow")
        ],
        "steps": [("steps[1].parallel[1].response.status", "201", "200")],
    }
    steps = results["steps"]
    assert steps.differences[0].line == 16
    assert steps.curl == "curl -i http://127.0.0.1:18000/c"
    assert steps.serve == "wasmctl run --config 'count started'"


def test_ticks_begin_with_a_case_that_waits_and_their_calls_are_taken_once(
    run_file: CaseRunner, probe_module: Path
) -> None:
    results = run_file(
        probe_module,
        """
        plugin: {config: tick 20 call keys GET /jwks}
        callouts: {keys: {GET /jwks: {}}}
        cases:
        - {name: before, request: {headers: {x-do: report}}, expect: {response: {status: 200}}}
        - name: in a step
          steps:
          - {wait: 150ms, expect: {callouts: {keys: {path: /jwks}}}}
          - request: {headers: {x-do: report}}
            expect: {response: {headers: {x-requests: "1"}}}
        - name: in the case
          steps: [wait: 150ms]
          expect: {callouts: {keys: {path: /jwks}}}
        """,
    )
    assert {name: told(one) for name, one in results.items() if one.outcome != "passed"} == {}


def test_of_a_plug_in_that_says_a_lot_the_last_lines_are_kept(
    run_file: CaseRunner, probe_module: Path
) -> None:
    said = ";".join(f"log info {number}" for number in range(1200))
    text = (
        f"cases: [{{name: a, request: {{headers: {{x-do: {said}}}}}, expect: {{upstream: {{}}}}}}]"
    )
    result = run_file(probe_module, text)["a"]
    assert (result.outcome, len(result.log)) == ("passed", 1001)
    assert (result.log[0], result.log[-1]) == ("… 200 lines before", "info: 1199")


def test_the_end_of_a_connection_belongs_to_its_case(
    run_file: CaseRunner, probe_module: Path
) -> None:
    """Also where no step takes the upstream's end, and where the proxy gives up at once."""
    results = run_file(
        probe_module,
        """
        plugin: {config: tcp a b}
        cases:
        - name: open
          tcp: [client sends: a]
          expect: {log: [{info: connected}, {info: closed}]}
        - name: next
          tcp: [client sends: a, upstream gets: b]
          expect: {log: [{info: connected}, {info: closed}]}
        - name: no network filter
          plugin: {config: ""}
          tcp: [client sends: a, upstream gets: b]
        """,
    )
    outcomes = [results[name].outcome for name in ("open", "next", "no network filter")]
    assert outcomes == ["passed", "passed", "failed"]
    assert results["next"].log == ("info: connected", "info: closed")
    ((where, _, got),) = told(results["no network filter"])
    assert where == "tcp[1].upstream"
    assert got.startswith("the proxy did not connect to the upstream, and the connection was ")
    assert results["no network filter"].seconds < 5
    explanation = results["no network filter"].explanation
    assert explanation is not None
    assert explanation.id == "trap-no-network-filter"


def test_a_panic_is_told_in_the_authors_terms_and_the_next_case_has_a_new_vm(
    run_file: CaseRunner, probe_module: Path
) -> None:
    results = run_file(
        probe_module,
        """
        cases:
        - {name: first, request: {headers: {x-do: trap-at 3}}, expect: {response: {status: 200}}}
        - {name: second, request: {headers: {x-do: trap-at 3}}, expect: {response: {status: 200}}}
        - {name: third, request: {headers: {x-do: trap-at 3}}, expect: {response: {status: 200}}}
        - name: fourth
          request: {headers: {x-do: report}}
          expect: {response: {headers: {x-requests: "1"}}}
        - {name: panics, request: {headers: {x-do: panic no way}}, expect: {upstream: nothing}}
        """,
    )
    assert {name: one.outcome for name, one in results.items()} == {
        "first": "passed",
        "second": "passed",
        "third": "failed",
        "fourth": "passed",
        "panics": "failed",
    }
    assert "probe::failures::panic" in (results["panics"].message or "")
    assert "no way" in (results["panics"].message or "")
    assert any("probe::failures::trap" in line for line in results["third"].proxy_log)


def test_a_trap_outside_of_requests_is_told_of_the_case_it_belongs_to(
    run_file: CaseRunner, probe_module: Path
) -> None:
    results = run_file(
        probe_module,
        """
        cases:
        - name: at the start
          plugin: {config: trap}
          request: {path: /}
          expect: {response: {status: 200}}
        - name: in a tick
          plugin: {config: tick 100 trap}
          steps:
          - {wait: 300ms}
          - {request: {path: /}, expect: {response: {status: 200}}}
        - {name: after, request: {path: /}, expect: {response: {status: 200}}}
        """,
    )
    assert {name: one.outcome for name, one in results.items()} == {
        "at the start": "refused",
        "in a tick": "failed",
        "after": "passed",
    }
    assert "proxy_on_configure" in (results["at the start"].message or "")
    explanation = results["in a tick"].explanation
    assert explanation is not None
    assert "proxy_on_tick" in explanation.message


def test_the_first_failure_can_end_the_run(run_file: CaseRunner, probe_module: Path) -> None:
    case = "{{name: {}, request: {{path: /}}, expect: {{response: {{status: {}}}}}}}"
    one = f"cases: [{case.format('a', 200)}, {case.format('b', 201)}, {case.format('c', 200)}]"
    other = f"cases: [{case.format('d', 200)}]"
    results = run_file(probe_module, one, other, stop_at_first=True)
    assert {name: result.outcome for name, result in results.items()} == {
        "a": "passed",
        "b": "failed",
        "c": "not-run",
        "d": "not-run",
    }


@pytest.mark.parametrize(("jobs", "most"), [(1, 1), (2, 2)])
def test_files_and_releases_run_side_by_side_within_the_jobs(
    run_file: CaseRunner, probe_module: Path, jobs: int, most: int
) -> None:
    case = "cases: [{{name: {}, request: {{path: /}}, expect: {{response: {{status: 200}}}}}}]"
    running: list[int] = []
    run_file(
        probe_module,
        case.format("a"),
        case.format("b"),
        jobs=jobs,
        releases=2,
        hook=lambda _: running.append(len(envoys_of_ours())),
    )
    assert [result.outcome for result in run_file.told] == ["passed"] * 4
    assert max(running) == most


def test_fifty_megabytes_go_both_ways(
    run_file: CaseRunner, probe_module: Path, tmp_path: Path
) -> None:
    (tmp_path / "large").write_bytes(bytes(range(256)) * (50 * 4096))
    results = run_file(
        probe_module,
        """
        cases:
        - name: large
          timeout: 30s
          upstream: {body: {file: large}}
          request: {body: {file: large}}
          expect:
            response: {headers: {content-length: "52428800"}, body: {contains: "xyz{|}"}}
            upstream: {headers: {content-length: "52428800"}, body: {contains: "xyz{|}"}}
        - name: large, and different
          timeout: 30s
          upstream: {body: {file: large}}
          request: {path: /}
          expect: {response: {body: hello}}
        """,
    )
    assert results["large"].outcome == "passed", told(results["large"])
    (difference,) = results["large, and different"].differences
    assert difference.got.endswith("(52428800 bytes)")
    assert len(difference.got) < 1000


def test_hundreds_of_cases_share_a_vm_at_a_few_milliseconds_each(
    run_file: CaseRunner, probe_module: Path
) -> None:
    case = "- {{name: case {0}, request: {{path: /{0}}}, expect: {{upstream: {{path: /{0}}}}}}}\n"
    results = run_file(probe_module, "cases:\n" + "".join(map(case.format, range(300))))
    assert {result.outcome for result in results.values()} == {"passed"}
    assert list(results) == [f"case {number}" for number in range(300)]


def test_cases_of_a_template_pass(run_file: CaseRunner, header_auth_module: Path) -> None:
    results = run_file(
        header_auth_module,
        """
        upstream: {status: 200, body: hello}
        cases:
        - name: without the header
          request: {path: /status/418}
          expect:
            response: {status: 403, headers: {powered-by: proxy-wasm}, body: {contains: Forbidden}}
            upstream: nothing
            log: [{info: denied}]
        - name: with it
          request: {path: /, headers: {allow: true}}
          expect: {response: {status: 200, body: hello}, upstream: {path: /}}
        """,
    )
    assert {result.outcome for result in results.values()} == {"passed"}
