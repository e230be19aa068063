"""Cargo package → module.

The command is the user's own, `cargo build --release --target T`, and shares every compiled
artefact with it, both ways: whatever is added must not enter cargo's fingerprints. For modules that
are the same on every machine something has to be added, `--remap-path-prefix` for the folders that
rustc writes into the panic messages of dependencies. As rustflags, wherever they are given, it
would make cargo compile all dependencies a second time beside the user's, and the plug-in itself
again at each change between the two commands (seen with 1.77 and 1.95). A rustc wrapper is in no
fingerprint, so one adds the mappings: `rustc-wrapper.sh`, given through cargo's configuration,
`build.rustc-wrapper`. A wrapper of the user's own (sccache) is run inside it.

What another `cargo build` compiled before us is taken as it is, and names the folders of this
machine. That is said, with the remedy: `cargo clean` once. Path dependencies outside the workspace
are beyond reach: cargo mixes their absolute paths into the names of symbols.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wasmctl.errors import ToolFailed, ToolMissing, UsageError, WasmctlError
from wasmctl.process import follow
from wasmctl.programs import find_program
from wasmctl.toolchain.cargo_config import (
    CargoConfig,
    cargo_home,
    read_cargo_config,
    workspace_root,
)
from wasmctl.toolchain.failures import hint_for, plain
from wasmctl.toolchain.job import Compiled, Job, command_line
from wasmctl.toolchain.rust import ask_rust, choose_target, rustc_version
from wasmctl.toolchain.sections import without_debug_sections
from wasmctl.toolchain.tools import Tool, environment_with, find_tool

if TYPE_CHECKING:
    from wasmctl.process import Completed
    from wasmctl.results import JSONValue

__all__ = ["compile_with_cargo"]

_WRAPPER: Final = Path(__file__).with_name("rustc-wrapper.sh")
# Of a cargo before 1.78: https://doc.rust-lang.org/cargo/CHANGELOG.html
_TOO_NEW_LOCK: Final = r"lock file version `?4`? (?:was found|requires)"
_CDYLIB_HINT: Final = 'add these two lines to its Cargo.toml:\n[lib]\ncrate-type = ["cdylib"]'
# What cargo, rustc or rustup say → what to do.
_HINTS: Final[Mapping[str, str]] = {
    r"`(wasm32-[\w-]+)` target may not be installed": "`rustup target add {0}`",
    r"because --locked was passed|needs to be updated but --locked": (
        "build once without `--locked`"
    ),
    r"feature `edition2024` is required|requires rustc [\d.]+ or newer": (
        "`rustup update`, or ask for an older release of that dependency in Cargo.toml"
    ),
    r"(?i)no space left on device": "make room on the disk, or set `CARGO_TARGET_DIR` elsewhere",
    r"(?i)permission denied|read-only file system": (
        "make the folder writable, or set `CARGO_TARGET_DIR` to one that is"
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cargo:
    """A cargo made ready for one project: its command, and the environment it runs in."""

    tool: Tool
    config: CargoConfig
    env: dict[str, str]
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Artefact:
    """The plug-in among what cargo made: its file, and whether it had been made before."""

    path: Path
    fresh: bool


def compile_with_cargo(job: Job) -> Compiled:
    """Compile a Cargo package with a cdylib.

    Raises:
        ToolMissing: no cargo, no toolchain, or none that has the target.
        ToolFailed: cargo failed.
        UsageError: the package makes no cdylib, or the target is none of WebAssembly.
    """
    if not job.record:
        _require_cdylib(job)
    cargo = _prepare(job)
    argv = [str(cargo.tool.path), *_arguments(job, cargo)]
    job.session.console.detail(command_line(argv))
    done = follow(
        argv,
        env=cargo.env,
        cwd=job.project.folder,
        live=job.live,
        stdin_terminal=job.asks,
        stdout_apart=True,
    )
    if done.exit_code != 0:
        raise _failure(job, cargo, done)
    artefact = next(_artefacts(job, done.stdout), None)
    if artefact is None:
        raise _no_cdylib(job)
    module = _shipped(job, artefact.path)
    debug = None if module == artefact.path else artefact.path
    if artefact.fresh and job.recorded_tools and job.is_recorded(module):
        tools = job.recorded_tools
        return Compiled(path=job.place, target=cargo.target, fresh=True, tools=tools, debug=debug)
    _tell_machine_folders(job, cargo, module)
    version = rustc_version(cargo.tool, cargo.config.rustc, job.project.folder, cargo.env)
    return Compiled(
        path=module,
        target=cargo.target,
        fresh=artefact.fresh,
        tools={} if version is None else {"rustc": version},
        debug=debug,
    )


def _shipped(job: Job, artefact: Path) -> Path:
    """Return the module to ship: cargo's own file, or where that has DWARF, a copy without."""
    content = artefact.read_bytes()
    stripped = without_debug_sections(content)
    if len(stripped) == len(content):
        return artefact
    path = job.scratch / "plugin.wasm"
    path.write_bytes(stripped)
    return path


