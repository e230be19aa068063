"""`wasmctl push`: build, package, push, read back."""

from __future__ import annotations

import contextlib
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wasmctl.cli.options import (
    AnnotateGit,
    CaFile,
    FormatChoice,
    FormatOption,
    Insecure,
    NoBuild,
    Package,
    PasswordStdin,
    PlainHttp,
    TargetNames,
    Username,
)
from wasmctl.errors import UsageError, WasmctlError
from wasmctl.results import ErrorItem, JSONValue, Result
from wasmctl.session import Session

if TYPE_CHECKING:
    from wasmctl.flow.ship import PushRequest, Shipped
    from wasmctl.oci.destination import Destination
    from wasmctl.oci.options import RegistryOptions
    from wasmctl.oci.push import Opening
    from wasmctl.project.project import Project

__all__ = ["register"]


class Via(StrEnum):
    """Who talks to the registry."""

    REGISTRY = "registry"
    DOCKER = "docker"


def register(app: typer.Typer) -> None:
    """Add the verb."""

    @app.command(epilog="The last line of stdout is REF@sha256:DIGEST, to be deployed as it is.")
    def push(
        ctx: typer.Context,
        places: Annotated[
            list[str] | None,
            typer.Argument(
                metavar="DIR|REF",
                help="Plug-ins' folders, else the one here; and where to push, else [image].",
            ),
        ] = None,
        source: Annotated[
            str | None,
            typer.Option(
                "--from",
                metavar="REF|FILE",
                help="Take the module from this image, layout or file, instead of building one.",
            ),
        ] = None,
        via: Annotated[
            Via, typer.Option("--via", help="Straight to the registry, or by the Docker engine.")
        ] = Via.REGISTRY,
        format_: FormatOption = None,
        tags: Annotated[
            list[str] | None,
            typer.Option("--tag", metavar="NAME", help="A tag; may be given several times."),
        ] = None,
        move_tag: Annotated[
            bool, typer.Option("--move-tag", help="Move a version's tag to another digest.")
        ] = False,
        package: Package = None,
        annotate_git: AnnotateGit = False,
        no_build: NoBuild = False,
        require_tested: Annotated[
            bool,
            typer.Option("--require-tested", help="Refuse what has not passed `wasmctl test`."),
        ] = False,
        consumers: TargetNames = None,
        force: Annotated[
            bool, typer.Option("--force", help="Push also what a target refuses.")
        ] = False,
        username: Username = None,
        password_stdin: PasswordStdin = False,
        plain_http: PlainHttp = None,
        ca_file: CaFile = None,
        insecure: Insecure = False,
    ) -> Result:
        """Build, package and push to a registry."""
        from wasmctl.cli.registry import registry_options

        session: Session = ctx.obj
        reach = partial(
            registry_options,
            session,
            username=username,
            password_stdin=password_stdin,
            plain_http=plain_http,
            ca_file=ca_file,
            insecure=insecure,
        )
        if source is not None:
            from wasmctl.cli.repack import push_source

            shipped = push_source(
                source,
                places or [],
                session,
                of_projects={
                    "--via docker": via is Via.DOCKER,
                    "--package": package is not None,
                    "--annotate-git": annotate_git,
                    "--no-build": no_build,
                    "--require-tested": require_tested,
                    "--target": bool(consumers),
                    "--force": force,
                },
                format_=format_,
                tags=tags or [],
                move_tag=move_tag,
                reach=reach,
            )
            _tell_github([shipped], session)
            return Result(data=_data(shipped), lines=(shipped.reference,))
        if consumers:
            from wasmctl.hosts.targets import find_targets

            find_targets(consumers)
        chosen = _format(via, format_)
        folders, ref = _split(places or [], session)
        flags = {"image.format": None if chosen is None else chosen.value}
        projects = _projects(folders, session, package=package, flags=flags)
        options = reach()
        targets = _targets(projects, session, ref, tags or [])
        with contextlib.ExitStack() as stack:
            opening = None
            if via is Via.REGISTRY and len(targets) == 1:
                opening = stack.enter_context(_opening(targets[0][1], options))
            requests = _requests(
                targets,
                session,
                annotate_git=annotate_git,
                no_build=no_build,
                options=options,
                move_tag=move_tag,
                via_docker=via is Via.DOCKER,
                require_tested=require_tested,
                consumers=tuple(consumers or ()),
                force=force,
                opening=opening,
            )
            return _push_all(requests, session)


def _targets(
    projects: list[Project], session: Session, ref: str | None, tags: list[str]
) -> list[tuple[Project, Destination]]:
    if ref is not None and len(projects) > 1:
        message = f"one REF for {len(projects)} plug-ins"
        raise UsageError("usage", message, hint="set `[image] repository` for each")
    return [(project, _destination(project, session, ref, tags)) for project in projects]


