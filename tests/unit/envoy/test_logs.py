"""Envoy's log lines → records."""

from __future__ import annotations

from pathlib import Path

import pytest

from wasmctl.envoy.logs import LogFile, PluginLine, Record, parse_record, plugin_line

TIME = "2026-11-21 11:00:00.123"


def record(message: str, *, level: str = "info", logger: str = "wasm") -> Record:
    return Record(time=TIME, level=level, logger=logger, message=message)


def test_a_line_is_taken_apart() -> None:
    line = b"[2026-11-21 11:00:00.123][warning][upstream] lds: listener [x] rejected"
    expected = record("lds: listener [x] rejected", level="warning", logger="upstream")
    assert parse_record(line) == expected


@pytest.mark.parametrize(
    ("escaped", "message"),
    [
        (rb"one\ntwo\r\tthree", "one\ntwo\r\tthree"),
        (rb"\'quoted\' \"twice\" \\n", "'quoted' \"twice\" \\n"),
        (rb"caf\303\251", "café"),
        (rb"odd \377\000 byte", "odd \\xff\x00 byte"),
    ],
)
def test_escapes_are_taken_back(escaped: bytes, message: str) -> None:
    line = b"[2026-11-21 11:00:00.123][info][wasm] " + escaped
    assert parse_record(line) == record(message)


def test_a_line_of_no_record_is_kept_as_it_is() -> None:
    line = rb"# Fatal JavaScript OOM in C:\new"
    expected = Record(time="", level="", logger="", message=r"# Fatal JavaScript OOM in C:\new")
    assert parse_record(line) == expected


@pytest.mark.parametrize(
    ("message", "vm_id", "text"),
    [
        ("wasm log auth root g1: denied", "g1", "denied"),
        ("wasm log auth g1: user: eve", "g1", "user: eve"),
        ("wasm log g1: a\nb", "g1", "a\nb"),
        ("wasm log: bare", "", "bare"),
        ("wasm log g1: ", "g1", ""),
    ],
)
def test_a_plugins_line_tells_its_vm_and_text(message: str, vm_id: str, text: str) -> None:
    expected = PluginLine(level="info", vm_id=vm_id, text=text)
    assert plugin_line(record(message)) == expected


@pytest.mark.parametrize(
    "told", [record("Wasm VM failed"), record("wasm log a: b", logger="main"), record("")]
)
def test_what_envoy_says_is_no_plugins_line(told: Record) -> None:
    assert plugin_line(told) is None


def test_a_growing_file_is_read_once_and_by_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "envoy.log"
    log = LogFile(path)
    assert log.read() == ()
    line = b"[2026-11-21 11:00:00.123][info][wasm] one"
    path.write_bytes(line + b"\n\n" + line[:20])
    assert log.read() == (record("one"),)
    assert log.read() == ()
    with path.open("ab") as stream:
        stream.write(line[20:] + b" more\n")
    assert log.read() == (record("one more"),)


def test_a_log_that_has_grown_long_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "envoy.log"
    with path.open("ab", buffering=0) as writer:
        log = LogFile(path)
        for number in range(3):
            writer.write(f"[{TIME}][info][wasm] {number} {'x' * 100}\n".encode())
            assert [found.message[0] for found in log.read()] == [str(number)]
            log.begin_anew(100)
            assert path.stat().st_size == 0
        writer.write(f"[{TIME}][info][wasm] short\n".encode())
        log.read()
        log.begin_anew(100)
        assert path.stat().st_size > 0
