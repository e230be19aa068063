"""Where wasmctl keeps its own files: the XDG base directories, and files written whole or not.

And how a file is called: from the folder where one is, and by its content.

https://specifications.freedesktop.org/basedir-spec/latest/
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

__all__ = [
    "cache_folder",
    "config_file",
    "home_folder",
    "relative",
    "replacing",
    "sha256_of",
    "state_folder",
    "toolchain_folder",
]


def home_folder(env: Mapping[str, str]) -> Path:
    """Return the user's home; `/` where there is none, as for a container's made-up user."""
    if home := env.get("HOME"):
        return Path(home)
    try:
        return Path.home()
    except RuntimeError:
        return Path("/")


def _base(env: Mapping[str, str], variable: str, default: str) -> Path:
    value = env.get(variable, "")
    # The specification: a relative path in these variables is invalid and to be ignored.
    if value.startswith("/"):
        return Path(value)
    return home_folder(env) / default


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


def relative(path: Path, folder: Path) -> Path:
    """Return `path` as it is called from `folder`; as it is where it does not lie below."""
    return path.relative_to(folder) if path.is_relative_to(folder) else path


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal.

    Raises:
        OSError: it cannot be read.
    """
    # Not every start of the command line needs it.
    from hashlib import file_digest

    with path.open("rb") as stream:
        return file_digest(stream, "sha256").hexdigest()


@contextlib.contextmanager
def replacing(path: Path, *, mode: int | None = None) -> Iterator[BinaryIO]:
    """Open a file that takes `path`'s place when the block ends well, and vanishes otherwise.

    A link stays a link: what it points at is replaced. A device or a pipe (`/dev/null`) has
    nothing to replace and is written straight.

    Args:
        path: the file to write; its folder must exist.
        mode: permission bits; when absent those of the file that is replaced, for a new one what
            the umask leaves.

    Raises:
        OSError: the folder is read-only, the disk is full; told of `path`, which is as it was.
    """
    place = Path(os.path.realpath(path))
    try:
        earlier = place.stat()
    except FileNotFoundError:
        earlier = None
    except OSError as error:
        raise _told_of(path, error) from error
    if earlier is not None and stat.S_ISDIR(earlier.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if earlier is not None and not stat.S_ISREG(earlier.st_mode):
        with path.open("wb") as stream:
            yield stream
        return
    if mode is None and earlier is not None:
        mode = earlier.st_mode & 0o777
    with _replaced(place, path, mode) as stream:
        yield stream


@contextlib.contextmanager
def _replaced(place: Path, path: Path, mode: int | None) -> Iterator[BinaryIO]:
    # A short name of its own: one made from the file's could grow too long for the disk.
    temporary = place.with_name(f".wasmctl-{os.urandom(8).hex()}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        descriptor = os.open(temporary, flags, 0o666 if mode is None else mode & 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            if mode is not None:
                os.fchmod(descriptor, mode)
            yield stream
        temporary.replace(place)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError) and _is_about(error, temporary):
            raise _told_of(path, error) from error
        raise


def _is_about(error: OSError, temporary: Path) -> bool:
    # A write to a descriptor that fails tells no name; nor do failures of other kinds in the block.
    if error.filename is None:
        return error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}
    return str(error.filename) == str(temporary)


def _told_of(path: Path, error: OSError) -> OSError:
    return OSError(error.errno, error.strerror, str(path))
