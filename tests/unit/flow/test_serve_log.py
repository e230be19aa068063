"""What of Envoy's log is told of a served plug-in."""

from __future__ import annotations

from wasmctl.envoy.logs import Record
from wasmctl.flow.serve.events import Crashed, Event, Logged
from wasmctl.flow.serve.log import LogTeller

TRAP = "Function: proxy_on_request_headers failed: Uncaught RuntimeError: unreachable"


def record(message: str, *, level: str = "info", logger: str = "wasm") -> Record:
    return Record(time="2026-11-21 11:00:00.123", level=level, logger=logger, message=message)


def test_the_plug_ins_lines_from_the_level_on() -> None:
    told: list[Event] = []
    teller = LogTeller("warn", told.append)
    teller.tell(
        [
            record("wasm log p run-2: low"),
            record("wasm log p run-2: high", level="warning"),
            record("wasm log p run-1: old", level="error"),
            record("starting", level="warning", logger="main"),
        ],
        retired={"run-1"},
    )
    lines = [(one.level, one.text, one.source) for one in told if isinstance(one, Logged)]
    assert lines == [("warn", "high", "plugin"), ("error", "old", "earlier")]


def test_a_crash_is_explained_by_what_was_said_before() -> None:
    told: list[Event] = []
    teller = LogTeller("critical", told.append)
    assert not teller.tell([record("wasm log p run-1: panicked at src/lib.rs:7:5:\nno cheese")])
    assert teller.tell([record(TRAP, level="error")])
    assert [type(one) for one in told] == [Crashed]
    assert isinstance(told[0], Crashed)
    assert "no cheese" in told[0].message


def test_what_envoy_says_of_a_module_that_is_loaded_is_left_to_its_answer() -> None:
    told: list[Event] = []
    assert not LogTeller("info", told.append).tell([record(TRAP, level="error")], loading=True)
    assert not told
