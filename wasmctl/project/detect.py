"""Which folders are plug-in projects, and what compiles them: from the files alone.

A project is a Cargo package with a cdylib or a Go main package; its workspace, module or go.work
may lie above it, and the root of a workspace stands for all plug-ins in it. No tool is started
here, and no tree is walked.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wasmctl.errors import UsageError
from wasmctl.project.cargo_files import (
    Manifest,
    is_plugin,
    package_field,
    read_manifest,
    table,
    workspace_members,
    workspace_root,
)
from wasmctl.project.go_files import go_package, module_above, read_module, read_work

if TYPE_CHECKING:
    from wasmctl.project.settings import ToolchainName

__all__ = ["Found", "find_projects", "nearest_project"]

_NO_PROJECT_HINT: Final = "change to a plug-in's folder, or start one: `wasmctl init NAME`"
_FILES: Final = ("wasmctl.toml", "Cargo.toml", "go.mod", "go.work")
# Folders that hold other people's code, or data.
_NOT_OURS: Final = frozenset({"vendor", "testdata", "node_modules", "target", "dist"})
# How many folders are looked into, and named, to say where a plug-in may be instead.
_LOOKED_INTO, _NAMED = 200, 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A project as its files show it.

    Args:
        folder: its folder.
        toolchain: what compiles it.
        why: what told so, for people.
        name: the Cargo package's or Go module's name, else the folder's.
        version: Cargo's, also the workspace's; Go has none.
        package: the Cargo package's name.
        description: the Cargo package's description.
    """

    folder: Path
    toolchain: ToolchainName
    why: str
    name: str
    version: str | None = None
    package: str | None = None
    description: str | None = None


def nearest_project(folder: Path, *, home: Path | None = None) -> Path:
    """Return `folder`, or the nearest folder above that holds a project's files.

    The search ends at the root of the repository, and takes nothing that lies in the home folder
    or the root of the file system: a stray file there speaks for no project below.
    """
    for candidate in (folder, *folder.parents):
        if candidate != folder and candidate in {home, Path(candidate.anchor)}:
            break
        if _is_project(candidate):
            return candidate
        if (candidate / ".git").exists():
            break
    return folder


def find_projects(
    folder: Path, *, package: str | None = None, toolchain: ToolchainName | None = None
) -> tuple[Found, ...]:
    """Return the projects that `folder` stands for: one, or all plug-ins of a workspace.

    Args:
        folder: an existing folder.
        package: the one Cargo package wanted, of the workspace that the folder is in.
        toolchain: what is to compile, where the files leave a choice.

    Raises:
        UsageError: there is none, or none of that name.
    """
    manifest = read_manifest(folder)
    if manifest is None or (toolchain in {"go", "tinygo"} and go_package(folder)):
        if package is not None:
            message = f"`{folder}` has no Cargo.toml to look for the package `{package}` in"
            raise UsageError("no-package", message, hint="leave out `-p`")
        return tuple(_go_workspace(folder)) or (_go_project(folder),)
    if package is not None:
        return (_package_of_workspace(folder, manifest, package),)
    if "package" not in manifest and "workspace" not in manifest:
        message = f"`{folder / 'Cargo.toml'}` has neither `[package]` nor `[workspace]`"
        raise UsageError("no-package", message, hint=_NO_PROJECT_HINT)
    if "workspace" not in manifest:
        return (_cargo_project(folder, manifest, "its Cargo.toml"),)
    found = tuple(_plugins(folder, manifest))
    if not found:
        raise UsageError(
            "no-plugin",
            f"no package of the Cargo workspace `{folder}` has a cdylib and depends on proxy-wasm",
            hint='give the plug-in\'s Cargo.toml `[lib] crate-type = ["cdylib"]`',
        )
    return found


def _plugins(root: Path, manifest: Manifest) -> Iterator[Found]:
    for folder, inner in workspace_members(root, manifest):
        if is_plugin(folder, inner):
            yield _cargo_project(folder, inner, f"the workspace `{root}`")


def _package_of_workspace(folder: Path, manifest: Manifest, package: str) -> Found:
    root, top = workspace_root(folder, manifest) or (folder, manifest)
    for member, inner in workspace_members(root, top):
        if table(inner, "package").get("name") == package:
            return _cargo_project(member, inner, f"`-p` and the workspace `{root}`")
    names = ", ".join(f"`{found.name}`" for found in _plugins(root, top))
    hint = f"plug-ins here: {names}" if names else "no package here is a plug-in"
    raise UsageError("no-package", f"no package `{package}` in `{root}`", hint=hint)


def _cargo_project(folder: Path, manifest: Manifest, why: str) -> Found:
    name = str(table(manifest, "package").get("name", folder.name))
    return Found(
        folder=folder,
        toolchain="cargo",
        why=why,
        name=name,
        version=package_field(folder, manifest, "version"),
        package=name,
        description=package_field(folder, manifest, "description"),
    )


def _go_workspace(folder: Path) -> Iterator[Found]:
    """Yield the plug-ins that a go.work uses, where its own folder is no package."""
    used = read_work(folder)
    if used is None or go_package(folder) is not None:
        return
    for place in used:
        has_module = (place / "go.mod").is_file()
        if has_module and go_package(place) == "main" and read_module(place).sdk is not None:
            yield _go_project(place)


def _go_project(folder: Path) -> Found:
    if go_package(folder) is None:
        message = f"no plug-in project in `{folder}`: neither a Cargo.toml nor Go files"
        raise UsageError("no-project", message, hint=_elsewhere(folder))
    module_folder = module_above(folder)
    if module_folder is None:
        raise UsageError(
            "no-go-module",
            f"`{folder}` has Go files, but no go.mod there or above",
            hint="make it a module: `go mod init NAME`",
        )
    module = read_module(module_folder)
    sdk = module.sdk
    return Found(
        folder=folder,
        toolchain="go" if sdk is None else sdk[1],
        why="its Go files" if sdk is None else f"`{sdk[0]}` in go.mod",
        name=(module.name if module_folder == folder else None) or folder.name,
    )


def _elsewhere(folder: Path) -> str:
    """Return the hint where there is no project: those right below, as far as that is plain."""
    patterns = ("*", "*/*") if (folder / "go.mod").is_file() else ("*",)
    # Only a hint: of very many folders some are looked into.
    below = itertools.chain.from_iterable(folder.glob(pattern) for pattern in patterns)
    looked = itertools.islice(below, _LOOKED_INTO)
    names = sorted(
        str(path.relative_to(folder))
        for path in looked
        if not _is_others(path.relative_to(folder)) and path.is_dir() and _is_project(path)
    )
    if not names:
        return _NO_PROJECT_HINT
    listed = ", ".join(f"`{name}`" for name in names[:_NAMED])
    return f"name the plug-in's folder; there are {listed}{' ...' if names[_NAMED:] else ''}"


def _is_others(path: Path) -> bool:
    return any(part.startswith((".", "_")) or part in _NOT_OURS for part in path.parts)


def _is_project(folder: Path) -> bool:
    try:
        return any((folder / name).is_file() for name in _FILES) or go_package(folder) == "main"
    except (PermissionError, UsageError):  # a folder or a file that is not for us
        return False
