"""The form of a row in the table of explanations, and the pieces its patterns share. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

__all__ = ["Fault", "Row", "Words", "one_of"]


class Fault(StrEnum):
    """Whose it is."""

    PLUGIN = "plugin"  # its code, or how it was compiled
    CONFIGURATION = "configuration"  # what the proxy was told: settings, restrictions
    IMAGE = "image"  # the module did not reach the proxy
    PROXY = "proxy"


@dataclass(frozen=True, slots=True)
class Words:
    """A regular expression that is compiled when it is first asked: there are many of them.

    Args:
        text: of the expression.
    """

    text: str

    def search(self, record: str) -> re.Match[str] | None:
        """Return where it is found in a record."""
        return _compiled(self.text).search(record)

    @property
    def groups(self) -> frozenset[str]:
        """The names of its groups."""
        return frozenset(_compiled(self.text).groupindex)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What a host's words mean.

    Args:
        id: stable kebab-case name.
        pattern: searched in a record of the log that is not the plug-in's own; behind a trap's
            record stands a line `last words: ` with the panic's message.
        message: what happened, in the terms of the plug-in's author. Names in braces are filled
            in: the pattern's named groups; `{at}`, where a trap was, in brackets; `{because}`, a
            colon and the panic's message, or what the plug-in logged last where it said no.
        hint: the thing to do; filled in likewise.
        fault: whose it is.
        source: where the words, or the fact behind them, come from.
    """

    id: str
    pattern: Words
    message: str
    hint: str
    fault: Fault
    source: str


@cache
def _compiled(text: str) -> re.Pattern[str]:
    return re.compile(text)


def one_of(names: Collection[str]) -> str:
    """Return a pattern for any one of these names and no longer one."""
    return f"(?:{'|'.join(re.escape(name) for name in sorted(names))})(?![\\w.])"
