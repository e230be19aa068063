"""The resolved project: a value that later stages take."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wasmctl.project.settings import Settings, ToolchainName

__all__ = ["Project"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A plug-in project: a Cargo package with a cdylib, or a Go main package.

    Args:
        folder: its absolute folder, the one with Cargo.toml or the main package.
        name: the plug-in's name.
        settings: wasmctl.toml with user file, environment and flags merged in; defaults filled in.
        toolchain: what compiles it.
        version: its version where one was found: [plugin] version, Cargo's, git's tag.
        package: the Cargo package's name where cargo compiles it.
        description: one line on what it does: [plugin] description, Cargo's.
        adopted: whether it has a wasmctl.toml.
    """

    folder: Path
    name: str
    settings: Settings
    toolchain: ToolchainName
    version: str | None = None
    package: str | None = None
    description: str | None = None
    adopted: bool = False

    @property
    def dist(self) -> Path:
        """Where build leaves plugin.wasm and its record."""
        return self.folder / "dist"

    @property
    def module(self) -> Path:
        """The compiled module's place."""
        return self.dist / "plugin.wasm"

    @property
    def debug_module(self) -> Path:
        """The place of the same module with what debugging takes, where its compiler gave any."""
        return self.dist / "plugin.debug.wasm"
