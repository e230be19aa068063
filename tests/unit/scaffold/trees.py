"""Folders of small files, made from and read as mappings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from wasmctl.scaffold.render import RenderedFile


def write_tree(folder: Path, files: Mapping[str, str]) -> Path:
    """Write files by relative name; return the folder."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def read_tree(folder: Path) -> dict[str, str]:
    """Return every file, link and empty folder below a folder; hidden ones too."""
    tree = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            tree[name] = f"-> {path.readlink()}"
        elif path.is_file():
            tree[name] = path.read_text(errors="surrogateescape")
        elif not any(path.iterdir()):
            tree[f"{name}/"] = ""
    return tree


def contents(files: Iterable[RenderedFile]) -> dict[str, str]:
    """Return what was rendered, by name."""
    return {str(file.path): file.content.decode() for file in files}
