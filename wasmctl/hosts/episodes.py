"""Which records of a log belong to one refusal of a plug-in, or to one trap. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from functools import lru_cache
from typing import Final

from wasmctl.hosts.explanations import explain
from wasmctl.hosts.logs import LogRecord, plugin_words
from wasmctl.hosts.traps import begins_panic

__all__ = ["RESTRICTED", "Episode", "Part", "is_panic", "part_of", "trapped_in"]


class Part(IntEnum):
    """Which part of a refusal a record is, in the order in which they come."""

    CAUSE = 0  # why
    FAILED = 1  # what could not be done
    NAMED = 2  # whose it is
    POLICY = 3  # what becomes of requests
    REJECTED = 4  # the configuration that asked for it


# Envoy, source/extensions/common/wasm/wasm.cc; what the last of them are put into differs by where
# the configuration came from.
_PARTS: Final = (
    (
        Part.REJECTED,
        re.compile(
            r"Unable to create Wasm (?:plugin |HTTP filter |network filter )?(?P<plugin>[^\s`]+)"
        ),
    ),
    (Part.POLICY, re.compile(r"Plugin configured to fail \w+ failed to load")),
    (Part.NAMED, re.compile(r"Plugin (?P<plugin>\S+) failed to load")),
    (Part.FAILED, re.compile(r"Wasm VM failed |\AFailed to (?:load|initialize) Wasm code\Z")),
)
_TRAP: Final = re.compile(r"Function: (?P<function>\S+) failed: ")
RESTRICTED: Final = "Attempted call to restricted "
_MOST_RECORDS: Final = 40
_MOST_LINES: Final = 40


@lru_cache(maxsize=4096)
def part_of(message: str) -> tuple[Part | None, str]:
    """Return which part of a refusal or trap a record is, and the plug-in that it names."""
    for part, form in _PARTS:
        if found := form.search(message):
            return part, found.groupdict().get("plugin") or ""
    return (Part.CAUSE if explain([message]) is not None else None), ""


def trapped_in(record: LogRecord) -> str:
    """Return the function that a record says to have trapped; empty where it is about no trap."""
    found = _TRAP.search(record.message)
    return "" if found is None else found["function"]


def is_panic(record: LogRecord) -> bool:
    """Return whether a language's runtime begins its last words in a record."""
    words = plugin_words(record)
    return words is not None and begins_panic(words.text)


@dataclass(slots=True, kw_only=True)
class Episode:
    """The records of one refusal or trap.

    Args:
        before: what plug-ins said in its thread before, and which calls they were refused.
        records: the host's.
        part: of the last of them.
        plugin: the plug-in that they name; empty where they name none.
    """

    before: Sequence[LogRecord] = ()
    records: list[LogRecord] = field(default_factory=list)
    part: Part = Part.CAUSE
    plugin: str = ""

    def ends_before(self, record: LogRecord, part: Part, plugin: str) -> bool:
        """Return whether a record begins something new."""
        if part < self.part or (plugin and self.plugin and plugin != self.plugin):
            return True
        # A host that names each missing import does so in a record of its own.
        traps = trapped_in(record) or trapped_in(self.records[-1])
        return part is Part.CAUSE and bool(traps)

    def add(self, record: LogRecord, part: Part, plugin: str) -> None:
        """Take a record that belongs to it."""
        if len(self.records) < _MOST_RECORDS:
            self.records.append(record)
        self.part = part
        self.plugin = self.plugin or plugin

    @property
    def messages(self) -> list[str]:
        """The texts of all records, as they are explained."""
        return [record.message for record in (*self.before, *self.records)]

    @property
    def says_why(self) -> bool:
        """Whether there is more than the consequences."""
        parts = {part_of(record.message)[0] for record in self.records}
        return not parts <= {Part.POLICY, Part.REJECTED}

    def without_others(self) -> Episode:
        """Return it without what other plug-ins said before."""
        spoken = [(one, plugin_words(one)) for one in self.before]
        panicked = [words.plugin for _, words in spoken if words and begins_panic(words.text)]
        known = {words.plugin for _, words in spoken if words}
        wanted = self.plugin if self.plugin in known else (panicked[-1] if panicked else None)
        before = [
            one
            for one, words in spoken
            if words is None or wanted is None or words.plugin == wanted
        ]
        return Episode(before=before, records=self.records, part=self.part, plugin=self.plugin)

    def speaker(self, known: Collection[str]) -> str:
        """Return which plug-in it is about: the one named, or that panicked, or the only one."""
        if self.plugin:
            return self.plugin
        for record in reversed(self.before):
            if is_panic(record) and (words := plugin_words(record)) is not None:
                return words.plugin
        return next(iter(known)) if trapped_in(self.records[0]) and len(known) == 1 else ""

    def shown(self) -> tuple[tuple[int, str], ...]:
        """Return the lines that tell: what the plug-in said last, and all of the host's."""
        spoken = ((one, plugin_words(one)) for one in self.before)
        before = [one for one, words in spoken if words is None or words.text.strip()]
        start = next((i for i in range(len(before) - 1, -1, -1) if is_panic(before[i])), None)
        # Go's runtime writes its last words in pieces, of which the first tell the most.
        said = before[-2:] if start is None else before[start : start + 2]
        lines = [line for one in (*said, *self.records) for line in one.lines]
        return tuple(lines[:_MOST_LINES])
