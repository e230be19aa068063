"""Which cases share a VM."""

from __future__ import annotations

from pathlib import Path

from wasmctl.cases.groups import UPSTREAM, UPSTREAM_HTTP2, group_cases, traces
from wasmctl.cases.model import (
    Case,
    CaseFile,
    EqualTo,
    Expect,
    ExpectedLine,
    GrpcReply,
    Metric,
    Plugin,
    Reply,
    Request,
    Sends,
    Single,
    Wait,
)

ONE, OTHER = Plugin(configuration="1"), Plugin(configuration="2")
STEP = Single(line=1, request=Request())
NOTHING = Expect()


def groups(*cases: Case) -> list[list[str]]:
    made = group_cases(CaseFile(path=Path("a.cases.yaml"), cases=cases))
    return [[case.name for case in group.cases] for group in made]


def case(name: str, plugin: Plugin = ONE, *, fresh: bool = False, expect: Expect = NOTHING) -> Case:
    return Case(name=name, line=1, plugin=plugin, steps=(STEP,), fresh=fresh, expect=expect)


def test_cases_of_equal_configuration_share_a_vm() -> None:
    made = groups(case("a"), case("b", OTHER), case("c"), case("d", OTHER))
    assert made == [["a", "c"], ["b", "d"]]


def test_fresh_cases_metrics_starts_and_waits_have_a_vm_of_their_own() -> None:
    counting = Expect(metrics=(Metric(name="n", growth=1),))
    start = Case(name="start", line=1, plugin=ONE)
    waits = Case(name="waits", line=1, plugin=ONE, steps=(STEP, Wait(line=2, seconds=1)))
    made = groups(
        case("a"),
        case("fresh", fresh=True),
        case("counts", expect=counting),
        start,
        waits,
        case("b"),
    )
    assert made == [["a", "b"], ["fresh"], ["counts"], ["start"], ["waits"]]


def test_a_network_filter_is_loaded_apart_and_an_upstream_of_grpc_speaks_http_2() -> None:
    tcp = Case(name="tcp", line=1, plugin=ONE, tcp=(Sends(line=1, side="client", data=b"a"),))
    reply = Single(line=1, request=Request(), upstream=Reply(grpc=GrpcReply()))
    grpc = Case(name="grpc", line=1, plugin=ONE, steps=(reply,))
    made = group_cases(CaseFile(path=Path("a"), cases=(case("a"), tcp, grpc)))
    assert [group.kind for group in made] == ["http", "tcp", "http"]
    assert (made[0].cluster, made[2].cluster) == (UPSTREAM, UPSTREAM_HTTP2)


def test_only_a_case_that_asks_for_it_makes_the_proxy_trace() -> None:
    asking = Expect(log=(ExpectedLine(level="trace", text=EqualTo(b"a")),))
    assert not traces([case("a")])
    assert traces([case("a"), case("b", expect=asking)])
