"""What Go's files say of packages and modules. Reads files; no go is started.

https://go.dev/ref/mod#go-mod-file, https://go.dev/ref/mod#workspaces,
https://go.dev/ref/spec#Packages
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wasmctl.errors import UsageError

if TYPE_CHECKING:
    from wasmctl.project.settings import ToolchainName

__all__ = ["GoModule", "go_package", "module_above", "read_module", "read_work"]

# SDKs of plug-ins and what compiles them, the most telling first: nottinygc and the first SDK live
# on TinyGo alone; the SDK's successor is for the standard toolchain.
_SDKS: Final[tuple[tuple[str, ToolchainName], ...]] = (
    ("github.com/wasilibs/nottinygc", "tinygo"),
    ("github.com/proxy-wasm/proxy-wasm-go-sdk", "go"),
    ("github.com/tetratelabs/proxy-wasm-go-sdk", "tinygo"),
)
# All that may stand before the package clause: white space and comments, constraints among them.
_PACKAGE: Final = re.compile(
    rb"(?:\xef\xbb\xbf)?((?>\s+|//[^\n]*|/\*.*?\*/)*+)package\s+(\w+)", re.DOTALL
)
_CONSTRAINT: Final = re.compile(rb"^//(?:go:build|\s*\+build)\s+(.*)", re.MULTILINE)
# How much of a file is looked at; a licence and a long description fit well.
_HEAD: Final = 1 << 18


@dataclass(frozen=True, slots=True, kw_only=True)
class GoModule:
    """A go.mod.

    Args:
        path: the module's path, as it declares it.
        direct: paths of the modules that it requires.
        indirect: those that it requires for the sake of others.
    """

    path: str | None
    direct: frozenset[str]
    indirect: frozenset[str]

    @property
    def name(self) -> str | None:
        """The last part of its path that is no major version: `filter` of `acme.dev/filter/v2`."""
        parts = (self.path or "").split("/")
        if len(parts) > 1 and re.fullmatch(r"v[1-9]\d*", parts[-1]):
            parts.pop()
        return parts[-1] or None

    @property
    def sdk(self) -> tuple[str, ToolchainName] | None:
        """The SDK that it requires, and what compiles plug-ins of that SDK."""
        for required in (self.direct, self.indirect):
            for path, toolchain in _SDKS:
                if path in required:
                    return path, toolchain
        return None


def go_package(folder: Path) -> str | None:
    """Return the name of the Go package in `folder`, `main` where there are several.

    Tests and what go itself leaves out (`_x.go`, `//go:build ignore`) do not count.

    Raises:
        UsageError: a file cannot be read.
    """
    names = set()
    for path in sorted(folder.glob("*.go")):
        if path.name.startswith((".", "_")) or path.name.endswith("_test.go"):
            continue
        if path.is_file() and (name := _package_name(path)):
            names.add(name)
    return "main" if "main" in names else min(names, default=None)


def module_above(folder: Path) -> Path | None:
    """Return the nearest folder, from `folder` upwards, that has a go.mod."""
    return next((up for up in (folder, *folder.parents) if (up / "go.mod").is_file()), None)


def read_module(folder: Path) -> GoModule:
    """Read the go.mod in `folder`; what is not understood is left out.

    Raises:
        UsageError: it cannot be read.
    """
    path = None
    required: dict[bool, set[str]] = {True: set(), False: set()}
    text = _head(folder / "go.mod").decode("utf-8", errors="replace")
    for verb, words, comment in _directives(text):
        if verb == "module" and words:
            path = words[0]
        elif verb == "require" and words:
            required[comment.split(";")[0].strip() == "indirect"].add(words[0])
    return GoModule(
        path=path, direct=frozenset(required[False]), indirect=frozenset(required[True])
    )


def read_work(folder: Path) -> tuple[Path, ...] | None:
    """Return the folders of the modules that the go.work in `folder` uses; None without one.

    Raises:
        UsageError: it cannot be read.
    """
    if not (folder / "go.work").is_file():
        return None
    text = _head(folder / "go.work").decode("utf-8", errors="replace")
    used = [words[0] for verb, words, _ in _directives(text) if verb == "use" and words]
    return tuple(Path(os.path.normpath(folder / path)) for path in dict.fromkeys(used))


def _directives(text: str) -> Iterator[tuple[str, list[str], str]]:
    """Yield each directive's verb, words and comment; those of a block one by one."""
    block = ""
    for line in text.splitlines():
        code, _, comment = line.partition("//")
        words = [word.strip('"`') for word in code.split()]
        if words == [")"]:
            block = ""
        elif words[-1:] == ["("]:
            block = words[0]
        elif words:
            yield (block, words, comment) if block else (words[0], words[1:], comment)


def _package_name(path: Path) -> str | None:
    found = _PACKAGE.match(_head(path))
    if found is None:
        return None
    # Generators and the like, which belong to no package.
    if any(rule.split() == [b"ignore"] for rule in _CONSTRAINT.findall(found[1])):
        return None
    return found[2].decode("utf-8", errors="replace")


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(_HEAD)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        message = f"`{path}` cannot be read: {reason}"
        raise UsageError("unreadable-file", message, hint="check its permissions") from error
