"""Where wasmctl keeps its own files: the XDG base directories, and files written whole or not.

https://specifications.freedesktop.org/basedir-spec/latest/
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

__all__ = ["cache_folder", "config_file", "replacing", "state_folder", "toolchain_folder"]


def _base(env: Mapping[str, str], variable: str, default: str) -> Path:
    value = env.get(variable, "")
    # The specification: a relative path in these variables is invalid and to be ignored.
    if value.startswith("/"):
        return Path(value)
    return Path(env.get("HOME") or "~").expanduser() / default


def config_file(env: Mapping[str, str]) -> Path:
    """Return the user file: settings for all projects of this user."""
    return _base(env, "XDG_CONFIG_HOME", ".config") / "wasmctl" / "config.toml"


def cache_folder(env: Mapping[str, str]) -> Path:
    """Return the folder whose content may be deleted at any time."""
    return _base(env, "XDG_CACHE_HOME", ".cache") / "wasmctl"


def state_folder(env: Mapping[str, str]) -> Path:
    """Return the folder of saved logs."""
    return _base(env, "XDG_STATE_HOME", ".local/state") / "wasmctl"


def toolchain_folder(env: Mapping[str, str]) -> Path:
    """Return the folder of the toolchains that wasmctl itself installed."""
    return _base(env, "XDG_DATA_HOME", ".local/share") / "wasmctl" / "toolchains"


@contextlib.contextmanager
def replacing(path: Path, *, mode: int | None = None) -> Iterator[BinaryIO]:
    """Open a file that takes `path`'s place when the block ends well, and vanishes otherwise.

    Args:
        path: the file to write; its folder must exist.
        mode: permission bits; the process's umask decides when absent.

    Raises:
        OSError: the folder is read-only, the disk is full. `path` is as it was.
    """
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            yield stream
        Path(name).chmod(_default_mode() if mode is None else mode)
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise


def _default_mode() -> int:
    # mkstemp makes 0600; the umask can only be read by setting it.
    mask = os.umask(0o022)
    os.umask(mask)
    return 0o666 & ~mask
