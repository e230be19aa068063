"""Lines of logs as people have them, read as records."""

from __future__ import annotations

import random

import pytest

from tests.unit.hosts.real_logs import REAL, log_lines
from wasmctl.hosts.logs import LogReader, LogRecord, plugin_words, read_records

TRAP = "Function: proxy_on_tick failed: Uncaught RuntimeError: unreachable"


def only(*lines: str) -> LogRecord:
    (record,) = read_records([f"{line}\n".encode() for line in lines])
    return record


@pytest.mark.parametrize(
    ("line", "time", "level", "logger", "thread"),
    [
        (
            f"[2026-11-30 12:00:00.123][12][error][wasm] [source/common/wasm/wasm_vm.cc:38] {TRAP}",
            "2026-11-30 12:00:00.123",
            "error",
            "wasm",
            "12",
        ),
        (
            "[2022-07-20 22:00:37.928][36][error][wasm]"
            f" [external/envoy/source/extensions/common/wasm/wasm_vm.cc:39] {TRAP}",
            "2022-07-20 22:00:37.928",
            "error",
            "wasm",
            "36",
        ),
        # As `wasmctl` has Envoy log.
        (
            f"[2026-11-30 12:00:00.123][error][wasm] {TRAP}",
            "2026-11-30 12:00:00.123",
            "error",
            "wasm",
            "",
        ),
        (
            "2026-11-30T12:00:00.123456Z\terror\tenvoy wasm"
            f" external/envoy/source/extensions/common/wasm/wasm_vm.cc:38\t{TRAP}\tthread=24",
            "2026-11-30T12:00:00.123456Z",
            "error",
            "wasm",
            "24",
        ),
        # Before Istio 1.16.
        (
            f"2022-09-01T08:47:35.145912Z\terror\tenvoy wasm\t{TRAP}",
            "2022-09-01T08:47:35.145912Z",
            "error",
            "wasm",
            "",
        ),
        # As they stand in issues: tabs have become spaces, the time is gone.
        (
            f"2026-11-30T12:00:00.123456Z     error   envoy wasm       {TRAP}   thread=24",
            "2026-11-30T12:00:00.123456Z",
            "error",
            "wasm",
            "24",
        ),
        (
            f"2022-05-19T07:12:57.911491Z error envoy wasm {TRAP}",
            "2022-05-19T07:12:57.911491Z",
            "error",
            "wasm",
            "",
        ),
        (f"error envoy wasm {TRAP}", "", "error", "wasm", ""),
        (TRAP, "", "", "", ""),
        (
            '{"level":"warn","time":"2026-11-30T12:00:00Z","scope":"envoy wasm",'
            f'"msg":"{TRAP}","thread":24}}',
            "2026-11-30T12:00:00Z",
            "warning",
            "wasm",
            "24",
        ),
        (f'{{"Level":"error","Message":"{TRAP}"}}', "", "error", "", ""),
        (
            f'{{"severity":"ERROR","timestamp":"t","textPayload":"{TRAP}"}}',
            "t",
            "error",
            "",
            "",
        ),
        (
            '{"timestamp":"t","jsonPayload":{"message":"[2026-11-30 12:00:00.123][12][error]'
            f'[wasm] {TRAP}"}}}}',
            "2026-11-30 12:00:00.123",
            "error",
            "wasm",
            "12",
        ),
    ],
)
def test_the_forms_of_a_record(line: str, time: str, level: str, logger: str, thread: str) -> None:
    record = only(line)
    assert record.message.strip() == TRAP
    assert (record.time, record.level, record.logger) == (time, level, logger)
    assert record.thread == thread
    assert record.lines == ((1, line),)


def test_istios_agent_speaks_without_envoy() -> None:
    record = only("2026-11-30T12:00:00.1Z\terror\twasm\terror in converting the wasm config")
    assert (record.level, record.logger) == ("error", "wasm")
    assert record.message == "error in converting the wasm config"


