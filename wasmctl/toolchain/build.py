"""Project → module: the one entry to the toolchains."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wasmctl.toolchain.module import BuildRequest, Module

if TYPE_CHECKING:
    from wasmctl.project.project import Project
    from wasmctl.session import Session

__all__ = ["build_module"]


def build_module(project: Project, session: Session, *, request: BuildRequest) -> Module:
    """Compile `project` to `dist/plugin.wasm` and record it in `dist/plugin.json`.

    Raises:
        ToolMissing: the compiler, its target or its version is not there.
        ToolFailed: the compiler failed.
        UsageError: the project is not one that can be a plug-in.
        Unreadable: what came out is not wasm.
    """
    raise NotImplementedError
