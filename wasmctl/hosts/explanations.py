"""What a host's words mean for a plug-in's author: one table, and how it is read. Pure.

A row stands for one cause; the order of the rows says which of several lines tells the most. To
explain one more line, add a row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from wasmctl.hosts import rows_fetch, rows_load, rows_proxy, rows_run
from wasmctl.hosts.rows import Fault, Row
from wasmctl.hosts.traps import find_trap, last_words

__all__ = ["ROWS", "Explanation", "explain"]

ROWS: Final[tuple[Row, ...]] = (
    *rows_load.ROWS,
    *rows_fetch.ROWS,
    *rows_run.ROWS,
    *rows_proxy.ROWS,
)

_TRAPPED: Final = " failed: Uncaught "


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why a host refused a plug-in, or what became of it.

    Args:
        id: of the row: stable, kebab-case.
        message: what happened, in the terms of the plug-in's author.
        hint: the thing to do.
        fault: whose it is.
        source: where the host's words, or the fact behind them, come from.
    """

    id: str
    message: str
    hint: str
    fault: Fault
    source: str


def explain(messages: Sequence[str]) -> Explanation | None:
    """Explain the records of a proxy's log that belong to one refusal or one trap.

    Args:
        messages: without time, level and logger, in their order; a record may have several lines.

    Returns:
        What says the most, or None where nothing is known.
    """
    spoken = [(index, _with_last_words(messages, index)) for index in _of_host(messages)]
    for row in ROWS:
        for index, record in spoken:
            if found := row.pattern.search(record):
                return _fill(row, {**found.groupdict(""), **_facts(messages[: index + 1])})
    return None


def _of_host(messages: Sequence[str]) -> Iterator[int]:
    return (index for index, message in enumerate(messages) if not message.startswith("wasm log"))


def _with_last_words(messages: Sequence[str], index: int) -> str:
    trap = find_trap(messages[: index + 1]) if _TRAPPED in messages[index] else None
    return f"{messages[index]}\nlast words: {trap.words}" if trap else messages[index]


def _facts(messages: Sequence[str]) -> Mapping[str, str]:
    trap = find_trap(messages)
    words = trap.words if trap else last_words(messages)
    return {
        "at": f" ({trap.where})" if trap and trap.where else "",
        "because": f": {words}" if words else "",
    }


def _fill(row: Row, facts: Mapping[str, str]) -> Explanation:
    return Explanation(
        id=row.id,
        message=row.message.format_map(facts),
        hint=row.hint.format_map(facts),
        fault=row.fault,
        source=row.source,
    )
