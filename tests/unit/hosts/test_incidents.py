"""Incidents in whole logs: real ones, in every form in which a log reaches a person."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from tests.unit.hosts.real_logs import CARRIED, REAL, log_lines
from wasmctl.hosts.incidents import Incident, find_incidents
from wasmctl.hosts.logs import read_records
from wasmctl.hosts.rows import Fault

HEAD = "[2026-11-30 12:00:{:02}.000][{}][{}][{}] [source/common/x.cc:1] "
TRAP = "Function: proxy_on_request_headers failed: Uncaught RuntimeError: unreachable"
FETCH = (
    "2026-11-30T12:00:00.000000Z\terror\twasm\terror in converting the wasm config to local: cannot"
    " fetch Wasm module oci://r.example/auth:1: could not fetch Wasm OCI image: could not fetch"
    " manifest: 404. applying deny RBAC filter"
)
DENIED = (
    '[2026-11-30T12:00:01.000Z] "GET / HTTP/1.1" 403 -'
    ' rbac_access_denied_matched_policy[none] - "-" 0 19 0 - "-" "curl/8" "x" "y" "-"'
)
STOPPED = '[2026-11-30T12:00:01.000Z] "GET / HTTP/1.1" 503 - wasm_fail_stream - "-" 0 0 0'


def envoy(message: str, second: int = 0, thread: int = 1, level: str = "error") -> str:
    return HEAD.format(second, thread, level, "wasm") + message


def incidents(*lines: str) -> tuple[Incident, ...]:
    text = "\n".join(lines).encode()
    return find_incidents(read_records(text.splitlines(keepends=True)))


def summed_up(lines: Iterable[bytes]) -> list[tuple[str, str, int, int]]:
    found = find_incidents(read_records(lines))
    return [(one.id, one.plugin, one.count, one.requests) for one in found]


@pytest.mark.parametrize("way", CARRIED)
@pytest.mark.parametrize("name", REAL)
def test_a_real_log_is_understood_on_whatever_way_it_came(name: str, way: str) -> None:
    assert summed_up(CARRIED[way](line) for line in log_lines(name)) == REAL[name]


def test_tabs_may_have_become_spaces() -> None:
    lines = [line.replace(b"\t", b"    ") for line in log_lines("istio-proxy")]
    assert summed_up(lines) == REAL["istio-proxy"]


@pytest.mark.parametrize("name", ["envoy-1.40", "istio-proxy", "application.json", "escaped"])
def test_a_trap_is_told_with_its_place_and_reason(name: str) -> None:
    rust, go, _ = find_incidents(read_records(log_lines(name)))
    assert rust.trap is not None
    assert rust.trap.addresses[9] == 0x45FA
    assert rust.message == (
        "the plug-in panicked in `proxy_on_request_headers` (`panics::token::size`,"
        " `src/lib.rs:83:9`): index out of bounds: the len is 1 but the index is 2"
    )
    assert go.message.startswith("the plug-in panicked in `proxy_on_request_headers` (`main.(*http")
    assert go.message.endswith("`example.com/panics/main.go:50`): assignment to entry in nil map")
    assert rust.fault is go.fault is Fault.PLUGIN


def test_where_go_lost_its_panic_in_an_old_envoy_its_place_is_found() -> None:
    (incident,) = find_incidents(read_records(log_lines("go-panic-1.36")))
    assert "(`example.com/panics/main.go:50`)" in incident.message
    assert "older than 1.39" in incident.message


def test_a_refusal_is_told_with_its_lines_from_the_plugins_word_to_the_configuration() -> None:
    (incident,) = find_incidents(read_records(log_lines("refused-1.40")))
    texts = [text.partition("] ")[2].rpartition("] ")[2] for _, text in incident.lines]
    assert texts[:3] == [
        "wasm log default.auth-rust: reading the configuration",
        "wasm log default.auth-rust: `header` must be a string",
        "Wasm VM failed Failed to configure base Wasm plugin",
    ]
    assert "Unable to create Wasm plugin" in texts[5]
    numbers = [number for number, _ in incident.lines]
    assert (incident.first_line, incident.last_line) == (numbers[0], numbers[-1])


def test_the_same_again_is_counted_whatever_the_numbers_in_it() -> None:
    lines = [
        line
        for second in range(3)
        for line in (
            envoy(f"wasm log auth: panicked at src/lib.rs:1:1:\nindex is {second}", second),
            envoy(TRAP, second),
            STOPPED,
        )
    ]
    (incident,) = incidents(*lines)
    assert (incident.count, incident.requests) == (3, 3)
    assert (incident.first_line, incident.last_line) == (1, 12)
    assert incident.first_time == "2026-11-30 12:00:00.000"


def test_several_plugins_are_told_apart() -> None:
    found = incidents(
        envoy("Failed to load Wasm module due to a missing import: env.nowhere"),
        envoy("Wasm VM failed Failed to initialize Wasm code"),
        envoy("Plugin a failed to load"),
        envoy("wasm log b: header must be a string"),
        envoy("Wasm VM failed Failed to configure base Wasm plugin"),
        envoy("Plugin b failed to load"),
        envoy("Plugin c failed to load"),
    )
    assert [(one.id, one.plugin) for one in found] == [
        ("import-undefined-symbol", "a"),
        ("configuration-refused", "b"),
        ("empty-module", "c"),
    ]
    assert found[1].message.endswith(": header must be a string")


def test_all_imports_that_an_older_host_names_are_one_refusal() -> None:
    found = incidents(
        envoy("Failed to load Wasm module due to a missing import: env.proxy_redis_call"),
        envoy("Failed to load Wasm module due to a missing import: env.nowhere"),
        envoy("Wasm VM failed Failed to initialize Wasm code"),
        envoy("Plugin a failed to load"),
    )
    assert [(one.id, one.count, len(one.lines)) for one in found] == [("import-of-higress", 1, 4)]


def test_what_another_plugin_or_thread_said_is_no_reason() -> None:
    (incident,) = incidents(
        envoy("wasm log a: panicked at src/lib.rs:1:1:\nthe reason", thread=1),
        envoy("wasm log b: all is well", thread=1),
        envoy("wasm log b: panicked at src/lib.rs:9:9:\nnot the reason", thread=2),
        envoy(TRAP, thread=1),
        envoy(TRAP, thread=2),
    )[:1]
    assert incident.plugin == "a"
    assert incident.message.endswith("(`src/lib.rs:1:1`): the reason")


def test_last_words_are_those_of_one_trap_only() -> None:
    _, second = incidents(
        envoy("wasm log a: panicked at src/lib.rs:1:1:\nthe reason"), envoy(TRAP), envoy(TRAP)
    )
    assert (second.id, second.plugin) == ("trap-unreachable", "a")


def test_a_denial_after_a_failed_fetch_is_its_consequence() -> None:
    (incident,) = incidents(FETCH, FETCH, DENIED, DENIED, DENIED)
    assert incident.fault is Fault.IMAGE
    assert (incident.count, incident.requests) == (2, 3)
    assert incident.module == "oci://r.example/auth:1"
    assert incident.message.endswith("; until it is there, the proxy denies requests (403)")
    (open_,) = incidents(FETCH.replace("applying deny", "applying allow"))
    assert open_.message.endswith("the proxy lets requests pass without the plug-in")


def test_modules_that_are_not_fetched_for_the_same_reason_are_told_apart() -> None:
    found = incidents(FETCH, FETCH.replace("auth:1", "limit:1"))
    assert [one.module for one in found] == ["oci://r.example/auth:1", "oci://r.example/limit:1"]


def test_what_istio_writes_on_several_lines_is_one_reason() -> None:
    """An image that is in neither of the two forms: an error for each."""
    (incident,) = incidents(
        FETCH.partition("could not fetch Wasm OCI")[0]
        + "could not fetch Wasm binary: the given image is in invalid format as an OCI image: 2"
        " errors occurred:",
        "\t* could not parse as compat variant: invalid media type application/wasm (expect"
        " application/vnd.oci.image.layer.v1.tar+gzip)",
        "\t* could not parse as oci variant: number of layers must be 2 but got 1",
        "",
        ". applying deny RBAC filter",
    )
    assert (incident.id, incident.last_line) == ("image-of-cncf", 5)
    assert "denies requests" in incident.message


def test_a_denial_alone_may_have_another_reason() -> None:
    (incident,) = incidents(DENIED)
    assert (incident.id, incident.fault) == ("rbac-denied", Fault.CONFIGURATION)
    found = incidents(DENIED.replace("[none]", "[ns[foo]-policy[deny]-rule[0]]"))
    assert found == ()


def test_requests_that_fail_without_a_reason_in_the_log() -> None:
    (incident,) = incidents(STOPPED, STOPPED)
    assert (incident.id, incident.count) == ("plug-in-stopped", 2)


def test_consequences_are_those_of_the_same_proxy() -> None:
    found = incidents(f"a-1  | {envoy(TRAP)}", f"b-1  | {STOPPED}")
    assert [(one.id, one.requests, one.origins) for one in found] == [
        ("trap-unreachable", 0, ("a-1",)),
        ("plug-in-stopped", 0, ("b-1",)),
    ]


def test_what_every_worker_repeats_is_no_news() -> None:
    found = incidents(
        envoy("Wasm VM failed Failed to parse corrupted Wasm module"),
        envoy("Plugin a failed to load"),
        envoy("Plugin configured to fail closed failed to load", thread=2),
        envoy("Plugin configured to fail closed failed to load", thread=3),
        "Unable to create Wasm plugin a",
    )
    assert [one.id for one in found] == ["not-wasm"]


def test_of_a_log_that_was_cut_it_is_said_that_the_reason_is_missing() -> None:
    (incident,) = incidents("Unable to create Wasm HTTP filter auth")
    assert (incident.id, incident.plugin) == ("rejected", "auth")
    assert "not in this log" in incident.message


def test_a_panic_whose_trap_was_filtered_away_is_told() -> None:
    (incident,) = incidents(envoy("wasm log a: panicked at src/lib.rs:1:1:\nno token"))
    assert (incident.id, incident.plugin) == ("panic-told", "a")
    assert incident.message == "the plug-in panicked: no token (`src/lib.rs:1:1`)"


def test_a_restricted_call_and_what_came_of_it_are_one() -> None:
    refused = "Attempted call to restricted proxy-wasm capability: proxy_get_buffer_bytes"
    (often,) = incidents(*(envoy(refused) for _ in range(4)))
    assert (often.id, often.count) == ("capability-restricted", 4)
    (once,) = incidents(
        envoy(refused),
        envoy("wasm log a: panicked at src/hostcalls.rs:1:1:\nunexpected status: 10"),
        envoy(TRAP),
    )
    assert (once.id, once.count, once.plugin) == ("capability-restricted", 1, "a")
    assert once.trap is not None


def test_words_that_are_not_known_are_told_as_they_are() -> None:
    (incident,) = incidents(envoy("Something new about modules"))
    assert (incident.id, incident.fault) == ("unexplained", None)
    assert incident.message.endswith(": Something new about modules")
    assert incidents(envoy("Something new about modules", level="debug")) == ()


def test_the_most_telling_comes_first() -> None:
    found = incidents(
        envoy("Wasm remote code fetch is unstable and may cause a crash", level="warning"),
        DENIED,
        envoy("Plugin a failed to load", thread=9),
        envoy(TRAP),
    )
    assert [one.id for one in found] == [
        "trap-unreachable",
        "empty-module",
        "rbac-denied",
        "remote-code-unstable",
    ]


def test_many_different_incidents_take_bounded_memory() -> None:
    names = ("".join(chr(97 + n // 26**k % 26) for k in range(3)) for n in range(3000))
    lines = [
        f"Failed to load Wasm module due to a missing import: env.{name}\nPlugin {name} failed to"
        " load"
        for name in names
    ]
    assert len(incidents(*lines)) == 200
