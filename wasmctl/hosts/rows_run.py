"""Rows of the table of explanations: a plug-in that fails when it starts or runs. Data.

The words are those of proxy-wasm/proxy-wasm-cpp-host ("host" in the sources), of V8 and of Envoy's
source/extensions/common/wasm; each was provoked in Envoy 1.36 and 1.40 unless it says otherwise.
"""

from __future__ import annotations

import re
from typing import Final

from wasmctl.hosts.rows import Fault, Row

__all__ = ["ROWS"]

_FAILED: Final = r"Function: (?P<name>\S+) failed: Uncaught "
_AT_START: Final = r"Function: (?P<name>_initialize|main|__main_void) failed: Uncaught "
_CALL_SOURCE: Final = "host, src/v8/v8.cc, V8::getModuleFunctionImpl"

_START_UP: Final = (
    Row(
        id="start-is-a-program",
        pattern=re.compile(r"Function: _start failed: Uncaught Error: restricted_callback"),
        message="the module is a program, not a library: Envoy ran its `_start`, which calls what"
        " a plug-in may not call yet, such as the exit at the end of `main`",
        hint="add `-buildmode=c-shared` to `go build` or `tinygo build` (TinyGo 0.34 and older do"
        " without); in Rust build a `cdylib`, no binary; `wasmctl build` does",
        fault=Fault.PLUGIN,
        source="host, src/wasm.cc, startVm; tried with Go 1.26, TinyGo 0.31.2 and 0.39.0",
    ),
    Row(
        id="start-calls-host",
        pattern=re.compile(_AT_START + r"Error: restricted_callback"),
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
        id="trap-out-of-memory",
        pattern=re.compile(
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
        pattern=re.compile(
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
        pattern=re.compile(
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
        pattern=re.compile(
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
        pattern=re.compile(
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
        pattern=re.compile(
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
        pattern=re.compile(
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
        pattern=re.compile(
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
        pattern=re.compile(
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
        pattern=re.compile(_FAILED + r"RuntimeError: unreachable[\s\S]*\nlast words: ."),
        message="the plug-in panicked in `{name}`{at}{because}",
        hint=f'{_MEND_PANIC}. Rust\'s `strip = "debuginfo"` instead of `true`, and Go without'
        " `-s`, keep the functions' names for the backtrace",
        fault=Fault.PLUGIN,
        source=_CALL_SOURCE,
    ),
    Row(
        id="trap-unreachable",
        pattern=re.compile(_FAILED + r"RuntimeError: unreachable"),
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
        pattern=re.compile(
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
        pattern=re.compile(_FAILED + r"RuntimeError: (?P<error>memory access out of bounds)"),
        message="the plug-in read or wrote outside of its memory in `{name}`{at}",
        hint="look for `unsafe` code, raw pointers and a stack that is too small (large arrays or"
        " deep recursion in Rust and C: `-C link-arg=-zstack-size=…`; TinyGo `-stack-size`)",
        fault=Fault.PLUGIN,
        source=_CALL_SOURCE,
    ),
    Row(
        id="trap-arithmetic",
        pattern=re.compile(
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
        pattern=re.compile(
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
        pattern=re.compile(_FAILED + r"Error: restricted_callback"),
        message="the plug-in called what Envoy does not allow in `{name}`{at}{because}",
        hint="make that call in a later callback",
        fault=Fault.PLUGIN,
        source=_CALL_SOURCE,
    ),
    Row(
        id="trap",
        pattern=re.compile(_FAILED + r"(?P<error>[^\n]*)"),
        message="the plug-in failed in `{name}`{at}: {error}",
        hint="look at the callback that is named; after it the plug-in answers no request",
        fault=Fault.PLUGIN,
        source=_CALL_SOURCE,
    ),
)

# It may be why a plug-in says no.
_RESTRICTED: Final = Row(
    id="capability-restricted",
    pattern=re.compile(
        r"Attempted call to restricted (?:proxy-wasm|WASI) capability: (?P<name>\w+)"
    ),
    message="the plug-in called `{name}`, which its capability restriction does not allow;"
    " the call was answered with an error",
    hint="add `{name}` to `capability_restriction_config.allowed_capabilities`",
    fault=Fault.CONFIGURATION,
    source="host, include/proxy-wasm/wasm_vm.h and src/exports.cc",
)

_SAID_NO: Final = (
    Row(
        id="vm-start-refused",
        pattern=re.compile(r"Failed to start (?:base|thread-local) Wasm"),
        message="the plug-in refused to start: its `on_vm_start` said no{because}",
        hint="mend the VM's configuration, or the check in `on_vm_start`/`OnVMStart`; a plug-in"
        " that logs its reason as an error before it says no is quoted here",
        fault=Fault.CONFIGURATION,
        source="envoy, common/wasm/wasm.cc; host, src/wasm.cc, createWasm",
    ),
    Row(
        id="configuration-refused",
        pattern=re.compile(r"Failed to configure (?:base|thread-local) Wasm plugin"),
        message="the plug-in refused its configuration{because}",
        hint="mend the configuration, or the check in `on_configure`/`OnPluginStart`; a plug-in"
        " that logs its reason as an error before it says no is quoted here",
        fault=Fault.CONFIGURATION,
        source="host, src/wasm.cc, createWasm and getOrCreateThreadLocalPlugin",
    ),
)

_PROXY: Final = (
    Row(
        id="module-not-found",
        pattern=re.compile(r"Invalid path: (?P<path>\S+\.wasm)"),
        message="Envoy does not find the module `{path}`",
        hint="build it, and give a path that the proxy's own file system has and its user may read",
        fault=Fault.CONFIGURATION,
        source="envoy, source/common/config/datasource.cc",
    ),
    Row(
        id="image-not-fetched",
        pattern=re.compile(
            r"[Cc]annot fetch Wasm module (?P<name>\S+): (?P<error>.*?)\.?(?: applying|$)"
        ),
        message="the proxy's agent could not fetch the module `{name}`: {error}",
        hint="`wasmctl pull` it with the same credentials; until it is there, requests are denied"
        " (403) or, failing open, pass without the plug-in",
        fault=Fault.IMAGE,
        source="istio, pkg/wasm/convert.go and imagefetcher.go; read, not provoked",
    ),
    Row(
        id="remote-code-not-fetched",
        pattern=re.compile(r"Failed to load Wasm code \((?P<error>[\w ]+)\) from (?P<url>\S+)"),
        message="Envoy has no module yet from `{url}` ({error})",
        hint="see that the proxy's cluster reaches that address and the sha256 is the module's;"
        " while fetching it may only be a matter of time",
        fault=Fault.IMAGE,
        source="envoy, common/wasm/wasm.cc; read, not provoked",
    ),
    Row(
        id="image-denied",
        pattern=re.compile(r"wasm-default-deny"),
        message="requests are denied (403), because the proxy has no module for the plug-in: the"
        " agent could not fetch it",
        hint="look for `cannot fetch Wasm module` in the agent's log, before this line",
        fault=Fault.IMAGE,
        source="istio, pkg/wasm/convert.go; read, not provoked",
    ),
    Row(
        id="plug-in-stopped",
        pattern=re.compile(r"wasm_fail_stream"),
        message="a request was answered with 503, because the plug-in had trapped before or never"
        " loaded",
        hint="look for `Function: … failed` before this line; `failure_policy: FAIL_RELOAD`"
        " (Envoy 1.33 and newer) starts the plug-in again",
        fault=Fault.PLUGIN,
        source="envoy, common/wasm/context.cc, failStream",
    ),
)

_UNTOLD: Final = (
    Row(
        id="not-started",
        pattern=re.compile(r"Failed to initialize Wasm code|Failed to clone Base Wasm"),
        message="Envoy loaded the module but could not start it, and does not say why",
        hint="set the log level of `wasm` to debug, and see what it writes before this line",
        fault=Fault.PLUGIN,
        source="host, src/wasm.cc, createWasm; no way to it without another reason is known",
    ),
    Row(
        id="not-loaded",
        pattern=re.compile(r"Failed to load Wasm code"),
        message="Envoy could not load the module, and does not say why",
        hint="set the log level of `wasm` to debug, and see what it writes before this line",
        fault=Fault.PLUGIN,
        source="host, src/wasm.cc, createWasm; no way to it without another reason is known",
    ),
    Row(
        id="empty-module",
        pattern=re.compile(r"Plugin .*failed to load"),
        message="Envoy got an empty module",
        hint="build it again: the file has no bytes",
        fault=Fault.PLUGIN,
        source="envoy, common/wasm/wasm.cc, createWasm",
    ),
)

# Those that say more come first.
ROWS: Final = (*_START_UP, *_TRAPS, _RESTRICTED, *_SAID_NO, *_PROXY, *_UNTOLD)