def _requests(
    targets: list[tuple[Project, Destination]],
    session: Session,
    *,
    annotate_git: bool,
    no_build: bool,
    options: RegistryOptions,
    move_tag: bool,
    via_docker: bool,
    require_tested: bool,
    consumers: tuple[str, ...],
    force: bool,
    opening: Opening | None,
) -> list[tuple[Project, PushRequest]]:
    # All that an image needs is loaded here, while the registry is already being reached.
    from wasmctl.flow.build import tell_as_it_stands
    from wasmctl.flow.ship import PackageRequest, PushRequest
    from wasmctl.oci.image import Format

    requests = []
    for project, destination in targets:
        if no_build:
            tell_as_it_stands(project, session)
        package = PackageRequest(
            format=Format(project.settings.image.format),
            annotate_git=annotate_git,
            build=not no_build,
            judged=False,
        )
        request = PushRequest(
            destination=destination,
            package=package,
            options=options,
            move_tag=move_tag,
            via_docker=via_docker,
            require_tested=require_tested,
            targets=consumers,
            force=force,
            opening=opening,
        )
        requests.append((project, request))
    return requests


def _opening(destination: Destination, options: RegistryOptions) -> Opening:
    from wasmctl.oci.push import Opening

    return Opening(destination.reference, tags=destination.tags, options=options)


def _push_all(requests: list[tuple[Project, PushRequest]], session: Session) -> Result:
    from wasmctl.flow.ship import push_project

    if len(requests) == 1:
        shipped = push_project(requests[0][0], session, requests[0][1])
        _tell_github([shipped], session)
        return Result(data=_data(shipped), lines=(shipped.reference,))
    done: list[Shipped] = []
    errors: list[WasmctlError] = []
    for project, request in requests:
        try:
            done.append(push_project(project, session, request))
        except WasmctlError as error:
            errors.append(error)
            session.console.error(f"{project.folder}: {error.message}", error.hint, error.output)
    _tell_github(done, session)
    return Result(
        data={"images": [_data(shipped) for shipped in done]},
        lines=tuple(shipped.reference for shipped in done),
        exit_code=max((int(error.exit_code) for error in errors), default=0),
        errors=tuple(
            ErrorItem(code=error.code, message=error.message, hint=error.hint) for error in errors
        ),
    )


def _data(shipped: Shipped) -> dict[str, JSONValue]:
    return {
        "reference": shipped.reference,
        "digest": shipped.digest,
        "format": shipped.format.value,
        "size": shipped.size,
        "pushed": shipped.pushed,
    }


def _format(via: Via, chosen: FormatChoice | None) -> FormatChoice | None:
    if via is Via.REGISTRY:
        return chosen
    if chosen not in {None, FormatChoice.DOCKER}:
        raise UsageError(
            "format-and-engine",
            f"the Docker engine writes its own format, not `{chosen}`",
            hint="use `--via registry`, or `--format docker`",
        )
    return FormatChoice.DOCKER


def _split(places: list[str], session: Session) -> tuple[list[Path | None], str | None]:
    """Return the folders and the REF: an existing path is a folder, anything else a REF."""
    folders = [Path(place) for place in places if Path(session.cwd, place).exists()]
    refs = [place for place in places if not Path(session.cwd, place).exists()]
    if len(refs) > 1:
        listed = ", ".join(f"`{ref}`" for ref in refs)
        hint = "existing folders are plug-ins, one more argument is where to push"
        raise UsageError(
            "usage", f"several REFs, or folders that do not exist: {listed}", hint=hint
        )
    if refs and refs[0].startswith((".", "/", "~")):
        raise UsageError("no-folder", f"`{refs[0]}` does not exist", hint="name a plug-in's folder")
    return list(folders) or [None], refs[0] if refs else None


def _projects(
    folders: list[Path | None],
    session: Session,
    *,
    package: str | None,
    flags: dict[str, str | None],
) -> list[Project]:
    from wasmctl.project.load import load_projects

    return [
        project
        for folder in folders
        for project in load_projects(folder, session, package=package, flags=flags)
    ]


def _destination(
    project: Project, session: Session, ref: str | None, tags: list[str]
) -> Destination:
    from wasmctl.oci.destination import find_destination
    from wasmctl.project.git import find_version

    if ref is None and project.settings.image.repository is None and session.prompts:
        ref = typer.prompt(f"Where to push {project.name} (HOST/REPOSITORY:TAG)", err=True)
    version = find_version(project, session.env)
    try:
        found = find_destination(project, given=ref, tags=tags, version=version)
    except UsageError as error:
        if error.code != "no-version" or not session.prompts:
            raise
        tags = [typer.prompt(f"Version of {project.name}", err=True)]
        found = find_destination(project, given=ref, tags=tags, version=version)
    if found.reference.read_as:
        session.console.say(found.reference.read_as)
    return found


def _tell_github(images: list[Shipped], session: Session) -> None:
    """Write a step's outputs and summary, as GitHub Actions takes them.

    https://docs.github.com/actions/reference/workflow-commands-for-github-actions
    """
    if session.env.get("GITHUB_ACTIONS") != "true" or not images:
        return
    outputs = f"reference={images[-1].reference}\ndigest={images[-1].digest}\n"
    summary = "".join(f"- pushed `{image.reference}`\n" for image in images)
    for variable, text in (("GITHUB_OUTPUT", outputs), ("GITHUB_STEP_SUMMARY", summary)):
        if path := session.env.get(variable):
            with Path(path).open("a", encoding="utf-8") as stream:
                stream.write(text)
