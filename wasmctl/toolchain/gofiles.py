"""Reads Go files as text: go.mod, go.work, and the little of Go's own that decides on flags.

Pure but for reading; no go is started.
https://go.dev/ref/mod#go-mod-file, https://go.dev/ref/spec
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Final

from wasmctl.errors import UsageError

__all__ = [
    "GoMod",
    "MainUse",
    "environment_file",
    "go_flags",
    "has_main_body",
    "imports",
    "local_modules",
    "look_at_main",
    "module_file",
    "read_go_mod",
    "require_main_package",
    "require_sdk",
    "source_files",
]

# What may stand in a Go file that is not code: comments, strings, runes.
_NOT_CODE: Final = re.compile(
    r"//[^\n]*|/\*.*?\*/|`[^`]*`|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.DOTALL
)
_PACKAGE: Final = re.compile(r"^\s*package\s+(\w+)", re.MULTILINE)
_FUNCTION: Final = re.compile(r"^func\s+(main|init)\s*\(\s*\)\s*(?=\{)", re.MULTILINE)
# Files that only a generator or a native build of the same package takes.
_ELSEWHERE: Final = re.compile(r"^//go:build\b.*(?:\bignore\b|!\s*was[im])", re.MULTILINE)
_ELSEWHERE_NAME: Final = re.compile(r"_(?:linux|darwin|windows|freebsd|amd64|arm64)$")
# How the SDKs are told which contexts to make: SetVMContext, SetNewHttpContext, ...
_REGISTERS: Final = re.compile(r"\bSet\w*Context\w*\(")
# What every SDK has in its module's path, and whoever does without writes as an export.
_SDK: Final = ("proxy-wasm", "proxy_abi_version")


@dataclass(frozen=True, slots=True, kw_only=True)
class GoMod:
    """A go.mod.

    Args:
        go: the Go release its `go` line names: `1.24`, `1.24.3`; None without one.
        requires: version by module path.
        direct: those that the module's own packages import.
        replaced: paths of the modules that are replaced.
    """

    go: str | None
    requires: dict[str, str]
    direct: frozenset[str]
    replaced: frozenset[str]


class MainUse(Enum):
    """What `func main` is there for."""

    EMPTY = auto()
    IDLE = auto()  # an init registers the contexts; main does something else
    REGISTERS = auto()  # the contexts are registered there and nowhere else
    UNKNOWN = auto()


def read_go_mod(path: Path) -> GoMod:
    """Read a go.mod (or the `go` line of a go.work); what is not understood is left out."""
    go = None
    requires = {}
    direct = set()
    replaced = set()
    for verb, words, comment in _directives(_text(path)):
        match verb, words:
            case "go", [version]:
                go = version
            case "require", [module, version, *_]:
                requires[module] = version
                if "indirect" not in comment:
                    direct.add(module)
            case "replace", [module, *_]:
                replaced.add(module)
            case _:
                pass
    return GoMod(go=go, requires=requires, direct=frozenset(direct), replaced=frozenset(replaced))


def local_modules(path: Path) -> Iterator[Path]:
    """Yield the folders that a go.mod or go.work names: `use` and `replace` by a local path."""
    for verb, words, _ in _directives(_text(path)):
        local = words[-1:] if verb == "use" or "=>" in words else []
        for word in local:
            if verb == "use" or word.startswith(("./", "../", "/")):
                yield path.parent / word


def module_file(folder: Path, name: str = "go.mod") -> Path | None:
    """Return the nearest `name` from `folder` upwards."""
    found = (above / name for above in (folder, *folder.parents))
    return next((path for path in found if path.is_file()), None)


def environment_file(env: Mapping[str, str]) -> Path | None:
    """Return the file of `go env -w`, in os.UserConfigDir; None: there shall be none."""
    named = env.get("GOENV", "")
    if named == "off":
        return None
    if named:
        return Path(named)
    home = env.get("HOME", "/")
    mac = Path(home, "Library/Application Support")
    config = str(mac) if mac.is_dir() else env.get("XDG_CONFIG_HOME") or f"{home}/.config"
    return Path(config, "go/env")


def go_flags(env: Mapping[str, str]) -> str:
    """Return the flags that a go takes from variable or file (`go help environment`)."""
    if flags := env.get("GOFLAGS"):
        return flags
    path = environment_file(env)
    lines = [] if path is None else _text(path).splitlines()
    named = [line.removeprefix("GOFLAGS=") for line in lines if line.startswith("GOFLAGS=")]
    return named[-1] if named else ""


def source_files(folder: Path) -> list[Path]:
    """Return the Go files of the package in `folder`, without its tests."""
    return [
        path
        for path in sorted(folder.glob("*.go"))
        if not path.name.startswith((".", "_")) and not path.name.endswith("_test.go")
    ]


def require_main_package(folder: Path) -> None:
    """Refuse a folder whose Go package is not `main`.

    Raises:
        UsageError: it is another one.
    """
    names = {_package_name(path) for path in source_files(folder)} - {None}
    if names and "main" not in names:
        name = " ".join(sorted(filter(None, names)))
        message = f"`{folder}` holds the Go package `{name}`; a plug-in is a `main` package"
        hint = "give it `package main` and `func main() {}`, or name the folder that has them"
        raise UsageError("not-main", message, hint=hint)


def has_main_body(folder: Path) -> bool:
    """Return whether `func main` does anything: then the plug-in relies on its being called."""
    return look_at_main(folder) is not MainUse.EMPTY


def look_at_main(folder: Path) -> MainUse:
    """Return what a plug-in whose `func main` is never called would lose."""
    texts = [_text(path) for path in source_files(folder) if not _ELSEWHERE_NAME.search(path.stem)]
    codes = [_NOT_CODE.sub(" ", text) for text in texts if not _ELSEWHERE.search(text)]
    bodies: dict[str, list[str]] = {"main": [], "init": []}
    for code in codes:
        for found in _FUNCTION.finditer(code):
            bodies[found[1]].append(_body(code, found.end()))
    if not any(body.strip() for body in bodies["main"]):
        return MainUse.EMPTY
    if any(map(_REGISTERS.search, bodies["init"])):
        return MainUse.IDLE
    # Without an init, whatever registers is reached from main, if at all.
    suspects = bodies["main"] if bodies["init"] else codes
    return MainUse.REGISTERS if any(map(_REGISTERS.search, suspects)) else MainUse.UNKNOWN


def require_sdk(folder: Path, remedy: str) -> None:
    """Refuse a package where nothing points to Proxy-Wasm: neither its modules nor its code.

    Raises:
        UsageError: nothing does.
    """
    path = module_file(folder)
    if path is None or module_file(folder, "go.work") is not None:
        return
    files = [path, *source_files(folder)]
    if _points_to_sdk(files) or any(True for _ in local_modules(path)):
        return
    # Rarely needed: another package of the module may have the exports.
    if not _points_to_sdk(path.parent.rglob("*.go")):
        message = f"`{path}` asks for no Proxy-Wasm SDK: no proxy could load what is compiled here"
        raise UsageError("no-sdk", message, hint=remedy)


def imports(folder: Path, package: str) -> bool:
    """Return whether a Go file in `folder` imports `package`."""
    line = re.compile(rf'^\s*(?:import\s+)?(?:[\w.]+\s+)?"{re.escape(package)}"', re.MULTILINE)
    return any(line.search(_text(path)) for path in source_files(folder))


def _directives(text: str) -> Iterator[tuple[str, list[str], str]]:
    """Yield the directives of a go.mod or go.work, those in blocks one by one, with comments."""
    block = ""
    for line in text.splitlines():
        code, _, comment = line.partition("//")
        words = [word.strip('"`') for word in code.split()]
        if not words:
            continue
        if words == [")"]:
            block = ""
        elif words[-1] == "(":
            block = words[0]
        elif block:
            yield block, words, comment
        else:
            yield words[0], words[1:], comment


def _points_to_sdk(paths: Iterable[Path]) -> bool:
    return any(word in text for text in map(_text, paths) for word in _SDK)


def _body(code: str, start: int) -> str:
    """Return what stands between the brace at `start` and the one that closes it."""
    depth = 0
    for found in re.compile(r"[{}]").finditer(code, start):
        depth += 1 if found[0] == "{" else -1
        if depth == 0:
            return code[start + 1 : found.start()]
    return code[start + 1 :]


def _package_name(path: Path) -> str | None:
    text = _text(path)
    # `//go:build ignore` files belong to no package.
    if re.search(r"^//go:build\s+ignore\s*$", text, re.MULTILINE):
        return None
    found = _PACKAGE.search(_NOT_CODE.sub(" ", text))
    return None if found is None else found[1]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
