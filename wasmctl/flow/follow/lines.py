"""Records of a proxy's log → what is told of plug-ins: their lines, their crashes. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from wasmctl.flow.serve.log import LogLevel
from wasmctl.hosts.explanations import explain
from wasmctl.hosts.logs import LogRecord, plugin_words
from wasmctl.hosts.traps import find_trap

__all__ = ["CrashSeen", "LevelSet", "LineSeen", "LineTeller", "Seen"]

_LEVELS: Final[dict[str, int]] = {
    level: index
    for index, level in enumerate(("trace", "debug", "info", "warn", "error", "critical"))
}
# What a plug-in said last tells why it crashed; of so many proxies at a time that is known.
_REMEMBERED: Final = 50
_MOST_ORIGINS: Final = 64
_MOST_NAMES: Final = 100
# The access log tells of requests, and not of plug-ins.
_NOT_TOLD: Final = frozenset({"access"})


@dataclass(frozen=True, slots=True, kw_only=True)
class LineSeen:
    """A line of the log.

    Args:
        time: as the log has it; empty where it has none.
        level: trace, debug, info, warn, error or critical; empty where the log has none.
        text: what was said; may have several lines.
        source: who speaks.
        plugin: its name, where it is one.
        origin: which proxy's it is, where several write to one log; else empty.
    """

    time: str
    level: str
    text: str
    source: Literal["plugin", "envoy"]
    plugin: str = ""
    origin: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CrashSeen:
    """A plug-in trapped: why, and what to do."""

    time: str
    message: str
    hint: str
    origin: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelSet:
    """The proxy is about to write plug-ins' lines from another level on.

    Args:
        before: the level that it has, and will have again.
        during: the new one; the same where nothing changes.
        restore: the line for bash that puts it back.
    """

    before: str
    during: str
    restore: str


Seen = LineSeen | CrashSeen | LevelSet


class LineTeller:
    """Tells plug-ins' lines as they are, their crashes in their author's terms, and no more.

    Args:
        level: from which level on lines are told; None: all that plug-ins say. `trace` also tells
            every call between the proxy and a plug-in.
        plugin: the only plug-in whose lines are told, with or without the namespace that meshes
            put before its name; None: all.
        told: who is told.

    Attributes:
        plugins: the names of those who spoke, as many as are fit to be listed.
        shown: how many lines were told.
    """

    def __init__(
        self, level: LogLevel | None, plugin: str | None, told: Callable[[Seen], None]
    ) -> None:
        self.plugins: dict[str, None] = {}
        self.shown = 0
        self._level = level
        self._plugin = plugin
        self._told = told
        self._recent: dict[str, deque[str]] = {}

    def tell(self, record: LogRecord) -> None:
        """Tell what a record says of plug-ins, if it says anything."""
        words = plugin_words(record)
        if words is None and record.logger in _NOT_TOLD:
            return
        recent = self._recent_of(record.origin)
        recent.append(record.message)
        if words is not None:
            if len(self.plugins) < _MOST_NAMES:
                self.plugins[words.plugin] = None
            if self._is_wanted(words.plugin):
                self._tell_line(record, words.text, plugin=words.plugin)
        elif record.level in {"trace", "debug", "info"}:
            if self._level == "trace" and record.logger == "wasm":
                self._tell_line(record, record.message)
        elif find_trap([record.message]) and (known := explain([*recent])):
            recent.clear()
            self._told(
                CrashSeen(
                    time=record.time,
                    message=known.message,
                    hint=known.hint,
                    origin=record.origin,
                )
            )
        else:
            self._tell_line(record, record.message)

    def _recent_of(self, origin: str) -> deque[str]:
        recent = self._recent.pop(origin, None)
        if recent is None:
            recent = deque(maxlen=_REMEMBERED)
            if len(self._recent) >= _MOST_ORIGINS:
                del self._recent[next(iter(self._recent))]
        self._recent[origin] = recent
        return recent

    def _is_wanted(self, plugin: str) -> bool:
        # `NAMESPACE.NAME`: istio/istio, pilot/pkg/networking/core/extension.
        wanted = self._plugin
        return wanted is None or plugin == wanted or plugin.endswith(f".{wanted}")

    def _tell_line(self, record: LogRecord, text: str, *, plugin: str | None = None) -> None:
        # As case files spell it.
        level = "warn" if record.level == "warning" else record.level
        least = 0 if self._level is None else _LEVELS[self._level]
        # A line without a level may be anything.
        if _LEVELS.get(level, least) < least:
            return
        self.shown += 1
        self._told(
            LineSeen(
                time=record.time,
                level=level,
                text=text,
                source="envoy" if plugin is None else "plugin",
                plugin=plugin or "",
                origin=record.origin,
            )
        )
