"""The run folders: what a proxy was given and what it said, kept for a while."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from wasmctl.errors import UsageError
from wasmctl.paths import state_folder

__all__ = ["make_run_folder", "writing_to"]

_KEPT = 20


def make_run_folder(env: Mapping[str, str]) -> Path:
    """Make a new run folder, and remove all but the newest 20 of ended processes.

    Args:
        env: the environment, which says where the user's state is kept.

    Raises:
        UsageError: it cannot be made.
    """
    runs = state_folder(env) / "runs"
    stem = f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
    try:
        runs.mkdir(parents=True, exist_ok=True)
        folder = _make_next(runs, stem)
        _remove_old(runs)
    except OSError as error:
        message = f"no run folder can be made in `{runs}`: {(error.strerror or str(error)).lower()}"
        hint = "point XDG_STATE_HOME at a folder that can be written"
        raise UsageError("no-run-folder", message, hint=hint) from error
    return folder


@contextlib.contextmanager
def writing_to(folder: Path) -> Iterator[None]:
    """Say in which run folder nothing can be written: the system does not always name the file.

    Raises:
        UsageError: in place of an OSError.
    """
    try:
        yield
    except OSError as error:
        message = f"nothing can be written in `{folder}`: {(error.strerror or str(error)).lower()}"
        hint = "make room there, or point XDG_STATE_HOME at another folder"
        raise UsageError("cannot-write", message, hint=hint) from error


def _make_next(runs: Path, stem: str) -> Path:
    number = 1
    while True:
        folder = runs / f"{stem}-{number}"
        try:
            # A plug-in's configuration may hold secrets: it is nobody else's to read.
            folder.mkdir(mode=0o700)
        except FileExistsError:
            number += 1
        else:
            return folder


def _remove_old(runs: Path) -> None:
    folders = sorted(runs.iterdir(), key=_age, reverse=True)
    for folder in folders[_KEPT:]:
        if not _is_in_use(folder):
            shutil.rmtree(folder, ignore_errors=True)


def _age(folder: Path) -> float:
    # Another wasmctl may be removing the same one.
    with contextlib.suppress(OSError):
        return folder.stat().st_mtime
    return 0.0


def _is_in_use(folder: Path) -> bool:
    """Return whether the wasmctl that made the folder still runs: it may yet name it."""
    try:
        os.kill(int(folder.name.split("-")[2]), 0)
    except (ProcessLookupError, IndexError, ValueError):
        return False
    except OSError:
        return True  # somebody else's process
    return True
