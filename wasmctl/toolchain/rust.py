"""Which Rust compiles a project, and for which targets it can: the choice of target and toolchain.

A Rust toolchain has a standard library for each installed target; rustup keeps several toolchains
side by side. Compiles nothing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wasmctl.errors import ToolMissing, UsageError
from wasmctl.process import capture
from wasmctl.programs import find_program

if TYPE_CHECKING:
    from wasmctl.toolchain.tools import Tool

__all__ = ["Choice", "Rust", "ask_rust", "choose_target", "installed_targets", "rustc_version"]

WASIP1: Final = "wasm32-wasip1"
# The same target under its first name: known to rustc up to 1.83, and the new one from 1.78 on.
# https://blog.rust-lang.org/2024/04/09/updates-to-rusts-wasi-targets/
WASI: Final = "wasm32-wasi"
_FIRST_WITH_WASIP1: Final = (1, 78)
_LAST_WITH_WASI: Final = (1, 83)
_UNKNOWN: Final = "wasm32-unknown-unknown"
_LOADABLE: Final = frozenset({WASIP1, WASI, _UNKNOWN, "wasm32v1-none"})
_COMPONENTS: Final = ("wasm32-wasip2", "wasm32-wasip3")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rust:
    """The toolchain that a cargo in the project's folder uses.

    Args:
        sysroot: its folder; None where only cargo can tell (rustup is about to install it).
        name: rustup's name for it; None without rustup.
        chosen: whether someone chose it (a rust-toolchain file, a variable, an override), and it
            is not merely rustup's default.
        reason: rustup's words for why it is used.
        others: rustup's other toolchains by name.
        promised: targets that rustup adds by itself when they are needed.
    """

    sysroot: Path | None
    name: str | None = None
    chosen: bool = True
    reason: str = ""
    others: Mapping[str, Path]
    promised: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What to compile for, and with which toolchain.

    Args:
        target: the target's name, as this toolchain knows it.
        toolchain: rustup's name of another toolchain than the default; None: the default.
        note: what a user should know about it.
    """

    target: str
    toolchain: str | None = None
    note: str | None = None


def ask_rust(cargo: Tool, rustc: str | None, folder: Path, env: Mapping[str, str]) -> Rust:
    """Ask which toolchain is used in `folder`: rustup where cargo is rustup's, else rustc.

    Raises:
        ToolMissing: there is no rustc, or the chosen toolchain is not installed.
    """
    rustup = cargo.path.parent / "rustup"
    if rustc is None and rustup.is_file() and rustup.samefile(cargo.path):
        return _ask_rustup(rustup, folder, env)
    program = _rustc(cargo, rustc, env)
    said = capture([program, "--print", "sysroot"], env=env, cwd=folder)
    if said.exit_code != 0:
        message = f"`{program}` does not run; its words are above"
        hint = "install Rust (https://rustup.rs), or see that `rustc --version` works there"
        raise ToolMissing("no-rustc", message, hint=hint, output=said.stderr)
    return Rust(sysroot=Path(said.stdout.strip()), others={})


def rustc_version(
    cargo: Tool, rustc: str | None, folder: Path, env: Mapping[str, str]
) -> str | None:
    """Return the version of the rustc that is used in `folder`; None where it does not tell."""
    said = capture([_rustc(cargo, rustc, env), "--version"], env=env, cwd=folder)
    found = re.match(r"rustc (\S+)", said.stdout)
    return None if found is None else found[1]


def installed_targets(sysroot: Path) -> frozenset[str]:
    """Return the targets that a toolchain has a standard library for."""
    library = sysroot / "lib/rustlib"
    try:
        return frozenset(entry.name for entry in library.iterdir() if (entry / "lib").is_dir())
    except OSError:
        return frozenset()


def choose_target(wanted: str | None, rust: Rust, version: Callable[[], str | None]) -> Choice:
    """Choose target and toolchain.

    Args:
        wanted: the target that flag, settings or cargo's configuration name.
        rust: the toolchain at hand.
        version: asks for the version of its rustc; called only where that matters.

    Raises:
        UsageError: the target is none that a proxy loads.
        ToolMissing: no toolchain that may be used has it.
    """
    if rust.sysroot is None:
        _require_loadable(wanted, frozenset())
        return Choice(target=wanted or WASIP1)
    installed = installed_targets(rust.sysroot) | rust.promised
    _require_loadable(wanted, installed)
    target = _name_here(wanted, installed, version)
    note = None
    if wanted not in {None, target}:
        note = f"`{wanted}` is called `{target}` in this Rust; compiling for that"
    if target in installed:
        return Choice(target=target, note=note)
    for name in (wanted or WASIP1, target):
        if not rust.chosen and (other := _another(rust, name)) is not None:
            used = f"`{rust.name}` has no `{name}`; using `{other}`, which has"
            return Choice(target=name, toolchain=other, note=used)
    raise _missing(target, rust)


