"""Results as lines, as JUnit, and as GitHub Actions takes them."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

from wasmctl.cases.github import annotation, step_summary
from wasmctl.cases.junit import make_junit
from wasmctl.cases.report import Layout, case_data, counted, details, headline, summary
from wasmctl.cases.results import CaseOutcome, CaseResult, Difference, Unshown
from wasmctl.hosts.explanations import Explanation
from wasmctl.hosts.rows import Fault

HERE = Path("/here")
FILE = HERE / "tests/auth.cases.yaml"
EXPLAINED = Explanation(
    id="no-abi",
    message="it is no plug-in",
    hint="export the ABI",
    fault=Fault.PLUGIN,
    source="seen",
)


def result(
    name: str = "denied", outcome: CaseOutcome = "passed", envoy: str = "1.40.0", **more: object
) -> CaseResult:
    return CaseResult(
        file=FILE,
        line=7,
        name=name,
        envoy=envoy,
        outcome=outcome,
        **{"seconds": 0.012, **more},  # type: ignore[arg-type]
    )


STATUS = Difference(where="response.status", expected="403", got="200")
FAILED = result(
    outcome="failed",
    differences=(STATUS, Difference(where="response.body", expected="a\nb", got="nothing")),
    log=("info: allowed",),
    curl="curl -i http://127.0.0.1:18000/",
    run_folder=Path("/runs/1"),
)
REFUSED = result(
    outcome="refused", explanation=EXPLAINED, curl="curl -i x", proxy_log=("[error] no ABI",)
)
LOST = result(outcome="proxy", message="Envoy was killed")
LAYOUT = Layout(cwd=HERE, names=("denied",), files=(FILE,), envoys=("1.40.0",))


def test_a_case_that_passed_is_one_line_with_its_time() -> None:
    assert headline(result(), LAYOUT) == "passed   denied  12 ms"
    wide = Layout(cwd=HERE, names=("denied", "let through"), files=(FILE,), envoys=("1.40.0",))
    assert headline(result(), wide) == "passed   denied       12 ms"
    assert headline(result(seconds=1.26), LAYOUT) == "passed   denied  1.3 s"


def test_release_and_file_have_a_column_where_there_are_several() -> None:
    several = Layout(
        cwd=HERE,
        names=("denied",),
        files=(FILE, HERE / "tests/limits.cases.yaml"),
        envoys=("1.9.0", "1.40.0"),
    )
    assert headline(result(envoy="1.9.0"), several) == "passed   1.9.0   auth    denied  12 ms"


def test_a_failure_says_expected_and_got_the_log_and_how_to_see_it() -> None:
    assert headline(FAILED, LAYOUT) == "FAILED   denied  12 ms"
    assert list(details(FAILED, LAYOUT)) == [
        "  tests/auth.cases.yaml:7",
        "  response.status",
        "    expected  403",
        "    got       200",
        "  response.body",
        "    expected  a",
        "            | b",
        "    got       nothing",
        "  the plug-in's log",
        "    | info: allowed",
        "  to see it, beside `wasmctl run`",
        "    curl -i http://127.0.0.1:18000/",
    ]


def test_a_refused_module_is_explained_and_there_is_no_curl_to_try() -> None:
    assert headline(REFUSED, LAYOUT) == "REFUSED  denied"
    assert list(details(REFUSED, LAYOUT)) == [
        "  tests/auth.cases.yaml:7",
        "  it is no plug-in",
        "  hint: export the ABI",
        "  Envoy's log",
        "    | [error] no ABI",
    ]


def test_a_lost_proxy_is_told_in_other_words_than_a_failure() -> None:
    assert headline(LOST, LAYOUT) == "NO ENVOY  denied"
    assert "  Envoy was killed" in details(LOST, LAYOUT)


def test_what_comes_from_outside_moves_no_cursor_and_begins_no_line() -> None:
    evil = result(
        name="\x1b[31mred",
        outcome="failed",
        differences=(
            Difference(where="response.body", expected="x", got="\r\x1b[2J\n::error::mine"),
        ),
        log=("info: \n::stop-commands::x",),
    )
    lines = [headline(evil, LAYOUT), *details(evil, LAYOUT)]
    assert not any(mark in line for line in lines for mark in "\x1b\r\n")
    assert not any(line.strip().startswith("::") for line in lines)


def test_long_values_and_logs_are_cut_and_say_so() -> None:
    long = result(
        outcome="failed",
        differences=(Difference(where="body", expected="x" * 9000, got="y\n" * 99),),
        log=tuple(f"info: {number}" for number in range(50)),
    )
    lines = list(details(long, LAYOUT))
    assert max(map(len, lines)) < 2100
    assert len(lines) < 60
    assert any(line.endswith("9000 characters in all") for line in lines)
    assert "    … 30 lines before" in lines
    assert lines[-1] == "    | info: 49"


def test_lines_that_repeat_are_told_once_with_their_number() -> None:
    ticking = result(outcome="failed", log=("info: hm",) * 63 + ("info: end\n",))
    assert list(details(ticking, LAYOUT))[-2:] == ["    | info: hm (63 times)", "    | info: end"]


def test_of_several_steps_the_line_of_each_is_told() -> None:
    steps = result(
        outcome="failed",
        differences=(Difference(where="steps[1].response.status", expected="1", got="2", line=9),),
        curl="curl -i x",
        serve="wasmctl run --config hm",
    )
    lines = list(details(steps, LAYOUT))
    assert lines[:2] == ["  tests/auth.cases.yaml:7", "  steps[1].response.status, line 9"]
    assert lines[-2:] == ["  to see it, beside `wasmctl run --config hm`", "    curl -i x"]
    assert annotation(steps, HERE).startswith("::error file=tests/auth.cases.yaml,line=9,")
    assert case_data(steps)["differences"] == [
        {"where": "steps[1].response.status", "expected": "1", "got": "2", "line": 9}
    ]


def test_the_summary_tells_the_kinds_apart() -> None:
    assert list(summary([result(), FAILED], LAYOUT, 0.25)) == [
        "what Envoy was given, and its log: /runs/1",
        "1 failed, 1 passed in Envoy 1.40.0, 250 ms",
    ]
    assert list(summary([REFUSED], LAYOUT, 0.25)) == [
        "the module does not load: 1 refused in Envoy 1.40.0, 250 ms"
    ]
    lost = [result(), LOST, result(outcome="not-run")]
    assert counted(lost) == "1 without an Envoy, 1 passed, 1 not run"


def test_the_summary_of_a_matrix_has_a_line_a_release() -> None:
    matrix = Layout(cwd=HERE, names=("denied",), files=(FILE,), envoys=("1.9.0", "1.40.0"))
    assert list(summary([result(envoy="1.9.0"), FAILED], matrix, 2)) == [
        "what Envoy was given, and its log: /runs/1",
        "Envoy 1.9.0   1 passed",
        "Envoy 1.40.0  1 failed",
        "1 failed, 1 passed, 2.0 s",
    ]


def test_styles_only_add_to_what_is_there() -> None:
    def style(text: str, *names: str) -> str:
        return f"<{'+'.join(names)}>{text}</>"

    assert headline(FAILED, LAYOUT, style) == "<red+bold>FAILED </>  denied  <dim>12 ms</>"


def test_the_envelope_leaves_out_what_is_not_there() -> None:
    assert case_data(result()) == {
        "name": "denied",
        "file": str(FILE),
        "line": 7,
        "envoy": "1.40.0",
        "outcome": "passed",
        "seconds": 0.012,
    }
    told = case_data(REFUSED)
    assert (told["message"], told["hint"]) == ("it is no plug-in", "export the ABI")
    assert case_data(FAILED)["differences"] == [
        {"where": "response.status", "expected": "403", "got": "200"},
        {"where": "response.body", "expected": "a\nb", "got": "nothing"},
    ]


# What junit-10.xsd of Jenkins' xunit-plugin allows.
ATTRIBUTES = {
    "testsuites": {"name", "time", "tests", "failures", "errors"},
    "testsuite": {"name", "tests", "failures", "errors", "time", "skipped", "file"},
    "testcase": {"name", "time", "classname"},
    "failure": {"type", "message"},
    "error": {"type", "message"},
    "skipped": {"message"},
    "system-out": set[str](),
}


def test_junit_tells_failures_from_errors_and_keeps_to_what_the_strictest_reader_takes() -> None:
    other = result(name="a", envoy="1.36.4")
    results = [result(), FAILED, REFUSED, LOST, result(name="n", outcome="not-run"), other]
    root = ET.fromstring(make_junit(results, HERE))
    for element in root.iter():
        assert set(element.attrib) <= ATTRIBUTES[element.tag]
    assert root.attrib["tests"] == "6"
    first, second = root
    assert first.attrib == {
        "name": "tests/auth.cases.yaml (Envoy 1.40.0)",
        "tests": "5",
        "failures": "1",
        "errors": "2",
        "skipped": "1",
        "time": "0.060",
        "file": "tests/auth.cases.yaml",
    }
    assert second.attrib["name"] == "tests/auth.cases.yaml (Envoy 1.36.4)"
    failure = first.find("testcase/failure")
    assert failure is not None
    assert failure.attrib["message"] == "response.status: expected 403, got 200"
    assert "expected  403" in (failure.text or "")
    assert [error.attrib["type"] for error in first.iter("error")] == ["refused", "proxy"]
    assert first.findtext("testcase/system-out") == "info: allowed"
    # Jenkins takes what stands before the last dot for a package.
    assert first[0].attrib["classname"] == "auth.envoy-1-40-0"


def test_junit_holds_what_xml_cannot() -> None:
    odd = result(name="a\x00b\x1f\ufffe<&>", outcome="failed", log=("info: \x07]]>\ud800",))
    root = ET.fromstring(make_junit([odd], HERE))
    case = root[0][0]
    assert case.attrib["name"] == "a\\x00b\\x1f\\xfffe<&>"
    assert case.findtext("system-out") == "info: \\x07]]>\\xd800"


def test_an_annotation_marks_the_line_and_escapes_what_would_end_it() -> None:
    odd = result(
        name="50%, or: less",
        outcome="failed",
        differences=(Difference(where="body", expected="a\nb", got="100%\r"),),
    )
    assert annotation(odd, HERE) == (
        "::error file=tests/auth.cases.yaml,line=7,"
        "title=50%25%2C or%3A less failed (Envoy 1.40.0)::"
        "body: expected a%0Ab, got 100%25%0D"
    )
    assert annotation(REFUSED, Path("/elsewhere")).startswith(f"::error file={FILE},line=7,")


def test_the_step_summary_names_what_needs_a_look() -> None:
    text = step_summary([result(), FAILED, result(name="a`b", outcome="refused")], HERE)
    assert text.splitlines()[0] == "**wasmctl test**: 1 refused, 1 failed, 1 passed"
    assert "- failed: `denied` (tests/auth.cases.yaml:7, Envoy 1.40.0)" in text
    assert "  - `response.status: expected 403, got 200`" in text
    assert "- refused: `` a`b `` (" in text


URL = "http://a.test:80"
LIVE = Layout(cwd=HERE, names=("denied",), files=(FILE,), url=URL)
LOG = Unshown("log", "it stands elsewhere")


def test_what_is_not_shown_stands_in_the_line_and_its_reason_once_below() -> None:
    part = result(envoy="", url=URL, not_shown=(LOG, Unshown("upstream", "it shows there")))
    whole = result(envoy="", url=URL, outcome="not-shown", not_shown=(LOG,))
    assert headline(part, LIVE) == "passed   denied  12 ms  (not shown: log, upstream)"
    assert headline(whole, LIVE) == "not shown  denied  (log)"
    assert list(summary([part, whole], LIVE, 0.5)) == [
        "not shown: log: it stands elsewhere",
        "not shown: upstream: it shows there",
        f"1 passed, 1 not shown at {URL}, 500 ms",
    ]
    data = case_data(whole)
    assert (data["url"], data["outcome"], "envoy" in data) == (URL, "not-shown", False)
    assert data["not_shown"] == [{"what": "log", "why": "it stands elsewhere"}]


def test_a_gateway_that_is_lost_is_no_envoy_that_is_not_had() -> None:
    lost = result(envoy="", url=URL, outcome="proxy", message="it is gone")
    assert headline(lost, LIVE) == "NO ANSWER  denied"
    assert counted([lost]) == "1 without an answer"
    assert "title=denied had no answer (http%3A//a.test%3A80)" in annotation(lost, HERE)
    assert step_summary([lost], HERE).splitlines()[2].endswith(f"{URL})")


def test_junit_tells_what_was_not_shown() -> None:
    part = result(envoy="", url=URL, not_shown=(LOG,))
    whole = result(envoy="", url=URL, outcome="not-shown", not_shown=(LOG,))
    suite = ET.fromstring(make_junit([part, whole], HERE))[0]
    assert (suite.attrib["name"], suite.attrib["skipped"]) == (
        f"tests/auth.cases.yaml ({URL})",
        "1",
    )
    assert [case.attrib["classname"] for case in suite] == ["auth.live", "auth.live"]
    assert suite[0][0].text == "not shown: log: it stands elsewhere"
    assert suite[1][0].attrib["message"] == "not shown: log: it stands elsewhere"
