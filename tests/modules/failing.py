"""Modules that a proxy refuses or that trap, each with what is to be said of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tests.modules.assembler import (
    ALLOCATOR,
    DROP,
    MARKER,
    UNREACHABLE,
    Call,
    Function,
    Import,
    assemble,
    call,
    number,
    plugin,
    proxy_log,
)
from wasmctl.hosts.rows import Fault

__all__ = [
    "BOTH",
    "CASES",
    "LOG",
    "NEWEST",
    "OLDEST",
    "ON_REQUEST",
    "REASON",
    "SET_TICK",
    "TICK",
    "Case",
]

# The releases of Envoy that are asked.
OLDEST, NEWEST = "1.36.2", "1.40.0"
BOTH = (OLDEST, NEWEST)
WASI = "wasi_snapshot_preview1"
REASON = "header must be a string"
LOG = Import("env", "proxy_log", "i32 i32 i32 -> i32")
TICK = Import("env", "proxy_set_tick_period_milliseconds", "i32 -> i32")
SET_TICK: list[bytes | Call] = [number(0), call("proxy_set_tick_period_milliseconds"), DROP]
EXIT = Import(WASI, "proc_exit", "i32 ->")
ON_REQUEST = "i32 i32 i32 -> i32"
LOAD_FROM_BELOW_ZERO: list[bytes] = [number(-8), b"\x28\x02\x00"]
DROP_OF_NOTHING = [DROP]


@dataclass(frozen=True, kw_only=True)
class Case:
    """A module, and what is said of it.

    Args:
        module: its bytes.
        id: of the explanation.
        said: what the message must hold.
        remedy: what the hint must hold.
        fault: whose it is.
        releases: of Envoy, in which it is tried.
    """

    module: bytes
    id: str
    said: str
    remedy: str
    fault: Fault = Fault.PLUGIN
    releases: tuple[str, ...] = BOTH


def importing(module: str, name: str, signature: str = "->") -> bytes:
    return plugin(imports=[Import(module, name, signature)])


def trapping(body: list[bytes], *, names: bool = True) -> bytes:
    return plugin(functions=[Function("proxy_on_request_headers", ON_REQUEST, body)], names=names)


def saying_no(callback: str) -> bytes:
    body = [*proxy_log(4, 0, len(REASON)), number(0)]
    return plugin(
        imports=[LOG], functions=[Function(callback, "i32 i32 -> i32", body)], text=REASON
    )


CASES: Mapping[str, Case] = {
    "a function of ABI 0.1.0": Case(
        module=importing("env", "proxy_get_configuration", "i32 i32 -> i32"),
        id="import-of-old-abi",
        said="`env.proxy_get_configuration`, a function of ABI 0.1.0",
        remedy="one current SDK",
    ),
    "clear_route_cache as an import": Case(
        module=importing("env", "proxy_clear_route_cache", "-> i32"),
        id="import-clear-route-cache",
        said="no Envoy has for ABI 0.2.x",
        remedy="foreign function `clear_route_cache`",
    ),
    "get_log_level in ABI 0.2.0": Case(
        module=assemble(
            imports=[Import("env", "proxy_get_log_level", "i32 -> i32")],
            functions=[Function("proxy_abi_version_0_2_0"), ALLOCATOR],
        ),
        id="import-log-level",
        said="a function of ABI 0.2.1",
        remedy="`proxy_abi_version_0_2_1`",
    ),
    "a function of Higress": Case(
        module=importing("env", "proxy_redis_call", "-> i32"),
        id="import-of-higress",
        said="only Higress's Envoy has",
        remedy="deploy it to Higress",
    ),
    "a function of another ABI": Case(
        module=importing("env", "proxy_create_timer", "-> i32"),
        id="import-proxy-unknown",
        said="`env.proxy_create_timer`",
        remedy="ABI 0.2.1",
    ),
    "wasm-bindgen": Case(
        module=importing("__wbindgen_placeholder__", "__wbindgen_throw", "i32 i32 ->"),
        id="import-of-wasm-bindgen",
        said="a crate in it uses `wasm-bindgen`",
        remedy="`wasm32-wasip1`",
    ),
    "wasm-bindgen after its tool": Case(
        module=importing("wbg", "__wbg_now_b7a162010a9e75b4", "-> f64"),
        id="import-of-wasm-bindgen",
        said="`wbg.__wbg_now_b7a162010a9e75b4`",
        remedy="cargo tree -i wasm-bindgen",
    ),
    "Go for JavaScript": Case(
        module=importing("gojs", "runtime.wasmExit", "i32 ->"),
        id="import-of-javascript",
        said="built for `GOOS=js`",
        remedy="GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared",
    ),
    "AssemblyScript": Case(
        module=importing("env", "abort", "i32 i32 i32 i32 ->"),
        id="import-of-assemblyscript",
        said="AssemblyScript expects",
        remedy="--use abort=abort_proc_exit",
    ),
    "Emscripten": Case(
        module=importing("env", "emscripten_resize_heap", "i32 -> i32"),
        id="import-of-emscripten",
        said="Emscripten expects",
        remedy="-sSTANDALONE_WASM",
    ),
    "WASI 0.2": Case(
        module=importing("wasi:cli/environment@0.2.0", "get-environment", "i32 ->"),
        id="import-of-wasi-2",
        said="WASI 0.1 only",
        remedy="`wasm32-wasip1`",
    ),
    "files, before Envoy has them": Case(
        module=importing(WASI, "fd_pread", "i32 i32 i32 i64 i32 -> i32"),
        id="import-wasi-files",
        said="which Envoy has from 1.39 on",
        remedy="take what uses files out",
        releases=(OLDEST,),
    ),
    "sockets, before Envoy has them": Case(
        module=importing(WASI, "sock_accept", "i32 i32 i32 -> i32"),
        id="import-wasi-sockets",
        said="which Envoy has from 1.39 on",
        remedy="the SDK's HTTP or gRPC calls",
        releases=(OLDEST,),
    ),
    "WASI that no Envoy has": Case(
        module=importing(WASI, "proc_raise", "i32 -> i32"),
        id="import-wasi-unknown",
        said="`wasi_snapshot_preview1.proc_raise`, which no Envoy has",
        remedy="leave it out",
    ),
    "links, before Envoy has them": Case(
        module=importing(WASI, "path_link", "i32 i32 i32 i32 i32 i32 i32 -> i32"),
        id="import-wasi-links",
        said="`wasi_snapshot_preview1.path_link`, which no Envoy has as it is",
        remedy="`os.Symlink`",
        releases=(OLDEST,),
    ),
    "links": Case(
        module=importing(WASI, "path_link", "i32 i32 i32 i32 i32 i32 i32 -> i32"),
        id="import-link-or-symlink",
        said="`wasi_snapshot_preview1.path_link`",
        remedy="`os.Symlink`",
        fault=Fault.PROXY,
        releases=(NEWEST,),
    ),
    "an undefined symbol": Case(
        module=importing("env", "my_helper", "i32 -> i32"),
        id="import-undefined-symbol",
        said="nothing defines",
        remedy='`extern "C"`',
    ),
    "a global": Case(
        module=importing("env", "environ", "global"),
        id="import-undefined-symbol",
        said="`env.environ`",
        remedy="define it",
    ),
    "another host's module": Case(
        module=importing("wasmedge_v1", "now", "-> i64"),
        id="import-of-other-host",
        said="`wasmedge_v1.now`",
        remedy="`env` (Proxy-Wasm) and `wasi_snapshot_preview1` only",
    ),
    "an import of another type": Case(
        module=importing("env", "proxy_log", "i32 i32 -> i32"),
        id="import-type",
        said="`env.proxy_log` as `i32 i32 -> i32`, but Envoy has it as `i32 i32 i32 -> i32`",
        remedy="declaration",
    ),
    "no marker": Case(
        module=assemble(functions=[ALLOCATOR]),
        id="no-abi-marker",
        said="no Proxy-Wasm ABI",
        remedy="proxy_wasm::main!",
    ),
    "an unknown marker": Case(
        module=assemble(functions=[ALLOCATOR, Function("proxy_abi_version_0_3_0")]),
        id="no-abi-marker",
        said="other than 0.1.0, 0.2.0 and 0.2.1",
        remedy="`proxy_abi_version_0_2_1`",
    ),
    "a component": Case(
        module=b"\0asm\x0d\0\1\0",
        id="no-abi-marker",
        said="no Proxy-Wasm ABI",
        remedy="a component (`wasm32-wasip2`) is none",
    ),
    "no WebAssembly": Case(
        module=b"\x1f\x8b\x08 an archive",
        id="not-wasm",
        said="no WebAssembly module",
        remedy="unpacked",
    ),
    "a cut off module": Case(
        module=plugin()[:-10],
        id="not-wasm",
        said="cut off",
        remedy="build it again",
    ),
    "nothing": Case(module=b"", id="empty-module", said="empty module", remedy="build it again"),
    "code that no engine takes": Case(
        module=plugin(functions=[Function("own", "->", DROP_OF_NOTHING)]),
        id="bytecode-refused",
        said="does not compile the module",
        remedy="newer Envoy",
    ),
    "too large a memory": Case(
        module=plugin(pages=40_000),
        id="no-instance",
        said="larger than allowed",
        remedy="1 GiB",
    ),
    "no allocator": Case(
        module=assemble(functions=[MARKER]),
        id="no-allocator",
        said="neither `malloc` nor `proxy_on_memory_allocate`",
        remedy="-buildmode=c-shared",
    ),
    "an allocator of another type": Case(
        module=assemble(functions=[MARKER, Function("malloc", "i32 i32 -> i32", [number(0)])]),
        id="allocator-signature",
        said="`malloc` as `i32 i32 -> i32`, but Envoy calls it as `i32 -> i32`",
        remedy="rename",
    ),
    "a callback of another type": Case(
        module=plugin(
            functions=[Function("proxy_on_request_headers", "i32 i32 -> i32", [number(0)])]
        ),
        id="callback-signature",
        said="`proxy_on_request_headers` as `i32 i32 -> i32`",
        remedy="three in 0.2.x",
    ),
    "a program": Case(
        module=plugin(
            imports=[EXIT],
            functions=[Function("_start", "->", [number(0), call("proc_exit")])],
        ),
        id="start-is-a-program",
        said="not a library",
        remedy="`-buildmode=c-shared`",
    ),
    "a call of the host in init": Case(
        module=plugin(imports=[TICK], functions=[Function("_initialize", "->", SET_TICK)]),
        id="start-calls-host",
        said="while it is being loaded, in `_initialize`",
        remedy="`on_configure`",
    ),
    "a call of the host in main": Case(
        module=plugin(
            imports=[TICK],
            functions=[
                Function("_initialize"),
                Function("main", "i32 i32 -> i32", [*SET_TICK, number(0)]),
            ],
        ),
        id="start-calls-host",
        said="in `main`",
        remedy="`OnVMStart`",
    ),
    "on_vm_start says no": Case(
        module=saying_no("proxy_on_vm_start"),
        id="vm-start-refused",
        said=f"`on_vm_start` said no: {REASON}",
        remedy="VM's configuration",
        fault=Fault.CONFIGURATION,
    ),
    "on_configure says no": Case(
        module=saying_no("proxy_on_configure"),
        id="configuration-refused",
        said=f"refused its configuration: {REASON}",
        remedy="mend the configuration",
        fault=Fault.CONFIGURATION,
    ),
    "a trap at the start": Case(
        module=plugin(functions=[Function("_initialize", "->", [UNREACHABLE])], names=True),
        id="trap-unreachable",
        said="in `_initialize`",
        remedy='strip = "debuginfo"',
    ),
    "a trap in on_context_create, which Envoy loads all the same": Case(
        module=plugin(functions=[Function("proxy_on_context_create", "i32 i32 ->", [UNREACHABLE])]),
        id="trap-unreachable",
        said="in `proxy_on_context_create`",
        remedy="set_log_level",
    ),
    "a trap without names": Case(
        module=trapping([UNREACHABLE], names=False),
        id="trap-unreachable",
        said="in `proxy_on_request_headers`",
        remedy='strip = "debuginfo"',
    ),
    "memory beyond its end": Case(
        module=trapping(LOAD_FROM_BELOW_ZERO),
        id="trap-out-of-bounds",
        said="outside of its memory",
        remedy="`unsafe`",
    ),
    "a division by zero": Case(
        module=trapping([number(1), number(0), b"\x6d"]),
        id="trap-arithmetic",
        said="divide by zero",
        remedy="divisor",
    ),
    "recursion without end": Case(
        module=plugin(
            functions=[
                Function(
                    "proxy_on_request_headers",
                    ON_REQUEST,
                    [b"\x20\0\x20\0\x20\0", call("proxy_on_request_headers"), number(1), b"\x6a"],
                )
            ]
        ),
        id="trap-stack-overflow",
        said="called itself without end",
        remedy="bound the recursion",
    ),
}
