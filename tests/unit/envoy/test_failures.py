"""Envoy's last words → whose fault it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from wasmctl.envoy.envoy import Envoy
from wasmctl.envoy.failures import ended, known_failure, tail_of, unanswered
from wasmctl.envoy.logs import Record
from wasmctl.errors import ProxyError, UsageError

ENVOY = Envoy(version="1.39.0", command=("envoy",), origin="on PATH")
FOLDER = Path("/state/runs/1")


def said(*messages: str) -> list[Record]:
    return [Record(time="t", level="info", logger="main", message=text) for text in messages]


@pytest.mark.parametrize(
    ("words", "kind", "code", "message"),
    [
        (
            "error: Didn't find a registered implementation for 'envoy.filters.http.wasm' with",
            ProxyError,
            "envoy-without-wasm",
            "Envoy 1.39.0 was built without Wasm",
        ),
        (
            "Failed to create Wasm VM using envoy.wasm.runtime.v8 runtime. Envoy was compiled"
            " without support for it.",
            ProxyError,
            "envoy-without-wasm",
            "Envoy 1.39.0 was built without Wasm",
        ),
        (
            "cannot bind '127.0.0.1:18000': Address already in use",
            UsageError,
            "port-taken",
            "another program listens at 127.0.0.1:18000",
        ),
        (
            "cannot bind '127.0.0.1:80': Permission denied\nmore",
            UsageError,
            "no-port",
            "Envoy cannot listen at 127.0.0.1:80: Permission denied",
        ),
    ],
)
def test_known_words_name_the_fault(words: str, kind: type, code: str, message: str) -> None:
    error = known_failure(ENVOY, words)
    assert error is not None
    assert type(error) is kind
    assert (error.code, error.message) == (code, message)
    assert error.hint


def test_words_about_a_module_are_no_fault_of_the_proxy() -> None:
    words = "Wasm VM failed Missing or unknown Proxy-Wasm ABI version\nUnable to create Wasm plugin"
    assert known_failure(ENVOY, words) is None


@pytest.mark.parametrize(
    ("exit_code", "manner"),
    [(1, "with exit code 1"), (-9, "by SIGKILL"), (-4, "by SIGILL"), (-99, "by signal 99")],
)
def test_an_end_is_told_by_its_manner(exit_code: int, manner: str) -> None:
    error = ended(ENVOY, exit_code, said("bye"), FOLDER)
    assert isinstance(error, ProxyError)
    assert error.message == f"Envoy 1.39.0 (on PATH) ended {manner}"
    assert error.output == "[t] [info] [main] bye"
    assert "`/state/runs/1`" in (error.hint or "")


def test_known_words_are_found_among_the_last_ones() -> None:
    error = ended(ENVOY, 1, said("hello", "cannot bind '[::1]:1': Address already in use"), FOLDER)
    assert error.code == "port-taken"


def test_silence_is_told_with_the_time_waited() -> None:
    error = unanswered(ENVOY, 0.5, [], FOLDER)
    assert error.message == "Envoy 1.39.0 (on PATH) did not answer within 0.5 s"


def test_the_tail_is_the_last_lines_as_they_stand() -> None:
    raw = Record(time="", level="", logger="", message="# Fatal")
    assert tail_of([*said("one", "two"), raw], 2) == "[t] [info] [main] two\n# Fatal"
