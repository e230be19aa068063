"""A list of Go packages → what to watch for changes.

Left out, for they cannot change: packages in Go's module cache, whose content go.sum pins, and the
standard library, which comes with the Go at hand.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wasmctl.toolchain.gofiles import environment_file, go_flags, local_modules, module_file
from wasmctl.toolchain.inputs import Watch, is_trackable

if TYPE_CHECKING:
    from wasmctl.results import JSONValue

__all__ = ["watch_packages"]

# Files of a package which may read others from anywhere: `go help list`.
_FOREIGN: Final = ("CgoFiles", "CFiles", "CXXFiles", "MFiles", "SFiles", "SwigFiles", "SysoFiles")


def watch_packages(listing: str, folder: Path, env: Mapping[str, str]) -> Watch | None:
    """Return what to watch for a package and all it imports; None where that cannot be said.

    Args:
        listing: what `go list -deps -json` printed.
        folder: the package's folder.
        env: the environment of the compiler.
    """
    packages = []
    patterns = {}
    for package in _packages(listing):
        if "Error" in package:
            return None
        if package.get("Standard") or _is_pinned(package):
            continue
        if any(package.get(kind) for kind in _FOREIGN):
            return None
        place = str(package["Dir"])
        packages.append(place)
        if found := _texts(package, "EmbedPatterns"):
            patterns[place] = found
    files = sorted({*map(str, _module_files(folder, env))})
    if not is_trackable(go_flags(env)):
        return None
    return Watch(packages=tuple(packages), patterns=patterns, files=tuple(files))


def _packages(listing: str) -> Iterator[Mapping[str, JSONValue]]:
    """Yield the objects of a text that holds one JSON object after the other."""
    decoder = json.JSONDecoder()
    position = 0
    while (position := len(listing) - len(listing[position:].lstrip())) < len(listing):
        package, position = decoder.raw_decode(listing, position)
        yield package


def _is_pinned(package: Mapping[str, JSONValue]) -> bool:
    """Return whether a package lies in the module cache."""
    module = package.get("Module")
    if isinstance(module, Mapping) and isinstance(module.get("Replace"), Mapping):
        module = module["Replace"]
    if not isinstance(module, Mapping) or not module.get("Version"):
        return False
    # Without a folder of its own the module was taken from `vendor`.
    return bool(module.get("Dir")) and str(package["Dir"]).startswith(str(module["Dir"]))


def _module_files(folder: Path, env: Mapping[str, str]) -> Iterator[Path]:
    """Yield the files that decide on modules and settings, also where they would newly count."""
    for above in (folder, *folder.parents):
        yield from (above / name for name in ("go.mod", "go.work"))
    named = env.get("GOWORK", "")
    work = Path(named) if named.startswith("/") else module_file(folder, "go.work")
    for main in filter(None, (module_file(folder), work)):
        yield main
        yield main.with_suffix(".sum")
        yield main.parent / "go.work.sum"
        yield main.parent / "vendor/modules.txt"
        for local in local_modules(main):
            yield local / "go.mod"
            yield local / "go.sum"
            # A workspace module's own replacements count, too.
            yield from (inner / "go.mod" for inner in local_modules(local / "go.mod"))
    if (file := environment_file(env)) is not None:
        yield file


def _texts(package: Mapping[str, JSONValue], key: str) -> tuple[str, ...]:
    value = package.get(key)
    return tuple(map(str, value)) if isinstance(value, list) else ()
