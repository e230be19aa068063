"""Rust's v0 mangling, read into a path: https://doc.rust-lang.org/rustc/symbol-mangling/v0.html.

Lifetimes, hashes of crates and types of constants are left out: they tell nothing in a backtrace.
Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

__all__ = ["read_crate", "read_v0"]

_PREFIX: Final = re.compile(r"_?_?R(?=[A-Z])")
# A path is a few hundred characters; one made to expand without end is none. The second counts what
# is written on the way, too.
_DEEPEST: Final = 100
_LONGEST: Final = 200_000
_LENGTH: Final = re.compile(r"0|[1-9][0-9]{0,5}")
_NUMBER: Final = re.compile(r"([0-9a-zA-Z]{0,20})_")
_HEXADECIMAL: Final = re.compile(r"([0-9a-f]*)_")
_BASE_62: Final = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_BASIC_TYPES: Final[Mapping[str, str]] = {
    "a": "i8",
    "b": "bool",
    "c": "char",
    "d": "f64",
    "e": "str",
    "f": "f32",
    "h": "u8",
    "i": "isize",
    "j": "usize",
    "l": "i32",
    "m": "u32",
    "n": "i128",
    "o": "u128",
    "p": "_",
    "s": "i16",
    "t": "u16",
    "u": "()",
    "v": "...",
    "x": "i64",
    "y": "u64",
    "z": "!",
}
_SPECIAL_NAMES: Final[Mapping[str, str]] = {"C": "closure", "S": "shim"}


def read_v0(symbol: str) -> str | None:
    """Return the path that a symbol stands for; None where it is none of this mangling."""
    found = _PREFIX.match(symbol)
    if found is None:
        return None
    reader = _Reader(symbol[found.end() :])
    try:
        path = reader.path(value=True)
        if reader.rest and reader.rest[0] not in ".$":
            reader.path(value=False)  # the crate that made this instance of a generic function
    except (_NoV0Error, RecursionError):
        return None
    return path if not reader.rest or reader.rest[0] in ".$" else None


def read_crate(symbol: str) -> str | None:
    """Return the crate whose source has the function that a symbol names; None where it is no such.

    Of an `impl` block it is the crate that the block stands in, whatever type and trait it joins.
    """
    found = _PREFIX.match(symbol)
    if found is None:
        return None
    reader = _Reader(symbol[found.end() :])
    try:
        reader.path(value=True)
    except (_NoV0Error, RecursionError):
        return None
    return reader.crate or None


class _NoV0Error(Exception):
    pass


class _Reader:
    """Reads a symbol from its start to its end; a back reference is read where it points to."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0
        self._written = 0
        # The first crate that is named; the type of a trait's own method stands before the trait.
        self.crate = ""

    @property
    def rest(self) -> str:
        return self._text[self._at :]

    def path(self, *, value: bool) -> str:
        """Read a path; generic arguments follow `::` in a value's, as Rust writes them."""
        return self._nested(lambda: self._path(value=value))

    def _path(self, *, value: bool) -> str:
        match self._next():
            case "C":
                name = self._name()[0]
                self.crate = self.crate or name
                return name
            case "M":
                self._implementation()
                return f"<{self._type()}>"
            case "X":
                self._implementation()
                return f"<{self._type()} as {self.path(value=False)}>"
            case "Y":
                before, type_ = self.crate, self._type()
                self.crate = before
                return f"<{type_} as {self.path(value=False)}>"
            case "N":
                return self._inner(value=value)
            case "I":
                path = self.path(value=value)
                arguments = [one for one in self._until_end(self._argument) if one]
                colons = "::" if value else ""
                return f"{path}{colons}<{', '.join(arguments)}>"
            case "B":
                return self._back(lambda: self.path(value=value))
            case _:
                raise _NoV0Error

    def _inner(self, *, value: bool) -> str:
        namespace = self._next()
        parent = self.path(value=value)
        name, disambiguator = self._name()
        if namespace.isupper():
            kind = _SPECIAL_NAMES.get(namespace, namespace)
            return f"{parent}::{{{kind}{':' if name else ''}{name}#{disambiguator}}}"
        return f"{parent}::{name}" if name else parent

    def _implementation(self) -> None:
        """Pass over where an `impl` block stands."""
        self._disambiguator()
        self.path(value=False)

    def _argument(self) -> str:
        if self._takes("L"):
            self._base_62()
            return ""
        return self._constant() if self._takes("K") else self._type()

    def _type(self) -> str:
        return self._nested(self._type_inside)

    def _type_inside(self) -> str:
        tag = self._next()
        if tag in _BASIC_TYPES:
            return _BASIC_TYPES[tag]
        match tag:
            case "R":
                return f"&{self._referred()}"
            case "Q":
                return f"&mut {self._referred()}"
            case "P":
                return f"*const {self._type()}"
            case "O":
                return f"*mut {self._type()}"
            case "A":
                return f"[{self._type()}; {self._constant()}]"
            case "S":
                return f"[{self._type()}]"
            case "T":
                parts = self._until_end(self._type)
                return f"({', '.join(parts)}{',' if len(parts) == 1 else ''})"
            case "F":
                return self._function()
            case "D":
                return self._dynamic()
            case "B":
                return self._back(self._type)
            case _:
                self._at -= 1
                return self.path(value=False)

    def _referred(self) -> str:
        if self._takes("L"):
            self._base_62()
        return self._type()

    def _function(self) -> str:
        self._binder()
        unsafe = "unsafe " if self._takes("U") else ""
        abi = ""
        if self._takes("K"):
            name = "C" if self._takes("C") else self._plain_name().replace("_", "-")
            abi = f'extern "{name}" '
        parameters = ", ".join(self._until_end(self._type))
        result = self._type()
        arrow = "" if result == "()" else f" -> {result}"
        return f"{unsafe}{abi}fn({parameters}){arrow}"

    def _dynamic(self) -> str:
        self._binder()
        bounds = " + ".join(self._until_end(self._bound))
        if not self._takes("L"):
            raise _NoV0Error
        self._base_62()
        return f"dyn {bounds}"

    def _bound(self) -> str:
        path = self.path(value=False)
        types = []
        while self._takes("p"):
            name = self._plain_name()
            types.append(f"{name} = {self._type()}")
        if not types:
            return path
        if path.endswith(">"):
            return f"{path[:-1]}, {', '.join(types)}>"
        return f"{path}<{', '.join(types)}>"

    def _binder(self) -> None:
        if self._takes("G"):
            self._base_62()

    def _constant(self) -> str:
        return self._nested(self._constant_inside)

    def _constant_inside(self) -> str:
        if self._takes("B"):
            return self._back(self._constant)
        kind = self._next()
        if kind == "p":
            return "_"
        if kind not in "abchijlmnostxy":
            raise _NoV0Error  # of texts and structures, which are not stable yet
        sign = "-" if self._takes("n") else ""
        found = _HEXADECIMAL.match(self._text, self._at)
        if found is None:
            raise _NoV0Error
        self._at = found.end()
        number = int(found[1] or "0", 16)
        if kind == "b":
            return "true" if number else "false"
        return repr(chr(number)) if kind == "c" and number < 0x110000 else f"{sign}{number}"

    def _name(self) -> tuple[str, int]:
        disambiguator = self._disambiguator()
        return self._plain_name(), disambiguator

    def _disambiguator(self) -> int:
        return self._base_62() + 1 if self._takes("s") else 0

    def _plain_name(self) -> str:
        encoded = self._takes("u")
        found = _LENGTH.match(self._text, self._at)
        if found is None:
            raise _NoV0Error
        self._at = found.end()
        self._takes("_")
        end = self._at + int(found[0])
        if end > len(self._text):
            raise _NoV0Error
        name, self._at = self._text[self._at : end], end
        return _decoded(name) if encoded else name

    def _base_62(self) -> int:
        found = _NUMBER.match(self._text, self._at)
        if found is None:
            raise _NoV0Error
        self._at = found.end()
        value = 0
        for digit in found[1]:
            value = value * 62 + _BASE_62.index(digit)
        return value + 1 if found[1] else 0

    def _back(self, read: Callable[[], str]) -> str:
        start = self._at - 1
        target = self._base_62()
        if target >= start:
            raise _NoV0Error
        behind, self._at = self._at, target
        try:
            return read()
        finally:
            self._at = behind

    def _until_end(self, read: Callable[[], str]) -> list[str]:
        parts = []
        while not self._takes("E"):
            parts.append(read())
        return parts

    def _nested(self, read: Callable[[], str]) -> str:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise _NoV0Error
        text = read()
        self._depth -= 1
        self._written += len(text)
        if self._written > _LONGEST:
            raise _NoV0Error
        return text

    def _next(self) -> str:
        if self._at >= len(self._text):
            raise _NoV0Error
        self._at += 1
        return self._text[self._at - 1]

    def _takes(self, wanted: str) -> bool:
        takes = self._text.startswith(wanted, self._at)
        self._at += takes
        return takes


def _decoded(name: str) -> str:
    """Decode a name with characters beyond ASCII: Punycode, in which `_` stands for `-`."""
    plain, underscore, encoded = name.rpartition("_")
    try:
        return f"{plain}{'-' if underscore else ''}{encoded}".encode("ascii").decode("punycode")
    except UnicodeError:
        raise _NoV0Error from None
