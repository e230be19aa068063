"""Which folders are plug-in projects, and what compiles them: from the files alone.

A project is a Cargo package with a cdylib or a Go main package; its workspace, module or go.work
may lie above it. No tool is started here.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wasmctl.errors import UsageError

if TYPE_CHECKING:
    from wasmctl.project.settings import ToolchainName

__all__ = ["Found", "find_projects", "nearest_project"]

_NO_PROJECT_HINT = "change to a plug-in's folder, or start one: `wasmctl init NAME`"
# Both live on TinyGo alone; the standard toolchain needs the SDK's successor.
_TINYGO_ONLY = re.compile(
    r"^[^/\n]*\bgithub\.com/(tetratelabs/proxy-wasm-go-sdk|wasilibs/nottinygc)", re.MULTILINE
)
_PACKAGE = re.compile(rb"^package\s+(\w+)", re.MULTILINE)


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


def nearest_project(folder: Path) -> Path:
    """Return `folder`, or the nearest folder above that holds a project's files."""
    for candidate in (folder, *folder.parents):
        if any((candidate / name).is_file() for name in ("wasmctl.toml", "Cargo.toml", "go.mod")):
            return candidate
        if _go_package(candidate) is not None:
            return candidate
    return folder


def find_projects(folder: Path, *, package: str | None = None) -> tuple[Found, ...]:
    """Return the projects that `folder` stands for: one, or all plug-ins of a Cargo workspace.

    Args:
        folder: an existing folder.
        package: the one Cargo package wanted.

    Raises:
        UsageError: there is none, or none of that name.
    """
    manifest = _read_toml(folder / "Cargo.toml")
    if manifest is None:
        if package is not None:
            message = f"`{folder}` has no Cargo.toml to look for the package `{package}` in"
            raise UsageError("no-package", message, hint="leave out `-p`")
        return (_go_project(folder),)
    found = tuple(_cargo_projects(folder, manifest, package))
    if package is not None and not found:
        names = ", ".join(f"`{item.name}`" for item in _cargo_projects(folder, manifest, None))
        hint = f"plug-ins here: {names}" if names else "no package here is a plug-in"
        raise UsageError("no-package", f"no package `{package}` in `{folder}`", hint=hint)
    if not found:
        raise UsageError(
            "no-plugin",
            f"no package of the Cargo workspace `{folder}` has a cdylib and depends on proxy-wasm",
            hint='give the plug-in\'s Cargo.toml `[lib] crate-type = ["cdylib"]`',
        )
    return found


def _cargo_projects(
    folder: Path, manifest: Mapping[str, object], package: str | None
) -> Iterator[Found]:
    own = _table(manifest, "package")
    workspace = _table(manifest, "workspace")
    # At a workspace's root the root package counts only where it is a plug-in itself.
    wanted = own.get("name") == package if package else not workspace or _is_plugin(manifest)
    if own and wanted:
        yield _cargo_project(folder, manifest, "its Cargo.toml")
    for member in _members(folder, workspace):
        inner = _read_toml(member / "Cargo.toml")
        if inner is None or member == folder:
            continue
        name = _table(inner, "package").get("name")
        if name == package or (package is None and _is_plugin(inner)):
            yield _cargo_project(member, inner, f"the workspace `{folder}`")


def _cargo_project(folder: Path, manifest: Mapping[str, object], why: str) -> Found:
    own = _table(manifest, "package")
    name = str(own.get("name", folder.name))
    return Found(
        folder=folder,
        toolchain="cargo",
        why=why,
        name=name,
        version=_own_or_inherited(folder, own, "version"),
        package=name,
        description=_own_or_inherited(folder, own, "description"),
    )


def _is_plugin(manifest: Mapping[str, object]) -> bool:
    kinds = _table(manifest, "lib").get("crate-type", _table(manifest, "lib").get("crate_type"))
    is_library = isinstance(kinds, list) and "cdylib" in kinds
    return is_library and "proxy-wasm" in _table(manifest, "dependencies")


def _members(folder: Path, workspace: Mapping[str, object]) -> Iterator[Path]:
    excluded = {folder / str(name) for name in _list(workspace, "exclude")}
    seen = set()
    for pattern in _list(workspace, "members"):
        for path in sorted(folder.glob(str(pattern))):
            if path.is_dir() and path not in excluded and path not in seen:
                seen.add(path)
                yield path


def _own_or_inherited(folder: Path, own: Mapping[str, object], key: str) -> str | None:
    """Return a package's field, the workspace's where it says `key.workspace = true`."""
    value = own.get(key)
    if isinstance(value, Mapping):
        manifests = (_read_toml(above / "Cargo.toml") for above in (folder, *folder.parents))
        roots = (item for item in manifests if item is not None and "workspace" in item)
        value = _table(_table(next(roots, {}), "workspace"), "package").get(key)
    return None if value is None else str(value)


def _go_project(folder: Path) -> Found:
    if _go_package(folder) is None:
        message, hint = _nothing_here(folder)
        raise UsageError("no-project", message, hint=hint)
    module = next((up for up in (folder, *folder.parents) if (up / "go.mod").is_file()), None)
    if module is None:
        raise UsageError(
            "no-go-module",
            f"`{folder}` has Go files, but no go.mod there or above",
            hint="make it a module: `go mod init NAME`",
        )
    text = (module / "go.mod").read_text(encoding="utf-8", errors="replace")
    declared = re.search(r"^module\s+\"?([^\s\"]+)", text, re.MULTILINE)
    old_sdk = _TINYGO_ONLY.search(text)
    name = folder.name if module != folder or declared is None else declared[1].rpartition("/")[2]
    return Found(
        folder=folder,
        toolchain="tinygo" if old_sdk else "go",
        why=f"`{old_sdk[1]}` in go.mod" if old_sdk else "its Go files",
        name=name,
    )


def _go_package(folder: Path) -> str | None:
    """Return the name of the Go package in `folder`, `main` where there are several."""
    names = set()
    for path in folder.glob("*.go"):
        if not path.name.endswith("_test.go") and path.is_file():
            found = _PACKAGE.search(path.read_bytes())
            names.add(found[1].decode() if found else "")
    return "main" if "main" in names else next(iter(names), None)


def _nothing_here(folder: Path) -> tuple[str, str]:
    message = f"no plug-in project in `{folder}`: neither a Cargo.toml nor Go files"
    if (folder / "go.mod").is_file():
        mains = [
            path.relative_to(folder)
            for depth in ("*", "*/*")
            for path in sorted(folder.glob(depth))
            if path.is_dir() and _go_package(path) == "main"
        ]
        if mains:
            listed = ", ".join(f"`{path}`" for path in mains[:5])
            return message, f"main packages of this module: {listed}"
    return message, _NO_PROJECT_HINT


def _read_toml(path: Path) -> Mapping[str, object] | None:
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8"))
    except FileNotFoundError:
        return None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError("bad-toml", f"`{path}` is not TOML: {error}") from None


def _table(table: Mapping[str, object], key: str) -> Mapping[str, object]:
    value = table.get(key)
    return value if isinstance(value, Mapping) else {}


def _list(table: Mapping[str, object], key: str) -> list[object]:
    value = table.get(key)
    return value if isinstance(value, list) else []
