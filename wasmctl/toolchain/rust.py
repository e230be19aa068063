"""Which Rust compiles a project, and for which targets it can: the choice of target and toolchain.

A Rust toolchain has a standard library for each installed target; rustup keeps several toolchains
side by side. Compiles nothing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wasmctl.errors import ToolMissing, UsageError
from wasmctl.process import capture, find_program

if TYPE_CHECKING:
    from wasmctl.toolchain.tools import Tool

__all__ = ["Choice", "Rust", "ask_rust", "choose_target", "installed_targets", "rustc_version"]

WASIP1: Final = "wasm32-wasip1"
# The same target under its first name: known to rustc up to 1.83, and the new one from 1.78 on.
# https://blog.rust-lang.org/2024/04/09/updates-to-rusts-wasi-targets/
WASI: Final = "wasm32-wasi"
_LAST_WITH_WASI: Final = (1, 83)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rust:
    """The toolchain that a cargo in the project's folder uses.

    Args:
        sysroot: its folder; None where only cargo can tell (rustup is about to install it).
        name: rustup's name for it; None without rustup.
        chosen: whether someone chose it (a rust-toolchain file, a variable, an override), and it
            is not merely rustup's default.
        others: rustup's other toolchains by name.
        promised: targets that rustup adds by itself when they are needed.
    """

    sysroot: Path | None
    name: str | None = None
    chosen: bool = True
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


def choose_target(wanted: str | None, rust: Rust, *, knows_wasi: bool) -> Choice:
    """Choose target and toolchain.

    Args:
        wanted: the target that flag, settings or cargo's configuration name.
        rust: the toolchain at hand.
        knows_wasi: whether its rustc still knows `wasm32-wasi`.

    Raises:
        UsageError: the target is none of WebAssembly.
        ToolMissing: no toolchain that may be used has it.
    """
    if wanted is not None and not wanted.startswith("wasm"):
        raise UsageError(
            "bad-target",
            f"`{wanted}` is no target that a proxy could load",
            hint=f"use `{WASIP1}` or `wasm32-unknown-unknown`",
        )
    installed = frozenset[str]() if rust.sysroot is None else installed_targets(rust.sysroot)
    note = None
    target = wanted
    if wanted == WASI and WASI not in installed and not knows_wasi:
        target = WASIP1
        note = f"`{WASI}` is called `{WASIP1}` in this Rust; compiling for that"
    elif wanted is None:
        target = WASI if WASI in installed and WASIP1 not in installed else WASIP1
    assert target is not None
    if target in installed or target in rust.promised or rust.sysroot is None:
        return Choice(target=target, note=note)
    other = None if rust.chosen else _another(rust, target)
    if other is None:
        raise _missing(target, rust)
    used = f"`{rust.name}` has no `{target}`; using `{other}`, which has"
    return Choice(target=target, toolchain=other, note=f"{note}; {used}" if note else used)


def knows_wasi(version: str | None) -> bool:
    """Return whether a rustc of this version knows `wasm32-wasi`."""
    numbers = re.match(r"(\d+)\.(\d+)", version or "")
    return numbers is not None and (int(numbers[1]), int(numbers[2])) <= _LAST_WITH_WASI


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
