"""What `logs` shows of what it sees: lines for people, or objects for programs."""

from __future__ import annotations

import json
from typing import assert_never

from wasmctl.cli.log_lines import shown_line
from wasmctl.flow.follow.lines import CrashSeen, LevelSet, LineSeen, Seen
from wasmctl.results import JSONValue
from wasmctl.session import Session

__all__ = ["LogsTalk"]


class LogsTalk:
    """Is told what is seen, and shows it; `data` is what the envelope says in the end."""

    def __init__(self, session: Session) -> None:
        self._console = session.console
        self._as_json = session.as_json
        self._lines = 0
        self._level: dict[str, JSONValue] | None = None

    @property
    def data(self) -> dict[str, JSONValue]:
        return {"lines": self._lines, "level": self._level}

    def __call__(self, seen: Seen) -> None:
        if isinstance(seen, LineSeen):
            self._lines += 1
        elif isinstance(seen, LevelSet):
            self._level = {
                "before": seen.before,
                "during": seen.during,
                "restore": seen.restore,
            }
        if self._as_json:
            self._console.result(json.dumps(_seen_data(seen), ensure_ascii=False))
        else:
            self._show(seen)

    def _show(self, seen: Seen) -> None:
        match seen:
            case LineSeen():
                self._show_line(seen)
            case CrashSeen():
                whose = f"{seen.origin}: " if seen.origin else ""
                self._console.error(f"{whose}{seen.message}", seen.hint or None)
            case LevelSet() if seen.before == seen.during:
                self._console.say(f"the proxy logs plug-ins at `{seen.before}` already")
            case LevelSet():
                # Said before anything changes: who kills us will need it.
                self._console.say(
                    f"the proxy logs plug-ins at `{seen.during}` meanwhile, and at `{seen.before}`"
                    f" again in the end; by hand:\n  {seen.restore}"
                )
            case _:
                assert_never(seen)

    def _show_line(self, seen: LineSeen) -> None:
        _, separator, moment = seen.time.partition("T" if "T" in seen.time else " ")
        names = [name for name in (seen.origin, seen.plugin) if name]
        if seen.source == "envoy":
            names.append("envoy")
        line = shown_line(
            self._console,
            moment=moment if separator else seen.time,
            level=seen.level,
            text=seen.text,
            whose=f"{' '.join(names)}: " if names else "",
            dim=seen.source == "envoy",
        )
        self._console.result(line)


def _seen_data(seen: Seen) -> dict[str, JSONValue]:
    match seen:
        case LineSeen():
            return {
                "event": "log",
                "time": seen.time,
                "level": seen.level,
                "source": seen.source,
                "plugin": seen.plugin,
                "origin": seen.origin,
                "message": seen.text,
            }
        case CrashSeen():
            return {
                "event": "crashed",
                "time": seen.time,
                "origin": seen.origin,
                "message": seen.message,
                "hint": seen.hint,
            }
        case LevelSet():
            return {
                "event": "level",
                "before": seen.before,
                "during": seen.during,
                "restore": seen.restore,
            }
        case _:
            assert_never(seen)
