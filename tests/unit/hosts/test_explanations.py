"""The table of explanations, and lines that cannot be provoked here."""

from __future__ import annotations

import re
import string

import pytest

from wasmctl.hosts.explanations import ROWS, explain
from wasmctl.hosts.host_functions import FIRST_ENVOY, WASI_FILES, WASI_GENERATIONS, WASI_SOCKETS
from wasmctl.hosts.rows import Fault, Row

MISSING = "Failed to load Wasm module due to a missing import: "
SUMMARY = ["Wasm VM failed Failed to initialize Wasm code", "Plugin x failed to load"]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_a_row_is_whole(row: Row) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", row.id)
    known = {*row.pattern.groups, "at", "because"}
    for text in (row.message, row.hint):
        assert {name for _, name, _, _ in string.Formatter().parse(text) if name} <= known
        assert text
        assert not text.endswith((".", " "))
        assert text.count("`") % 2 == 0
    assert row.source


def test_every_row_has_a_name_of_its_own() -> None:
    assert len({row.id for row in ROWS}) == len(ROWS)


def test_the_generations_of_wasi_are_whole() -> None:
    assert [len(functions) for functions in WASI_GENERATIONS] == [15, 3, 27]
    assert len(frozenset().union(*WASI_GENERATIONS)) == 45
    assert not WASI_FILES & WASI_SOCKETS
    assert FIRST_ENVOY.keys() == set(range(len(WASI_GENERATIONS)))


@pytest.mark.parametrize(
    ("line", "id_", "said"),
    [
        (f"{MISSING}wasi_snapshot_preview1.sched_yield", "import-wasi-scheduling", "1.33 on"),
        (f"{MISSING}wasi_unstable.poll_oneoff", "import-wasi-scheduling", "thread::sleep"),
        (f"{MISSING}wasi_unstable.path_openat", "import-wasi-unknown", "no Envoy has"),
        (
            "Missing or unsupported Proxy-Wasm ABI version",
            "no-abi-marker",
            "no Proxy-Wasm ABI",
        ),
        (
            "Function: proxy_on_tick failed: Uncaught RuntimeError: something new",
            "trap",
            "RuntimeError: something new",
        ),
        (
            "Function: proxy_on_new_connection failed: Uncaught RuntimeError: unreachable\n"
            "last words: invalid context_id",
            "trap-no-network-filter",
            "no network filter",
        ),
        (
            "Function: proxy_on_request_headers failed: Uncaught RuntimeError: unreachable\n"
            "last words: invalid context_id",
            "trap-no-http-filter",
            "no HTTP filter",
        ),
        (
            "Function: proxy_on_tick failed: Uncaught RuntimeError: unreachable\n"
            "last words: called `Result::unwrap()` on an `Err` value: BadArgument",
            "trap-bad-argument",
            "panicked in `proxy_on_tick`",
        ),
        (
            "Function: f failed: Uncaught RuntimeError: null function or function signature"
            " mismatch",
            "trap-indirect-call",
            "null function",
        ),
        ("Failed to start thread-local Wasm", "vm-start-refused", "said no"),
        ("Failed to configure thread-local Wasm plugin", "configuration-refused", "refused"),
        (
            "error in converting the wasm config to local: cannot fetch Wasm module auth: could"
            " not fetch Wasm OCI image: could not fetch manifest: 401. applying deny RBAC filter",
            "image-not-fetched",
            "the module `auth`: could not fetch Wasm OCI image: could not fetch manifest: 401",
        ),
        (
            "Failed to load Wasm code (fetching) from https://x/y.wasm",
            "remote-code-not-fetched",
            "`https://x/y.wasm` (fetching)",
        ),
        ("503 UC wasm_fail_stream - -", "plug-in-stopped", "503"),
        ("rbac: wasm-default-deny", "image-denied", "403"),
        ("Invalid path: /x/plugin.wasm", "module-not-found", "`/x/plugin.wasm`"),
        (
            "createWasm: failed to load (in progress) from https://x/y.wasm",
            "remote-code-not-fetched",
            "`https://x/y.wasm` (in progress)",
        ),
        (
            "Retry limit exceeded for fetching data from remote data source.",
            "remote-code-given-up",
            "could not fetch the plug-in's module",
        ),
        (
            '"GET / HTTP/1.1" 403 - rbac_access_denied_matched_policy[none] - "-"',
            "rbac-denied",
            "allows nobody",
        ),
        ('"GET / HTTP/1.1" 500 NFCF  - "-"', "no-filter-configuration", "500"),
        (
            "gRPC config: initial fetch timed out for"
            " type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
            "extension-config-late",
            "waited in vain",
        ),
        (
            "Fatal process out of memory: Zone",
            "proxy-out-of-memory",
            "ran out of memory for plug-ins",
        ),
        (
            "wasm.auth.vm_reload_success: 3",
            "plug-in-reloaded",
            "`wasm.auth.vm_reload_success` is 3",
        ),
        (
            "Using deprecated option 'envoy.extensions.wasm.v3.PluginConfig.fail_open' from file",
            "deprecated-setting",
            "`PluginConfig.fail_open`",
        ),
        ("Wasm remote code fetch is unstable and may cause a crash", "remote-code-unstable", "it"),
        ("Unable to create Wasm plugin auth", "rejected", "not in this log"),
        (
            "Function: f failed: Uncaught RuntimeError: unreachable\nlast words: fatal error:"
            " wasi_snapshot_preview1.poll_oneoff",
            "trap-go-panic-lost",
            "what it said is lost",
        ),
    ],
)
def test_a_line_is_explained(line: str, id_: str, said: str) -> None:
    explanation = explain([line])
    assert explanation is not None
    assert explanation.id == id_
    assert said in explanation.message
    assert "{" not in explanation.message + explanation.hint


