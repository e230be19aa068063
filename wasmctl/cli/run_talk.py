"""What `run` shows of what happens: lines for people, or objects for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, assert_never

from wasmctl.cli.log_lines import shown_line
from wasmctl.console import shown_size
from wasmctl.flow.serve import events
from wasmctl.flow.serve.serve import request_to_try
from wasmctl.paths import relative
from wasmctl.results import JSONValue
from wasmctl.session import Session

if TYPE_CHECKING:
    from wasmctl.errors import WasmctlError
    from wasmctl.flow.serve.request import ServeRequest
    from wasmctl.project.project import Project

__all__ = ["RunTalk"]

# Longer lists of saved files are cut.
_NAMED: Final = 3


class RunTalk:
    """Is told events, and shows them; `data` is what the envelope says in the end."""

    def __init__(self, project: Project, session: Session, request: ServeRequest) -> None:
        self.data: dict[str, JSONValue] = {}
        self._project = project
        self._session = session
        self._request = request
        self._console = session.console
        self._reloads = 0

    def __call__(self, event: events.Event) -> None:
        """Show an event."""
        self._note(event)
        if self._session.as_json:
            self._console.result(json.dumps(event_data(event), ensure_ascii=False))
        else:
            self._show(event)

    def _note(self, event: events.Event) -> None:
        if isinstance(event, events.Listening):
            self.data = {**event_data(event), "reloads": 0}
            del self.data["event"]
        elif isinstance(event, events.Reloaded):
            self.data["sha256"] = event.sha256
            self._reloads += 1
            self.data["reloads"] = self._reloads

    def _show(self, event: events.Event) -> None:
        console = self._console
        match event:
            case events.Listening():
                self._show_start(event)
            case events.Logged():
                self._show_line(event)
            case events.Crashed():
                console.error(event.message, event.hint or None)
                console.say(
                    "the next save loads it anew"
                    if self._request.watch
                    else "Envoy answers every request with 503 now; run it anew to load it anew"
                )
            case events.Unreachable():
                console.warn(f"requests do not reach {event.upstream}: {event.message}")
                console.say(f"{console.style('hint:', 'cyan', 'bold')} {event.hint}")
            case events.Saved():
                console.say(f"saved {self._named(event.paths)}")
            case events.Unchanged():
                console.say("nothing to reload: module and configuration are as they were")
            case events.Reloaded():
                size = shown_size(event.size)
                times = f"built in {event.build_seconds:.1f} s, loaded in {event.load_seconds:.1f}"
                console.say(f"{console.style('reloaded', 'green')} ({size}, {times} s)")
            case events.Restarted():
                console.say(f"Envoy was started anew, at the same address; admin: {event.admin}")
            case events.BuildFailed():
                self._show_failure(event.error, "what was built before is served on")
            case events.NotReloaded():
                self._show_failure(event.error, "what was loaded before is served on")
            case _:
                assert_never(event)

    def _show_start(self, event: events.Listening) -> None:
        console = self._console
        behind = event.upstream or "an echo of each request"
        console.say(f"serving {self._project.name} in Envoy {event.envoy}, before {behind}")
        console.result(event.address)
        curl = request_to_try(self._project, event.address)
        console.say(f"try: {console.style(curl, 'bold')}")
        console.say(f"admin: {event.admin}")
        console.detail(f"Envoy's configuration and log: {event.run_folder}")
        more = "saves are built and swapped in; " if self._request.watch else ""
        console.say(f"{more}Ctrl-C ends it")

    def _show_line(self, event: events.Logged) -> None:
        whose = {"plugin": "", "earlier": "(before the reload) ", "envoy": "envoy: "}[event.source]
        line = shown_line(
            self._console,
            moment=event.time.partition(" ")[2],
            level=event.level,
            text=event.text,
            whose=whose,
            dim=event.source != "plugin",
        )
        self._console.result(line)

    def _show_failure(self, error: WasmctlError, meanwhile: str) -> None:
        self._console.error(error.message, error.hint, error.output)
        self._console.say(meanwhile)

    def _named(self, paths: Sequence[Path]) -> str:
        names = [str(relative(path, self._session.cwd)) for path in paths[:_NAMED]]
        more = f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else ""
        return ", ".join(names) + more


def event_data(event: events.Event) -> dict[str, JSONValue]:
    """Return an event as an object for programs."""
    match event:
        case events.Listening():
            return {
                "event": "listening",
                "address": event.address,
                "admin": event.admin,
                "upstream": event.upstream or "echo",
                "envoy": event.envoy,
                "module": str(event.module),
                "sha256": event.sha256,
                "run_folder": str(event.run_folder),
            }
        case events.Logged():
            return {
                "event": "log",
                "time": event.time,
                "level": event.level,
                "source": event.source,
                "message": event.text,
            }
        case events.Crashed():
            return {"event": "crashed", "message": event.message, "hint": event.hint}
        case events.Unreachable():
            return {
                "event": "unreachable",
                "upstream": event.upstream,
                "message": event.message,
                "hint": event.hint,
            }
        case events.Saved():
            return {"event": "saved", "paths": [str(path) for path in event.paths]}
        case events.Unchanged():
            return {"event": "unchanged"}
        case events.Reloaded():
            return {
                "event": "reloaded",
                "sha256": event.sha256,
                "size": event.size,
                "build_seconds": round(event.build_seconds, 3),
                "load_seconds": round(event.load_seconds, 3),
            }
        case events.Restarted():
            return {
                "event": "restarted",
                "admin": event.admin,
                "run_folder": str(event.run_folder),
            }
        case events.BuildFailed():
            return {"event": "build-failed", **_error_data(event.error)}
        case events.NotReloaded():
            return {"event": "refused", **_error_data(event.error)}
        case _:
            assert_never(event)


def _error_data(error: WasmctlError) -> dict[str, JSONValue]:
    return {
        "code": error.code,
        "message": error.message,
        "hint": error.hint,
        "output": error.output,
    }
