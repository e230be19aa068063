"""Every failure that can be provoked: what real Envoys say of it, and how that is explained."""

from __future__ import annotations

import asyncio
import io
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.integration.envoys import ENVOY_CACHE
from tests.modules.assembler import Call, Function, Import, call, number, plugin, proxy_log
from tests.modules.failing import (
    BOTH,
    CASES,
    LOG,
    NEWEST,
    OLDEST,
    ON_REQUEST,
    REASON,
    SET_TICK,
    TICK,
)
from wasmctl.console import Console
from wasmctl.envoy.bootstrap import Listener, WasmPlugin
from wasmctl.envoy.envoy import Envoy
from wasmctl.envoy.find import find_envoy
from wasmctl.envoy.proxy import Rejected, running
from wasmctl.hosts.explanations import Explanation, explain
from wasmctl.hosts.traps import find_trap
from wasmctl.session import Session
from wasmctl.wire.client import exchange
from wasmctl.wire.messages import Request

pytestmark = pytest.mark.envoy


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
    _, messages = newest(module, capabilities=("proxy_on_request_headers", "proxy_log"))
    assert explain(messages) is None


def test_a_call_that_is_restricted_at_the_start_is_allowed_in_on_configure(
    newest: Watcher,
) -> None:
    on_configure = Function("proxy_on_configure", "i32 i32 -> i32", [*SET_TICK, number(1)])
    loaded, messages = newest(plugin(imports=[TICK], functions=[on_configure]))
    assert loaded
    assert explain(messages) is None


def test_the_route_cache_is_cleared_by_the_foreign_function(newest: Watcher) -> None:
    name = "clear_route_cache"
    foreign = Import("env", "proxy_call_foreign_function", "i32 i32 i32 i32 i32 i32 -> i32")
    arguments = [number(value) for value in (0, len(name), 0, 0, 1024, 1028)]
    # The status is the action: 0 lets the request go on, anything else would pause it.
    body: list[bytes | Call] = [*arguments, call("proxy_call_foreign_function")]
    function = Function("proxy_on_request_headers", ON_REQUEST, body)
    loaded, messages = newest(plugin(imports=[foreign], functions=[function], text=name))
    assert loaded
    assert explain(messages) is None


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
def test_of_a_go_panic_an_old_envoy_leaves_the_place_only(
    watchers: dict[str, Watcher], go_module: Path
) -> None:
    explanation = watchers[OLDEST].explained(go_module)
    assert explanation is not None
    assert explanation.id == "trap-go-panic-lost"
    assert "(`example.com/panics/main.go:50`)" in explanation.message
    assert "run it in Envoy 1.39" in explanation.hint


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
