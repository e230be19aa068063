"""What of a case a live route shows, and whose answer it is that came."""

from __future__ import annotations

from pathlib import Path

import pytest

from wasmctl.cases.load import load_cases
from wasmctl.cases.model import Case, Plugin, Single
from wasmctl.cases.showable import judge, plan_case, refusals_of
from wasmctl.wire.messages import Broken, Headers, Response

FROM_UPSTREAM: Headers = ((b"x-envoy-upstream-service-time", b"1"),)
REFUSAL = "{request: {}, expect: {response: {status: 403}, upstream: nothing}}"


def cases_of(text: str, folder: Path) -> tuple[Case, ...]:
    path = folder / "x.cases.yaml"
    path.write_text(text)
    return load_cases(path).cases


def case_of(text: str, folder: Path) -> Case:
    (case,) = cases_of(f"cases:\n- {{name: one, {text}}}\n", folder)
    return case


def single_of(text: str, folder: Path) -> Single:
    (step,) = case_of(text, folder).steps
    assert isinstance(step, Single)
    return step


def answer(status: int = 200, headers: Headers = (), body: bytes = b"") -> Response:
    return Response(status=status, headers=headers, body=body, trailers=(), seconds=0.0)


@pytest.mark.parametrize(
    ("text", "runs", "unshown"),
    [
        ("request: {}, expect: {response: {status: 200}}", True, []),
        (
            "request: {}, expect: {response: {status: 200}, upstream: nothing, log: nothing, "
            "metrics: {a: 1}}",
            True,
            ["log", "metrics", "upstream"],
        ),
        ("request: {}, expect: {log: nothing}", False, ["log"]),
        ("request: {}, fresh: true, expect: {response: {status: 200}}", False, ["fresh"]),
        ("plugin: {config: {b: 1}}, request: {}, expect: {log: nothing}", False, ["plugin"]),
        ("plugin: {config: x, vm-config: y}, expect: {load: refused}", False, ["plugin"]),
        ("expect: {load: refused}", False, ["load"]),
        ("expect: {log: [{info: up}]}", False, ["load"]),
        ("tcp: [{client sends: a}]", False, ["tcp"]),
        (
            "upstream: {fail: reset}, request: {}, expect: {response: {status: 503}}",
            False,
            ["upstream.fail"],
        ),
        (
            "callouts: {a: {GET /: {}}}, request: {}, expect: {response: {status: 200}}",
            False,
            ["callouts"],
        ),
        (
            "callouts: {a: {GET /: {}}}, request: {}, "
            "expect: {response: {status: 403}, callouts: {a: nothing}}",
            True,
            ["callouts"],
        ),
        (
            "steps: [{request: {}, expect: {response: {status: 200}}}, {wait: 1s}, "
            "{request: {}, expect: {log: nothing}}]",
            True,
            ["log"],
        ),
    ],
)
def test_what_is_not_shown_is_known_before(
    text: str, runs: bool, unshown: list[str], tmp_path: Path
) -> None:
    plan = plan_case(case_of(text, tmp_path), Plugin())
    assert (plan.runs, [part.what for part in plan.unshown]) == (runs, unshown)


@pytest.mark.parametrize(
    ("deployed", "runs"),
    [('{"b": [1, 2.0], "a": true}', True), ('{"a": 1, "b": [1, 2]}', False), (None, False)],
)
def test_the_same_configuration_may_be_written_otherwise(
    deployed: str | None, runs: bool, tmp_path: Path
) -> None:
    text = "plugin: {config: {a: true, b: [1, 2]}}, request: {}, expect: {response: {status: 200}}"
    assert plan_case(case_of(text, tmp_path), Plugin(configuration=deployed)).runs == runs


@pytest.mark.parametrize(
    ("text", "got", "differences", "unshown"),
    [
        # What the upstream of the case would have answered, and the one there does not.
        ("request: {}, expect: {response: {status: 200}}", 418, [], ["response.status"]),
        ("request: {}, upstream: {status: 500}, expect: {response: {status: 503}}", 418, [],
         ["response.status"]),
        # What the plug-in has to make of any answer.
        ("request: {}, expect: {response: {status: 403}}", 200, ["response.status"], []),
        ("request: {}, expect: {response: {headers: {x-a: b}}}", 200, ["response.headers.x-a"], []),
        # What the plug-in makes of an answer that did not come.
        ("request: {}, upstream: {body: secret}, expect: {response: {body: public}}", 200, [],
         ["response.body"]),
        ("request: {}, upstream: {headers: {x-a: a}}, expect: {response: {headers: {x-a: b}}}", 200,
         [], ["response.headers.x-a"]),
        # An answer that no upstream may give.
        ("request: {}, expect: {response: {status: 200}, upstream: nothing}", 418,
         ["response.status"], []),
        # A part that the plug-in has to make fails, with all that differs.
        ("request: {}, upstream: {body: a}, expect: {response: {status: 403, body: a}}", 200,
         ["response.status", "response.body"], []),
    ],
)  # fmt: skip
def test_an_upstreams_own_answer_is_not_the_plug_ins_doing(
    text: str, got: int, differences: list[str], unshown: list[str], tmp_path: Path
) -> None:
    judged = judge(single_of(text, tmp_path), answer(got, FROM_UPSTREAM))
    assert [one.where for one in judged.differences] == differences
    assert [part.what for part in judged.unshown] == unshown


def test_whether_anything_was_shown(tmp_path: Path) -> None:
    text = "request: {}, upstream: {body: a}, expect: {response: {status: 200, body: a}}"
    single = single_of(text, tmp_path)
    assert judge(single, answer(200, FROM_UPSTREAM, b"b")).shows
    assert not judge(single, answer(418, FROM_UPSTREAM, b"b")).shows
    assert not judge(single_of("request: {}, expect: {log: nothing}", tmp_path), answer()).shows


def test_what_proves_no_upstream_fails_and_says_what_else_it_may_be(tmp_path: Path) -> None:
    single = single_of("request: {}, expect: {response: {status: 200}}", tmp_path)
    judged = judge(single, answer(403))
    assert [one.got for one in judged.differences] == ["403"]
    assert "is the one behind the gateway to give it, too?" in judged.note
    # A plug-in in a sidecar refuses, and the gateway before it passes that on.
    cases = cases_of(f"cases:\n- {{name: refused, steps: [{REFUSAL}]}}\n", tmp_path)
    judged = judge(single, answer(403, FROM_UPSTREAM), refusals=refusals_of(cases))
    assert [one.got for one in judged.differences] == ["403"]
    assert judged.note == ""
    assert not judge(single, answer(404, FROM_UPSTREAM), refusals=refusals_of(cases)).differences


def test_no_answer_is_a_difference(tmp_path: Path) -> None:
    single = single_of("request: {}, expect: {response: {status: 200}}", tmp_path)
    judged = judge(single, Broken("reset", "it was closed"), "steps[1].")
    assert [(one.where, one.got) for one in judged.differences] == [
        ("steps[1].response", "it was closed")
    ]


def test_a_redirect_says_where_to(tmp_path: Path) -> None:
    single = single_of("request: {}, expect: {response: {status: 403}}", tmp_path)
    judged = judge(single, answer(308, ((b"location", b"https://a/"),)))
    (difference,) = judged.differences
    assert difference.got == '308, a redirect to "https://a/", which is not followed'
