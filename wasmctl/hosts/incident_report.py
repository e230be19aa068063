"""Incidents as text and as data: what happened, why, whose it is, what to do.

Pure: values in, text out. What a log or a module says is shown with its control characters spelled
out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from wasmctl.console import printable
from wasmctl.hosts.incidents import Incident
from wasmctl.hosts.report import Style, plain
from wasmctl.hosts.rows import Fault
from wasmctl.wasm.packages import is_plumbing

if TYPE_CHECKING:
    from wasmctl.hosts.backtrace import Backtrace
    from wasmctl.results import JSONValue

__all__ = ["incident_data", "report_incident"]

_WHOSE: Final = {
    Fault.PLUGIN: "the plug-in's: its code, or how it was compiled",
    Fault.CONFIGURATION: "the configuration's: what the proxy or the plug-in was told",
    Fault.IMAGE: "the image's, or the way to it: the module did not reach the proxy",
    Fault.PROXY: "the proxy's",
}
# A backtrace is shown apart.
_OF_BACKTRACE: Final = re.compile(r"\s*\d+:\s+0x[0-9a-f]+ - |Proxy-Wasm plugin in-VM backtrace:")
_LINES: Final = 6
_WIDTH: Final = 200
_LONGEST: Final = 2000


def report_incident(
    incident: Incident,
    backtrace: Backtrace | None = None,
    *,
    whole: bool = False,
    style: Style = plain,
) -> Iterator[str]:
    """Yield the lines that tell of an incident.

    Args:
        incident: it.
        backtrace: of its trap, as far as it is known.
        whole: whether all lines of the log and all functions are shown.
        style: how text is put in styles.
    """
    subject = incident.plugin or incident.module
    whose = f"  {style(_shown(subject), 'bold')}" if subject else ""
    yield f"{style(incident.id, 'red', 'bold')}{whose}"
    yield f"  {_shown(incident.message)}"
    if incident.fault is not None:
        yield f"  whose it is: {_WHOSE[incident.fault]}"
    yield f"  {_times(incident)}"
    if incident.requests:
        several = "requests were" if incident.requests > 1 else "request was"
        yield f"  {incident.requests} {several} answered with an error after it"
    if incident.origins:
        yield f"  told by {_shown(', '.join(incident.origins[:_LINES]))}"
    yield from _log_lines(incident, whole=whole, style=style)
    if backtrace is not None:
        yield from _calls(backtrace, whole=whole, style=style)
    yield f"  {style('hint:', 'cyan')} {_shown(incident.hint)}"


def incident_data(incident: Incident, backtrace: Backtrace | None = None) -> dict[str, JSONValue]:
    """Return it as the envelope tells it."""
    return {
        "id": incident.id,
        "message": incident.message,
        "hint": incident.hint,
        "fault": None if incident.fault is None else incident.fault.value,
        "plugin": incident.plugin,
        "module": incident.module,
        "count": incident.count,
        "requests": incident.requests,
        "first_line": incident.first_line,
        "last_line": incident.last_line,
        "first_time": incident.first_time,
        "last_time": incident.last_time,
        "origins": list(incident.origins),
        "lines": [{"number": n, "text": text[:_LONGEST]} for n, text in incident.lines],
        "frames": [] if backtrace is None else [frame.data() for frame in backtrace.frames],
    }


def _times(incident: Incident) -> str:
    first, last = incident.first_line, incident.last_line
    where = f"line {first}" if first == last else f"lines {first} to {last}"
    if incident.count == 1:
        return f"once, {where}" + (f", at {incident.first_time}" if incident.first_time else "")
    between = f", {incident.first_time} to {incident.last_time}" if incident.first_time else ""
    return f"{incident.count} times, {where}{between}"


def _log_lines(incident: Incident, *, whole: bool, style: Style) -> Iterator[str]:
    lines = [line for line in incident.lines if whole or not _OF_BACKTRACE.match(line[1])]
    shown = lines if whole else _ends(lines)
    width = len(str(max((number for number, _ in shown), default=0)))
    for number, text in shown:
        cut = text if whole or len(text) <= _WIDTH else f"{text[: _WIDTH - 1]}…"
        yield style(f"  {number:>{width}} | {_shown(cut)}", "dim")
    if len(shown) < len(lines):
        yield style(f"  and {len(lines) - len(shown)} lines more; `-v` shows them", "dim")


def _ends(lines: Sequence[tuple[int, str]]) -> Sequence[tuple[int, str]]:
    return lines if len(lines) <= _LINES + 1 else lines[:_LINES]


def _calls(backtrace: Backtrace, *, whole: bool, style: Style) -> Iterator[str]:
    if backtrace.note:
        yield f"  {_shown(backtrace.note)}"
    if not backtrace.frames:
        return
    yield f"  {style('where it was, the innermost call first', 'bold')}"
    own = next((i for i, frame in enumerate(backtrace.frames) if frame.own), 0)
    start = 0 if whole or own <= 2 else own - 1
    if start:
        yield style(f"    … {start} of the runtime's", "dim")
    for index, frame in enumerate(backtrace.frames[start:], start):
        # What the SDK and the standard library hand on to each other tells nothing.
        if not whole and index > own and frame.inlined and is_plumbing(frame.package):
            continue
        place = f"  {frame.place}" if frame.place else ""
        place += "  (inlined)" if frame.inlined else ""
        known = not frame.package or frame.function.startswith(frame.package)
        package = "" if known else f" ({frame.package})"
        text = f"    {_shown(frame.function)}{_shown(package)}{_shown(place)}"
        yield style(text, "bold") if frame.own else text


def _shown(text: str) -> str:
    # Also the escapes of styles, which are ours alone to use.
    return printable(text.replace("\x1b", "\\x1b").replace("\t", "  "))
