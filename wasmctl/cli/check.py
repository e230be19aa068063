"""`wasmctl check`: say whether a target will load the module, or take the image, and why not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wasmctl.cli.options import (
    CaFile,
    Insecure,
    NoBuild,
    Package,
    PasswordStdin,
    PlainHttp,
    TargetNames,
    Username,
)
from wasmctl.errors import ExitCode, WasmctlError
from wasmctl.paths import relative, replacing
from wasmctl.results import ErrorItem, Result
from wasmctl.session import Session

if TYPE_CHECKING:
    from wasmctl.hosts.verdict import Checked
    from wasmctl.oci.options import RegistryOptions

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the verb."""

    @app.command(
        epilog="Exit codes: 0 every target takes it (with none named: at least one of all); 1 one "
        "refuses it; 5 it is no module and no image. Warnings exit 0."
    )
    def check(
        ctx: typer.Context,
        places: Annotated[
            list[str] | None,
            typer.Argument(
                metavar="DIR|FILE|REF",
                help="A plug-in's folder, a module, an image: HOST/REPOSITORY:TAG, an OCI layout "
                "or an archive of one; else the plug-in here or above.",
            ),
        ] = None,
        targets: TargetNames = None,
        sarif: Annotated[
            Path | None,
            typer.Option("--sarif", metavar="FILE", help="Write a SARIF report there."),
        ] = None,
        package: Package = None,
        no_build: NoBuild = False,
        pull_secret: Annotated[
            Path | None,
            typer.Option(
                "--pull-secret",
                metavar="FILE",
                help="Fetch the image with this Secret's credentials alone: kubectl's YAML or "
                "JSON of it.",
            ),
        ] = None,
        username: Username = None,
        password_stdin: PasswordStdin = False,
        plain_http: PlainHttp = None,
        ca_file: CaFile = None,
        insecure: Insecure = False,
    ) -> Result:
        """Say whether a target will load the module or take the image, and why not."""
        from wasmctl.cli.registry import registry_options
        from wasmctl.hosts.targets import find_targets

        session: Session = ctx.obj
        find_targets(targets or ())  # a wrong name is told before anything is built or fetched
        checks = _Checks(
            session=session,
            names=tuple(targets or ()),
            package=package,
            build=not no_build,
            pull_secret=None if pull_secret is None else Path(session.cwd, pull_secret),
            options=registry_options(
                session,
                username=username,
                password_stdin=password_stdin,
                plain_http=plain_http,
                ca_file=ca_file,
                insecure=insecure,
            ),
        )
        found, errors = _run(places or [None], checks)
        if sarif is not None:
            _write_sarif(found, Path(session.cwd, sarif), session)
        return _result(found, errors, session)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Checks:
    """What is the same for all that is checked."""

    session: Session
    names: tuple[str, ...]
    package: str | None
    build: bool
    pull_secret: Path | None
    options: RegistryOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What came of one module or image.

    Args:
        checked: it.
        asked: whether its targets were named; else they are all that there are.
        file: what stands for it in a repository.
    """

    checked: Checked
    asked: bool
    file: Path

    @property
    def exit_code(self) -> ExitCode:
        no = self.checked.refusing if self.asked else self.checked.useless
        return ExitCode.NO if no else ExitCode.DONE


def _run(
    places: Sequence[str | None], checks: _Checks
) -> tuple[list[_Found], list[tuple[str, WasmctlError]]]:
    found: list[_Found] = []
    errors: list[tuple[str, WasmctlError]] = []
    for place in places:
        try:
            found += _check(place, checks)
        except WasmctlError as error:
            if len(places) == 1:
                raise
            errors.append((str(place), error))
            checks.session.console.error(f"{place}: {error.message}", error.hint, error.output)
    return found, errors


def _check(place: str | None, checks: _Checks) -> Iterator[_Found]:
    """Check what an argument means: an existing path is a folder or a file, all else a REF."""
    from wasmctl.flow.check import check_file, check_image_named, refuse_missing_file
    from wasmctl.hosts.targets import find_targets
    from wasmctl.wasm.frames import MAGIC

    path = None if place is None else Path(checks.session.cwd, place)
    if path is None or (path.is_dir() and not (path / "oci-layout").exists()):
        yield from _check_projects(path, checks)
        return
    if path.is_file():
        with path.open("rb") as stream:
            is_module = stream.read(len(MAGIC)) == MAGIC or path.suffix == ".wasm"
        if is_module:
            checked = check_file(path, find_targets(checks.names), subject=str(place))
            yield _Found(checked=checked, asked=bool(checks.names), file=path)
            return
    refuse_missing_file(str(place), path)
    for one in check_image_named(
        str(place),
        checks.names,
        session=checks.session,
        options=checks.options,
        pull_secret=checks.pull_secret,
    ):
        yield _Found(checked=one, asked=bool(checks.names), file=path)


def _check_projects(folder: Path | None, checks: _Checks) -> Iterator[_Found]:
    from wasmctl.flow.build import as_it_stands, build_one, tell_as_it_stands
    from wasmctl.flow.check import check_file
    from wasmctl.hosts.targets import find_targets
    from wasmctl.project.load import load_projects
    from wasmctl.toolchain.module import BuildRequest

    for project in load_projects(folder, checks.session, package=checks.package):
        names = checks.names or project.settings.plugin.targets
        targets = find_targets(names)
        if checks.build:
            build_one(project, checks.session, BuildRequest(live=True), judged=False)
        else:
            tell_as_it_stands(project, checks.session)
        path = as_it_stands(project, checks.session)
        subject = str(relative(path, checks.session.cwd))
        manifest = "Cargo.toml" if project.toolchain == "cargo" else "go.mod"
        yield _Found(
            checked=check_file(path, targets, subject=subject),
            asked=bool(names),
            file=project.folder / manifest,
        )


def _result(
    found: Sequence[_Found], errors: Sequence[tuple[str, WasmctlError]], session: Session
) -> Result:
    from wasmctl.hosts.report import checked_data, findings_data

    codes = [one.exit_code for one in found] + [error.exit_code for _, error in errors]
    return Result(
        data={
            "findings": [data for one in found for data in findings_data(one.checked)],
            "checked": [checked_data(one.checked) for one in found],
        },
        lines=tuple(_lines(found, session)),
        exit_code=int(max(codes, default=ExitCode.DONE)),
        errors=tuple(
            ErrorItem(code=error.code, message=f"{place}: {error.message}", hint=error.hint)
            for place, error in errors
        ),
    )


def _lines(found: Sequence[_Found], session: Session) -> Iterator[str]:
    from wasmctl.hosts.report import report
    from wasmctl.hosts.targets import target_names

    listed = target_names()
    for index, one in enumerate(found):
        if index:
            yield ""
        yield from report(
            one.checked,
            listed,
            whole=session.console.verbosity > 0,
            style=session.console.style_result,
        )
    if session.env.get("GITHUB_ACTIONS") == "true":
        yield from _annotations(found, session)


def _annotations(found: Sequence[_Found], session: Session) -> Iterator[str]:
    from wasmctl.github import workflow_command
    from wasmctl.hosts.sarif import place_of

    workspace = Path(session.env.get("GITHUB_WORKSPACE") or session.cwd)
    for one in found:
        for finding in one.checked.findings:
            file, line = place_of(finding, str(relative(one.file, workspace)))
            message = f"{finding.message}\nhint: {finding.hint}"
            yield workflow_command(
                finding.severity.value, message, title=finding.id, file=file, line=line
            )


def _write_sarif(found: Sequence[_Found], path: Path, session: Session) -> None:
    from wasmctl.hosts.sarif import place_of, sarif

    located = []
    for one in found:
        for finding in one.checked.findings:
            file, line = place_of(finding, str(relative(one.file, session.cwd)))
            located.append((finding, file, line))
    with replacing(path) as stream:
        stream.write(sarif(located).encode())