@pytest.mark.parametrize(
    "line",
    [
        "Failed to create Wasm VM using envoy.wasm.runtime.v8 runtime. Envoy was compiled without"
        " support for it",
        "Didn't find a registered implementation for 'envoy.filters.http.wasm' with type URL: ''",
    ],
)
def test_an_envoy_without_wasm_is_not_the_plugins_fault(line: str) -> None:
    """Of 1.38.3, which was compiled without."""
    explanation = explain([line, "Wasm VM failed Failed to load Wasm code", *SUMMARY])
    assert explanation is not None
    assert (explanation.id, explanation.fault) == ("proxy-without-wasm", Fault.PROXY)


def test_the_line_that_says_most_is_explained() -> None:
    explanation = explain([*SUMMARY, f"{MISSING}env.nowhere", *SUMMARY])
    assert explanation is not None
    assert explanation.id == "import-undefined-symbol"


def test_a_restriction_explains_why_a_plugin_says_no() -> None:
    restricted = "Attempted call to restricted proxy-wasm capability: proxy_get_buffer_bytes"
    explanation = explain([restricted, "Wasm VM failed Failed to configure base Wasm plugin"])
    assert explanation is not None
    assert explanation.id == "capability-restricted"


def test_a_refusal_without_words_says_only_that() -> None:
    explanation = explain(["Wasm VM failed Failed to configure base Wasm plugin"])
    assert explanation is not None
    assert explanation.message == "the plug-in refused its configuration"


def test_what_a_plugin_says_itself_is_not_taken_for_the_hosts() -> None:
    assert explain([f"wasm log x: {MISSING}env.nowhere"]) is None


def test_braces_in_what_is_quoted_stay() -> None:
    explanation = explain(["wasm log x: expected {name}", "Failed to configure base Wasm plugin"])
    assert explanation is not None
    assert explanation.message.endswith(": expected {name}")


def test_other_lines_are_not_explained() -> None:
    assert explain([]) is None
    assert explain(["all dependencies initialized. starting workers", "hello {world}"]) is None
