"""The stretch of `test`: projects → case files, Envoys and modules → results.

What is cheap and may be wrong (a case file, a name that matches nothing) is looked at before
anything is built or started.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from wasmctl.cases.model import Case, CaseFile, Plugin
from wasmctl.errors import UsageError
from wasmctl.flow.build import build_all, tell_as_it_stands
from wasmctl.paths import relative, sha256_of
from wasmctl.project.case_files import digest_cases, find_case_files
from wasmctl.project.configuration import plugin_configuration
from wasmctl.project.configuration_schema import check_configuration, read_schema
from wasmctl.project.record import note_test
from wasmctl.toolchain.module import BuildRequest

if TYPE_CHECKING:
    from wasmctl.cases.results import CaseOutcome, CaseResult
    from wasmctl.envoy.envoy import Envoy
    from wasmctl.errors import WasmctlError
    from wasmctl.project.project import Project
    from wasmctl.results import JSONValue
    from wasmctl.session import Session

__all__ = [
    "ChosenEnvoy",
    "ProveRequest",
    "Trial",
    "find_envoys",
    "plan_trials",
    "prepare_modules",
    "run_trial",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProveRequest:
    """How modules are tested.

    Args:
        envoys: releases of Envoy; empty: those of `[test] envoy`, else the one at hand.
        names: parts of names, in any letters: only cases that have one of them are run.
        stop_at_first: whether the first case that does not pass ends the run.
        jobs: how many Envoys may run at once; None: as many as there are cores.
        build: whether to build first; else `dist/plugin.wasm` is tested as it stands.
    """

    envoys: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    stop_at_first: bool = False
    jobs: int | None = None
    build: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What is to be run for one project.

    Args:
        project: it.
        files: with those cases only that are wanted.
        digest: of all that the project's cases are made of.
        declared: whether the project declares cases; else `files` holds one that loads the module.
        whole: whether all its cases are among them.
        envoys: the releases as they were asked for; empty: the one at hand.
    """

    project: Project
    files: tuple[CaseFile, ...]
    digest: str
    declared: bool
    whole: bool
    envoys: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenEnvoy:
    """An Envoy, and how it was asked for; None: the one at hand."""

    envoy: Envoy
    asked: str | None


def plan_trials(
    projects: Sequence[Project], session: Session, request: ProveRequest
) -> tuple[Trial, ...]:
    """Read the case files of projects and choose among the cases.

    Raises:
        UsageError: a case file is wrong, or no case has a name that is wanted.
    """
    trials = [_plan(project, session, request) for project in projects]
    if request.names:
        # A project without a case of that name has nothing to do where another one has.
        chosen = tuple(trial for trial in trials if trial.files)
        if not chosen:
            raise _nothing_chosen(projects, session, request)
        return chosen
    return tuple(trials)


def _plan(project: Project, session: Session, request: ProveRequest) -> Trial:
    digest = digest_cases(project)
    files = _load(project, session)
    declared = bool(files)
    if not declared and not request.names:
        default = _default(project)
        settings = project.settings.plugin
        place = "`[plugin] config`"
        check_configuration(settings, project.folder, default.configuration, place=place)
        loads = Case(name="loads", line=1, plugin=default)
        files = (CaseFile(path=project.folder, cases=(loads,)),)
    chosen = _choose(files, request.names)
    return Trial(
        project=project,
        files=chosen,
        digest=digest,
        declared=declared,
        whole=chosen == files,
        envoys=request.envoys or project.settings.test.envoy,
    )


def _load(project: Project, session: Session) -> tuple[CaseFile, ...]:
    paths = find_case_files(project)
    if not paths:
        return ()
    from wasmctl.cases.load import load_cases

    plugin = _default(project)
    shown = {path: str(relative(path, session.cwd)) for path in paths}
    files = tuple(load_cases(path, plugin=plugin, shown=shown[path]) for path in paths)
    _check_configurations(project, files, shown)
    return files


def _check_configurations(
    project: Project, files: Sequence[CaseFile], shown: Mapping[Path, str]
) -> None:
    """Refuse cases whose configuration does not fit, but those that want it refused.

    Raises:
        UsageError: the first case with such a configuration.
    """
    schema = read_schema(project.settings.plugin, project.folder)
    if schema is None:
        return
    for file in files:
        for case in file.cases:
            if not case.expect.load_refused:
                place = f"{shown[file.path]}:{case.line}: the configuration of `{case.name}`"
                schema.check(case.plugin.configuration, place=place)


def _default(project: Project) -> Plugin:
    return Plugin(configuration=plugin_configuration(project))


