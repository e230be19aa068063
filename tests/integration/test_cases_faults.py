"""What a plug-in, or somebody else, does to Envoy in a case: told as what it is, and survived.

The modules are assembled here: what they do depends on how many headers a request has.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.integration.case_runs import CaseRunner, envoys_of_ours
from tests.modules.assembler import UNREACHABLE, Call, Function, Import, call, number, plugin
from wasmctl.cases.results import CaseResult

pytestmark = pytest.mark.envoy

END, DROP = b"\x0b", b"\x1a"
PARAMETER_1 = b"\x20\x01"
LESS, EQUAL = b"\x48", b"\x46"
IF, LOOP, AGAIN, AGAIN_OUTER = b"\x04\x40", b"\x03\x40", b"\x0c\x00", b"\x0c\x01"
GROW = b"\x40\x00"
FOR_EVER = [LOOP, AGAIN, END]
ALLOCATE = [LOOP, number(64), GROW, number(-1), EQUAL, IF, UNREACHABLE, END, AGAIN, END]
CONTINUE = number(0)

# With HTTP/1.1: four pseudo-headers, and those that Envoy adds.
FEWEST = 6


def if_headers(count: int, body: Sequence[bytes | Call]) -> list[bytes | Call]:
    """Do something when a request has exactly so many headers of its own."""
    return [PARAMETER_1, number(FEWEST + count), EQUAL, IF, *body, END]


def on_request(*body: bytes | Call) -> Function:
    return Function("proxy_on_request_headers", "i32 i32 i32 -> i32", [*body, CONTINUE])


def on_configure(*body: bytes | Call) -> Function:
    return Function("proxy_on_configure", "i32 i32 -> i32", body)


@pytest.fixture
def module(tmp_path: Path) -> Path:
    """One header: it traps; two: it never returns; three: it allocates without end."""
    path = tmp_path / "plugin.wasm"
    faults = on_request(
        *if_headers(1, [UNREACHABLE]),
        *if_headers(2, FOR_EVER),
        *if_headers(3, ALLOCATE),
    )
    # `proxy_on_configure` is told the configuration's size: 2 loops, 3 says no.
    start = on_configure(
        *(PARAMETER_1, number(2), EQUAL, IF, *FOR_EVER, END),
        *(PARAMETER_1, number(3), LESS),
    )
    path.write_bytes(plugin(functions=[faults, start], names=True))
    return path


def outcomes(results: dict[str, CaseResult]) -> dict[str, str]:
    return {name: result.outcome for name, result in results.items()}


def test_a_trap_fails_its_case_and_the_next_has_a_new_vm(
    run_file: CaseRunner, module: Path
) -> None:
    results = run_file(
        module,
        """
        cases:
        - {name: before, request: {path: /}, expect: {response: {status: 200}}}
        - {name: traps, request: {headers: {a: 1}}, expect: {response: {status: 503}}}
        - {name: after, request: {path: /}, expect: {response: {status: 200}}}
        """,
    )
    assert outcomes(results) == {"before": "passed", "traps": "failed", "after": "passed"}
    told = results["traps"]
    assert told.explanation is not None
    assert told.message is not None
    assert "proxy_on_request_headers" in told.message
    assert told.curl == "curl -i -H 'a: 1' http://127.0.0.1:18000/"
    assert any("unreachable" in line for line in told.proxy_log)


def test_a_callback_that_does_not_return_fails_its_case_only(
    run_file: CaseRunner, module: Path
) -> None:
    results = run_file(
        module,
        """
        cases:
        - name: loops
          timeout: 500ms
          request: {headers: {a: 1, b: 2}}
          expect: {response: {status: 200}}
        - {name: after, request: {path: /}, expect: {response: {status: 200}}}
        """,
    )
    assert outcomes(results) == {"loops": "failed", "after": "passed"}
    told = results["loops"]
    assert told.message is not None
    assert "does not return" in told.message
    assert told.explanation is not None
    assert "loop" in told.explanation.hint
    assert told.run_folder != results["after"].run_folder


def test_a_plug_in_that_allocates_without_end_fails_its_case_only(
    run_file: CaseRunner, module: Path
) -> None:
    results = run_file(
        module,
        """
        cases:
        - name: allocates
          request: {headers: {a: 1, b: 2, c: 3}}
          expect: {response: {status: 200}}
        - {name: after, request: {path: /}, expect: {response: {status: 200}}}
        """,
    )
    assert outcomes(results) == {"allocates": "failed", "after": "passed"}
    assert results["allocates"].explanation is not None


def test_a_start_that_does_not_return_or_says_no_is_a_refusal(
    run_file: CaseRunner, module: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wasmctl.cases.series._COMPILING", 1.0)
    results = run_file(
        module,
        """
        cases:
        - {name: no, plugin: {config: abc}, request: {path: /}, expect: {response: {status: 200}}}
        - {name: no as expected, plugin: {config: abc}, expect: {load: refused}}
        - name: loops
          plugin: {config: ab}
          timeout: 1ms
          request: {path: /}
          expect: {response: {status: 200}}
        - {name: loads, request: {path: /}, expect: {response: {status: 200}}}
        - {name: loads though, expect: {load: refused}}
        """,
    )
    assert outcomes(results) == {
        "no": "refused",
        "no as expected": "passed",
        "loops": "refused",
        "loads": "passed",
        "loads though": "failed",
    }
    assert results["no"].explanation is not None
    assert "does not return" in (results["loops"].message or "")
    (difference,) = results["loads though"].differences
    assert (difference.where, difference.expected, difference.got) == ("load", "refused", "loaded")


def test_a_module_that_no_envoy_loads_is_refused_in_each_case(
    run_file: CaseRunner, tmp_path: Path
) -> None:
    module = tmp_path / "plugin.wasm"
    module.write_bytes(
        plugin(
            imports=[Import("env", "no_such_call")], functions=[on_request(call("no_such_call"))]
        )
    )
    results = run_file(
        module,
        """
        cases:
        - {name: a, request: {path: /a}, expect: {response: {status: 200}}}
        - {name: b, request: {path: /b}, expect: {response: {status: 200}}}
        """,
    )
    assert outcomes(results) == {"a": "refused", "b": "refused"}
    assert "no_such_call" in (results["a"].message or "")
    assert results["a"].message == results["b"].message


def kill_envoys(result: CaseResult) -> None:
    if result.name.startswith("kill"):
        for child in envoys_of_ours():
            os.kill(child.pid, signal.SIGKILL)


def test_an_envoy_that_is_killed_costs_one_case_and_another_serves_the_rest(
    run_file: CaseRunner, module: Path
) -> None:
    results = run_file(
        module,
        """
        cases:
        - {name: kill after this, request: {path: /}, expect: {response: {status: 200}}}
        - {name: lost, request: {path: /}, expect: {response: {status: 200}}}
        - {name: goes on, request: {path: /}, expect: {response: {status: 200}}}
        """,
        hook=kill_envoys,
    )
    assert outcomes(results) == {
        "kill after this": "passed",
        "lost": "proxy",
        "goes on": "passed",
    }
    assert "SIGKILL" in (results["lost"].message or "")
    assert not envoys_of_ours()


def test_a_second_envoy_that_is_lost_ends_the_file(run_file: CaseRunner, module: Path) -> None:
    results = run_file(
        module,
        """
        cases:
        - {name: kill 1, request: {path: /}, expect: {response: {status: 200}}}
        - {name: lost 1, request: {path: /}, expect: {response: {status: 200}}}
        - {name: kill 2, request: {path: /}, expect: {response: {status: 200}}}
        - {name: lost 2, request: {path: /}, expect: {response: {status: 200}}}
        - {name: never, request: {path: /}, expect: {response: {status: 200}}}
        """,
        hook=kill_envoys,
    )
    assert outcomes(results) == {
        "kill 1": "passed",
        "lost 1": "proxy",
        "kill 2": "passed",
        "lost 2": "proxy",
        "never": "not-run",
    }


def test_ctrl_c_leaves_no_envoy_and_what_was_told_stays_told(
    run_file: CaseRunner, module: Path
) -> None:
    def interrupt(result: CaseResult) -> None:
        if result.name == "first":
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        run_file(
            module,
            """
            cases:
            - {name: first, request: {path: /}, expect: {response: {status: 200}}}
            - name: hangs
              upstream: {fail: hang}
              request: {path: /}
              expect: {response: {status: 200}}
            """,
            hook=interrupt,
        )
    assert [result.name for result in run_file.told] == ["first"]
    assert not envoys_of_ours()
