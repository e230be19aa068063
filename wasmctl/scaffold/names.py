"""Names that a Cargo package, a Go module, an image and a Kubernetes object all take. Pure."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from wasmctl.errors import UsageError

__all__ = ["check_name", "name_problem", "suggest_name"]

# The strictest of the four: a path component of an image reference is lower-case and ends in a
# letter or digit (github.com/distribution/reference, regexp.go), a Cargo package does not start
# with a digit (cargo's util/restricted_names.rs), a Kubernetes label has 63 characters and no `_`
# (RFC 1123).
_SHAPE: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_LONGEST: Final = 63

# https://doc.rust-lang.org/reference/keywords.html
_RUST_KEYWORDS: Final = """
abstract as async await become box break const continue crate do dyn else enum extern false final
fn for gen if impl in let loop macro match mod move mut override priv pub ref return self static
struct super trait true try type typeof unsafe unsized use virtual where while yield
"""
# Crates of the compiler and cargo's own folders (cargo's util/restricted_names.rs).
_CARGO: Final = "alloc core proc-macro std test build deps examples incremental"
# What the templates' Cargo.lock holds: two packages of one name would not go into it.
_CRATES: Final = """
allocator-api2 equivalent foldhash hashbrown itoa log memchr proc-macro2 proxy-wasm quote serde
serde_core serde_derive serde_json syn unicode-ident zmij
"""
# `go list std` without those that have a slash: the go command calls a module of such a name an
# ambiguous import. And the words that it gives a meaning of their own.
_GO: Final = """
bufio bytes cmp context crypto embed encoding errors expvar flag fmt hash html image io iter log
maps math mime net os path plugin reflect regexp runtime slices sort strconv strings structs sync
syscall testing time unicode unique unsafe weak
all cmd go main std tool work
"""
# https://learn.microsoft.com/windows/win32/fileio/naming-a-file
_WINDOWS: Final = """
aux con nul prn com1 com2 com3 com4 com5 com6 com7 com8 com9
lpt1 lpt2 lpt3 lpt4 lpt5 lpt6 lpt7 lpt8 lpt9
"""
_RESERVED: Final = (
    (_RUST_KEYWORDS, "is a keyword of Rust"),
    (_CARGO, "is a name that cargo keeps for itself"),
    (_CRATES, "is a crate that the plug-in depends on"),
    (_GO, "is a name that Go keeps for itself"),
    (_WINDOWS, "is no file name on Windows"),
)


def name_problem(name: str) -> str | None:
    """Return what is wrong with `name`, as the end of a sentence; None where nothing is."""
    if not name:
        return "is empty"
    if len(name) > _LONGEST:
        return f"has {len(name)} characters, more than {_LONGEST}"
    for words, problem in _RESERVED:
        if name in words.split():
            return problem
    if not _SHAPE.fullmatch(name):
        return "is not lower-case letters, digits and single hyphens, with a letter first"
    return None


def suggest_name(text: str, *, fallback: str) -> str:
    """Return the allowed name nearest to `text`; `fallback` where nothing of it can stay."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    # `headerAuth` is two words.
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", plain).lower()
    name = re.sub(r"[^a-z0-9]+", "-", words).lstrip("-0123456789")[:_LONGEST].strip("-")
    if not name:
        return fallback
    # Every other problem is gone by now.
    return name if name_problem(name) is None else f"{name}-filter"


def check_name(name: str, *, fallback: str) -> None:
    """Refuse what is no name.

    Raises:
        UsageError: with the nearest allowed name.
    """
    problem = name_problem(name)
    if problem is not None:
        suggestion = suggest_name(name, fallback=fallback)
        raise UsageError(
            "bad-name", f"the name `{name}` {problem}", hint=f"try `--name {suggestion}`"
        )
