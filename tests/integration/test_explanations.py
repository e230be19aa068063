"""Every failure that can be provoked: what real Envoys say of it, and how that is explained."""

from __future__ import annotations

import asyncio
import io
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.integration.envoys import ENVOY_CACHE
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
from wasmctl.console import Console
from wasmctl.envoy.bootstrap import Listener, WasmPlugin
from wasmctl.envoy.envoy import Envoy
from wasmctl.envoy.find import find_envoy
from wasmctl.envoy.proxy import Rejected, running
from wasmctl.session import Session
from wasmctl.wasm.explanations import Explanation, explain
from wasmctl.wasm.rows import Fault
from wasmctl.wasm.traps import find_trap
from wasmctl.wire.client import exchange
from wasmctl.wire.messages import Request

pytestmark = pytest.mark.envoy

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


class Watcher:
    """Loads modules into one release of Envoy, and collects what it logs."""

    def __init__(self, envoy: Envoy, folder: Path) -> None:
        self.envoy = envoy
        self._folder = folder
        self._runs = 0

    def __call__(
        self,
        module: bytes | Path,
        *,
        configuration: str | None = None,
        capabilities: tuple[str, ...] | None = None,
    ) -> tuple[bool, list[str]]:
        """Return whether Envoy took the module, and the messages; where it did, of a request."""
        self._runs += 1
        folder = self._folder / str(self._runs)
        (folder / "run").mkdir(parents=True)
        if isinstance(module, bytes):
            (folder / "plugin.wasm").write_bytes(module)
            module = folder / "plugin.wasm"
        wanted = WasmPlugin(
            name="header-auth",
            vm_id="vm",
            module=module,
            configuration=configuration,
            capabilities=capabilities,
        )
        return asyncio.run(self._watch(wanted, folder / "run"))

    async def _watch(self, wanted: WasmPlugin, folder: Path) -> tuple[bool, list[str]]:
        listener = Listener(name="http", plugins=(wanted,))
        async with running(self.envoy, folder=folder, env=dict(os.environ)) as proxy:
            outcome = (await proxy.load([listener]))["http"]
            loaded = not isinstance(outcome, Rejected)
            if not isinstance(outcome, Rejected):
                await exchange(*outcome.address, Request(method="GET", path="/"), timeout=10)
            records = await proxy.barrier()
        return loaded, [record.message for record in records if record.logger == "wasm"]

    def explained(
        self, module: bytes | Path, *, configuration: str | None = None
    ) -> Explanation | None:
        return explain(self(module, configuration=configuration)[1])


@pytest.fixture(scope="session")
def watchers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Watcher]:
    env = {**os.environ, "XDG_CACHE_HOME": str(ENVOY_CACHE)}
    console = Console(out=io.StringIO(), err=io.StringIO())
    session = Session(env=env, cwd=ROOT, console=console)
    folder = tmp_path_factory.mktemp("envoys")
    made = {}
    for release in BOTH:
        (folder / release).mkdir()
        made[release] = Watcher(find_envoy(session, release), folder / release)
    return made


@pytest.fixture
def newest(watchers: dict[str, Watcher]) -> Watcher:
    return watchers[NEWEST]


@pytest.mark.parametrize("release", BOTH)
@pytest.mark.parametrize("name", CASES)
def test_what_envoy_says_is_explained(
    name: str, release: str, watchers: dict[str, Watcher]
) -> None:
    case = CASES[name]
    loaded, messages = watchers[release](case.module)
    explanation = explain(messages)
    if release not in case.releases:
        assert loaded or (explanation and explanation.id != case.id)
        return
    assert explanation is not None, messages
    assert (explanation.id, explanation.fault) == (case.id, case.fault), messages
    assert case.said in explanation.message
    assert case.remedy in explanation.hint


def test_a_module_that_is_right_needs_no_explanation(newest: Watcher) -> None:
    loaded, messages = newest(plugin())
    assert loaded
    assert explain(messages) is None


def test_a_call_that_is_restricted_is_named(newest: Watcher) -> None:
    body = [*proxy_log(4, 0, len(REASON)), number(0)]
    function = Function("proxy_on_request_headers", ON_REQUEST, body)
    module = plugin(imports=[LOG], functions=[function], text=REASON)
    _, messages = newest(module, capabilities=("proxy_on_request_headers",))
    explanation = explain(messages)
    assert explanation is not None
    assert explanation.id == "capability-restricted"
    assert "`proxy_log`" in explanation.message
    assert "add `proxy_log`" in explanation.hint