def _require_loadable(wanted: str | None, installed: frozenset[str]) -> None:
    """Refuse a target that makes no module, or one that nobody knows."""
    if wanted is None or wanted in _LOADABLE:
        return
    if wanted.startswith(_COMPONENTS):
        message = f"`{wanted}` makes a WebAssembly component, and proxies load modules"
        raise UsageError("bad-target", message, hint=f"use `{WASIP1}`")
    if not (wanted.startswith("wasm") and wanted in installed):
        message = f"`{wanted}` is no target that a proxy could load"
        raise UsageError("bad-target", message, hint=f"use `{WASIP1}` or `{_UNKNOWN}`")


def _name_here(
    wanted: str | None, installed: frozenset[str], version: Callable[[], str | None]
) -> str:
    """Return the name that this Rust has for a target: WASI preview 1 has had two."""
    target = wanted or WASIP1
    if target not in {WASIP1, WASI} or target in installed:
        return target
    other = WASI if target == WASIP1 else WASIP1
    if wanted is None and other in installed:
        return other
    return target if _knows(target, version()) else other


def _knows(target: str, version: str | None) -> bool:
    """Return whether a rustc of this version knows WASI preview 1 by this name."""
    found = re.match(r"(\d+)\.(\d+)", version or "")
    if found is None:
        return target == WASIP1
    number = (int(found[1]), int(found[2]))
    return number >= _FIRST_WITH_WASIP1 if target == WASIP1 else number <= _LAST_WITH_WASI


def _ask_rustup(rustup: Path, folder: Path, env: Mapping[str, str]) -> Rust:
    said = capture([rustup, "show", "active-toolchain"], env=env, cwd=folder)
    # `NAME (default)`, or `NAME (overridden by …)`; with the reason on a second line in some.
    name, reason = [*said.stdout.split(maxsplit=1), "", ""][:2]
    home = Path(env.get("RUSTUP_HOME") or Path(env.get("HOME", "/"), ".rustup"))
    toolchains = home / "toolchains"
    if said.exit_code != 0 or not name:
        if env.get("RUSTUP_AUTO_INSTALL") != "0" and "not installed" in said.stderr:
            # The cargo that is run next installs it, with the targets its file names.
            return Rust(sysroot=None, others={})
        raise _no_toolchain(said.stderr)
    sysroot = Path(name) if name.startswith("/") else toolchains / name
    try:
        others = {path.name: path for path in toolchains.iterdir() if path.name != name}
    except OSError:
        others = {}
    return Rust(
        sysroot=sysroot,
        name=name,
        chosen=re.match(r"\(default\)|.*it's the default toolchain", reason) is None,
        reason=reason.strip(" ()\n"),
        others=others,
        promised=frozenset[str]() if env.get("RUSTUP_AUTO_INSTALL") == "0" else _promised(reason),
    )


def _promised(reason: str) -> frozenset[str]:
    """Return the targets that the toolchain file names: rustup installs them before cargo runs."""
    file = re.search(r"'(/.+)'", reason)
    if file is None:
        return frozenset()
    try:
        text = Path(file[1]).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return frozenset()
    named = re.search(r"^\s*targets\s*=\s*\[(.*?)\]", text, re.MULTILINE | re.DOTALL)
    return frozenset(re.findall(r"[\"']([^\"']+)[\"']", named[1]) if named else ())


def _no_toolchain(talk: str) -> ToolMissing:
    lines = [line.removeprefix("error: ") for line in talk.splitlines() if line.strip()]
    found = re.search(r"toolchain '([^']+)'", talk)
    if found is not None:
        command = f"rustup toolchain install {found[1]} --profile minimal --target {WASIP1}"
    else:
        command = f"rustup toolchain install stable --target {WASIP1}"
    message = f"rustup has no toolchain for this folder: {lines[0] if lines else 'none is chosen'}"
    return ToolMissing("no-rust-toolchain", message, hint=f"`{command}`")


def _another(rust: Rust, target: str) -> str | None:
    able = [name for name, path in rust.others.items() if target in installed_targets(path)]
    return max(able, key=_rank, default=None)


def _rank(name: str) -> tuple[int, list[int]]:
    """Order toolchains: stable, then numbered ones, then the rest; the newest of each last."""
    channel = 2 if name.startswith("stable") else 1 if name[:1].isdigit() else 0
    return channel, [int(number) for number in re.findall(r"\d+", name.partition("-")[0])]


def _missing(target: str, rust: Rust) -> ToolMissing:
    if rust.name is None:
        message = f"the Rust in `{rust.sysroot}` has no standard library for `{target}`"
        hint = "install it (Debian: `libstd-rust-dev-wasm32`), or use Rust from https://rustup.rs"
        return ToolMissing("no-target", message, hint=hint)
    message = f"the Rust toolchain `{rust.name}` has no standard library for `{target}`"
    return ToolMissing(
        "no-target", message, hint=f"`rustup target add {target} --toolchain {rust.name}`"
    )


def _rustc(cargo: Tool, configured: str | None, env: Mapping[str, str]) -> Path:
    if configured is not None:
        return Path(configured)
    beside = cargo.path.parent / "rustc"
    if not cargo.on_path and os.access(beside, os.X_OK):
        return beside
    found = find_program("rustc", env)
    if found is None:
        hint = "install Rust (https://rustup.rs), or put its folder on PATH"
        raise ToolMissing("no-rustc", f"`{cargo.path}` is there, but no `rustc`", hint=hint)
    return found
