"""Folders with files in them."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

__all__ = ["write_files"]


def write_files(folder: Path, files: dict[str, str]) -> Path:
    """Write texts by their relative names, without the source's indentation; return `folder`."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text).lstrip("\n"), encoding="utf-8")
    return folder
