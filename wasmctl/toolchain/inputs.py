"""What a module was made from, remembered so that the next build can be spared.

TinyGo compiles for seconds even where nothing has changed, so for it alone a record decides: the
content of every file that could change the module, the names in every folder where a new file
could, and one key for all the rest (flags, environment, tools). Contents are always read: times
and sizes can be forged. Checking starts no program.
"""

from __future__ import annotations

import fnmatch
import hashlib
import json
import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from wasmctl.results import JSONValue

__all__ = [
    "Inputs",
    "Watch",
    "environment_part",
    "file_identity",
    "is_go_source",
    "is_trackable",
    "key_of",
    "load_inputs",
    "tool_identity",
]

# https://pkg.go.dev/cmd/go#hdr-File_types
_SOURCES: Final = (
    *(".go", ".s", ".S", ".sx", ".c", ".h", ".cc", ".cpp", ".cxx", ".hh", ".hpp", ".hxx", ".m"),
    *(".swig", ".swigcxx", ".f", ".F", ".for", ".f90", ".syso"),
)
# What a compiler reads of the environment; where modules are fetched and cached is left out.
_VARIABLES: Final = re.compile(
    r"(?!(?:GOPROXY|GOSUMDB|GONOSUMDB|GONOPROXY|GOPRIVATE|GOAUTH|GOCACHE|GOTMPDIR)$)"
    r"(?:GO[A-Z0-9]+|TINYGO\w*|CGO_\w+|CC|CXX|AR|WASMOPT|HOME|XDG_CONFIG_HOME)"
)
# Flags that make Go read files which no list of packages names: `go help build`.
_HIDDEN: Final = ("-overlay", "-modfile", "-toolexec", "-pkgdir", "-pgo", ".json")
_ABSENT: Final = "absent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Where to look for changes; all paths are absolute.

    Args:
        packages: folders of which all Go sources count but tests.
        patterns: of each package, the patterns of its `//go:embed` directives.
        files: other files that count, whether or not they are there.
    """

    packages: tuple[str, ...]
    patterns: Mapping[str, tuple[str, ...]]
    files: tuple[str, ...]

    def look(self) -> dict[str, str]:
        """Return the digest of every file that counts now, by its path."""
        paths = [*self.files]
        for folder in self.packages:
            paths += (f"{folder}/{name}" for name in _names(folder) if is_go_source(name))
        for folder, patterns in self.patterns.items():
            for pattern in patterns:
                paths += _matching(folder, pattern.removeprefix("all:").split("/"))
        return {path: _digest_of(path) for path in paths}

    def changed_since(self, moment: int) -> bool:
        """Return whether a watched file was changed after `moment` (nanoseconds since 1970).

        The time of a file's last change of status counts: unlike that of its content, nobody
        can set it.
        """
        for path in self.look():
            try:
                if Path(path).stat().st_ctime_ns >= moment:
                    return True
            except OSError:
                continue
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What a module was made from.

    Args:
        key: stands for flags, environment and tools.
        watch: where to look for changes.
        seen: the digest of every file that counted, by its path.
    """

    key: str
    watch: Watch
    seen: Mapping[str, str]

    def difference(self, key: str) -> str | None:
        """Return what has changed, for people; None where nothing has."""
        if key != self.key:
            return "flags, environment or tools have changed"
        now = self.watch.look()
        changed = (path for path in {**self.seen, **now} if self.seen.get(path) != now.get(path))
        path = next(changed, None)
        return None if path is None else f"`{path}` has changed"

    def to_json(self) -> JSONValue:
        """Return the form kept in the record; None where a name cannot be written there."""
        value: dict[str, JSONValue] = {
            "key": self.key,
            "packages": list(self.watch.packages),
            "patterns": {folder: list(names) for folder, names in self.watch.patterns.items()},
            "files": list(self.watch.files),
            "seen": dict(self.seen),
        }
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            return None
        return value


def load_inputs(value: JSONValue) -> Inputs | None:
    """Read the form kept in the record; None where it is not ours to understand."""
    if not isinstance(value, Mapping):
        return None
    key, seen, patterns = value.get("key"), value.get("seen"), value.get("patterns")
    if not (isinstance(key, str) and isinstance(seen, Mapping) and isinstance(patterns, Mapping)):
        return None
    watch = Watch(
        packages=_texts(value.get("packages")),
        patterns={folder: _texts(names) for folder, names in patterns.items()},
        files=_texts(value.get("files")),
    )
    return Inputs(key=key, watch=watch, seen={path: str(digest) for path, digest in seen.items()})


def key_of(*parts: JSONValue) -> str:
    """Return a digest of values."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def is_trackable(*texts: str) -> bool:
    """Return whether flags leave it at files that a list of packages names."""
    return not any(flag in text for text in texts for flag in _HIDDEN)


def environment_part(env: Mapping[str, str]) -> dict[str, JSONValue]:
    """Return the variables that a compiler reads."""
    return {name: value for name, value in env.items() if _VARIABLES.fullmatch(name)}


def tool_identity(path: Path, name: str) -> JSONValue:
    """Return what tells one program from another; None where its file does not.

    A script, or a version manager's program under many names, may start anything.
    """
    real = Path(os.path.realpath(path))
    with real.open("rb") as stream:
        is_script = stream.read(2) == b"#!"
    if is_script or re.fullmatch(rf"{name}([-_.]?v?\d.*)?", real.name) is None:
        return None
    return file_identity(real)


def file_identity(path: Path) -> JSONValue:
    """Return what changes when a file is replaced, without reading it whole; None: no such file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return [
        os.path.realpath(path),
        found.st_size,
        found.st_mtime_ns,
        found.st_ctime_ns,
        found.st_ino,
    ]


def _matching(folder: str, segments: list[str]) -> Iterator[str]:
    """Yield the files that an embed pattern stands for.

    A folder means all below it; for the rest it is path.Match that is asked:
    https://pkg.go.dev/embed#hdr-Directives
    """
    if not segments:
        yield folder
        for above, _, names in os.walk(folder):
            yield from (f"{above}/{name}" for name in names)
        return
    first, *rest = segments
    # Escapes are rare: what holds one may stand for anything.
    shape = "*" if "\\" in first else first.replace("[^", "[!")
    literal = not any(letter in shape for letter in "*?[")
    for name in [first] if literal else fnmatch.filter(_names(folder), shape):
        if os.path.lexists(f"{folder}/{name}"):
            yield from _matching(f"{folder}/{name}", rest)


def _texts(value: JSONValue) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else ()


def _names(folder: str) -> list[str]:
    try:
        return sorted(entry.name for entry in os.scandir(folder))
    except OSError:
        return []


def is_go_source(name: str) -> bool:
    """Return whether Go may compile a file of that name into a package."""
    # Go itself ignores names that start with a dot or an underscore.
    return name.endswith(_SOURCES) and not name.endswith("_test.go") and name[0] not in "._"


def _digest_of(path: str) -> str:
    try:
        with open(path, "rb", opener=_open_at_once) as stream:
            if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                return _ABSENT
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return _ABSENT


def _open_at_once(path: str, flags: int) -> int:
    # A named pipe would keep a plain open waiting for a writer.
    return os.open(path, flags | os.O_NONBLOCK)
