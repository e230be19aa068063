"""What a build is asked for, and what it gives. Values only: nothing here runs or reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wasmctl.project.project import Project
    from wasmctl.project.settings import ToolchainName

__all__ = ["BuildRequest", "Module"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRequest:
    """What one `build` was asked for on the command line.

    Args:
        output: the absolute file to write; the project's `dist/plugin.wasm` when absent.
        target: the compiler's target; the settings' when absent.
        locked: whether lock files must be up to date and stay untouched.
        args: further arguments for the tool, after those of the settings.
        live: whether the tool's talk may go straight to the terminal (one project at a time).
        package: the Cargo package to build; the project's when absent.
    """

    output: Path | None = None
    target: str | None = None
    locked: bool = False
    args: tuple[str, ...] = ()
    live: bool = False
    package: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """A compiled plug-in in its place.

    Args:
        project: what it was compiled from.
        path: its absolute file.
        sha256: digest of its bytes, 64 hexadecimal digits.
        size: in bytes.
        toolchain: what compiled it.
        target: the compiler's target, as the compiler names it.
        seconds: wall time of the build.
        fresh: whether nothing had to be compiled.
        tools: name and version of everything that took part.
    """

    project: Project
    path: Path
    sha256: str
    size: int
    toolchain: ToolchainName
    target: str
    seconds: float
    fresh: bool
    tools: Mapping[str, str]
