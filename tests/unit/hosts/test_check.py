"""What is found to be wrong with modules, and for which targets."""

from __future__ import annotations

import time

import pytest

from tests.modules.assembler import MARKER, Call, Function, call, number
from tests.modules.binary import Export, Import, Kind, custom, limits, plain, write
from tests.modules.failing import CASES
from wasmctl.errors import Unreadable
from wasmctl.hosts.check import check_module, needed_capabilities
from wasmctl.hosts.finding import Finding, Severity
from wasmctl.hosts.rows import Fault
from wasmctl.hosts.targets import find_targets
from wasmctl.wasm.reader import read_module

WASI = "wasi_snapshot_preview1"
TICK = Import("env", "proxy_set_tick_period_milliseconds", "i32 -> i32")
PREAD = Import(WASI, "fd_pread", "i32 i32 i32 i64 i32 -> i32")
NAMES = custom("name", b"")
OF_TINYGO = [
    Function("malloc", "i32 -> i32", [number(0)]),
    *(Function(name, "i32 i32 -> i32", [number(0)]) for name in ("calloc", "realloc")),
]
# What is said of a running plug-in only, or of a configuration.
LATER = ("vm-start-refused", "configuration-refused", "empty-module")
# Whether code is valid is the engine's to tell; the others check knows better.
INSTEAD = {"bytecode-refused": "", "no-instance": "memory-too-large"}

# What is told before any target is asked → what a log of Envoy is explained by.
UNREAD = {"component": "no-abi-marker", "cut-off-module": "not-wasm", "not-wasm": "not-wasm"}


def found(module: bytes, *targets: str) -> tuple[Finding, ...]:
    return check_module(module, read_module(module, "plugin.wasm"), find_targets(targets))


def errors(module: bytes, *targets: str) -> list[str]:
    return [one.id for one in found(module, *targets) if one.severity is Severity.ERROR]


def warnings(module: bytes, *targets: str) -> list[str]:
    return [one.id for one in found(module, *targets) if one.severity is Severity.WARNING]


def test_of_a_module_that_is_right_nothing_is_found() -> None:
    assert found(plain(last=[NAMES])) == ()


@pytest.mark.parametrize("name", CASES)
def test_what_envoy_says_of_a_module_is_said_before(name: str) -> None:
    """The modules of which the logs are explained: check has the same explanation."""
    case = CASES[name]
    if case.id.startswith("trap-") or case.id in LATER:
        return
    expected = INSTEAD.get(case.id, case.id)
    for release in case.releases:
        assert said(case.module, f"envoy-{release}") == expected


def said(module: bytes, target: str) -> str:
    """Return what the one error is; empty: there is none."""
    try:
        return " ".join(errors(module, target))
    except Unreadable as error:
        return UNREAD[error.code]


def test_every_import_that_is_bad_is_told() -> None:
    module = plain(imports=[Import("env", "a"), PREAD, Import("env", "proxy_log", "i64 ->")])
    told = found(module, "envoy-1.38")
    assert [one.where for one in told if one.severity is Severity.ERROR] == [
        "env.a",
        f"{WASI}.fd_pread",
        "env.proxy_log",
    ]
    assert told[0].words == "Failed to load Wasm module due to a missing import: env.a"
    assert told[2].words == (
        "Failed to load Wasm module due to an import type mismatch: env.proxy_log,"
        " want: i64 -> void, but host exports: i32 i32 i32 -> i32"
    )


def test_what_holds_for_several_targets_is_told_once_with_all_of_them() -> None:
    module = plain(imports=[PREAD], last=[NAMES])
    (finding,) = found(module, "envoy", "istio-1.26")
    assert finding.id == "import-wasi-files"
    assert finding.targets == (*(f"envoy-1.{minor}" for minor in range(33, 39)), "istio-1.26")
    assert finding.fault is Fault.PLUGIN


def test_higress_has_functions_of_its_own() -> None:
    redis = Import("env", "proxy_redis_call", "i32 i32 i32 i32 i32 -> i32")
    assert errors(plain(imports=[redis]), "higress-2.1") == []
    assert errors(plain(imports=[redis]), "istio-1.28") == ["import-of-higress"]


def test_what_is_not_certain_is_no_error() -> None:
    module = plain(imports=[Import(WASI, "fd_readdir", "i32 i32 i32 i64 i32 -> i32")])
    assert warnings(module, "higress-2.1") == ["import-doubtful", "no-names"]
    tail = plain(hidden=[Function("tail", "->", [b"\x12\x02"])], last=[NAMES])
    assert warnings(tail, "envoy-1.34", "envoy-1.36") == ["feature-doubtful"]
    assert found(tail, "envoy-1.34", "envoy-1.36")[0].targets == ("envoy-1.34",)


def test_what_gcp_does_not_serve_is_told_in_one() -> None:
    module = plain(imports=[TICK, Import("env", "proxy_done", "-> i32")], last=[NAMES])
    (finding,) = found(module, "gcp", "envoy-1.40")
    assert (finding.id, finding.severity) == ("imports-not-served", Severity.WARNING)
    assert finding.targets == ("gcp",)
    assert "`proxy_done`, `proxy_set_tick_period_milliseconds`" in finding.message


