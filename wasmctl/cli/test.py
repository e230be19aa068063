"""`wasmctl test`: run the declared cases in a real Envoy, or against what is deployed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wasmctl.cli.options import NoBuild, Package
from wasmctl.errors import ExitCode, UsageError, WasmctlError
from wasmctl.results import Result
from wasmctl.session import Session

if TYPE_CHECKING:
    from wasmctl.cli.case_talk import Talk
    from wasmctl.flow.live import LiveRequest
    from wasmctl.flow.prove import ProveRequest, Trial
    from wasmctl.project.project import Project

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the verb."""

    @app.command(
        epilog="Exit codes: 0 all passed; 1 a case failed, or Envoy refuses the module; 7 there "
        "was no Envoy to ask, or the gateway does not answer. Without case files the module is "
        "loaded, no more. With --url nothing is built and no Envoy started: cases run as far as "
        "answers show what they expect, the rest is listed as not shown."
    )
    def test(
        ctx: typer.Context,
        folders: Annotated[
            list[Path] | None,
            typer.Argument(metavar="DIR", help="Plug-ins' folders; else the one here or above."),
        ] = None,
        envoys: Annotated[
            list[str] | None,
            typer.Option(
                "--envoy",
                metavar="VERSION",
                help="A release, a path or docker:IMAGE; may be given several times. "
                "Else [test] envoy, else the one at hand.",
            ),
        ] = None,
        names: Annotated[
            list[str] | None,
            typer.Option(
                "-k", metavar="TEXT", help="Only cases with this in their name; several times: or."
            ),
        ] = None,
        stop_at_first: Annotated[
            bool, typer.Option("-x", help="End with the first case that does not pass.")
        ] = False,
        jobs: Annotated[
            int | None,
            typer.Option(
                "--jobs", metavar="N", min=1, help="How many Envoys at once; else one a core."
            ),
        ] = None,
        junit: Annotated[
            Path | None, typer.Option("--junit", metavar="FILE", help="Write a JUnit report there.")
        ] = None,
        url: Annotated[
            str | None,
            typer.Option("--url", metavar="URL", help="Ask what is deployed, by its gateway."),
        ] = None,
        host: Annotated[
            str | None,
            typer.Option("--host", metavar="HOST", help="What requests call the gateway."),
        ] = None,
        ca_file: Annotated[
            Path | None, typer.Option("--ca-file", metavar="FILE", help="Its CA, as PEM.")
        ] = None,
        insecure: Annotated[
            bool, typer.Option("--insecure-skip-tls-verify", help="Do not verify its TLS.")
        ] = False,
        package: Package = None,
        no_build: NoBuild = False,
    ) -> Result:
        """Run the declared cases in a real Envoy, or at a URL."""
        from wasmctl.cli.case_talk import Talk
        from wasmctl.flow.live import LiveRequest
        from wasmctl.flow.prove import ProveRequest, plan_trials

        session: Session = ctx.obj
        request = ProveRequest(
            envoys=tuple(envoys or ()),
            names=tuple(names or ()),
            stop_at_first=stop_at_first,
            jobs=jobs,
            build=not no_build,
        )
        aside = {"--envoy": envoys, "--jobs": jobs, "--no-build": no_build}
        trust = {"--host": host, "--ca-file": ca_file, "--insecure-skip-tls-verify": insecure}
        _require_fitting(url, without=aside, only=trust)
        report = None if junit is None else _writable(Path(session.cwd, junit), shown=junit)
        trials = plan_trials(_projects(folders, session, package), session, request)
        talk = Talk(session, several=len(trials) > 1)
        if url is None:
            complete = _run_all(trials, session, request, talk)
        else:
            ca = None if ca_file is None else Path(session.cwd, ca_file)
            live = LiveRequest(url=url, host=host, ca_file=ca, insecure=insecure)
            complete = _run_live(trials, session, live, talk, stop_at_first=stop_at_first)
        talk.write_reports(report)
        return talk.result(interrupted=not complete)


def _projects(folders: list[Path] | None, session: Session, package: str | None) -> list[Project]:
    from wasmctl.project.load import load_projects

    places: list[Path | None] = [*folders] if folders else [None]
    found = [
        project for place in places for project in load_projects(place, session, package=package)
    ]
    # A folder named twice is tested once.
    return list({project.folder: project for project in found}.values())


def _require_fitting(
    url: str | None, *, without: Mapping[str, object], only: Mapping[str, object]
) -> None:
    """Refuse options that mean nothing with `--url`, or nothing without it."""
    named = [option for option, given in (only if url is None else without).items() if given]
    if not named:
        return
    if url is None:
        message = f"`{named[0]}` is about the gateway that `--url` names, and there is none"
        raise UsageError("usage", message, hint=f"add `--url`, or leave `{named[0]}` out")
    message = f"`{named[0]}` and `--url`: what is deployed is asked where it runs, as it is"
    raise UsageError("usage", message, hint="leave one of them out")


def _writable(path: Path, *, shown: Path) -> Path:
    # Said before a long run rather than after it.
    if path.is_dir() or not path.parent.is_dir():
        what = "is a folder" if path.is_dir() else "lies in a folder that does not exist"
        raise UsageError("cannot-write", f"`--junit {shown}` {what}", hint="name a file")
    return path


def _run_all(
    trials: tuple[Trial, ...], session: Session, request: ProveRequest, talk: Talk
) -> bool:
    """Run everything; return False where an interruption ended it.

    Raises:
        WasmctlError: the one project there is failed.
    """
    from wasmctl.flow.prove import find_envoys, prepare_modules, run_trial

    folders = [trial.project.folder for trial in trials]
    troubles = dict(zip(folders, prepare_modules(trials, session, request), strict=True))

    def begin(trial: Trial) -> Callable[[], None]:
        if (trouble := troubles[trial.project.folder]) is not None:
            raise trouble
        proxies = find_envoys(trial, session)
        talk.begin(trial, [proxy.envoy.version for proxy in proxies])
        return lambda: run_trial(trial, proxies, session, request, talk)

    return _run_each(trials, begin, talk, stop_at_first=request.stop_at_first)


def _run_live(
    trials: tuple[Trial, ...],
    session: Session,
    request: LiveRequest,
    talk: Talk,
    *,
    stop_at_first: bool,
) -> bool:
    """Ask what is deployed; return False where an interruption ended it.

    Raises:
        WasmctlError: the one project there is failed.
    """
    from wasmctl.flow.live import find_gateway, run_live_trial

    gateway = find_gateway(request, session)

    def begin(trial: Trial) -> Callable[[], None]:
        talk.begin(trial, url=gateway.url)
        return lambda: run_live_trial(trial, gateway, talk, stop_at_first=stop_at_first)

    return _run_each(trials, begin, talk, stop_at_first=stop_at_first)


def _run_each(
    trials: tuple[Trial, ...],
    begin: Callable[[Trial], Callable[[], None]],
    talk: Talk,
    *,
    stop_at_first: bool,
) -> bool:
    for trial in trials:
        try:
            run = begin(trial)
            try:
                run()
            except KeyboardInterrupt:
                talk.end(interrupted=True)
                return False
            talk.end()
        except WasmctlError as error:
            if len(trials) == 1:
                raise
            talk.failed(trial, error)
        if stop_at_first and talk.exit_code != ExitCode.DONE:
            break
    return True
