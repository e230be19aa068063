"""The same sources give the same bytes: in any folder, under any home, whatever else lies there."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.integration.builds import Builder, scaffold, write
from wasmctl.toolchain.module import BuildRequest

# In a folder of its own depth and name, whose length shows where a path slips in.
PLACES = ("a", "much/deeper/and longer")


def move_cargo_home(env: dict[str, str], home: Path) -> None:
    """Give a build a CARGO_HOME of its own, with the registry that is there."""
    shutil.copytree(Path(env["CARGO_HOME"], "registry"), home / "registry")
    env["CARGO_HOME"] = str(home)


def move_go_home(env: dict[str, str], home: Path) -> None:
    """Give a build a home and a module cache of its own, filled from the one that is there."""
    fetched = Path(env["GOPATH"], "pkg/mod/cache/download")
    env |= {
        "GOPROXY": f"file://{fetched}",
        "GOSUMDB": "off",
        "GOFLAGS": "-modcacherw",
        "GOPATH": str(home / "go"),
        "HOME": str(home),
        "XDG_CACHE_HOME": str(home / "cache"),
    }


def cargo_modules(
    user_env: dict[str, str], tmp_path: Path, files: dict[str, str], request: BuildRequest
) -> list[bytes]:
    modules = []
    for place in PLACES:
        build = Builder(user_env)
        move_cargo_home(build.env, tmp_path / place / "cargo")
        project = scaffold(tmp_path / place / "plug-in", "cargo")
        for name, text in files.items():
            old = (project / name).read_text() if (project / name).exists() else ""
            # An exported name of one's own counts as unsafe.
            old = old.replace("#![forbid(unsafe_code)]\n", "")
            write(project, {name: old + text})
        module = build(project, "cargo", request, package="header-auth")
        modules.append(module.path.read_bytes())
        assert "cargo clean" not in build.talk
    return modules


@pytest.mark.cargo
def test_cargo(user_env: dict[str, str], tmp_path: Path) -> None:
    first, second = cargo_modules(user_env, tmp_path, {}, BuildRequest())
    assert first == second
    assert str(tmp_path).encode() not in first
    # The messages of panics still name the crate.
    assert b"~/.cargo/registry/src/" in first


@pytest.mark.cargo
def test_cargo_with_rustflags_a_build_script_and_debugging(
    user_env: dict[str, str], tmp_path: Path
) -> None:
    code = """
mod generated {
    include!(concat!(env!("OUT_DIR"), "/generated.rs"));
}

#[no_mangle]
pub extern "C" fn generated(number: usize) -> u8 {
    generated::pick(number)
}
"""
    script = """
fn main() {
    let file = std::env::var("OUT_DIR").unwrap() + "/generated.rs";
    let code = "pub fn pick(number: usize) -> u8 { [1u8, 2].get(number).copied().unwrap() }";
    std::fs::write(file, code).unwrap();
}
"""
    files = {
        ".cargo/config.toml": '[build]\nrustflags = ["-C", "target-feature=+simd128"]\n',
        "build.rs": script,
        "src/lib.rs": code,
        "Cargo.toml": '\n[profile.debugged]\ninherits = "release"\ndebug = true\nstrip = false\n',
    }
    request = BuildRequest(args=("--profile", "debugged"))
    first, second = cargo_modules(user_env, tmp_path, files, request)
    assert first == second
    assert b".debug_info" not in first
    assert str(tmp_path).encode() not in first
    first, second = (
        (tmp_path / place / "plug-in/dist/plugin.debug.wasm").read_bytes() for place in PLACES
    )
    assert first == second
    assert b".debug_info" in first
    assert str(tmp_path).encode() not in first


@pytest.mark.old_rust
def test_cargo_of_before_the_target_was_renamed(user_env: dict[str, str], tmp_path: Path) -> None:
    user_env["RUSTUP_TOOLCHAIN"] = "1.77.2"
    first, second = cargo_modules(user_env, tmp_path, {}, BuildRequest(target="wasm32-wasi"))
    assert first == second
    assert str(tmp_path).encode() not in first


@pytest.mark.cargo
def test_a_target_folder_elsewhere_changes_nothing(
    user_env: dict[str, str], tmp_path: Path
) -> None:
    project = scaffold(tmp_path / "auth", "cargo")
    build = Builder(user_env)
    first = build(project, "cargo", package="header-auth")
    build.env["CARGO_TARGET_DIR"] = str(tmp_path / "elsewhere")
    second = build(project, "cargo", package="header-auth")
    assert (second.fresh, second.sha256) == (False, first.sha256)


@pytest.mark.go
def test_go(user_env: dict[str, str], tmp_path: Path) -> None:
    modules = []
    for place in PLACES:
        build = Builder(user_env)
        cache = build.env["GOCACHE"]
        move_go_home(build.env, tmp_path / place / "home")
        build.env["GOCACHE"] = cache  # its keys tell places apart; a cold one takes a while
        project = scaffold(tmp_path / place / "plug-in", "go")
        modules.append(build(project, "go").path.read_bytes())
    assert modules[0] == modules[1]
    assert str(tmp_path).encode() not in modules[0]


@pytest.mark.tinygo
@pytest.mark.parametrize("version", ["0.31.2", "0.39.0"])
def test_tinygo(user_env: dict[str, str], tmp_path: Path, version: str) -> None:
    modules = []
    for place in PLACES:
        build = Builder(user_env)
        build.env["WASMCTL_TINYGO"] = f"/opt/tinygo-{version}/bin/tinygo"
        move_go_home(build.env, tmp_path / place / "home")
        project = scaffold(tmp_path / place / "plug-in", "tinygo", tinygo=version)
        modules.append(build(project, "tinygo").path.read_bytes())
    assert modules[0] == modules[1]
    assert str(tmp_path).encode() not in modules[0]
    assert b"/opt/" not in modules[0]
