"""`wasmctl test`: run the declared cases in a real Envoy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wasmctl.cli.options import NoBuild, Package
from wasmctl.errors import ExitCode, UsageError, WasmctlError
from wasmctl.results import Result
from wasmctl.session import Session

if TYPE_CHECKING:
    from wasmctl.cli.case_talk import Talk
    from wasmctl.flow.prove import ProveRequest, Trial
    from wasmctl.project.project import Project

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the verb."""

    @app.command(
        epilog="Exit codes: 0 all passed; 1 a case failed, or Envoy refuses the module; 7 there "
        "was no Envoy to ask. Without case files the module is loaded, no more."
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
        package: Package = None,
        no_build: NoBuild = False,
    ) -> Result:
        """Run the declared cases in a real Envoy."""
        from wasmctl.cli.case_talk import Talk
        from wasmctl.flow.prove import ProveRequest, plan_trials

        session: Session = ctx.obj
        request = ProveRequest(
            envoys=tuple(envoys or ()),
            names=tuple(names or ()),
            stop_at_first=stop_at_first,
            jobs=jobs,
            build=not no_build,
        )
        report = None if junit is None else _writable(Path(session.cwd, junit), shown=junit)
        trials = plan_trials(_projects(folders, session, package), session, request)
        talk = Talk(session, several=len(trials) > 1)
        complete = _run_all(trials, session, request, talk)
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

    troubles = prepare_modules(trials, session, request)
    for trial, trouble in zip(trials, troubles, strict=True):
        try:
            if trouble is not None:
                raise trouble
            proxies = find_envoys(trial, session)
            talk.begin(trial, [proxy.envoy.version for proxy in proxies])
            try:
                run_trial(trial, proxies, session, request, talk)
            except KeyboardInterrupt:
                talk.end(interrupted=True)
                return False
            talk.end()
        except WasmctlError as error:
            if len(trials) == 1:
                raise
            talk.failed(trial, error)
        if request.stop_at_first and talk.exit_code != ExitCode.DONE:
            break
    return True
