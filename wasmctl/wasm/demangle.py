"""Names of functions in a wasm `name` section, as their author wrote them. Pure.

What compilers and linkers leave there is of four forms:

- Rust's v0 mangling, `_RNvCsi_4core…` (the standard library's from 1.95 on):
  https://doc.rust-lang.org/rustc/symbol-mangling/v0.html
- Rust's legacy mangling, `_ZN4core…17h0123456789abcdefE`
- the same after LLD demangled it as C++: `_$LT$a..B$u20$as$u20$c..D$GT$::method::h0123456789abcdef`
- Go's, in which each character that is no part of a word is `_`: `main.__plugin_.OnPluginStart`
"""

from __future__ import annotations

import re
from typing import Final

from wasmctl.wasm.rust_v0 import read_v0

__all__ = ["demangle"]

_LEGACY: Final = re.compile(r"_?_ZN(?P<path>.+)E(?:\.[\w.]+)?\Z")
_HASH: Final = re.compile(r"::h[0-9a-f]{15,16}\Z")
_ESCAPE: Final = re.compile(r"\$(?P<code>SP|BP|RF|LT|GT|LP|RP|C|u[0-9a-f]+)\$")
_ESCAPES: Final = {
    "SP": "@",
    "BP": "*",
    "RF": "&",
    "LT": "<",
    "GT": ">",
    "LP": "(",
    "RP": ")",
    "C": ",",
}
_GO_POINTER: Final = re.compile(r"\.__(\w+?)_\.")


def demangle(name: str) -> str:
    """Return a function's name as its author would write it; what is none is left as it is."""
    if found := _LEGACY.match(name):
        parts = _lengths(found["path"])
        if parts is not None:
            return _readable("::".join(parts))
    if (path := read_v0(name)) is not None:
        return path
    if _HASH.search(name):
        return _readable(name)
    return _GO_POINTER.sub(r".(*\1).", name)


def _lengths(path: str) -> list[str] | None:
    """Split `4core9panicking` at the lengths; None where it is not of that form."""
    parts, position = [], 0
    while position < len(path):
        number = re.match(r"[1-9]\d*", path[position:])
        if number is None:
            return None
        start = position + number.end()
        position = start + int(number[0])
        if position > len(path):
            return None
        parts.append(path[start:position])
    return parts


def _readable(path: str) -> str:
    path = _HASH.sub("", path)
    parts = [part.removeprefix("_") if part.startswith("_$") else part for part in path.split("::")]
    return _ESCAPE.sub(_unescape, "::".join(parts)).replace("..", "::")


def _unescape(found: re.Match[str]) -> str:
    code = found["code"]
    return _ESCAPES.get(code) or chr(int(code[1:], 16))
