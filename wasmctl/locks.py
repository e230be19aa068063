"""Locks between processes: one at a time builds, fetches, or changes a record."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from wasmctl.process import is_stopping

__all__ = ["locked"]

# Seconds between two looks at a lock that somebody else holds.
_PATIENCE: Final = 0.05


@contextlib.contextmanager
def locked(
    folder: Path, name: str | None = None, *, waits: Callable[[], None] | None = None
) -> Iterator[None]:
    """Hold a lock for as long as the block lasts; the kernel frees it when we end.

    Where the file system has no locks, as some on a network, everybody is on their own.

    Args:
        folder: where it is.
        name: of the file that stands for it, made where it is not there; None: the folder itself.
        waits: called once where somebody else holds it.

    Raises:
        KeyboardInterrupt: everything was told to stop meanwhile.
        OSError: the folder is not there, or the file cannot be opened.
    """
    place, how = folder, os.O_RDONLY | os.O_DIRECTORY
    if name is not None:
        place, how = folder / name, os.O_RDWR | os.O_CREAT
    descriptor = os.open(place, how | os.O_CLOEXEC, 0o666)
    try:
        if not _taken(descriptor):
            if waits is not None:
                waits()
            while not _taken(descriptor):
                # A thread hears of Ctrl-C only so.
                if is_stopping():
                    raise KeyboardInterrupt
                time.sleep(_PATIENCE)
        yield
    finally:
        os.close(descriptor)


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in {errno.ENOLCK, errno.ENOTSUP}:
            raise
    return True
