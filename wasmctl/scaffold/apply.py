"""Writes what was planned: the whole of it, or nothing.

A new folder is written beside its place and renamed. In an existing one every file is first
written beside its place; only when all are there do they take their places, and whatever goes
wrong before the last has done so is taken back.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

from wasmctl.errors import UsageError
from wasmctl.scaffold.plan import ScaffoldPlan
from wasmctl.scaffold.render import RenderedFile

__all__ = ["apply_scaffold"]


def apply_scaffold(plan: ScaffoldPlan) -> None:
    """Write the planned files.

    Raises:
        UsageError: somebody else put something in their place meanwhile.
        OSError: the folder is read-only, the disk is full; it names the project's folder.
        KeyboardInterrupt: as it says. In every case everything is as it was.
    """
    try:
        if plan.folder.exists():
            _fill(plan)
        else:
            _make(plan)
    except OSError as error:
        # The file at fault has a passing name that means nothing to anybody.
        raise OSError(error.errno, error.strerror, str(plan.folder)) from error


def _make(plan: ScaffoldPlan) -> None:
    """Write a new folder, with those above it that are missing, in one rename."""
    top = plan.folder
    while not top.parent.exists():
        top = top.parent
    # `a` of `a/b/c` is written beside its place, with `b` and `c` in it.
    stage = _beside(top)
    with _all_or_nothing() as undo:
        undo.callback(shutil.rmtree, stage, ignore_errors=True)
        inner = stage / plan.folder.relative_to(top)
        inner.mkdir(parents=True)
        for file in plan.create:
            place = inner / file.path
            place.parent.mkdir(parents=True, exist_ok=True)
            _write(place, file)
        with _signals_held():
            try:
                stage.rename(top)
            except OSError as error:
                if top.exists():
                    raise _overtaken(top) from error
                raise


def _fill(plan: ScaffoldPlan) -> None:
    """Write files into a folder that is there."""
    with _all_or_nothing() as undo:
        written: list[tuple[Path, Path]] = []
        for file in (*plan.create, *plan.overwrite):
            place = plan.folder / file.path
            for folder in reversed([*place.relative_to(plan.folder).parents][:-1]):
                _ensure_folder(plan.folder / folder, undo)
            beside = _beside(place)
            undo.callback(beside.unlink, missing_ok=True)
            _write(beside, file)
            written.append((beside, place))
        with _signals_held():
            kept = [_kept(plan.folder / file.path, undo) for file in plan.overwrite]
            for beside, place in written:
                if place.exists():
                    raise _overtaken(place)
                undo.callback(place.unlink, missing_ok=True)
                beside.rename(place)
            undo.pop_all()
            for path in kept:
                with contextlib.suppress(OSError):
                    path.unlink()


def _kept(place: Path, undo: contextlib.ExitStack) -> Path:
    """Put a file that is to be overwritten aside until the end; return where it is."""
    kept = _beside(place)
    undo.callback(_restore, kept, place)
    place.rename(kept)
    return kept


def _restore(kept: Path, place: Path) -> None:
    if kept.exists() or kept.is_symlink():
        kept.replace(place)


def _ensure_folder(folder: Path, undo: contextlib.ExitStack) -> None:
    if not folder.is_dir():
        undo.callback(_remove_empty, folder)
        folder.mkdir(exist_ok=True)


def _remove_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):
        folder.rmdir()


def _write(path: Path, file: RenderedFile) -> None:
    # As any program makes a file: the umask takes away what the user does not want.
    mode = 0o777 if file.executable else 0o666
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(file.content)


def _beside(path: Path) -> Path:
    return path.with_name(f".wasmctl-init-{secrets.token_hex(6)}")


def _overtaken(path: Path) -> UsageError:
    return UsageError(
        "files-in-the-way",
        f"`{path}` was put there while `init` was at work",
        hint="look at it and run `init` again; nothing was touched",
    )


@contextlib.contextmanager
def _all_or_nothing() -> Iterator[contextlib.ExitStack]:
    """Yield what takes the block's steps back, and do so where it does not end well."""
    undo = contextlib.ExitStack()
    try:
        yield undo
    except BaseException:
        with _signals_held():
            undo.close()
        raise


@contextlib.contextmanager
def _signals_held() -> Iterator[None]:
    """Keep Ctrl-C and the like waiting while files take their places: a few milliseconds."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    wanted = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, wanted)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
