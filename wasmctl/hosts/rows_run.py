"""Rows of the table of explanations: a plug-in that fails when it starts or runs. Data.

The words are those of proxy-wasm/proxy-wasm-cpp-host ("host" in the sources), of V8 and of Envoy's
source/extensions/common/wasm; each was provoked in Envoy 1.36 and 1.40 unless it says otherwise.
"""

from __future__ import annotations

from typing import Final

from wasmctl.hosts.host_functions import FIRST_ENVOY
from wasmctl.hosts.rows import Fault, Row, Words

__all__ = ["ROWS"]

_FAILED: Final = r"Function: (?P<name>\S+) failed: Uncaught "
_AT_START: Final = r"Function: (?P<name>_initialize|main|__main_void) failed: Uncaught "
_CALL_SOURCE: Final = "host, src/v8/v8.cc, V8::getModuleFunctionImpl"

_START_UP: Final = (
    Row(
        id="start-is-a-program",
        pattern=Words(r"Function: _start failed: Uncaught Error: restricted_callback"),
        message="the module is a program, not a library: Envoy ran its `_start`, which calls what"
        " a plug-in may not call yet, such as the exit at the end of `main`",
        hint="add `-buildmode=c-shared` to `go build` or `tinygo build` (TinyGo 0.34 and older do"
        " without); in Rust build a `cdylib`, no binary; `wasmctl build` does",
        fault=Fault.PLUGIN,
        source="host, src/wasm.cc, startVm; tried with Go 1.26, TinyGo 0.31.2 and 0.39.0",
    ),
    Row(
        id="start-calls-host",
        pattern=Words(_AT_START + r"Error: restricted_callback"),
        message="the plug-in calls the host while it is being loaded, in `{name}`, where Envoy"
        " allows little more than logging{at}",
        hint="move the call (ticks, metrics, properties, shared data, files) from Go's `init()` or"
        " Rust's `proxy_wasm::main!` to `OnVMStart`/`on_vm_start` or"
        " `OnPluginStart`/`on_configure`",
        fault=Fault.PLUGIN,
        source="host, src/wasm.cc, startVm",
    ),
)

_LAST_WORDS: Final = r"[\s\S]*\nlast words: .*"
_MEND_PANIC: Final = (
    "mend it there; for what a request or a configuration can bring about, handle the error"
    " instead of `unwrap()`, an index, or a nil map: after a panic the plug-in answers no request"
)

