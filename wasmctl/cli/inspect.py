"""`wasmctl inspect`: what is inside a module or an image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from wasmctl.cli.options import CaFile, Insecure, Package, PasswordStdin, PlainHttp, Username
from wasmctl.results import Result
from wasmctl.session import Session

if TYPE_CHECKING:
    from wasmctl.flow.inspect import Inspected

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the verb."""

    @app.command()
    def inspect(
        ctx: typer.Context,
        place: Annotated[
            str | None,
            typer.Argument(
                metavar="DIR|FILE|REF",
                help="A plug-in's folder with what was built last, a module, or an image; else "
                "the plug-in here or above.",
            ),
        ] = None,
        package: Package = None,
        username: Username = None,
        password_stdin: PasswordStdin = False,
        plain_http: PlainHttp = None,
        ca_file: CaFile = None,
        insecure: Insecure = False,
    ) -> Result:
        """Say what is inside: ABI, callbacks, host calls, memory, what takes how much room."""
        from wasmctl.cli.registry import registry_options
        from wasmctl.flow.inspect import inspect_place
        from wasmctl.hosts.inspection import inspection_data, inspection_lines

        session: Session = ctx.obj
        options = registry_options(
            session,
            username=username,
            password_stdin=password_stdin,
            plain_http=plain_http,
            ca_file=ca_file,
            insecure=insecure,
        )
        inspected: Inspected = inspect_place(
            place, session=session, package=package, options=options
        )
        whole = session.console.verbosity > 0
        style = session.console.style_result
        return Result(
            data={**inspected.image, **inspection_data(inspected.inspection)},
            lines=(
                *inspected.lines,
                *inspection_lines(inspected.inspection, whole=whole, style=style),
            ),
        )
