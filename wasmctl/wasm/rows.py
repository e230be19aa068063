"""The form of a row in the table of explanations, and the pieces its patterns share. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Fault", "Row", "one_of"]


class Fault(StrEnum):
    """Whose it is."""

    PLUGIN = "plugin"  # its code, or how it was compiled
    CONFIGURATION = "configuration"  # what the proxy was told: settings, restrictions
    IMAGE = "image"  # the module did not reach the proxy
    PROXY = "proxy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What a host's words mean.

    Args:
        id: stable kebab-case name.
        pattern: searched in a record of the log; its named groups can be used in `message` and
            `hint`. So can `{function}` `{reason}` `{at}` of a trap, and `{because}`, the last words
            of the plug-in, which are nothing or begin with a colon.
        message: what happened, in the terms of the plug-in's author.
        hint: the thing to do.
        fault: whose it is.
        source: where the words, or the fact behind them, come from.
        words: if given, what the plug-in's last words must hold, too.
    """

    id: str
    pattern: re.Pattern[str]
    message: str
    hint: str
    fault: Fault
    source: str
    words: re.Pattern[str] | None = None


def one_of(names: Collection[str]) -> str:
    """Return a pattern for any one of these names and no longer one."""
    return f"(?:{'|'.join(re.escape(name) for name in sorted(names))})(?![\\w.])"
