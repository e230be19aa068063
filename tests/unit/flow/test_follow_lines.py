"""What is told of a log's records."""

from __future__ import annotations

import pytest

from wasmctl.flow.follow.lines import CrashSeen, LineSeen, LineTeller, Seen
from wasmctl.flow.serve.log import LogLevel
from wasmctl.hosts.logs import LogRecord

TRAP = "Function: proxy_on_request_headers failed: Uncaught RuntimeError: unreachable"


def record(
    message: str, level: str = "info", *, logger: str = "wasm", origin: str = ""
) -> LogRecord:
    return LogRecord(
        first=1, last=1, origin=origin, time="12:00", level=level, logger=logger, message=message
    )


def told_of(
    *records: LogRecord, level: LogLevel | None = None, plugin: str | None = None
) -> list[Seen]:
    told: list[Seen] = []
    teller = LineTeller(level, plugin, told.append)
    for one in records:
        teller.tell(one)
    return told


def texts(told: list[Seen]) -> list[str]:
    return [one.text for one in told if isinstance(one, LineSeen)]


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        (None, ["t", "d", "i", "w", "e", "?"]),
        ("debug", ["d", "i", "w", "e", "?"]),
        ("warn", ["w", "e", "?"]),
        ("critical", ["?"]),
    ],
)
def test_lines_from_a_level_on(level: LogLevel | None, expected: list[str]) -> None:
    levels = {"t": "trace", "d": "debug", "i": "info", "w": "warning", "e": "error", "?": ""}
    records = [record(f"wasm log a: {text}", name) for text, name in levels.items()]
    assert texts(told_of(*records, level=level)) == expected


@pytest.mark.parametrize(
    ("plugin", "expected"),
    [
        ("auth", ["one", "two"]),
        ("shop.auth", ["one"]),
        ("uth", []),
        ("shop", []),
        (None, ["one", "two", "three"]),
    ],
)
def test_lines_of_one_plug_in(plugin: str | None, expected: list[str]) -> None:
    records = [
        record("wasm log shop.auth: one"),
        record("wasm log auth: two"),
        record("wasm log shop.auth.limit: three"),
    ]
    assert texts(told_of(*records, plugin=plugin)) == expected


def test_of_the_proxy_trouble_is_told_and_calls_where_asked_for() -> None:
    records = (
        record("[host->vm] proxy_on_tick(1)", "trace"),
        record("Wasm VM failed Failed to initialize Wasm code", "error"),
        record("GET /wasm 503 wasm_fail_stream", "", logger="access"),
    )
    assert texts(told_of(*records)) == ["Wasm VM failed Failed to initialize Wasm code"]
    assert texts(told_of(*records, level="trace"))[0] == "[host->vm] proxy_on_tick(1)"


def test_a_crash_is_told_with_the_words_of_the_same_proxy() -> None:
    panic = "wasm log auth: panicked at src/lib.rs:7:5:\nno header"
    other = "wasm log auth: panicked at src/lib.rs:9:9:\nanother"
    told = told_of(
        record(panic, "critical", origin="pod/a"),
        record(other, "critical", origin="pod/b"),
        record(TRAP, "error", origin="pod/a"),
    )
    (crash,) = (one for one in told if isinstance(one, CrashSeen))
    assert crash.origin == "pod/a"
    assert "no header" in crash.message
    assert "another" not in crash.message
