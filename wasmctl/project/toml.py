"""TOML files that people write: read with their lines, so that an error can point at one.

Knows TOML (https://toml.io/en/v1.0.0) and nothing of what a file means.
"""

from __future__ import annotations

import contextlib
import re
import stat
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wasmctl.errors import UsageError

__all__ = ["TomlFile", "read_toml"]

# How much of a line an error shows.
_WIDTH: Final = 120
_CLEARER: Final = {"Cannot overwrite a value": "the same key a second time"}
_PLACE: Final = re.compile(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", re.DOTALL)
_KEY: Final = re.compile(r"[ \t]*(?:\"((?:\\.|[^\"\\])*)\"|'([^']*)'|([\w-]+))[ \t]*(\.?)")
_VALUE: Final = re.compile(
    r'''"""(?:\\.|.)*?"{3,5}|"(?:\\.|[^"\\\n])*"'''
    r"""|'{3}.*?'{3,5}|'[^'\n]*'"""
    r"|[^,\]}\s#]+(?: \d\d:[^,\]}\s#]+)?",  # a date and its time may have a space between them
    re.DOTALL,
)
_BLANK: Final = re.compile(r"(?:\s|#[^\n]*)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class TomlFile:
    """A TOML file.

    Args:
        path: where it is.
        text: what it says.
        document: the same as values.
    """

    path: Path
    text: str
    document: Mapping[str, object]

    def place(self, *keys: str) -> str:
        """Return how to name the place of a key in errors: the file, and the line if known."""
        lines = _Keys(self.text).lines
        known = (keys[:length] for length in range(len(keys), 0, -1) if keys[:length] in lines)
        found = next(known, None)
        return f"`{self.path}`" if found is None else f"`{self.path}`, line {lines[found]}"


def read_toml(path: Path) -> TomlFile | None:
    """Read a TOML file; None where there is none.

    Raises:
        UsageError: it cannot be read, or is no TOML; the line is shown.
    """
    raw = _read(path)
    if raw is None:
        return None
    try:
        text = raw.decode("utf-8-sig")  # editors on Windows begin a file with a byte order mark
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        message = f"`{path}`, line {line}: not UTF-8, which TOML has to be"
        raise UsageError("bad-toml", message, hint="save it as UTF-8") from None
    try:
        return TomlFile(path=path, text=text, document=tomllib.loads(text))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise _broken(path, text, str(error)) from None


def _read(path: Path) -> bytes | None:
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            # To read a pipe would be to wait for whoever writes, maybe for ever.
            message = f"`{path}` is no file, but a {_kind(mode)}"
            raise UsageError("unreadable-file", message, hint="put a file there, or nothing")
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        if path.is_symlink():
            message = f"`{path}` is a link to `{path.readlink()}`, which is not there"
            raise UsageError("unreadable-file", message, hint="mend or remove the link") from None
        return None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        message = f"`{path}` cannot be read: {reason}"
        raise UsageError("unreadable-file", message, hint="check its permissions") from error


def _kind(mode: int) -> str:
    return {stat.S_IFIFO: "named pipe", stat.S_IFSOCK: "socket"}.get(stat.S_IFMT(mode), "device")


def _broken(path: Path, text: str, said: str) -> UsageError:
    found = _PLACE.fullmatch(said)
    reason = found[1] if found else said
    reason = _CLEARER.get(reason, f"{reason[:1].lower()}{reason[1:]}")
    lines = text.splitlines() or [""]
    number = min(int(found[2]) if found and found[2] else len(lines), len(lines))
    shown = lines[number - 1].replace("\t", " ")
    message = f"`{path}`, line {number}: {reason}\n  {number} | {shown[:_WIDTH]}"
    if found and found[3] and int(found[3]) <= _WIDTH:
        message += f"\n  {' ' * len(str(number))} | {' ' * (int(found[3]) - 1)}^"
    return UsageError("bad-toml", message, hint="https://toml.io shows how TOML is written")


class _LostError(Exception):
    """The text is not what the scanner takes it for."""


class _Keys:
    """Finds the line of every key, by its full name, in a text that is known to be TOML."""

    def __init__(self, text: str) -> None:
        self.lines: dict[tuple[str, ...], int] = {}
        self._text = text
        self._at = 0
        with contextlib.suppress(_LostError):
            self._statements()

    def _statements(self) -> None:
        header: tuple[str, ...] = ()
        self._blank()
        while self._at < len(self._text):
            if self._takes("["):
                self._takes("[")
                header = self._key(())
                self._expect("]")
                self._takes("]")
            else:
                self._pair(header)
            self._blank()

    def _pair(self, before: tuple[str, ...]) -> None:
        name = self._key(before)
        self._expect("=")
        self._value(name)

    def _key(self, name: tuple[str, ...]) -> tuple[str, ...]:
        line = self._text.count("\n", 0, self._at) + 1
        more = "."
        while more:
            found = self._match(_KEY)
            quoted, literal, bare, more = found.groups()
            if quoted is not None:
                literal = tomllib.loads(f'key = "{quoted}"')["key"]
            name = (*name, bare or literal)
            self.lines.setdefault(name, line)
        return name

    def _value(self, name: tuple[str, ...]) -> None:
        self._blank()
        if self._takes("{"):
            self._items("}", lambda: self._pair(name))
        elif self._takes("["):
            self._items("]", lambda: self._value(name))
        else:
            self._match(_VALUE)

    def _items(self, end: str, item: Callable[[], None]) -> None:
        self._blank()
        while not self._takes(end):
            item()
            self._blank()
            self._takes(",")
            self._blank()

    def _blank(self) -> None:
        self._match(_BLANK)

    def _match(self, pattern: re.Pattern[str]) -> re.Match[str]:
        found = pattern.match(self._text, self._at)
        if found is None:
            raise _LostError
        self._at = found.end()
        return found

    def _takes(self, letter: str) -> bool:
        taken = self._text.startswith(letter, self._at)
        self._at += taken
        return taken

    def _expect(self, letter: str) -> None:
        if not self._takes(letter):
            raise _LostError
