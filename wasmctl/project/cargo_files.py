"""What Cargo.toml files say of packages and workspaces. Reads files; no cargo is started.

https://doc.rust-lang.org/cargo/reference/manifest.html and .../workspaces.html
"""

from __future__ import annotations

import glob
import itertools
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from wasmctl.project.toml import read_toml

__all__ = [
    "Manifest",
    "is_plugin",
    "local_packages",
    "package_field",
    "read_manifest",
    "table",
    "workspace_members",
    "workspace_root",
]

Manifest = Mapping[str, object]

_SDK: Final = "proxy-wasm"
_NOTHING: Final[Manifest] = {}


def read_manifest(folder: Path) -> Manifest | None:
    """Return the Cargo.toml of a folder; None where there is none.

    Raises:
        UsageError: it cannot be read or is no TOML.
    """
    file = read_toml(folder / "Cargo.toml")
    return None if file is None else file.document


def table(manifest: Manifest, *keys: str) -> Manifest:
    """Return the table of that name; empty where there is none."""
    found: object = manifest
    for key in keys:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def is_plugin(folder: Path, manifest: Manifest) -> bool:
    """Return whether a package is a cdylib that uses proxy-wasm, be it by a package beside it."""
    library = table(manifest, "lib")
    kinds = library.get("crate-type", library.get("crate_type"))
    return isinstance(kinds, list) and "cdylib" in kinds and _uses_sdk(folder, manifest, set())


def package_field(folder: Path, manifest: Manifest, key: str) -> str | None:
    """Return a package's field, the workspace's where it says `KEY.workspace = true`."""
    value = table(manifest, "package").get(key)
    if isinstance(value, Mapping):
        root = workspace_root(folder, manifest)
        value = None if root is None else table(root[1], "workspace", "package").get(key)
    return value if isinstance(value, str) else None


def workspace_root(folder: Path, manifest: Manifest) -> tuple[Path, Manifest] | None:
    """Return the root of the workspace that a package is in, with its manifest."""
    if "workspace" in manifest:
        return folder, manifest
    named = table(manifest, "package").get("workspace")
    above = [Path(os.path.normpath(folder / named))] if isinstance(named, str) else folder.parents
    for candidate in above:
        found = read_manifest(candidate)
        if found is not None and "workspace" in found:
            return candidate, found
    return None


def workspace_members(root: Path, manifest: Manifest) -> Iterator[tuple[Path, Manifest]]:
    """Yield the packages of the workspace, the root's own first.

    All members count, not the `default-members` alone: those are what compiles for the machine
    itself, and plug-ins are often left out of them.
    """
    if "package" in manifest:
        yield root, manifest
    workspace = table(manifest, "workspace")
    members = _texts(workspace, "members")
    excluded = _texts(workspace, "exclude")
    seen = {root}
    for folder in _folders(root, members):
        inner = None if folder in seen else read_manifest(folder)
        seen.add(folder)
        # A folder with a workspace of its own is none of this one's.
        if inner is None or "workspace" in inner:
            continue
        # As in cargo (core/workspace.rs, is_excluded): a literal member outdoes `exclude`.
        if _is_below(folder, root, members) or not _is_below(folder, root, excluded):
            yield folder, inner


def local_packages(folder: Path, manifest: Manifest) -> frozenset[Path]:
    """Return the folders of the packages that one depends on by their path, however deep."""
    found: set[Path] = set()
    left = [(folder, manifest)]
    while left:
        for _, path in _dependencies(*left.pop()):
            inner = None if path is None or path in found else read_manifest(path)
            if path is not None and inner is not None:
                found.add(path)
                left.append((path, inner))
    return frozenset(found)


def _folders(root: Path, patterns: list[str]) -> Iterator[Path]:
    for pattern in patterns:
        names = glob.glob(pattern, root_dir=root, recursive=True, include_hidden=True)  # noqa: PTH207
        for name in sorted(names) or [pattern]:
            folder = Path(os.path.normpath(root / name))
            if folder.is_dir():
                yield folder


def _is_below(folder: Path, root: Path, names: list[str]) -> bool:
    return any(folder.is_relative_to(os.path.normpath(root / name)) for name in names)


def _uses_sdk(folder: Path, manifest: Manifest, seen: set[Path]) -> bool:
    seen.add(folder)
    for name, path in _dependencies(folder, manifest):
        if name == _SDK:
            return True
        inner = None if path is None or path in seen else read_manifest(path)
        if path is not None and inner is not None and _uses_sdk(path, inner, seen):
            return True
    return False


def _dependencies(folder: Path, manifest: Manifest) -> Iterator[tuple[str, Path | None]]:
    """Yield the names of the packages that one depends on, with the folders of local ones."""
    tables = [table(manifest, "dependencies")]
    tables += [
        table(manifest, "target", target, "dependencies") for target in table(manifest, "target")
    ]
    for key, value in itertools.chain.from_iterable(item.items() for item in tables):
        details, base = value, folder
        if isinstance(value, Mapping) and value.get("workspace") is True:
            base, top = workspace_root(folder, manifest) or (folder, _NOTHING)
            details = table(top, "workspace", "dependencies").get(key)
        known: Manifest = details if isinstance(details, Mapping) else _NOTHING
        path = known.get("path")
        local = Path(os.path.normpath(base / path)) if isinstance(path, str) else None
        yield str(known.get("package", key)), local


def _texts(manifest: Manifest, key: str) -> list[str]:
    value = manifest.get(key)
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
