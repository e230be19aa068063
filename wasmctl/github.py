"""What GitHub Actions reads from a step's output: annotations at lines of files. Pure.

https://docs.github.com/actions/reference/workflow-commands-for-github-actions
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

__all__ = ["workflow_command"]


def workflow_command(
    level: Literal["error", "warning", "notice"],
    message: str,
    *,
    title: str,
    file: Path | str,
    line: int | None = None,
) -> str:
    """Return the line that marks a file.

    Args:
        level: how it is marked.
        message: what is said there, of any number of lines.
        title: what stands above it.
        file: as it is called from the repository's folder.
        line: of the file, from 1; None: the file as a whole.
    """
    place = f"file={_property(str(file))}" + ("" if line is None else f",line={line}")
    return f"::{level} {place},title={_property(title)}::{_data(message)}"


# As the runner reads them: https://github.com/actions/toolkit, packages/core/src/command.ts
def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
