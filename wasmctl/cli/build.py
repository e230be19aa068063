"""`wasmctl build`: compile plug-ins."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wasmctl.cli.options import Package
from wasmctl.errors import UsageError
from wasmctl.paths import relative
from wasmctl.results import ErrorItem, JSONValue, Result
from wasmctl.session import Session

if TYPE_CHECKING:
    from wasmctl.flow.build import Outcome
    from wasmctl.toolchain.module import Module

__all__ = ["module_data", "register"]


def register(app: typer.Typer) -> None:
    """Add the verb."""

    @app.command(epilog="Arguments behind `--` go to the compiler: wasmctl build -- --features x")
    def build(
        ctx: typer.Context,
        folders: Annotated[
            list[Path] | None,
            typer.Argument(metavar="DIR", help="Plug-ins' folders; else the one here."),
        ] = None,
        output: Annotated[
            Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write it there.")
        ] = None,
        target: Annotated[
            str | None,
            typer.Option("--build-target", metavar="TRIPLE", help="The compiler's target."),
        ] = None,
        package: Package = None,
        locked: Annotated[
            bool, typer.Option("--locked", help="Fail where a lock file is not up to date.")
        ] = False,
    ) -> Result:
        """Compile to DIR/dist/plugin.wasm with cargo, TinyGo or Go."""
        from wasmctl.flow.build import build_all
        from wasmctl.project.load import load_projects
        from wasmctl.toolchain.module import BuildRequest

        session: Session = ctx.obj
        places: list[Path | None] = [*folders] if folders else [None]
        projects = [
            project
            for folder in places
            for project in load_projects(folder, session, package=package)
        ]
        # A folder named twice is built once.
        projects = list({project.folder: project for project in projects}.values())
        if output is not None and len(projects) > 1:
            message = f"`-o` is for one plug-in; here are {len(projects)}"
            raise UsageError("usage", message, hint="leave it out, or name one DIR")
        request = BuildRequest(
            output=None if output is None else Path(session.cwd, output),
            target=target,
            locked=locked,
            args=session.tail,
        )
        return _result(build_all(projects, session, request), session)


def module_data(module: Module) -> dict[str, JSONValue]:
    """Return a module as the envelope tells it."""
    return {
        "project": str(module.project.folder),
        "path": str(module.path),
        "sha256": module.sha256,
        "size": module.size,
        "toolchain": module.toolchain,
        "target": module.target,
        "seconds": round(module.seconds, 3),
        "fresh": module.fresh,
    }


def _result(outcomes: tuple[Outcome, ...], session: Session) -> Result:
    modules = [outcome.module for outcome in outcomes if outcome.module is not None]
    errors = [(outcome.project, outcome.error) for outcome in outcomes if outcome.error is not None]
    for project, error in errors:
        session.console.error(f"{project.folder}: {error.message}", error.hint, error.output)
    return Result(
        data={"modules": [module_data(module) for module in modules]},
        lines=tuple(str(relative(module.path, session.cwd)) for module in modules),
        exit_code=max((int(error.exit_code) for _, error in errors), default=0),
        errors=tuple(
            ErrorItem(
                code=error.code, message=f"{project.folder}: {error.message}", hint=error.hint
            )
            for project, error in errors
        ),
    )