def _prepare(job: Job) -> _Cargo:
    """Find cargo, and settle target and toolchain."""
    folder = job.project.folder
    configured = job.project.settings.build.tool
    tool = find_tool("cargo", job.session, configured=configured, folder=folder)
    env = environment_with(job.env, tool)
    config = read_cargo_config(folder, env)
    users_own = config.target if (config.target or "").startswith("wasm") else None
    wanted = _option(job.args, "--target") or job.target or users_own
    # A target file of one's own, or a standard library compiled on the way: nothing to look up.
    if "build-std" in " ".join(job.args):
        wanted = wanted or "wasm32-wasip1"
    elif wanted is None or not wanted.endswith(".json"):
        rust = ask_rust(tool, config.rustc, folder, env)
        choice = choose_target(wanted, rust, lambda: rustc_version(tool, config.rustc, folder, env))
        if choice.note is not None:
            job.session.console.say(choice.note)
        if choice.toolchain is not None:
            env["RUSTUP_TOOLCHAIN"] = choice.toolchain
        wanted = choice.target
    job.session.console.detail(f"target: {wanted}")
    return _Cargo(tool=tool, config=config, env=env, target=wanted)


def _arguments(job: Job, cargo: _Cargo) -> list[str]:
    """Return cargo's arguments; what the user passes on replaces ours."""
    args = list(job.args)
    words = ["build"]
    if not {"--release", "-r"} & {*args} and _option(args, "--profile") is None:
        profile = job.project.settings.build.profile or "release"
        words += ["--release"] if profile == "release" else ["--profile", profile]
    if _option(args, "--target") is None:
        words += ["--target", cargo.target]
    package = job.request.package or job.project.package
    if package is not None and _option(args, "--package", "-p") is None:
        words += ["--package", package]
    if job.request.locked:
        words.append("--locked")
    words.append("--message-format=json-render-diagnostics")
    return [*words, *_wrapping(job, cargo), *args]


def _wrapping(job: Job, cargo: _Cargo) -> list[str]:
    """Return the arguments that make cargo run rustc through our wrapper; set its variables."""
    if any("rustc-wrapper" in arg for arg in job.args) or not os.access(_WRAPPER, os.X_OK):
        return []
    _require_users_wrapper(job, cargo)
    root = workspace_root(job.project.folder)
    results = _option(job.args, "--target-dir") or cargo.config.target_folder or root / "target"
    cargo.env["WASMCTL_SCRATCH"] = str(job.scratch)
    cargo.env["WASMCTL_PROJECT_FOLDER"] = str(root)
    cargo.env["WASMCTL_TARGET_FOLDER"] = str(job.project.folder / results)
    cargo.env["WASMCTL_CARGO_HOME"] = str(cargo_home(cargo.env))
    # The variables win over the configuration, so the user's own wrapper moves into ours.
    cargo.env.pop("RUSTC_WRAPPER", None)
    cargo.env.pop("CARGO_BUILD_RUSTC_WRAPPER", None)
    cargo.env["WASMCTL_RUSTC_WRAPPER"] = cargo.config.rustc_wrapper or ""
    return ["--config", f"build.rustc-wrapper={json.dumps(str(_WRAPPER))}"]


def _require_users_wrapper(job: Job, cargo: _Cargo) -> None:
    """Refuse a wrapper of the user's that cannot run: cargo itself would speak of ours."""
    wrapper = cargo.config.rustc_wrapper
    if wrapper is None:
        return
    place = job.project.folder / wrapper if "/" in wrapper else find_program(wrapper, cargo.env)
    if place is None or not (place.is_file() and os.access(place, os.X_OK)):
        variables = ("RUSTC_WRAPPER", "CARGO_BUILD_RUSTC_WRAPPER")
        origin = next((name for name in variables if name in cargo.env), "build.rustc-wrapper")
        message = f"`{origin}` names `{wrapper}`, which is no program"
        raise ToolMissing("no-rustc-wrapper", message, hint="install it, or unset it")


