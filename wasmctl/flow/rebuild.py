"""A saved file → a new module, again and again: the watching side of `run`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from wasmctl import process
from wasmctl.project.configuration import configuration_file, plugin_configuration
from wasmctl.project.layers import FILE_NAME
from wasmctl.project.project import Project
from wasmctl.session import Session
from wasmctl.toolchain.module import BuildRequest
from wasmctl.toolchain.sources import Look, SourceTree, changed_paths, find_sources

__all__ = ["Rebuilder", "Rebuilt"]

# Seconds between two looks, and for how long a look must stay the same: editors save in steps.
_PAUSE: Final = 0.1
_SETTLED: Final = 0.03
# A look may take this part of the time, whatever the size of the tree.
_SHARE: Final = 0.1
_LOCK: Final = "Cargo.lock"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """What a save came to.

    Args:
        module: the module's file.
        configuration: the plug-in's as it is now.
        seconds: how long the build took.
    """

    module: Path
    configuration: str | None
    seconds: float


class Rebuilder:
    """Waits for saves and builds.

    Whatever is saved from its making on counts, also while a build runs.

    Args:
        project: what to build.
        session: the world.
        configure: reads the plug-in's configuration for a project as it is now.
        files: further files that count.
        compile: whether to build for a save; else somebody else does, and the module's file and
            the configuration are all that counts.
    """

    def __init__(
        self,
        project: Project,
        session: Session,
        *,
        configure: Callable[[Project], str | None] = plugin_configuration,
        files: tuple[Path, ...] = (),
        compile: bool = True,  # noqa: A002 - what it does
    ) -> None:
        self._project = project
        # A build in a thread cannot lend the terminal to a tool that asks.
        self._session = replace(session, prompts=False)
        self._configure = configure
        self._files = files
        self._compiles = compile
        self._tree = self._find(project)
        self._seen: Look = self._tree.look()
        self._pause = _PAUSE

    def settle(self) -> None:
        """Count as seen what the first build itself has written."""
        self._seen = {**self._seen, **_locks(self._tree.look())}

    async def saved(self) -> tuple[Path, ...]:
        """Return what was saved, as soon as it is and no more comes at once."""
        while True:
            await asyncio.sleep(self._pause)
            look = await self._look()
            if look == self._seen:
                continue
            while True:
                await asyncio.sleep(_SETTLED)
                again = await self._look()
                if again == look:
                    break
                look = again
            changed = changed_paths(self._seen, look)
            self._seen = look
            # What was changed and changed back is no save.
            if changed:
                return changed

    async def build(self) -> Rebuilt:
        """Build what is there now.

        Cancelled, it stops every program that runs.

        Raises:
            WasmctlError: it cannot be built.
        """
        try:
            return await asyncio.to_thread(self._build)
        except asyncio.CancelledError:
            # The thread waits for its compiler, and we would wait for the thread.
            process.stop_all()
            raise

    def _build(self) -> Rebuilt:
        from wasmctl.project.load import load_projects
        from wasmctl.toolchain.build import build_module

        started = time.monotonic()
        project = load_projects(self._project.folder, self._session, package=self._project.package)[
            0
        ]
        tree = self._find(project)
        if tree != self._tree:
            self._tree, self._seen = tree, tree.look()
        configuration = self._configure(project)
        if self._compiles:
            build_module(project, self._session, request=BuildRequest(live=True))
            self.settle()
        seconds = time.monotonic() - started
        return Rebuilt(module=project.module, configuration=configuration, seconds=seconds)

    async def _look(self) -> Look:
        started = time.monotonic()
        look = await asyncio.to_thread(self._tree.look)
        self._pause = max(_PAUSE, (time.monotonic() - started) / _SHARE)
        return look

    def _find(self, project: Project) -> SourceTree:
        named = configuration_file(project)
        files = (*self._files, *([] if named is None else [named]))
        if self._compiles:
            return find_sources(project, files=files)
        settings = project.folder / FILE_NAME
        return SourceTree(folders=(), files=(project.module, settings, *files))


def _locks(look: Look) -> Mapping[str, tuple[int, int, int]]:
    return {name: status for name, status in look.items() if name.endswith(_LOCK)}