_TRAPS: Final = (
    Row(
        id="trap-go-panic-lost",
        pattern=Words(
            _FAILED + rf"RuntimeError: unreachable{_LAST_WORDS}wasi_snapshot_preview1\.poll_oneoff"
        ),
        message="the plug-in panicked in `{name}`{at}; what it said is lost, because Go's runtime"
        f" cannot finish a panic in an Envoy older than {FIRST_ENVOY[2]}",
        hint=f"run it in Envoy {FIRST_ENVOY[2]} to read the panic (`wasmctl run`, or a case of"
        " `wasmctl test`), and mend it there: after a panic the plug-in answers no request",
        fault=Fault.PLUGIN,
        source="golang/go, src/runtime/os_wasip1.go, usleep; Go 1.26 in Envoy 1.36, 1.37 and 1.39",
    ),
    Row(
        id="trap-out-of-memory",
        pattern=Words(
            _FAILED + r"RuntimeError: unreachable(?:[\s\S]*(?:rust_oom|alloc_error)"
            rf"|{_LAST_WORDS}(?:memory allocation of|out of memory|cannot allocate))"
        ),
        message="the plug-in ran out of memory in `{name}`{at}{because}",
        hint="bound what it keeps: bodies, caches, maps that only grow; Envoy gives a plug-in at"
        " most 1 GiB, and memory never shrinks",
        fault=Fault.PLUGIN,
        source="host, include/proxy-wasm/limits.h",
    ),
    Row(
        id="trap-no-context",
        pattern=Words(
            _FAILED + rf"RuntimeError: unreachable{_LAST_WORDS}(?P<error>missing ContextType on"
            r" root_context|create_\w+_context returned None|missing constructors)"
        ),
        message="the plug-in does not say what shall serve a connection or request: {error}",
        hint="in the `RootContext` implement both `get_type` and `create_http_context` (or"
        " `create_stream_context`); a plug-in for HTTP stands in HTTP filters, one for TCP in"
        " network filters",
        fault=Fault.PLUGIN,
        source="proxy-wasm/proxy-wasm-rust-sdk, src/dispatcher.rs",
    ),
    Row(
        id="trap-host-said-no",
        pattern=Words(
            _FAILED + rf"RuntimeError: unreachable{_LAST_WORDS}unexpected status: (?P<status>\d+)"
        ),
        message="the host answered a call with status {status}, on which the SDK panics, in"
        " `{name}`{at}",
        hint="2 is a bad argument, 10 a call that is not allowed: by a capability restriction, or"
        " in this callback; 1 what is not there; use the SDK's functions that return a `Result`",
        fault=Fault.PLUGIN,
        source="proxy-wasm/proxy-wasm-rust-sdk, src/hostcalls.rs; proxy-wasm/spec, v0.2.1",
    ),
    Row(
        id="trap-not-on-this-platform",
        pattern=Words(
            _FAILED + rf"RuntimeError: unreachable{_LAST_WORDS}"
            r"not (?:implemented|supported) on this platform"
        ),
        message="the plug-in asks, in `{name}`{at}, for what its compilation target has not"
        "{because}",
        hint="build for `wasm32-wasip1` instead of `wasm32-unknown-unknown`, or ask the host: the"
        " SDK's `get_current_time` for the time",
        fault=Fault.PLUGIN,
        source="rust-lang/rust, library/std/src/sys, the modules named unsupported",
    ),
    Row(
        id="trap-exit",
        pattern=Words(
            _FAILED + r"RuntimeError: unreachable[\s\S]* - (?:__wasi_proc_exit|\S*7process4exit"
            r"|os\.Exit|runtime\.exit|syscall\.Exit)"
        ),
        message="the plug-in ended its process in `{name}`{at}, and with it itself",
        hint="return an error instead of `exit` (in Go also `log.Fatal`), or answer the request"
        " with a local response",
        fault=Fault.PLUGIN,
        source=_CALL_SOURCE,
    ),
    Row(
        id="trap-no-network-filter",
        pattern=Words(
            r"Function: (?P<name>proxy_on_(?:new_connection|(?:down|up)stream_\w+)) failed: "
            rf"Uncaught RuntimeError: unreachable{_LAST_WORDS}invalid context_id"
        ),
        message="the plug-in is no network filter: it had no stream context in `{name}`",
        hint="for TCP, `get_type` of the root context returns `ContextType::StreamContext`; an HTTP"
        " filter belongs before HTTP",
        fault=Fault.PLUGIN,
        source="proxy-wasm-rust-sdk, src/dispatcher.rs",
    ),
    Row(
        id="trap-no-http-filter",
        pattern=Words(
            r"Function: (?P<name>proxy_on_(?:request|response)_\w+) failed: "
            rf"Uncaught RuntimeError: unreachable{_LAST_WORDS}invalid context_id"
        ),
        message="the plug-in is no HTTP filter: it had no HTTP context in `{name}`",
        hint="for HTTP, `get_type` of the root context returns `ContextType::HttpContext`; a"
        " network filter belongs before TCP",
        fault=Fault.PLUGIN,
        source="proxy-wasm-rust-sdk, src/dispatcher.rs",
    ),
    Row(
        id="trap-bad-argument",
        pattern=Words(
            _FAILED + rf"RuntimeError: unreachable{_LAST_WORDS}(?:BadArgument|bad argument)"
        ),
        message="the plug-in panicked in `{name}`{at}{because}",
        hint="handle the error: the host says so of a call to a cluster that it does not know (in"
        " tests: that `callouts` does not declare), among others",
        fault=Fault.PLUGIN,
        source="Envoy, source/extensions/common/wasm/context.cc, httpCall and grpcCall",
    ),
    Row(
        id="trap-panic",
        pattern=Words(
            _FAILED + r"RuntimeError: unreachable[\s\S]*(?:rust_panic|panicking|rust_begin_unwind"
            r"|runtime\.\w*[pP]anic|runtime\.fatal|runtime\.throw)"
        ),
        message="the plug-in panicked in `{name}`{at}{because}",
        hint=_MEND_PANIC,
        fault=Fault.PLUGIN,
        source=_CALL_SOURCE,
    ),
    Row(
        id="trap-panic-without-names",
        pattern=Words(_FAILED + r"RuntimeError: unreachable[\s\S]*\nlast words: ."),
        message="the plug-in panicked in `{name}`{at}{because}",
        hint=f'{_MEND_PANIC}. Rust\'s `strip = "debuginfo"` instead of `true`, and Go without'
        " `-s`, keep the functions' names for the backtrace",
        fault=Fault.PLUGIN,
        source=_CALL_SOURCE,
    ),
    Row(
        id="trap-unreachable",
        pattern=Words(_FAILED + r"RuntimeError: unreachable"),
        message="the plug-in ended itself in `{name}`{at}, as by a panic or an abort, without a"
        " word",
        hint='Rust\'s `strip = "debuginfo"` instead of `true`, and Go without `-s`, keep the'
        " functions' names for the backtrace; `proxy_wasm::set_log_level` in `main!` has panics"
        " logged",
        fault=Fault.PLUGIN,
        source=_CALL_SOURCE,
    ),
    Row(
        id="trap-stack-overflow",
        pattern=Words(
            _FAILED + r"(?:RangeError: Maximum call stack size exceeded|RuntimeError: memory access"
            r" out of bounds[\s\S]* - (?P<frame>\S+)(?:\n\s*\d+:\s+0x[0-9a-f]+ - (?P=frame)){5})"
        ),
        message="the plug-in called itself without end, or too deeply, in `{name}`{at}",
        hint="bound the recursion: nested JSON or patterns from a request can drive it",
        fault=Fault.PLUGIN,
        source=_CALL_SOURCE,
    ),
    Row(
        id="trap-out-of-bounds",
        pattern=Words(_FAILED + r"RuntimeError: (?P<error>memory access out of bounds)"),
        message="the plug-in read or wrote outside of its memory in `{name}`{at}",
        hint="look for `unsafe` code, raw pointers and a stack that is too small (large arrays or"
        " deep recursion in Rust and C: `-C link-arg=-zstack-size=…`; TinyGo `-stack-size`)",
        fault=Fault.PLUGIN,
        source=_CALL_SOURCE,
    ),
    Row(
        id="trap-arithmetic",
        pattern=Words(
            _FAILED + r"RuntimeError: (?P<error>divide by zero|divide result unrepresentable"
            r"|remainder by zero|float unrepresentable in integer range)"
        ),
        message="the plug-in calculated what has no result in `{name}`{at}: {error}",
        hint="check the divisor or the range before",
        fault=Fault.PLUGIN,
        source=_CALL_SOURCE,
    ),
    Row(
        id="trap-indirect-call",
        pattern=Words(
            _FAILED + r"RuntimeError: (?P<error>null function or function signature mismatch"
            r"|table index is out of bounds|dereferencing a null pointer)"
        ),
        message="the plug-in called a function through a pointer that is none in `{name}`{at}:"
        " {error}",
        hint="look for `unsafe` code, for memory overwritten before, and for declarations of"
        " foreign functions with a wrong type",
        fault=Fault.PLUGIN,
        source=_CALL_SOURCE,
    ),
    Row(
        id="trap-host-call",
        pattern=Words(_FAILED + r"Error: restricted_callback"),
        message="the plug-in called what Envoy does not allow in `{name}`{at}{because}",
        hint="make that call in a later callback",
        fault=Fault.PLUGIN,
        source=_CALL_SOURCE,
    ),
    Row(
        id="trap",
        pattern=Words(_FAILED + r"(?P<error>[^\n]*)"),
        message="the plug-in failed in `{name}`{at}: {error}",
        hint="look at the callback that is named; after it the plug-in answers no request",
        fault=Fault.PLUGIN,
        source=_CALL_SOURCE,
    ),
)

