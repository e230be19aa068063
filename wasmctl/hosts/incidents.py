"""What happened to plug-ins in a whole log: records → incidents, each told once. Pure.

A refusal runs from the host's first word about it to `Unable to create …`; a trap is its record
with what the plug-in said before it. What follows from one (requests that are answered with an
error) is counted with it. Memory is bounded, whatever the length of the log.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Final

from wasmctl.hosts.episodes import RESTRICTED, Episode, is_panic, part_of, trapped_in
from wasmctl.hosts.explanations import Explanation, explain
from wasmctl.hosts.logs import LogRecord, PluginWords, plugin_words
from wasmctl.hosts.rows import Fault
from wasmctl.hosts.traps import Trap, find_panic, find_trap

__all__ = ["Incident", "Incidents", "find_incidents"]


# Traps in these may keep a plug-in from being loaded: the host says more afterwards.
_AT_START: Final = frozenset(
    (
        "__main_void",
        "_initialize",
        "_start",
        "main",
        "malloc",
        "proxy_on_configure",
        "proxy_on_context_create",
        "proxy_on_memory_allocate",
        "proxy_on_vm_start",
        "proxy_validate_configuration",
    )
)
# Records that tell all in one.
_ALONE: Final = re.compile(
    r"error in applying failopen rbac|Attempted call to restricted"
    r"|Wasm remote code fetch is unstable|Using deprecated option"
)
# Of Istio's agent: pkg/wasm/convert.go.
_FETCH: Final = re.compile(
    r"annot fetch Wasm module (?P<module>\S+):(?: |\Z)|error in converting the wasm config to"
    r" local: (?!cannot fetch Wasm module \S+: )"
)
_INSTEAD: Final = re.compile(r"\s*\.? applying (?P<what>deny|allow) RBAC filter")
_MEANWHILE: Final = {
    "deny": "; until it is there, the proxy denies requests (403)",
    "allow": "; until it is there, the proxy lets requests pass without the plug-in",
    "": "",
}
# An access log's words for requests that a plug-in, or its absence, has ended.
_ANSWERED: Final = re.compile(
    r"wasm_fail_stream|rbac_access_denied_matched_policy\[none\]|\bNFCF\b"
)
_QUIET: Final = frozenset(("trace", "debug", "info"))
_LOUD: Final = frozenset(("error", "critical"))
# What is no cause by itself, and what only deserves a word.
_MINOR: Final = frozenset(
    ("plug-in-stopped", "image-denied", "rbac-denied", "no-filter-configuration", "unexplained")
)
_ASIDE: Final = frozenset(("remote-code-unstable", "deprecated-setting", "plug-in-reloaded"))
_SAYS_LITTLE: Final = frozenset(("not-started", "not-loaded", "empty-module", "rejected"))
_NUMBER: Final = re.compile(r"0x[0-9a-f]+|\d+")

# Bounds: of what plug-ins said last, in each thread; of threads; of incidents; of names.
_REMEMBERED: Final = 1000
_MOST_THREADS: Final = 512
_MOST_INCIDENTS: Final = 200
_MOST_NAMES: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """Something that happened to a plug-in, once or several times.

    Args:
        id: of the explanation; `unexplained` where the host's words are not known.
        message: what happened.
        hint: the thing to do.
        fault: whose it is; None where that is not known.
        plugin: its name; empty where the log does not tell.
        module: where its module was to come from; empty where it is not about that.
        count: how often it happened.
        requests: how many requests were answered with an error after it, as far as the log says so
            and nothing else had happened by then.
        first_line: the number of the first line that tells of it.
        last_line: of the last one.
        first_time: when it happened first, as the log has it; empty where it has no times.
        last_time: when it happened last.
        origins: the proxies that tell of it, where several write to one log.
        lines: the log's own lines of the first time, with their numbers.
        trap: where it was one, the first.
    """

    id: str
    message: str
    hint: str
    fault: Fault | None
    plugin: str
    module: str
    count: int
    requests: int
    first_line: int
    last_line: int
    first_time: str
    last_time: str
    origins: tuple[str, ...]
    lines: tuple[tuple[int, str], ...]
    trap: Trap | None


@dataclass(slots=True, kw_only=True)
class _Tally:
    """An incident that is still being counted."""

    explanation: Explanation | None
    first: LogRecord
    last: LogRecord
    plugin: str
    module: str = ""
    trap: Trap | None = None
    lines: tuple[tuple[int, str], ...] = ()
    count: int = 0
    requests: int = 0
    origins: dict[str, None] = field(default_factory=dict)

    def show(self, episode: Episode) -> None:
        """Have it shown as it was this time."""
        self.lines = episode.shown()
        self.trap = find_trap(episode.messages)

    def add(self, episode: Episode) -> None:
        """Count it once more."""
        self.count += 1
        self.last = episode.records[-1]
        if len(self.origins) < _MOST_NAMES:
            self.origins[self.last.origin] = None

    def finish(self) -> Incident:
        """Return it as it is now."""
        found = self.explanation
        words = self.first.message.partition("\n")[0]
        return Incident(
            id="unexplained" if found is None else found.id,
            message=f"the proxy says of plug-ins what is not known here: {words}"
            if found is None
            else found.message,
            hint="set the log level of `wasm` to debug, and see what it writes before this line"
            if found is None
            else found.hint,
            fault=None if found is None else found.fault,
            plugin=self.plugin,
            module=self.module,
            count=self.count,
            requests=self.requests,
            first_line=min([self.first.first, *(number for number, _ in self.lines)]),
            last_line=self.last.last,
            first_time=self.first.time,
            last_time=self.last.time,
            origins=tuple(origin for origin in self.origins if origin),
            lines=self.lines,
            trap=self.trap,
        )


@dataclass(slots=True, kw_only=True)
class _Thread:
    """What is known of a thread of a proxy."""

    recent: deque[LogRecord] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    episode: Episode | None = None


class Incidents:
    """Collects the incidents of a log, record by record.

    Attributes:
        spoken: how many records are the plug-ins' own.
        errors: how many of them are errors.
        plugins: the names of the plug-ins that spoke.
        more: how many incidents of further kinds there were than are kept.
    """

    def __init__(self) -> None:
        self.spoken = 0
        self.errors = 0
        self.plugins: dict[str, None] = {}
        self.more = 0
        self._threads: dict[tuple[str, str], _Thread] = {}
        self._tallies: dict[tuple[str, str, str], _Tally] = {}
        # By origin: for which incident requests may have been answered with 500 or 503, and 403.
        self._latest: dict[str, _Tally] = {}
        self._fetches: dict[str, _Tally] = {}
        self._unsaid: list[Episode] = []

    def add(self, record: LogRecord) -> None:
        """Take the next record."""
        if (words := plugin_words(record)) is not None:
            self._hear(record, words)
        elif found := _ANSWERED.search(record.message):
            self._answer(record, found[0])
        elif record.level not in _QUIET:
            self._judge(record)

    def finish(self) -> tuple[Incident, ...]:
        """Return the incidents, the most telling first."""
        for key, thread in self._threads.items():
            self._close(key[0], thread)
            self._tell_panic(thread)
        for episode in self._unsaid:
            # Workers and the last line of stderr repeat it: news only where nobody said why.
            if episode.records[0].origin not in self._latest:
                self._tally(explain(episode.messages), episode)
        found = [tally.finish() for tally in self._tallies.values()]
        return tuple(sorted(found, key=_weight))

    def _thread(self, record: LogRecord) -> _Thread:
        key = record.origin, record.thread
        thread = self._threads.pop(key, None) or _Thread()
        self._threads[key] = thread
        if len(self._threads) > _MOST_THREADS:
            oldest = next(iter(self._threads))
            self._close(oldest[0], self._threads.pop(oldest))
        return thread

    def _hear(self, record: LogRecord, words: PluginWords) -> None:
        self.spoken += 1
        self.errors += record.level in _LOUD
        if len(self.plugins) < _MOST_NAMES:
            self.plugins[words.plugin] = None
        self._thread(record).recent.append(record)

    def _answer(self, record: LogRecord, words: str) -> None:
        for (origin, _), thread in self._threads.items():
            if origin == record.origin:
                self._close(origin, thread)
        denied = words.startswith("rbac")
        cause = self._fetches.get(record.origin) if denied else self._latest.get(record.origin)
        if cause is None:
            self._tally(explain([record.message]), Episode(records=[record]))
        else:
            cause.requests += 1
            cause.last = record

    def _judge(self, record: LogRecord) -> None:
        if fetch := _FETCH.search(record.message):
            tally = self._tally(
                _explain_fetch(record.message), Episode(records=[record]), fetch["module"] or ""
            )
            self._fetches[record.origin] = self._latest[record.origin] = tally
            return
        if _ALONE.search(record.message):
            self._tally(explain([record.message]), Episode(records=[record]))
            if record.message.startswith(RESTRICTED):
                self._thread(record).recent.append(record)
            return
        part, plugin = part_of(record.message)
        if part is None:
            if record.logger == "wasm" and record.level in _LOUD:
                self._tally(None, Episode(records=[record]))
            return
        thread = self._thread(record)
        if thread.episode is None or thread.episode.ends_before(record, part, plugin):
            self._close(record.origin, thread)
            thread.episode = Episode(before=[*thread.recent])
            thread.recent.clear()
        thread.episode.add(record, part, plugin)
        function = trapped_in(record)
        if function and function not in _AT_START:
            self._close(record.origin, thread)

    def _close(self, origin: str, thread: _Thread) -> None:
        episode, thread.episode = thread.episode, None
        if episode is None:
            return
        if not episode.says_why:
            if len(self._unsaid) < _MOST_THREADS:
                self._unsaid.append(episode)
            return
        episode = episode.without_others()
        found = _explain(tuple(episode.messages))
        restricted = [text for text in episode.messages if text.startswith(RESTRICTED)]
        if found is not None and found.id == "trap-host-said-no" and restricted:
            found = explain(restricted)
        self._latest[origin] = self._tally(found, episode)

    def _tell_panic(self, thread: _Thread) -> None:
        """Tell of last words after which the host says nothing: its lines were left out."""
        place, words = find_panic([record.message for record in thread.recent])
        if words:
            said = next(record for record in reversed(thread.recent) if is_panic(record))
            quoted = f"last words: {words}" + (f" (`{place}`)" if place else "")
            self._tally(explain([quoted]), Episode(before=[said], records=[said]))

    def _tally(self, found: Explanation | None, episode: Episode, module: str = "") -> _Tally:
        first = episode.records[0]
        plugin = episode.speaker(self.plugins)
        restricted = found is not None and found.id == "capability-restricted"
        key = (
            "" if found is None else found.id,
            module or ("" if restricted else plugin),
            _NUMBER.sub("#", first.message if found is None else found.message),
        )
        tally = self._tallies.get(key)
        if tally is None:
            tally = _Tally(explanation=found, first=first, last=first, plugin=plugin, module=module)
            tally.show(episode)
            if len(self._tallies) < _MOST_INCIDENTS:
                self._tallies[key] = tally
            else:
                self.more += 1
        elif restricted and episode.before:
            # Counted already, when the call was refused; this is what came of it.
            tally.plugin = tally.plugin or plugin
            tally.count -= 1
            tally.show(episode)
        tally.add(episode)
        return tally


def find_incidents(records: Iterable[LogRecord]) -> tuple[Incident, ...]:
    """Return the incidents of a log, the most telling first."""
    incidents = Incidents()
    for record in records:
        incidents.add(record)
    return incidents.finish()


@lru_cache(maxsize=64)
def _explain(messages: tuple[str, ...]) -> Explanation | None:
    """Explain what may come again word by word."""
    return explain(messages)


def _explain_fetch(message: str) -> Explanation | None:
    """Explain why a module was not fetched, and say what the agent has the proxy do instead."""
    instead = _INSTEAD.search(message)
    found = explain([_INSTEAD.sub("", message)])
    if found is None:
        return None
    meanwhile = _MEANWHILE[instead["what"] if instead else ""]
    return replace(found, message=f"{found.message}{meanwhile}")


def _weight(incident: Incident) -> tuple[int, int]:
    if incident.id in _ASIDE:
        return 3, incident.first_line
    if incident.id in _MINOR:
        return 2, incident.first_line
    return int(incident.id in _SAYS_LITTLE), incident.first_line
