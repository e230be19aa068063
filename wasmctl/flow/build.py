"""The first stretch of the road: projects → modules, one or several at once, or as they stand."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from wasmctl import process
from wasmctl.console import shown_size
from wasmctl.errors import UsageError, WasmctlError
from wasmctl.paths import relative, sha256_of
from wasmctl.project.project import Project
from wasmctl.project.record import read_record
from wasmctl.session import Session
from wasmctl.toolchain.module import BuildRequest, Module

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

__all__ = ["Outcome", "as_it_stands", "build_all", "build_one", "tell_as_it_stands"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one project among several: a module, or the failure."""

    project: Project
    module: Module | None = None
    error: WasmctlError | None = None


def build_all(
    projects: Sequence[Project], session: Session, request: BuildRequest
) -> tuple[Outcome, ...]:
    """Build projects, several at once within the machine's cores; all are tried.

    Raises:
        WasmctlError: the one project there is failed.
        KeyboardInterrupt: every tool has been stopped.
    """
    if len(projects) == 1:
        live = replace(request, live=True)
        return (Outcome(project=projects[0], module=build_one(projects[0], session, live)),)
    from concurrent.futures import as_completed

    names = [_label(project, session) for project in projects]
    outcomes: dict[int, Outcome] = {}
    with session.console.board(names) as board, _pool() as pool:
        futures = {
            pool.submit(_attempt, project, session, request, _starts(board, index)): index
            for index, project in enumerate(projects)
        }
        for future in as_completed(futures):
            index = futures[future]
            outcomes[index] = future.result()
            board(index, _summary(outcomes[index]))
    return tuple(outcomes[index] for index in range(len(projects)))


def build_one(
    project: Project, session: Session, request: BuildRequest, *, judged: bool = True
) -> Module:
    """Build one project and say so.

    Args:
        project: it.
        session: the world.
        request: how it is built.
        judged: whether it is warned of what the project's targets refuse; else the caller says it.
    """
    from wasmctl.flow.accept import warn_of_refusals
    from wasmctl.toolchain.build import build_module

    module = build_module(project, session, request=request)
    verb = "fresh" if module.fresh else "built"
    shown = relative(module.path, session.cwd)
    session.console.say(f"{session.console.style(verb, 'green')} {shown} ({_facts(module)})")
    if judged:
        warn_of_refusals(project, module.path, session)
    return module


def tell_as_it_stands(project: Project, session: Session) -> None:
    """Say that `dist/plugin.wasm` is shipped unbuilt, and whether it is what was built last.

    Raises:
        UsageError: there is none.
    """
    module = as_it_stands(project, session)
    recorded = read_record(project.dist).get("module")
    known = isinstance(recorded, Mapping) and recorded.get("sha256") == sha256_of(module)
    because = "" if known else "; it is not what `wasmctl build` recorded"
    session.console.say(f"taking {relative(module, session.cwd)} as it stands{because}")


def as_it_stands(project: Project, session: Session) -> Path:
    """Return the module that was built last, or put there.

    Raises:
        UsageError: there is none.
    """
    if not project.module.exists():
        shown = relative(project.module, session.cwd)
        hint = "build it: `wasmctl build`"
        raise UsageError("not-built", f"there is no `{shown}`", hint=hint)
    return project.module


@contextlib.contextmanager
def _pool() -> Iterator[ThreadPoolExecutor]:
    from concurrent.futures import ThreadPoolExecutor

    pool = ThreadPoolExecutor(max_workers=os.cpu_count() or 1)
    try:
        yield pool
    except BaseException:
        # Ctrl-C reaches this thread only; the tools of the others are stopped from here.
        process.stop_all()
        pool.shutdown(wait=True, cancel_futures=True)
        raise
    pool.shutdown()


def _attempt(
    project: Project, session: Session, request: BuildRequest, starts: Callable[[], None]
) -> Outcome:
    from wasmctl.flow.accept import warn_of_refusals
    from wasmctl.toolchain.build import build_module

    starts()
    try:
        module = build_module(project, session, request=request)
        warn_of_refusals(project, module.path, session)
        return Outcome(project=project, module=module)
    except WasmctlError as error:
        return Outcome(project=project, error=error)


def _starts(board: Callable[[int, str | None], None], index: int) -> Callable[[], None]:
    return lambda: board(index, None)


def _summary(outcome: Outcome) -> str:
    if outcome.module is None:
        return "failed"
    return f"{'fresh' if outcome.module.fresh else 'built'} ({_facts(outcome.module)})"


def _facts(module: Module) -> str:
    return f"{shown_size(module.size)}, {module.toolchain} {module.target}, {module.seconds:.1f} s"


def _label(project: Project, session: Session) -> str:
    return str(relative(project.folder, session.cwd))
