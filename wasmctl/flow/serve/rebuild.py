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
from wasmctl.project.configuration_schema import schema_file
from wasmctl.project.layers import FILE_NAME
from wasmctl.project.project import Project
from wasmctl.session import Session
from wasmctl.toolchain.module import BuildRequest
from wasmctl.toolchain.sources import Look, SourceTree, changed_paths, find_sources

__all__ = ["Rebuilder", "Rebuilt", "Saves"]

# Seconds between two looks, and for how long a look must stay the same: editors save in steps.
_PAUSE: Final = 0.1
_SETTLED: Final = 0.03
# Longer than that no editor takes; a log that grows all the time never stays the same.
_LONGEST: Final = 0.5
# A look may take this part of the time, whatever the size of the tree.
_SHARE: Final = 0.1
_LOCK: Final = "Cargo.lock"


@dataclass(frozen=True, slots=True, kw_only=True)
class Saves:
    """What was saved.

    Args:
        paths: the files, sorted.
        are_sources: whether one of them has a say in the module for sure. Of the others (data,
            logs, notes) the compiler alone knows which it reads.
    """

    paths: tuple[Path, ...]
    are_sources: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """What saves came to.

    Args:
        module: the module's file.
        configuration: the plug-in's as it is now.
        seconds: how long the build took.
        fresh: whether there was nothing to compile.
    """

    module: Path
    configuration: str | None
    seconds: float
    fresh: bool


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
        # What the compiler has shown that it does not read, until a source is saved.
        self._unread: set[Path] = set()
        self._suspects: set[Path] = set()
        self._pause = _PAUSE

    def settle(self) -> None:
        """Count as seen what the first build itself has written."""
        self._seen = {**self._seen, **_locks(self._tree.look())}

    async def saved(self) -> Saves:
        """Return what was saved, as soon as it is and no more comes at once."""
        while True:
            await asyncio.sleep(self._pause)
            look = await self._look()
            if not self._changed(look):
                self._seen = look
                continue
            deadline = time.monotonic() + _LONGEST
            while time.monotonic() < deadline:
                await asyncio.sleep(_SETTLED)
                look, before = await self._look(), look
                if look == before:
                    break
            changed = self._changed(look)
            before, self._seen = self._seen, look
            # What was changed and changed back is no save.
            if changed:
                return self._saves(changed, before)

    async def build(self, saves: Saves) -> Rebuilt:
        """Build what is there now; for what may be no source, without a word.

        Cancelled, it stops every program that runs.

        Raises:
            WasmctlError: it cannot be built.
        """
        try:
            rebuilt = await asyncio.to_thread(self._build, live=saves.are_sources)
        except asyncio.CancelledError:
            # The thread waits for its compiler, and we would wait for the thread.
            process.stop_all()
            raise
        if rebuilt.fresh:
            self._unread |= self._suspects
        return rebuilt

    def _saves(self, changed: tuple[Path, ...], before: Look) -> Saves:
        are_sources = any(map(self._tree.counts, changed))
        self._suspects = set()
        if are_sources:
            self._unread.clear()
        else:
            # The same size may be the same content, of which a build tells nothing.
            self._suspects = {
                path for path in changed if _size(before, path) != _size(self._seen, path)
            }
        return Saves(paths=changed, are_sources=are_sources)

    def _changed(self, look: Look) -> tuple[Path, ...]:
        if look == self._seen:
            return ()
        changed = changed_paths(self._seen, look)
        return tuple(path for path in changed if path not in self._unread)

    def _build(self, *, live: bool) -> Rebuilt:
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
        fresh = False
        if self._compiles:
            fresh = build_module(project, self._session, request=BuildRequest(live=live)).fresh
            self.settle()
        return Rebuilt(
            module=project.module,
            configuration=configuration,
            seconds=time.monotonic() - started,
            fresh=fresh,
        )

    async def _look(self) -> Look:
        started = time.monotonic()
        look = await asyncio.to_thread(self._tree.look)
        self._pause = max(_PAUSE, (time.monotonic() - started) / _SHARE)
        return look

    def _find(self, project: Project) -> SourceTree:
        named = (
            configuration_file(project),
            schema_file(project.settings.plugin, project.folder),
        )
        settings = project.folder / FILE_NAME
        files = (settings, *self._files, *(path for path in named if path is not None))
        if self._compiles:
            return find_sources(project, files=files)
        return SourceTree(folders=(), files=(project.module, *files))


def _size(look: Look, path: Path) -> int | None:
    status = look.get(str(path))
    return None if status is None else status[1]


def _locks(look: Look) -> Mapping[str, tuple[int, int, int]]:
    return {name: status for name, status in look.items() if name.endswith(_LOCK)}