@pytest.mark.parametrize(
    ("prefix", "origin"),
    [
        ("[pod/httpbin-6d84d/istio-proxy] ", "pod/httpbin-6d84d/istio-proxy"),
        ("envoy-1  | ", "envoy-1"),
        ("httpbin-6d84d istio-proxy ", "httpbin-6d84d istio-proxy"),
        ("Nov 30 12:00:00 edge-1 envoy[123]: ", "edge-1 envoy"),
    ],
)
def test_whose_a_line_is_among_several(prefix: str, origin: str) -> None:
    record = only(f"{prefix}[2026-11-30 12:00:00.123][12][error][wasm] {TRAP}", f"{prefix}  0: x")
    assert record.origin == origin
    assert record.message == f"{TRAP}\n  0: x"


def test_lines_of_several_proxies_may_lie_between_each_other() -> None:
    lines = []
    for line in log_lines("envoy-1.40"):
        lines += [b"a-1  | " + line, b"b-1  | " + line]
    mixed = [record for record in read_records(lines) if record.origin == "a-1"]
    alone = [*read_records(log_lines("envoy-1.40"))]
    assert [record.message for record in mixed] == [record.message for record in alone]


def test_what_a_plugin_says_on_several_lines_is_not_taken_for_the_hosts() -> None:
    record = only("[2026-11-30 12:00:00.123][12][info][wasm] wasm log x: I quote:", TRAP)
    words = plugin_words(record)
    assert words is not None
    assert (words.plugin, words.text) == ("x", f"I quote:\n{TRAP}")


def test_bare_messages_are_told_apart() -> None:
    lines = ["wasm log x root vm: one", TRAP, "  0:  0x1 - f", "Plugin x failed to load"]
    records = [*read_records([line.encode() for line in lines])]
    assert [record.message for record in records] == [lines[0], f"{TRAP}\n{lines[2]}", lines[3]]


@pytest.mark.parametrize(
    "line",
    [
        b"[2026-11-30 12:00:00.123][12][info][main] starting main dispatch loop\n",
        b'[2026-11-30T12:00:00.123Z] "GET / HTTP/1.1" 200 - 0 2 0 - "-" "curl" "x" "y" "-"\n',
        b'{"level":"info","msg":"ready"}\n',
        b"\xff\xfe\x00\n",
        b"\n",
    ],
)
def test_what_is_not_about_plugins_is_passed_over(line: bytes) -> None:
    assert [*read_records([line])] == []


def test_odd_bytes_are_spelled_out() -> None:
    record = next(read_records([b"[2026-11-30 12:00:00.123][1][info][wasm] wasm log x: \xff\n"]))
    assert record.message == "wasm log x: \\xff"


@pytest.mark.parametrize(
    "line", ['{"msg": "wasm', "{" * 5000 + "wasm", '{"msg":' + "[" * 9000 + "wasm", "[wasm", "{}"]
)
def test_what_is_no_whole_json_is_read_as_text(line: str) -> None:
    assert len([*read_records([line.encode()])]) <= 1


def test_a_record_without_end_takes_bounded_memory() -> None:
    reader = LogReader()
    reader.feed(b"[2026-11-30 12:00:00.123][1][info][wasm] wasm log x: begin\n")
    for _ in range(10_000):
        assert not reader.feed(b"more of it " * 50 + b"\n")
    (record,) = reader.finish()
    assert (record.first, record.last) == (1, 10_001)
    assert len(record.message) < 400 * 600
    assert len(record.lines) == 40


def test_many_proxies_take_bounded_memory() -> None:
    lines = (f"envoy-{n}  | {TRAP}\n".encode() for n in range(5000))
    reader = LogReader()
    done = 0
    for line in lines:
        done += len(reader.feed(line))
    assert done > 4900
    assert done + len(reader.finish()) == 5000


def test_damaged_logs_are_read_without_a_crash() -> None:
    """Bytes of real logs, changed, cut and mixed at random."""
    chance = random.Random(7)
    whole = b"".join(b"".join(log_lines(name)) for name in REAL)
    for _ in range(60):
        start = chance.randrange(len(whole))
        piece = bytearray(whole[start : start + 4000])
        for _ in range(chance.randrange(200)):
            piece[chance.randrange(len(piece))] = chance.randrange(256)
        for record in read_records(bytes(piece).splitlines(keepends=True)):
            assert record.first <= record.last