@pytest.fixture(scope="session")
def rust_module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`panics-rust`, compiled for wasm32-unknown-unknown."""
    return cargo(tmp_path_factory.mktemp("panics"), "wasm32-unknown-unknown")


def cargo(target_folder: Path, target: str) -> Path:
    """Compile `panics-rust`."""
    subprocess.run(
        ["cargo", "build", "--quiet", "--release", "--locked", "--target", target],
        cwd=ROOT / "tests/modules/panics-rust",
        env={**os.environ, "CARGO_TARGET_DIR": str(target_folder)},
        check=True,
    )
    return target_folder / target / "release/panics.wasm"


@pytest.mark.cargo
@pytest.mark.parametrize(
    ("configuration", "id_", "said"),
    [
        ("unwrap", "trap-panic", "called `Result::unwrap()` on an `Err` value: ParseIntError"),
        ("unwrap", "trap-panic", "in `proxy_on_configure` (`<panics::Root as proxy_wasm::traits::"),
        ("no", "configuration-refused", "configuration: `header` must be a string"),
        ("memory", "trap-out-of-memory", "ran out of memory in `proxy_on_configure`"),
        ("recursion", "trap-stack-overflow", "(`panics::descend`)"),
        ("time", "trap-not-on-this-platform", "time not implemented on this platform"),
        ("typeless", "trap-no-context", "missing ContextType on root_context"),
        ("", "trap-panic", "(`panics::token::size`, `src/lib.rs:83:9`): index out of bounds"),
    ],
)
def test_what_becomes_of_a_rust_plugin_is_explained(
    configuration: str, id_: str, said: str, newest: Watcher, rust_module: Path
) -> None:
    explanation = newest.explained(rust_module, configuration=configuration)
    assert explanation is not None
    assert explanation.id == id_
    assert said in explanation.message


@pytest.mark.cargo
def test_a_rust_backtrace_is_readable(newest: Watcher, rust_module: Path) -> None:
    trap = find_trap(newest(rust_module)[1])
    assert trap is not None
    assert trap.function == "proxy_on_request_headers"
    assert trap.reason == "RuntimeError: unreachable"
    assert trap.own is not None
    assert trap.frames[trap.own] == "panics::token::size"
    assert "core::panicking::panic_bounds_check" in trap.frames
    assert not [frame for frame in trap.frames if "$" in frame or frame.startswith("_R")]


@pytest.mark.cargo
def test_the_time_is_there_once_built_for_wasi(
    newest: Watcher, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The remedy for what a compilation target has not."""
    module = cargo(tmp_path_factory.mktemp("panics-wasi"), "wasm32-wasip1")
    assert newest(module, configuration="time")[0]
    explanation = newest.explained(module, configuration="exit")
    assert explanation is not None
    assert explanation.id == "trap-exit"
    explanation = newest.explained(module, configuration="memory")
    assert explanation is not None
    assert "memory allocation of 67108864 bytes failed" in explanation.message


def compile_go(folder: Path, *tool: str, env: Mapping[str, str] | None = None) -> Path:
    """Compile `panics-go` with a compiler's command line, up to `-o`."""
    module = folder / "plugin.wasm"
    subprocess.run(
        [*tool, "-o", str(module), "."],
        cwd=ROOT / "tests/modules/panics-go",
        env={**os.environ, "GOOS": "wasip1", "GOARCH": "wasm", **(env or {})},
        check=True,
    )
    return module


@pytest.mark.go
@pytest.mark.parametrize(
    ("configuration", "id_", "said"),
    [
        ("index", "trap-panic", "(`main.(*plugin).OnPluginStart`, `example.com/panics/main.go:29"),
        ("index", "trap-panic", "): runtime error: index out of range [5] with length 0"),
        ("no", "configuration-refused", 'configuration: limit must be a number: "no"'),
        ("", "trap-panic", "`main.(*http).count`, `example.com/panics/main.go:50`): assignment to"),
    ],
)
def test_what_becomes_of_a_go_plugin_is_explained(
    configuration: str, id_: str, said: str, newest: Watcher, go_module: Path
) -> None:
    explanation = newest.explained(go_module, configuration=configuration)
    assert explanation is not None
    assert explanation.id == id_
    assert said in explanation.message


@pytest.fixture(scope="session")
def go_module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`panics-go`, compiled as a plug-in."""
    folder = tmp_path_factory.mktemp("panics-go")
    return compile_go(folder, "go", "build", "-trimpath", "-buildmode=c-shared")


@pytest.mark.go
def test_go_without_c_shared_is_a_program_and_with_it_none(
    newest: Watcher, go_module: Path, tmp_path: Path
) -> None:
    explanation = newest.explained(compile_go(tmp_path, "go", "build"))
    assert explanation is not None
    assert explanation.id == "start-is-a-program"
    assert "add `-buildmode=c-shared` to `go build`" in explanation.hint
    assert newest(go_module)[0]


@pytest.mark.tinygo
def test_tinygo_without_c_shared_is_a_program_and_with_it_none(
    newest: Watcher, tmp_path: Path
) -> None:
    tinygo = "/opt/tinygo-0.39.0/bin/tinygo"
    command = (tinygo, "build", "-target=wasip1", "-scheduler=none")
    env = {"GOTOOLCHAIN": "go1.25.5", "GOOS": "", "GOARCH": ""}
    explanation = newest.explained(compile_go(tmp_path, *command, env=env))
    assert explanation is not None
    assert explanation.id == "start-is-a-program"
    assert "`tinygo build`" in explanation.hint
    mended = compile_go(tmp_path, *command, "-buildmode=c-shared", env=env)
    loaded, messages = newest(mended)
    assert loaded
    explanation = explain(messages)
    assert explanation is not None
    assert explanation.id == "trap-panic"
    assert "(`(*main.http).count`): runtime error: assignment to entry in nil" in (
        explanation.message
    )
