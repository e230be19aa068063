"""Records of Envoy's log → what is told of a served plug-in. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Sequence
from typing import Final, Literal, get_args

from wasmctl.envoy.logs import Record, plugin_line
from wasmctl.flow.serve.events import Crashed, Event, Logged, Source
from wasmctl.hosts.explanations import explain
from wasmctl.hosts.traps import find_trap

__all__ = ["LogLevel", "LogTeller", "envoy_level"]

LogLevel = Literal["trace", "debug", "info", "warn", "error", "critical"]
_LEVELS: Final[tuple[str, ...]] = get_args(LogLevel)
# What the plug-in said last tells why it crashed: a panic's message, a stack.
_REMEMBERED: Final = 50


def envoy_level(level: LogLevel) -> Literal["trace", "debug", "info"]:
    """Return the level Envoy has to log at: crashes are told whatever the level."""
    return level if level in {"trace", "debug"} else "info"


class LogTeller:
    """Tells the plug-in's lines as they are, its crashes in its author's terms, and no more.

    Args:
        level: from which level on lines are told; `trace` also tells every call between Envoy
            and the plug-in.
        told: who is told.
    """

    def __init__(self, level: LogLevel, told: Callable[[Event], None]) -> None:
        self._level = level
        self._told = told
        self._recent: deque[str] = deque(maxlen=_REMEMBERED)

    def tell(
        self,
        records: Sequence[Record],
        *,
        retired: Collection[str] = (),
        loading: bool = False,
    ) -> bool:
        """Tell what concerns the plug-in; return whether it crashed.

        Args:
            records: the new ones.
            retired: ids of the VMs whose time is over.
            loading: whether it is just being loaded: what Envoy says then is its answer to that.
        """
        wasm = [record for record in records if record.logger == "wasm"]
        self._recent.extend(record.message for record in wasm)
        troubles = []
        for record in wasm:
            if (line := plugin_line(record)) is not None:
                self._tell_line(record, line.text, "earlier" if line.vm_id in retired else "plugin")
            elif record.level not in {"warning", "error", "critical"}:
                if self._level == "trace":
                    self._tell_line(record, record.message, "envoy")
            elif not loading:
                troubles.append(record)
        if find_trap([record.message for record in troubles]) and (
            known := explain([*self._recent])
        ):
            self._recent.clear()
            self._told(Crashed(message=known.message, hint=known.hint))
            return True
        for record in troubles:
            self._tell_line(record, record.message, "envoy")
        return False

    def _tell_line(self, record: Record, text: str, source: Source) -> None:
        # As case files spell it.
        level = "warn" if record.level == "warning" else record.level
        if _LEVELS.index(level) >= _LEVELS.index(self._level):
            self._told(Logged(time=record.time, level=level, text=text, source=source))