def _artefacts(job: Job, messages: str) -> Iterator[_Artefact]:
    """Yield the cdylibs of the project's own package.

    https://doc.rust-lang.org/cargo/reference/external-tools.html#artifact-messages
    """
    manifest = job.project.folder / "Cargo.toml"
    for line in messages.splitlines():
        if not line.startswith("{"):
            continue
        message = json.loads(line)
        if message["reason"] != "compiler-artifact" or "cdylib" not in message["target"]["kind"]:
            continue
        files = [Path(name) for name in message["filenames"] if name.endswith(".wasm")]
        if files and manifest.samefile(message["manifest_path"]):
            yield _Artefact(path=files[0], fresh=message["fresh"])


def _require_cdylib(job: Job) -> None:
    """Refuse a package without a cdylib before the time to compile it is spent."""
    import tomllib

    try:
        manifest = tomllib.loads((job.project.folder / "Cargo.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return  # cargo says it better
    library: Mapping[str, JSONValue] = manifest.get("lib", {})
    kinds = library.get("crate-type", library.get("crate_type", ()))
    if "package" in manifest and isinstance(kinds, list | tuple) and "cdylib" not in kinds:
        raise _no_cdylib(job)


def _no_cdylib(job: Job) -> UsageError:
    name = job.project.package or job.project.name
    message = f"the package `{name}` makes no cdylib, which is what a proxy loads"
    return UsageError("no-cdylib", message, hint=_CDYLIB_HINT)


def _tell_machine_folders(job: Job, cargo: _Cargo, path: Path) -> None:
    """Say so where the module names folders of this machine; see the module's docstring."""
    data = path.read_bytes()
    home = cargo_home(cargo.env)
    named = [
        place for place in ("registry/src", "git/checkouts") if os.fsencode(home / place) in data
    ]
    if named:
        job.session.console.say(
            f"the module names `{home / named[0]}`: dependencies that another `cargo build` had "
            f"compiled were taken as they are; for the same bytes on every machine, run "
            f"`cargo clean` once and build again"
        )


def _lock_too_new(job: Job, cargo: _Cargo, output: str) -> WasmctlError:
    """Say whose cargo it is that cannot read Cargo.lock: a pinned one is not updated."""
    rust = ask_rust(cargo.tool, cargo.config.rustc, job.project.folder, cargo.env)
    named = "this cargo" if rust.name is None else f"the cargo of `{rust.name}` ({rust.reason})"
    hint = "write `version = 3` into Cargo.lock"
    if not rust.chosen:
        hint = f"`rustup update`, or {hint}"
    message = f"Cargo.lock has version 4, which {named} does not know"
    return ToolFailed("lock-too-new", message, hint=hint, output=output)


def _failure(job: Job, cargo: _Cargo, done: Completed) -> WasmctlError:
    """Say whose failure it is, after cargo's own words."""
    output = "" if job.live is not None else done.stderr
    talk = plain(done.stderr)
    known = hint_for(talk, _HINTS)
    if "error: toolchain '" in talk and "is not installed" in talk:
        hint = "`rustup toolchain install` in the project's folder"
        message = "rustup has not installed the toolchain of this folder; its words are above"
        return ToolMissing("no-rust-toolchain", message, hint=hint, output=output)
    if re.search(_TOO_NEW_LOCK, talk):
        return _lock_too_new(job, cargo, output)
    failed = re.findall(r"could not compile `([^`]+)`", talk)
    own = job.project.package or job.project.name
    if own in failed:
        message = f"cargo could not compile `{own}`: the errors above are about its code"
        hint = known or "correct the first of them and build again"
    elif failed:
        message = f"cargo could not compile `{failed[0]}`, a dependency: the errors are above"
        hint = known or f"try another release of `{failed[0]}`, or another Rust"
    else:
        message = f"cargo failed (exit code {done.exit_code}); its words are above"
        hint = known or "the error above is cargo's: it says what to do"
    return ToolFailed("compile-failed", message, hint=hint, output=output)


def _option(args: tuple[str, ...] | list[str], *names: str) -> str | None:
    """Return the value of an option among `args`: `--name value` or `--name=value`."""
    for index, arg in enumerate(args):
        name, equals, value = arg.partition("=")
        if name in names:
            return value if equals else next(iter(args[index + 1 : index + 2]), "")
    return None