# It may be why a plug-in says no.
_RESTRICTED: Final = Row(
    id="capability-restricted",
    pattern=Words(r"Attempted call to restricted (?:proxy-wasm|WASI) capability: (?P<name>\w+)"),
    message="the plug-in called `{name}`, which its capability restriction does not allow;"
    " the call was answered with an error",
    hint="add `{name}` to `capability_restriction_config.allowed_capabilities`",
    fault=Fault.CONFIGURATION,
    source="host, include/proxy-wasm/wasm_vm.h and src/exports.cc",
)

_SAID_NO: Final = (
    Row(
        id="vm-start-refused",
        pattern=Words(r"Failed to start (?:base|thread-local) Wasm"),
        message="the plug-in refused to start: its `on_vm_start` said no{because}",
        hint="mend the VM's configuration, or the check in `on_vm_start`/`OnVMStart`; a plug-in"
        " that logs its reason as an error before it says no is quoted here",
        fault=Fault.CONFIGURATION,
        source="envoy, common/wasm/wasm.cc; host, src/wasm.cc, createWasm",
    ),
    Row(
        id="configuration-refused",
        pattern=Words(r"Failed to configure (?:base|thread-local) Wasm plugin"),
        message="the plug-in refused its configuration{because}",
        hint="mend the configuration, or the check in `on_configure`/`OnPluginStart`; a plug-in"
        " that logs its reason as an error before it says no is quoted here",
        fault=Fault.CONFIGURATION,
        source="host, src/wasm.cc, createWasm and getOrCreateThreadLocalPlugin",
    ),
)

# Those that say more come first.
ROWS: Final = (*_START_UP, *_TRAPS, _RESTRICTED, *_SAID_NO)
