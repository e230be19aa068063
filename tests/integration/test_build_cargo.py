"""Builds with cargo: targets, toolchains, configuration and what goes wrong. Real compilers."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.integration.builds import Builder, scaffold, small_crate, write
from wasmctl.errors import ToolFailed, ToolMissing, Unreadable, UsageError
from wasmctl.project.record import read_record
from wasmctl.project.settings import BuildSettings
from wasmctl.toolchain.module import BuildRequest
from wasmctl.toolchain.sections import without_debug_sections

pytestmark = pytest.mark.cargo

STABLE = BuildRequest(target="wasm32-wasip1")


@pytest.fixture
def build(user_env: dict[str, str]) -> Builder:
    return Builder(user_env)


def cargo(folder: Path, env: dict[str, str], *arguments: str) -> str:
    """Run the user's own cargo; return its talk."""
    argv = ["cargo", "build", *arguments]
    done = subprocess.run(argv, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stderr


def exports(module: Path, name: str) -> bool:
    return name.encode() in module.read_bytes()


def test_a_scaffolded_plug_in_is_built_recorded_and_then_fresh(
    build: Builder, tmp_path: Path
) -> None:
    project = scaffold(tmp_path / "auth", "cargo")
    first = build(project, "cargo", BuildRequest(locked=True), package="header-auth")
    assert first.path == project / "dist/plugin.wasm"
    assert first.path.read_bytes().startswith(b"\0asm\1\0\0\0")
    assert (first.target, first.fresh) == ("wasm32-wasip1", False)
    assert (project / "dist/.gitignore").read_text() == "*\n"
    assert read_record(project / "dist")["module"] == {
        "sha256": first.sha256,
        "size": first.size,
        "toolchain": "cargo",
        "target": "wasm32-wasip1",
        "tools": dict(first.tools),
    }
    assert first.tools["rustc"].startswith("1.")
    written = first.path.stat().st_mtime_ns
    twin = project / "dist/plugin.debug.wasm"
    assert without_debug_sections(twin.read_bytes()) == first.path.read_bytes() != twin.read_bytes()
    twin.unlink()

    second = build(project, "cargo", package="header-auth")
    assert second.fresh
    assert (second.sha256, second.tools) == (first.sha256, first.tools)
    assert second.path.stat().st_mtime_ns == written
    assert twin.exists()

    # What we compiled is what the user's own cargo takes, and the other way round.
    own = cargo(project, build.env, "--release", "--target", "wasm32-wasip1", "-v")
    assert "Compiling" not in own
    assert own.count("Fresh") >= 5
    (project / "src/lib.rs").write_text((project / "src/lib.rs").read_text() + "// more\n")
    cargo(project, build.env, "--release", "--target", "wasm32-wasip1")
    assert build(project, "cargo", package="header-auth").fresh


def test_a_plug_in_that_the_user_s_cargo_compiled_is_not_compiled_again(
    build: Builder, tmp_path: Path
) -> None:
    project = scaffold(tmp_path / "auth", "cargo")
    cargo(project, build.env, "--release", "--target", "wasm32-wasip1")
    assert build(project, "cargo", package="header-auth").fresh


@pytest.mark.parametrize("edited", [True, False])
def test_a_module_that_names_this_machine_s_folders_is_told_of_with_a_remedy_that_works(
    build: Builder, tmp_path: Path, *, edited: bool
) -> None:
    home = tmp_path / "home"
    shutil.copytree(Path(build.env["CARGO_HOME"], "registry"), home / "registry")
    build.env["CARGO_HOME"] = str(home)
    project = scaffold(tmp_path / "auth", "cargo")
    clean = build(project, "cargo", package="header-auth").path.read_bytes()
    shutil.rmtree(project / "target")
    cargo(project, build.env, "--release", "--target", "wasm32-wasip1", "--offline")
    source = (project / "src/lib.rs").read_text()
    if edited:
        (project / "src/lib.rs").write_text(f"{source}\npub fn a() {{}}\n")
    module = build(project, "cargo", package="header-auth")
    assert module.fresh is not edited
    assert str(home / "registry/src").encode() in module.path.read_bytes()
    assert "run `cargo clean` once" in build.talk
    # What is recorded has been told of.
    build(project, "cargo", package="header-auth")
    assert "cargo clean" not in build.talk

    (project / "src/lib.rs").write_text(source)
    subprocess.run(["cargo", "clean"], cwd=project, env=build.env, capture_output=True, check=True)
    assert build(project, "cargo", package="header-auth").path.read_bytes() == clean
    assert "cargo clean" not in build.talk


def test_unknown_unknown(build: Builder, tmp_path: Path) -> None:
    project = small_crate(tmp_path / "small")
    module = build(project, "cargo", BuildRequest(target="wasm32-unknown-unknown"))
    assert module.target == "wasm32-unknown-unknown"
    assert exports(module.path, "proxy_abi_version_0_2_1")


def test_the_settings_target_is_taken_and_the_flag_wins(build: Builder, tmp_path: Path) -> None:
    project = small_crate(tmp_path / "small")
    settings = BuildSettings(target="wasm32-unknown-unknown")
    assert build(project, "cargo", build=settings).target == "wasm32-unknown-unknown"
    assert build(project, "cargo", STABLE, build=settings).target == "wasm32-wasip1"


def test_the_user_s_own_default_target_is_taken(build: Builder, tmp_path: Path) -> None:
    project = small_crate(tmp_path / "small")
    config = '[build]\ntarget = "wasm32-unknown-unknown"\n'
    write(project, {".cargo/config.toml": config})
    assert build(project, "cargo").target == "wasm32-unknown-unknown"
    build.env["CARGO_BUILD_TARGET"] = "wasm32-wasip1"
    assert build(project, "cargo").target == "wasm32-wasip1"
    build.env["CARGO_BUILD_TARGET"] = "x86_64-unknown-linux-gnu"
    assert build(project, "cargo").target == "wasm32-wasip1"


def test_wasm32_wasi_is_wasip1_where_it_was_renamed(build: Builder, tmp_path: Path) -> None:
    project = small_crate(tmp_path / "small")
    module = build(project, "cargo", BuildRequest(target="wasm32-wasi"))
    assert module.target == "wasm32-wasip1"
    assert build.talk.count("is called `wasm32-wasip1` in this Rust") == 1


@pytest.mark.old_rust
def test_wasm32_wasi_is_itself_where_rustc_knows_it(build: Builder, tmp_path: Path) -> None:
    build.env["RUSTUP_TOOLCHAIN"] = "1.77.2"
    project = small_crate(tmp_path / "small")
    for request in (BuildRequest(target="wasm32-wasi"), BuildRequest()):
        module = build(project, "cargo", request)
        assert module.target == "wasm32-wasi"
        assert module.tools == {"rustc": "1.77.2"}
    assert "is called" not in build.talk


@pytest.mark.old_rust
def test_wasip1_is_wasi_where_it_was_not_yet_renamed(build: Builder, tmp_path: Path) -> None:
    build.env["RUSTUP_TOOLCHAIN"] = "1.77.2"
    module = build(small_crate(tmp_path / "small"), "cargo", STABLE)
    assert module.target == "wasm32-wasi"
    assert build.talk.count("`wasm32-wasip1` is called `wasm32-wasi` in this Rust") == 1


@pytest.mark.old_rust
def test_a_lock_file_too_new_for_a_pinned_cargo(build: Builder, tmp_path: Path) -> None:
    project = small_crate(tmp_path / "small")
    pin = "rust-toolchain.toml"
    write(project, {pin: '[toolchain]\nchannel = "1.77.2"\n'})
    lock = 'version = 4\n\n[[package]]\nname = "small"\nversion = "0.1.0"\n'
    write(project, {"Cargo.lock": lock})
    with pytest.raises(ToolFailed, match=r"cargo of `1\.77\.2") as caught:
        build(project, "cargo")
    assert f"{project}/{pin}" in caught.value.message
    assert caught.value.hint == "write `version = 3` into Cargo.lock"
    # As the hint says, it works.
    write(project, {"Cargo.lock": lock.replace("4", "3")})
    assert build(project, "cargo").target == "wasm32-wasi"


@pytest.fixture
def toolchains(build: Builder, tmp_path: Path) -> Path:
    """A rustup with the machine's toolchains, but a default that has no wasm target at all."""
    real = Path(build.env["RUSTUP_HOME"])
    home = tmp_path / "rustup"
    (home / "toolchains").mkdir(parents=True)
    for path in (real / "toolchains").iterdir():
        (home / "toolchains" / path.name).symlink_to(path.resolve())
    sysroot = subprocess.run(
        ["rustc", "--print", "sysroot"], capture_output=True, text=True, check=True
    ).stdout.strip()
    bare = home / "toolchains/beta-bare"
    (bare / "lib/rustlib").mkdir(parents=True)
    (bare / "bin").symlink_to(Path(sysroot, "bin"))
    for path in Path(sysroot, "lib").iterdir():
        if path.name != "rustlib":
            (bare / "lib" / path.name).symlink_to(path)
    (bare / "lib/rustlib/etc").symlink_to(Path(sysroot, "lib/rustlib/etc"))
    (home / "settings.toml").write_text('version = "12"\ndefault_toolchain = "beta-bare"\n')
    build.env["RUSTUP_HOME"] = str(home)
    build.env["RUSTUP_AUTO_INSTALL"] = "0"
    return home


@pytest.mark.usefixtures("toolchains")
def test_an_installed_toolchain_with_the_target_stands_in_for_the_default(
    build: Builder, tmp_path: Path
) -> None:
    module = build(small_crate(tmp_path / "small"), "cargo")
    assert module.target == "wasm32-wasip1"
    assert "`beta-bare` has no `wasm32-wasip1`; using `stable-" in build.talk


@pytest.mark.usefixtures("toolchains")
@pytest.mark.parametrize("how", ["file", "toml", "variable"])
def test_a_chosen_toolchain_is_never_overridden(build: Builder, tmp_path: Path, how: str) -> None:
    project = small_crate(tmp_path / "small")
    if how == "file":
        write(project, {"rust-toolchain": "beta-bare\n"})
    elif how == "toml":
        write(project, {"rust-toolchain.toml": '[toolchain]\nchannel = "beta-bare"\n'})
    else:
        build.env["RUSTUP_TOOLCHAIN"] = "beta-bare"
    with pytest.raises(ToolMissing) as caught:
        build(project, "cargo")
    assert caught.value.code == "no-target"
    assert caught.value.hint == "`rustup target add wasm32-wasip1 --toolchain beta-bare`"


@pytest.mark.usefixtures("toolchains")
def test_a_toolchain_that_is_not_installed(build: Builder, tmp_path: Path) -> None:
    project = write(small_crate(tmp_path / "small"), {"rust-toolchain": "1.61.0\n"})
    with pytest.raises(ToolMissing, match=r"1\.61\.0") as caught:
        build(project, "cargo")
    assert "rustup toolchain install 1.61.0" in (caught.value.hint or "")


def test_in_a_workspace_with_a_renamed_library_and_a_target_folder_elsewhere(
    build: Builder, tmp_path: Path
) -> None:
    root = write(
        tmp_path / "work", {"Cargo.toml": '[workspace]\nmembers = ["*/"]\nresolver = "2"\n'}
    )
    small_crate(root / "one", name="one", more='name = "renamed"\n')
    small_crate(root / "two", name="two", code='#[no_mangle]\npub extern "C" fn second() {}\n')
    build.env["CARGO_TARGET_DIR"] = str(tmp_path / "elsewhere")
    one = build(root / "one", "cargo", package="one")
    two = build(root / "two", "cargo", package="two")
    assert (tmp_path / "elsewhere/wasm32-wasip1/release/renamed.wasm").is_file()
    assert not exports(one.path, "second")
    assert exports(two.path, "second")


def test_rustflags_of_the_user_hold(build: Builder, tmp_path: Path) -> None:
    code = '#[cfg(marked)]\n#[no_mangle]\npub extern "C" fn marked() {}\n'
    project = small_crate(tmp_path / "small", code=code)
    write(project, {".cargo/config.toml": '[build]\nrustflags = ["--cfg=marked"]\n'})
    assert exports(build(project, "cargo").path, "marked")
    (project / ".cargo/config.toml").unlink()
    assert not exports(build(project, "cargo").path, "marked")
    build.env["RUSTFLAGS"] = "--cfg=marked"
    assert exports(build(project, "cargo").path, "marked")


@pytest.mark.parametrize("how", ["variable", "configuration"])
def test_a_rustc_wrapper_of_the_user_is_run(build: Builder, tmp_path: Path, how: str) -> None:
    project = small_crate(tmp_path / "small")
    script = f'#!/bin/sh\necho "$1" >> {tmp_path}/log\nexec "$@"\n'
    write(project, {"tools/wrap": script})
    (project / "tools/wrap").chmod(0o755)
    if how == "variable":
        build.env["RUSTC_WRAPPER"] = str(project / "tools/wrap")
    else:
        write(project, {".cargo/config.toml": '[build]\nrustc-wrapper = "tools/wrap"\n'})
    build(project, "cargo")
    assert "rustc" in (tmp_path / "log").read_text()


@pytest.mark.parametrize("how", ["variable", "bare name", "configuration"])
def test_a_wrapper_that_is_not_there_is_told_and_nothing_of_it_stays(
    build: Builder, tmp_path: Path, how: str
) -> None:
    project = small_crate(tmp_path / "small")
    before = dict(build.env)
    if how == "configuration":
        write(project, {".cargo/config.toml": '[build]\nrustc-wrapper = "tools/wrap"\n'})
    else:
        build.env["RUSTC_WRAPPER"] = "no-such-wrapper" if how == "bare name" else "/none/sccache"
    with pytest.raises(ToolMissing, match="which is no program") as caught:
        build(project, "cargo")
    assert caught.value.code == "no-rustc-wrapper"
    name = "build.rustc-wrapper" if how == "configuration" else "RUSTC_WRAPPER"
    assert f"`{name}`" in caught.value.message
    build.env = before
    shutil.rmtree(project / ".cargo", ignore_errors=True)
    assert build(project, "cargo").path.is_file()


def test_a_wrapper_that_fails_leaves_nothing_that_cargo_remembers(
    build: Builder, tmp_path: Path
) -> None:
    project = small_crate(tmp_path / "small")
    script = write(tmp_path, {"wrap": "#!/bin/sh\necho 'wrap is broken' >&2\nexit 1\n"}) / "wrap"
    script.chmod(0o755)
    build.env["RUSTC_WRAPPER"] = str(script)
    with pytest.raises(ToolFailed) as caught:
        build(project, "cargo")
    assert "wrap is broken" in caught.value.output
    del build.env["RUSTC_WRAPPER"]
    assert build(project, "cargo").path.is_file()


def test_a_workspace_wrapper_of_the_user_is_run_inside_ours(build: Builder, tmp_path: Path) -> None:
    project = small_crate(tmp_path / "small")
    script = f'#!/bin/sh\necho "$1 $2" >> {tmp_path}/log\nexec "$@"\n'
    write(tmp_path, {"wrap": script})
    (tmp_path / "wrap").chmod(0o755)
    build.env["RUSTC_WORKSPACE_WRAPPER"] = str(tmp_path / "wrap")
    build(project, "cargo")
    assert "rustc --remap-path-" in (tmp_path / "log").read_text()


def test_arguments_profile_and_environment_are_passed_on(build: Builder, tmp_path: Path) -> None:
    code = '#[cfg(feature = "more")]\n#[no_mangle]\npub extern "C" fn more() {}\n'
    code += '#[no_mangle]\npub extern "C" fn mark() -> *const u8 { env!("MARK").as_ptr() }\n'
    features = '\n[features]\nmore = []\n\n[profile.small]\ninherits = "release"\nopt-level = "s"\n'
    project = small_crate(tmp_path / "small", more=features, code=code)
    settings = BuildSettings(profile="small", env={"MARK": "a-mark-of-ours"})
    module = build(project, "cargo", BuildRequest(args=("--features", "more")), build=settings)
    assert (project / "target/wasm32-wasip1/small/small.wasm").is_file()
    assert exports(module.path, "more")
    assert exports(module.path, "a-mark-of-ours")


@pytest.mark.parametrize("name", ["with space", "quote'\"s", "$(touch x)`ü;&", "-dash", "[glob]*?"])
def test_odd_folder_names(build: Builder, tmp_path: Path, name: str) -> None:
    project = small_crate(tmp_path / name, name="small")
    assert build(project, "cargo").path == project / "dist/plugin.wasm"
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_no_cargo(build: Builder, tmp_path: Path) -> None:
    build.env |= {"PATH": str(tmp_path), "CARGO_HOME": str(tmp_path)}
    with pytest.raises(ToolMissing) as caught:
        build(small_crate(tmp_path / "small"), "cargo")
    assert caught.value.code == "no-cargo"


def test_from_a_shell_that_knows_nothing_cargo_is_found(build: Builder, tmp_path: Path) -> None:
    build.env["PATH"] = "/usr/bin:/bin"
    if shutil.which("cargo", path=build.env["PATH"]):
        pytest.skip("cargo is one of the system's programs")
    assert build(small_crate(tmp_path / "small"), "cargo").target == "wasm32-wasip1"
    assert "its installer's folder" in build.talk


def test_a_compile_error_is_told_in_the_compiler_s_words(build: Builder, tmp_path: Path) -> None:
    project = small_crate(tmp_path / "small")
    good = build(project, "cargo", package="small")
    (project / "src/lib.rs").write_text("fn broken() -> u32 { nothing_of_that_name }\n")
    with pytest.raises(ToolFailed, match="cargo could not compile `small`") as caught:
        build(project, "cargo", package="small")
    assert "cannot find value `nothing_of_that_name`" in caught.value.output
    assert "src/lib.rs:1:22" in caught.value.output
    assert caught.value.code == "compile-failed"
    assert good.path.exists()


MISUSE = """
mod generated {
    include!(concat!(env!("OUT_DIR"), "/generated.rs"));
}

pub fn misuse() {
    proxy_wasm::set_log_level(3);
}
"""
SCRIPT = """
fn main() {
    let file = std::env::var("OUT_DIR").unwrap() + "/generated.rs";
    std::fs::write(file, "pub fn unused() { let nothing = 1; }").unwrap();
}
"""


@pytest.mark.parametrize(
    "toolchain", ["stable", pytest.param("1.77.2", marks=pytest.mark.old_rust)]
)
def test_the_compiler_s_words_name_files_that_are_there(
    build: Builder, tmp_path: Path, toolchain: str
) -> None:
    build.env["RUSTUP_TOOLCHAIN"] = toolchain
    project = scaffold(tmp_path / "auth", "cargo")
    source = project / "src/lib.rs"
    source.write_text(source.read_text() + MISUSE)
    write(project, {"build.rs": SCRIPT})
    with pytest.raises(ToolFailed) as caught:
        build(project, "cargo", package="header-auth")
    named = re.findall(r"^ *(?:-->|:::) (.+?):\d+:\d+$", caught.value.output, re.MULTILINE)
    home = build.env["CARGO_HOME"]
    files = [Path(project, name.replace("~/.cargo", home, 1)) for name in named]
    assert [path for path in files if not path.is_file()] == []
    assert any(path.is_relative_to(home) for path in files)
    assert toolchain != "stable" or "~/" not in "".join(named)


def test_an_error_in_a_dependency_is_not_blamed_on_the_user(build: Builder, tmp_path: Path) -> None:
    small_crate(
        tmp_path / "other", name="other", more='crate-type = ["lib"]\n', code="broken!();\n"
    )
    project = small_crate(
        tmp_path / "small", more='\n[dependencies]\nother = { path = "../other" }\n'
    )
    with pytest.raises(ToolFailed, match="could not compile `other`, a dependency"):
        build(project, "cargo", package="small")


def test_a_manifest_that_cargo_refuses(build: Builder, tmp_path: Path) -> None:
    project = small_crate(tmp_path / "small", more='\n[dependencies]\nlog = { path = "nowhere" }\n')
    with pytest.raises(ToolFailed, match="cargo failed") as caught:
        build(project, "cargo", package="small")
    assert "nowhere" in caught.value.output


@pytest.mark.parametrize("kinds", ['crate-type = ["rlib"]\n', "crate-type = []\n"])
def test_no_cdylib_offers_the_two_lines(build: Builder, tmp_path: Path, kinds: str) -> None:
    project = small_crate(tmp_path / "small", more=kinds)
    with pytest.raises(UsageError, match="makes no cdylib") as caught:
        build(project, "cargo", package="small")
    assert (caught.value.hint or "").endswith('[lib]\ncrate-type = ["cdylib"]')
    assert not (project / "target").exists()


def test_a_cdylib_that_went_away_is_missed_after_the_build(build: Builder, tmp_path: Path) -> None:
    project = small_crate(tmp_path / "small")
    build(project, "cargo")
    small_crate(project, more='crate-type = ["rlib"]\n')
    with pytest.raises(UsageError, match="makes no cdylib"):
        build(project, "cargo")


def test_a_stale_lock_file_with_locked(build: Builder, tmp_path: Path) -> None:
    project = small_crate(tmp_path / "small")
    build(project, "cargo")
    (project / "Cargo.lock").unlink()
    with pytest.raises(ToolFailed) as caught:
        build(project, "cargo", BuildRequest(locked=True))
    assert "--locked" in caught.value.output
    assert "`--locked`" in (caught.value.hint or "")


def test_a_module_that_is_no_plug_in_is_warned_of(build: Builder, tmp_path: Path) -> None:
    project = small_crate(tmp_path / "small")
    build(project, "cargo")
    assert "warning" not in build.talk
    (project / "src/lib.rs").write_text('#[no_mangle]\npub extern "C" fn other() {}\n')
    for _ in range(2):
        build(project, "cargo")
        assert "warning: no proxy will load this module" in build.talk
        assert "`cargo add proxy-wasm`" in build.talk


def test_a_target_that_no_proxy_loads(build: Builder, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no target that a proxy could load"):
        build(small_crate(tmp_path / "small"), "cargo", BuildRequest(target="aarch64-apple-darwin"))


@pytest.mark.parametrize(
    ("target", "hint"),
    [
        ("wasm32-foo", "use `wasm32-wasip1` or `wasm32-unknown-unknown`"),
        ("wasm32-wasip2", "use `wasm32-wasip1`"),
    ],
)
def test_a_wasm_target_that_no_proxy_loads(
    build: Builder, tmp_path: Path, target: str, hint: str
) -> None:
    with pytest.raises(UsageError) as caught:
        build(small_crate(tmp_path / "small"), "cargo", BuildRequest(target=target))
    assert (caught.value.code, caught.value.hint) == ("bad-target", hint)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("no wasm at all", "no WebAssembly module"),
        (r"\000asm\015\000\001\000", "a WebAssembly component"),
        ("", "no WebAssembly module"),
    ],
)
def test_what_is_no_module_is_not_put_in_place(
    build: Builder, tmp_path: Path, content: str, told: str
) -> None:
    project = small_crate(tmp_path / "small")
    good = build(project, "cargo").path.read_bytes()
    linker = f'#!/bin/sh\nwhile [ "$1" != -o ]; do shift; done\nprintf \'{content}\' > "$2"\n'
    write(tmp_path, {"linker": linker})
    (tmp_path / "linker").chmod(0o755)
    build.env["RUSTFLAGS"] = f"-C linker={tmp_path}/linker -C linker-flavor=gcc"
    with pytest.raises(Unreadable, match=told):
        build(project, "cargo")
    assert (project / "dist/plugin.wasm").read_bytes() == good
    assert not [path for path in (project / "dist").iterdir() if path.name.startswith(".plugin")]
