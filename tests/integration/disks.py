"""Places to write to that do not take it: a disk that is soon full."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

__all__ = ["mounted_disk"]


@contextlib.contextmanager
def mounted_disk(folder: Path, *, size: int = 1_000_000) -> Iterator[Path]:
    """Yield a folder that holds `size` bytes and no more; for tests marked `root`."""
    folder.mkdir()
    options = f"size={size},mode=0755"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
