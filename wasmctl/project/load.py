"""Files, environment and flags → resolved projects."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from wasmctl import __version__
from wasmctl.errors import UsageError
from wasmctl.paths import home_folder
from wasmctl.project.detect import Found, find_projects, nearest_project
from wasmctl.project.layers import (
    FILE_NAME,
    Layers,
    environment_layer,
    file_layer,
    flag_layer,
    merge,
    unknown_variables,
    user_layer,
)
from wasmctl.project.project import Project
from wasmctl.session import Session

__all__ = ["load_layers", "load_project", "load_projects", "project_folder"]


def project_folder(argument: Path | None, session: Session) -> Path:
    """Return the folder that a DIR argument means; without one, the nearest project upwards.

    Raises:
        UsageError: it does not exist or is no folder.
    """
    if argument is None:
        found = nearest_project(session.cwd, home=home_folder(session.env))
        if found != session.cwd:
            session.console.detail(f"taking the project `{found}`, above the current folder")
        return found
    folder = Path(os.path.realpath(session.cwd / argument))
    if not folder.is_dir():
        what = "is a file, not a folder" if folder.exists() else "does not exist"
        raise UsageError("no-folder", f"`{argument}` {what}", hint="name a plug-in's folder")
    return folder


def load_layers(
    folder: Path, session: Session, *, flags: Mapping[str, object] | None = None
) -> Layers:
    """Merge what flags, environment, wasmctl.toml and user file say for the project in `folder`.

    Args:
        folder: the project's folder.
        session: the environment and the console for warnings.
        flags: values by dotted name; None means not given.

    Raises:
        UsageError: a file or variable is wrong, or the project needs another wasmctl.
    """
    for warning in unknown_variables(session.env):
        session.console.warn(warning)
    return _layers(folder, session, flags or {})


def load_project(
    argument: Path | None,
    session: Session,
    *,
    package: str | None = None,
    flags: Mapping[str, object] | None = None,
) -> Project:
    """Return the one project that a DIR argument stands for, for a verb that takes no more.

    The arguments are those of `load_projects`.

    Raises:
        UsageError: as `load_projects`; or there are several.
    """
    projects = load_projects(argument, session, package=package, flags=flags)
    if len(projects) > 1:
        names = ", ".join(f"`{project.name}`" for project in projects)
        hint = f"choose one: `-p {projects[0].name}`"
        raise UsageError("several-projects", f"several plug-ins here: {names}", hint=hint)
    return projects[0]


def load_projects(
    argument: Path | None,
    session: Session,
    *,
    package: str | None = None,
    flags: Mapping[str, object] | None = None,
) -> tuple[Project, ...]:
    """Return the projects that a DIR argument stands for.

    Args:
        argument: the DIR; None: the nearest project upwards from the current folder.
        session: the world.
        package: a Cargo package's name, of several in a workspace.
        flags: settings given by flags, by dotted name.

    Raises:
        UsageError: no project there, or its settings are wrong.
    """
    folder = project_folder(argument, session)
    own = load_layers(folder, session, flags=flags)
    projects = []
    for found in find_projects(folder, package=package, toolchain=own.settings.build.toolchain):
        layers = own if found.folder == folder else _layers(found.folder, session, flags or {})
        projects.append(_resolve(found, layers))
    for project, why in projects:
        session.console.detail(f"{project.folder}: {project.toolchain}, by {why}")
    return tuple(project for project, _ in projects)


def _layers(folder: Path, session: Session, flags: Mapping[str, object]) -> Layers:
    layers = merge(
        (
            flag_layer(flags),
            *environment_layer(session.env),
            file_layer(folder / FILE_NAME),
            user_layer(session.env),
        )
    )
    _require_version(layers.settings.required_version)
    return layers


def _resolve(found: Found, layers: Layers) -> tuple[Project, str]:
    """Return the project and why it is compiled with what compiles it."""
    settings = layers.settings
    toolchain = settings.build.toolchain
    if toolchain is not None and (toolchain == "cargo") is not (found.toolchain == "cargo"):
        message = f"`{toolchain}` cannot compile `{found.folder}`, a project for {found.toolchain}"
        raise UsageError("other-toolchain", message, hint="leave out `[build] toolchain`")
    project = Project(
        folder=found.folder,
        name=settings.plugin.name or found.name,
        settings=settings,
        toolchain=toolchain or found.toolchain,
        version=settings.plugin.version or found.version,
        package=found.package,
        description=settings.plugin.description or found.description,
        adopted=(found.folder / FILE_NAME).is_file(),
    )
    return project, layers.origins.get("build.toolchain", found.why)


def _require_version(wanted: str | None) -> None:
    if wanted is None:
        return
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        fits = SpecifierSet(wanted).contains(__version__, prereleases=True)
    except InvalidSpecifier:
        message = f"`required-version` is not a version specifier: `{wanted}`"
        raise UsageError("bad-config", message, hint="write it like `>=0.1,<2`") from None
    if not fits:
        raise UsageError(
            "other-version",
            f"this project needs wasmctl {wanted}; this is {__version__}",
            hint=f'install it: `pip install "wasmctl{wanted}"`',
        )
