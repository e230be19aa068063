"""`wasmctl run`: serve the plug-in in a real Envoy."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wasmctl.cli.options import Folder, LogLevelChoice, NoBuild, Package
from wasmctl.errors import ExitCode, UsageError
from wasmctl.results import ErrorItem, JSONValue, Result
from wasmctl.session import Session

if TYPE_CHECKING:
    from wasmctl.flow.serve.request import ServeRequest
    from wasmctl.project.project import Project

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the verb."""

    @app.command(
        epilog="Ctrl-C ends it, with exit code 130. With --json every event is an object on a "
        "line of its own, the envelope comes last."
    )
    def run(
        ctx: typer.Context,
        folder: Folder = None,
        port: Annotated[
            int | None,
            typer.Option(
                "--port", min=0, max=65535, help="Where; else [run] port, else 18000. 0: any."
            ),
        ] = None,
        upstream: Annotated[
            str | None,
            typer.Option(
                "--upstream", metavar="URL", help="The server behind it; else [run], else an echo."
            ),
        ] = None,
        watch: Annotated[
            bool, typer.Option("--watch", help="Build and swap the module for every save.")
        ] = False,
        config: Annotated[
            str | None,
            typer.Option("--config", metavar="TEXT", help="Its configuration; else [plugin]'s."),
        ] = None,
        config_file: Annotated[
            Path | None,
            typer.Option("--config-file", metavar="FILE", help="The same from a file."),
        ] = None,
        log_level: Annotated[
            LogLevelChoice, typer.Option("--log-level", help="From which level on lines are shown.")
        ] = LogLevelChoice.INFO,
        admin_port: Annotated[
            int,
            typer.Option("--admin-port", min=0, max=65535, help="Envoy's admin interface. 0: any."),
        ] = 0,
        envoy: Annotated[
            str | None,
            typer.Option(
                "--envoy",
                metavar="VERSION",
                help="A release, a path or docker:IMAGE; else the one at hand.",
            ),
        ] = None,
        package: Package = None,
        no_build: NoBuild = False,
        compose: Annotated[
            Path | None,
            typer.Option(
                "--compose", metavar="DIR", help="Write docker-compose.yaml and envoy.yaml instead."
            ),
        ] = None,
        force: Annotated[
            bool, typer.Option("--force", help="Overwrite these where they differ.")
        ] = False,
    ) -> Result:
        """Serve the plug-in in a real Envoy before an upstream."""
        from wasmctl.envoy.upstream import parse_upstream
        from wasmctl.flow.serve.request import ServeRequest
        from wasmctl.project.load import load_project
        from wasmctl.project.settings import DEFAULT_PORT

        session: Session = ctx.obj
        if config is not None and config_file is not None:
            raise UsageError(
                "usage", "both `--config` and `--config-file`", hint="leave one of them out"
            )
        flags = {"run.upstream": upstream}
        project = load_project(folder, session, package=package, flags=flags)
        settings = project.settings.run
        named = settings.upstream
        if port is None:
            port = settings.port or DEFAULT_PORT
        request = ServeRequest(
            port=port,
            admin_port=admin_port,
            upstream=None if named is None else parse_upstream(named),
            text=config,
            file=None if config_file is None else Path(session.cwd, config_file),
            log_level=log_level.value,
            envoy=envoy,
            build=not no_build,
            watch=watch,
        )
        if compose is not None:
            return _compose(project, session, request, Path(session.cwd, compose), force=force)
        if force:
            raise UsageError("usage", "`--force` is for `--compose DIR`", hint="leave it out")
        return _serve(project, session, request)


def _serve(project: Project, session: Session, request: ServeRequest) -> Result:
    from wasmctl.cli.run_talk import RunTalk
    from wasmctl.flow.serve.serve import Stopped, serve_project

    talk = RunTalk(project, session, request)
    try:
        serve_project(project, session, request, talk)
    except Stopped:
        session.console.say("stopped")
        stopped = ErrorItem(code="interrupted", message="stopped")
        return Result(data=talk.data, exit_code=ExitCode.INTERRUPTED, errors=(stopped,))
    raise AssertionError("what is served ends by an exception")


def _compose(
    project: Project, session: Session, request: ServeRequest, folder: Path, *, force: bool
) -> Result:
    from wasmctl.flow.build import build_one
    from wasmctl.flow.compose import plan_compose_files, write_compose_files
    from wasmctl.paths import relative
    from wasmctl.toolchain.module import BuildRequest

    if request.watch:
        message = "`--watch` swaps modules in an Envoy of wasmctl's own, not in a container"
        raise UsageError("usage", message, hint="leave out `--watch` or `--compose`")
    plan = plan_compose_files(project, session, request, folder=folder, force=force)
    if request.build:
        build_one(project, session, BuildRequest(live=True))
    written = write_compose_files(plan)
    composed = relative(plan.folder / "docker-compose.yaml", session.cwd)
    names: list[JSONValue] = [str(path) for path in written]
    return Result(
        data={"folder": str(plan.folder), "files": names},
        lines=tuple(str(relative(path, session.cwd)) for path in written),
        afterwards=(
            *(() if written else ("nothing to write: the files are as they should be",)),
            f"next: docker compose -f {shlex.quote(str(composed))} up",
        ),
    )
