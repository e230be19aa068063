"""Where a project's sources lie, and how they look now: for rebuilding when one is saved.

Over-watching costs a build that finds nothing to do; a file that is overlooked costs trust. So all
is looked at that lies in the folders a compiler may read from, but what tools leave there. What
counts for sure is known by name; which of the rest (embedded files, what a build script reads) the
compiler alone knows. Files are looked at (names, times, sizes), not subscribed to: that sees saves
by rename, new folders, and file systems that tell nobody (containers, WSL, networks), needs no
library, and a project of a thousand files takes 5 ms. Starts no program.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from wasmctl.errors import UsageError
from wasmctl.project.cargo_files import local_packages, read_manifest, workspace_root
from wasmctl.project.go_files import module_above
from wasmctl.toolchain.gofiles import local_modules, module_file
from wasmctl.toolchain.inputs import is_go_source

if TYPE_CHECKING:
    from wasmctl.project.project import Project

__all__ = ["Look", "SourceTree", "changed_paths", "find_sources"]

# A file's name → what differs once it was saved.
Look = Mapping[str, tuple[int, int, int]]

# What editors and tools leave while one types: hidden swap files, backups, vim's probe `4913`.
_PASSING: Final = re.compile(
    r"\..*|.*~|#.*#|.*\.(?:sw[a-p]|tmp|bak|orig)|4913|__pycache__|node_modules"
)
# Hidden, and yet read by cargo.
_CARGO: Final = ".cargo"
# What has a say in the module beside the code.
_RUST: Final = ("Cargo.toml", "Cargo.lock", "rust-toolchain", "rust-toolchain.toml")
_GO: Final = ("go.mod", "go.sum", "go.work", "go.work.sum", "modules.txt")


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceTree:
    """What to look at.

    Args:
        folders: absolute folders, none within another; all below them is looked at.
        files: further files, whether or not they are there.
        language: whose sources lie in the folders.
    """

    folders: tuple[Path, ...]
    files: tuple[Path, ...] = ()
    language: Literal["rust", "go"] | None = None

    def counts(self, path: Path) -> bool:
        """Return whether a change of a file is one of the module for sure, going by its name."""
        name = path.name
        if path in self.files:
            return True
        match self.language:
            case "rust":
                return name.endswith(".rs") or name in _RUST or path.parent.name == _CARGO
            case "go":
                return is_go_source(name) or name in _GO
            case None:
                return False

    def look(self) -> Look:
        """Return how every file looks now."""
        found: dict[str, tuple[int, int, int]] = {}
        for folder in self.folders:
            for entry in _files(str(folder), top=True):
                _note(entry, found)
        for file in self.files:
            _note(file, found)
        return found


def changed_paths(before: Look, after: Look) -> tuple[Path, ...]:
    """Return what was changed, added or removed, sorted."""
    names = {*before, *after}
    return tuple(Path(name) for name in sorted(names) if before.get(name) != after.get(name))


def find_sources(project: Project, *, files: tuple[Path, ...] = ()) -> SourceTree:
    """Return what a project's module may be made from.

    That is its folder, the workspace or module around it, and what they take from folders beside
    them (`path = "…"`, `replace … => ../…`, `use ../…`).

    Args:
        project: which.
        files: further files to look at.
    """
    try:
        around = set(_cargo(project) if project.toolchain == "cargo" else _go(project))
    except UsageError:
        around = set()  # a broken manifest: the compiler says it better, and its folder counts
    named = (Path(os.path.normpath(folder)) for folder in around)
    folders = {project.folder, *(folder for folder in named if folder.is_dir())}
    tops = sorted(folder for folder in folders if not folders.intersection(folder.parents))
    # Settings of cargo, go and rustup that hold for all below them.
    names = (".cargo/config.toml", ".cargo/config", "go.work", "rust-toolchain.toml")
    above = tuple(folder / name for folder in project.folder.parents for name in names)
    return SourceTree(
        folders=tuple(tops),
        files=(*above, *files),
        language="rust" if project.toolchain == "cargo" else "go",
    )


def _cargo(project: Project) -> Iterator[Path]:
    manifest = read_manifest(project.folder)
    if manifest is None:
        return
    if (root := workspace_root(project.folder, manifest)) is not None:
        yield root[0]
    yield from local_packages(project.folder, manifest)


def _go(project: Project) -> Iterator[Path]:
    if (module := module_above(project.folder)) is not None:
        yield module
        yield from local_modules(module / "go.mod")
    if (work := module_file(project.folder, "go.work")) is not None:
        yield from local_modules(work)


def _files(folder: str, *, top: bool = False) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            found = list(entries)
    except OSError:
        return
    names = {entry.name for entry in found}
    # Cargo marks its target folder so (https://bford.info/cachedir); dist has the other mark.
    ignored = ".gitignore" in names and _ignores_all(f"{folder}/.gitignore")
    if not top and (ignored or "CACHEDIR.TAG" in names):
        return
    for entry in found:
        if _PASSING.fullmatch(entry.name) and entry.name != _CARGO:
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _files(entry.path)
        else:
            yield entry


def _ignores_all(path: str) -> bool:
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:  # noqa: PTH123
            lines = stream.read(1024).split()
    except OSError:
        return False
    # Some ignore everything but what they name: there the rest are sources.
    return "*" in lines and not {*lines} - {"*", "!.gitignore"}


def _note(entry: os.DirEntry[str] | Path, found: dict[str, tuple[int, int, int]]) -> None:
    try:
        status = entry.stat()
    except OSError:
        return
    found[os.fspath(entry)] = (status.st_mtime_ns, status.st_size, status.st_ino)
