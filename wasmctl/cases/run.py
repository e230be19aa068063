"""Runs case files in real Envoys: each file in each release, several at once within the jobs."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from wasmctl.cases.model import CaseFile
from wasmctl.cases.results import CaseResult
from wasmctl.cases.series import Series
from wasmctl.envoy.envoy import Envoy

__all__ = ["RunOptions", "run_cases"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How cases are run.

    Args:
        env: the environment, for Envoy and the run folders.
        jobs: how many Envoys may run at once.
        stop_at_first: whether the first case that does not pass ends the run.
        plugin_name: what the plug-in is called in Envoy.
    """

    env: Mapping[str, str]
    jobs: int = 1
    stop_at_first: bool = False
    plugin_name: str = "plugin"


async def run_cases(
    module: Path,
    files: Sequence[CaseFile],
    envoys: Sequence[Envoy],
    options: RunOptions,
    told: Callable[[CaseResult], None],
) -> tuple[CaseResult, ...]:
    """Run the cases of all files in all releases.

    The cases of one file run one after another, in an order of their own where some share a VM.

    Args:
        module: the module's file.
        files: with those cases only that are wanted.
        envoys: the releases.
        options: how.
        told: is given each result as it comes, those of cases that are not run last.

    Returns:
        The results by release, file, and the file's order.

    Raises:
        UsageError: no run folder can be made.
        Unreadable: the module's file is not there.
        OSError: no port is left.
        CancelledError: the run was given up; every Envoy and server has ended.
    """
    free = asyncio.Semaphore(max(1, options.jobs))
    over = False

    def tell(result: CaseResult) -> None:
        nonlocal over
        over = over or (options.stop_at_first and result.outcome != "passed")
        told(result)

    async def run_one(file: CaseFile, envoy: Envoy) -> tuple[CaseResult, ...]:
        async with free:
            series = Series(
                module,
                file,
                envoy,
                name=options.plugin_name,
                env=options.env,
                told=tell,
                is_over=lambda: over,
            )
            return await series.run()

    runs = [(file, envoy) for envoy in envoys for file in files]
    with _single_error():
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(run_one(file, envoy)) for file, envoy in runs]
    return tuple(result for task in tasks for result in task.result())


@contextlib.contextmanager
def _single_error() -> Iterator[None]:
    """Raise the first error of several tasks as it is: one is what a user can act on."""
    try:
        yield
    except ExceptionGroup as group:
        raise group.exceptions[0] from group