def _choose(files: tuple[CaseFile, ...], names: Sequence[str]) -> tuple[CaseFile, ...]:
    if not names:
        return files
    wanted = [name.casefold() for name in names]
    chosen = [
        replace(file, cases=tuple(case for case in file.cases if _has_one(case.name, wanted)))
        for file in files
    ]
    return tuple(file for file in chosen if file.cases)


def _has_one(name: str, parts: Sequence[str]) -> bool:
    folded = name.casefold()
    return any(part in folded for part in parts)


def _nothing_chosen(
    projects: Sequence[Project], session: Session, request: ProveRequest
) -> UsageError:
    files = [file for project in projects for file in _load(project, session)]
    # Two projects may declare the same.
    known = list(dict.fromkeys(case.name for file in files for case in file.cases))
    shown = " or ".join(f"`{name}`" for name in request.names)
    if not known:
        hint = "leave `-k` out: the module is loaded then"
        return UsageError("no-such-case", f"`-k` {shown}: there are no cases", hint=hint)
    listed = ", ".join(f"`{name}`" for name in known[:5])
    more = f" and {len(known) - 5} more" if len(known) > 5 else ""
    message = f"no case has {shown} in its name"
    return UsageError("no-such-case", message, hint=f"there are {listed}{more}")


def prepare_modules(
    trials: Sequence[Trial], session: Session, request: ProveRequest
) -> tuple[WasmctlError | None, ...]:
    """Build what is stale; return for each project what is in the way of testing it.

    Raises:
        WasmctlError: the one project there is failed.
    """
    if not request.build:
        for trial in trials:
            tell_as_it_stands(trial.project, session)
        return (None,) * len(trials)
    outcomes = build_all([trial.project for trial in trials], session, BuildRequest())
    return tuple(outcome.error for outcome in outcomes)


def find_envoys(trial: Trial, session: Session) -> tuple[ChosenEnvoy, ...]:
    """Return each Envoy that is asked for once.

    Raises:
        ProxyError: one of them cannot be had, or has no Wasm.
        UsageError: what is asked for names no Envoy.
    """
    from wasmctl.envoy.find import find_envoy

    first: dict[object, ChosenEnvoy] = {}
    for asked in trial.envoys or (None,):
        envoy = find_envoy(session, asked)
        first.setdefault((envoy.command, envoy.image), ChosenEnvoy(envoy=envoy, asked=asked))
    return tuple(first.values())


def run_trial(
    trial: Trial,
    proxies: Sequence[ChosenEnvoy],
    session: Session,
    request: ProveRequest,
    told: Callable[[CaseResult], None],
) -> None:
    """Run a project's cases in each Envoy, tell each result as it comes, and note them.

    Noted in `dist/plugin.json` is in which releases the module has passed all its cases, and in
    which it has not.

    Raises:
        WasmctlError: no answer about the plug-in can be had.
        KeyboardInterrupt: every Envoy has ended; what was told stands, nothing was noted.
    """
    import asyncio

    from wasmctl.cases.run import RunOptions, run_cases

    module_sha256 = sha256_of(trial.project.module)
    options = RunOptions(
        env=session.env,
        jobs=request.jobs or os.cpu_count() or 1,
        stop_at_first=request.stop_at_first,
        plugin_name=trial.project.name,
    )
    envoys = [proxy.envoy for proxy in proxies]
    results = asyncio.run(run_cases(trial.project.module, trial.files, envoys, options, told))
    try:
        for note in _notes(trial, proxies, results):
            note_test(trial.project.dist, {"module_sha256": module_sha256, **note})
    except OSError as error:
        # The answer stands; it is only not remembered in a folder which is read-only.
        session.console.warn(
            f"the results could not be noted in `{trial.project.dist}`: {error.strerror}"
        )


def _notes(
    trial: Trial, proxies: Sequence[ChosenEnvoy], results: Sequence[CaseResult]
) -> Iterator[dict[str, JSONValue]]:
    """Yield what is to be noted: whole runs that passed, and any that failed."""
    for proxy in proxies:
        outcomes = [item.outcome for item in results if item.envoy == proxy.envoy.version]
        passed, failed = outcomes.count("passed"), _count_failed(outcomes)
        if not failed and (not trial.whole or passed < len(outcomes)):
            continue
        yield {
            "cases": trial.digest,
            "envoy": proxy.envoy.version,
            "asked": proxy.asked,
            "passed": passed if trial.declared else 0,
            "failed": failed,
        }


def _count_failed(outcomes: Sequence[CaseOutcome]) -> int:
    return outcomes.count("failed") + outcomes.count("refused")
