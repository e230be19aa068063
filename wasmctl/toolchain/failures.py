"""From a tool's words to the thing to do. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

__all__ = ["GO_HINTS", "hint_for", "plain"]

_COLOUR: Final = re.compile(r"\x1b\[[0-9;]*m")
# What the go command says, on its own or below TinyGo → what to do.
GO_HINTS: Final[Mapping[str, str]] = {
    r"no required module provides package (\S+?);": "`go get {0}` adds it to go.mod",
    r"cannot find module providing package (\S+)": "`go get {0}` adds it to go.mod",
    r"missing go\.sum entry|updates to go\.mod needed": "`go mod tidy`",
    r"not one of the workspace modules listed in go\.work|no modules were found in the current "
    r"workspace": "`go work use .`",
    r"download go1[\d.]+|toolchain not available": (
        "see that the network and `GOPROXY` work, or install the Go that go.mod asks for"
    ),
    r"inconsistent vendoring": "`go mod vendor`",
    r"(?i)no space left on device": "make room on the disk, or set `TMPDIR` and `GOCACHE`",
}


def plain(talk: str) -> str:
    """Return a tool's words without their colours."""
    return _COLOUR.sub("", talk)


def hint_for(talk: str, hints: Mapping[str, str]) -> str | None:
    """Return the hint for the first of `hints` that fits a tool's words.

    Args:
        talk: the words.
        hints: by regular expression; `{0}` in a hint stands for its first group.
    """
    for words, hint in hints.items():
        if found := re.search(words, talk):
            return hint.format(*found.groups())
    return None
