"""What a scaffold would write, and what stands in its way. Reads the folder, changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from wasmctl.errors import UsageError
from wasmctl.scaffold.render import RenderedFile

__all__ = ["ScaffoldPlan", "compare"]

Change = Literal["create", "overwrite", "identical"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaffoldPlan:
    """Files to be written, none of them there with the same content.

    Args:
        folder: the project's absolute folder; need not exist.
        create: files that are not there yet.
        overwrite: files that take another's place.
    """

    folder: Path
    create: tuple[RenderedFile, ...]
    overwrite: tuple[RenderedFile, ...] = ()

    @property
    def paths(self) -> tuple[str, ...]:
        """What is written, relative to the folder, sorted."""
        return tuple(sorted(str(file.path) for file in (*self.create, *self.overwrite)))


def compare(folder: Path, files: Sequence[RenderedFile], *, force: bool) -> ScaffoldPlan:
    """Compare what a template makes with what is there.

    Args:
        folder: the project's absolute folder.
        files: what the template makes.
        force: whether files may be overwritten.

    Raises:
        UsageError: the folder is a file, or files are in the way.
    """
    if ".." in folder.parts:  # of a folder that is not there `..` would lead somewhere else
        folder = folder.resolve()
    if folder.exists() and not folder.is_dir():
        raise UsageError(
            "not-a-folder", f"`{folder}` is a file", hint="name a folder, new or existing"
        )
    changes = {file.path: _change(folder, file) for file in files}
    blocked = sorted(str(path) for path, change in changes.items() if change == "blocked")
    if blocked:
        raise UsageError(
            "files-in-the-way",
            f"no file can be written in `{folder}` where there is a folder or the like: "
            f"{_listed(blocked)}",
            hint="move them away, or choose another folder; nothing was touched",
        )
    in_the_way = sorted(str(path) for path, change in changes.items() if change == "overwrite")
    if in_the_way and not force:
        raise UsageError(
            "files-in-the-way",
            f"in `{folder}` these files are in the way: {_listed(in_the_way)}",
            hint="`--force` overwrites them and no others; nothing was touched",
        )
    return ScaffoldPlan(
        folder=folder,
        create=tuple(file for file in files if changes[file.path] == "create"),
        overwrite=tuple(file for file in files if changes[file.path] == "overwrite"),
    )


def _change(folder: Path, file: RenderedFile) -> Change | Literal["blocked"]:
    path = folder / file.path
    above = [folder / part for part in file.path.parents][:-1]
    # A link that leads nowhere is in the way as much as a file is.
    if any((part.exists() or part.is_symlink()) and not part.is_dir() for part in above):
        return "blocked"
    if not path.exists() and not path.is_symlink():
        return "create"
    if path.is_symlink() and not path.exists():
        return "overwrite"
    if not path.is_file():
        return "blocked"
    return "identical" if path.read_bytes() == file.content else "overwrite"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
