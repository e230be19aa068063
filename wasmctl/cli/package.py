"""`wasmctl package`: the image as an OCI layout, without a registry."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wasmctl.cli.options import AnnotateGit, Folder, FormatOption, NoBuild, Package
from wasmctl.results import Result
from wasmctl.session import Session

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the verb."""

    @app.command(epilog="Prints the image's digest: the one that push would give it.")
    def package(
        ctx: typer.Context,
        folder: Folder = None,
        output: Annotated[
            Path | None,
            typer.Option("--output", metavar="DIR|FILE.tar", help="Else DIR/dist/image."),
        ] = None,
        format_: FormatOption = None,
        package_name: Package = None,
        annotate_git: AnnotateGit = False,
        no_build: NoBuild = False,
    ) -> Result:
        """Build, and write the image as an OCI layout."""
        from wasmctl.flow.build import tell_as_it_stands
        from wasmctl.flow.ship import PackageRequest, packaged
        from wasmctl.oci.image import Format
        from wasmctl.oci.layout import write_layout
        from wasmctl.project.git import find_version
        from wasmctl.project.load import load_project

        session: Session = ctx.obj
        flags = {"image.format": None if format_ is None else format_.value}
        project = load_project(folder, session, package=package_name, flags=flags)
        if no_build:
            tell_as_it_stands(project, session)
        target = project.dist / "image" if output is None else Path(session.cwd, output)
        request = PackageRequest(
            format=Format(project.settings.image.format),
            annotate_git=annotate_git,
            build=not no_build,
        )
        with packaged(project, session, request) as image:
            tag = project.settings.image.tag or find_version(project, session.env)
            write_layout(image, target, name=tag)
        session.console.say(f"wrote {target}")
        return Result(
            data={
                "digest": image.digest,
                "format": image.format.value,
                "size": image.size,
                "output": str(target),
                "tag": tag,
            },
            lines=(image.digest,),
        )