def test_targets_have_limits_of_size() -> None:
    module = plain(last=[NAMES, custom("ballast", bytes(3 << 20))])
    (finding,) = found(module, "gcp", "istio", "envoy")
    assert (finding.id, finding.targets) == ("module-too-large", ("gcp",))
    assert finding.message == "the module has 3.0 MiB, and the target takes 2 MiB"


def test_an_envoy_without_wasm_takes_nothing() -> None:
    (finding,) = found(plain(last=[NAMES]), "envoy-1.38.3", "envoy-1.38.2")
    assert (finding.id, finding.fault) == ("proxy-without-wasm", Fault.PROXY)
    assert finding.targets == ("envoy-1.38.3",)


def test_the_first_marker_that_is_known_counts() -> None:
    configuration = [Import("env", "proxy_get_configuration", "i32 i32 -> i32")]
    old = Function("proxy_abi_version_0_1_0")
    first = plain(marker=old, functions=[MARKER], imports=configuration)
    assert errors(first, "envoy") == []
    assert warnings(first, "envoy") == ["abi-markers-several", "no-names"]
    assert errors(plain(functions=[old], imports=configuration), "envoy") == ["import-of-old-abi"]


@pytest.mark.parametrize(
    ("module", "id_"),
    [
        (plain(exports=[]), "no-memory-export"),
        (plain(memories=[limits(1, 2, flags=2)]), "memory-shared"),
        (plain(memories=[limits(1, flags=4)]), "memory-wide"),
        (plain(hidden=[Function("s")], start="s"), "start-section"),
        (plain(functions=OF_TINYGO), "allocators-two"),
        (plain(last=[custom(".debug_info", bytes(500))]), "debug-information"),
        (plain(), "no-names"),
    ],
)
def test_what_loads_is_a_warning(module: bytes, id_: str) -> None:
    assert errors(module, "envoy-1.40") == []
    assert id_ in warnings(module, "envoy-1.40")


@pytest.mark.parametrize(
    "module",
    [
        plain(functions=[Function("own", "v128 ->")]),
        plain(imports=[Import("env", "proxy_log", "v128 ->")]),
        plain(tags=["i32 ->"], exports=[Export("t", Kind.TAG, 0)]),
        plain(tables=[b"\x6e" + limits(1)], exports=[Export("t", Kind.TABLE, 0)]),
        plain(globals_=[b"\x6e\0\xd0\x6e\x0b"], exports=[Export("g", Kind.GLOBAL, 0)]),
    ],
)
def test_types_that_end_the_proxy_are_errors(module: bytes) -> None:
    assert errors(module, "envoy") == ["type-ends-proxy"]


def test_who_frees_may_export_malloc() -> None:
    module = plain(functions=[Function("malloc", "i32 -> i32", [number(0)])], last=[NAMES])
    assert found(module, "envoy-1.40") == ()


def test_such_types_inside_are_none() -> None:
    assert errors(plain(hidden=[Function("own", "v128 ->")]), "envoy-1.40") == []


def test_only_what_surely_happens_at_the_start_is_an_error() -> None:
    body: list[bytes | Call] = [number(0), call(TICK.name), b"\x1a"]
    sure = plain(imports=[TICK], functions=[Function("_initialize", "->", body)])
    (finding, *_) = found(sure, "envoy-1.40")
    assert (finding.id, finding.where) == ("start-calls-host", str(f"env.{TICK.name}"))
    assert finding.words == "Function: _initialize failed: Uncaught Error: restricted_callback"
    perhaps: list[bytes | Call] = [number(0), b"\x04\x40", *body, b"\x0b"]
    module = plain(imports=[TICK], functions=[Function("_initialize", "->", perhaps)])
    assert errors(module, "envoy-1.40") == []
    assert "start-may-call-host" in warnings(module, "envoy-1.40")


def test_without_the_library_mode_go_makes_programs() -> None:
    producers = custom("producers", b"\x01\x08language\x01\x02Go\x08go1.26.8")
    module = plain(functions=[Function("_start")], last=[producers])
    assert errors(module, "envoy") == ["start-is-a-program"]
    library = plain(functions=[Function("_initialize")], last=[producers])
    assert errors(library, "envoy") == []


def test_errors_come_first() -> None:
    module = write(functions=[MARKER], exports=[])
    severities = [one.severity for one in found(module)]
    assert severities == sorted(severities, key=lambda one: one is Severity.WARNING)
    assert severities[0] is Severity.ERROR


def test_the_capabilities_that_are_needed_are_those_that_can_be_restricted() -> None:
    module = plain(
        imports=[TICK, PREAD, Import("env", "pthread_equal", "i32 i32 -> i32")],
        functions=[Function("_initialize"), Function("proxy_on_tick", "i32 ->"), Function("own")],
    )
    assert needed_capabilities(read_module(module, "plugin.wasm")) == (
        "fd_pread",
        "proxy_on_tick",
        "proxy_set_tick_period_milliseconds",
    )


def test_all_targets_are_checked_in_a_few_milliseconds() -> None:
    module = plain(imports=[TICK, PREAD], last=[NAMES, custom("ballast", bytes(2_300_000))])
    info, targets = read_module(module, "plugin.wasm"), find_targets()
    check_module(module, info, targets)
    start = time.perf_counter()
    check_module(module, info, targets)
    assert time.perf_counter() - start < 0.1
