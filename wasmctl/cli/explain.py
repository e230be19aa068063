"""`wasmctl explain`: what a proxy's log says of plug-ins, why, and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wasmctl.errors import ExitCode, UsageError
from wasmctl.results import ErrorItem, Result
from wasmctl.session import Session

if TYPE_CHECKING:
    from wasmctl.flow.explain import Explained

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the verb."""

    @app.command(
        epilog="For example: kubectl logs POD -c istio-proxy | wasmctl explain. Logs of Envoy and "
        "istio-proxy, as text or JSON, a whole one or some lines of it. Exit codes: 0 also where "
        "nothing is about plug-ins; 2 no log; 5 unreadable."
    )
    def explain(
        ctx: typer.Context,
        log: Annotated[
            Path | None,
            typer.Argument(metavar="FILE", help="A proxy's log; else, and for -, stdin."),
        ] = None,
    ) -> Result:
        """Say what happened to plug-ins in a proxy's log, why, and what to do."""
        from wasmctl.flow.explain import explain_log, open_log

        session: Session = ctx.obj
        path = None if log is None or str(log) == "-" else Path(session.cwd, log)
        with open_log(path, session) as stream, session.console.waiting("reading the log"):
            explained = explain_log(stream)
        return _result(explained, session)


def _result(explained: Explained, session: Session) -> Result:
    from wasmctl.hosts.backtrace import restore
    from wasmctl.hosts.incident_report import incident_data

    if explained.lines == 0 and not explained.interrupted:
        raise UsageError(
            "no-log", "the log is empty", hint="see that what should write it does, and where to"
        )
    traces = [None if one.trap is None else restore(one.trap) for one in explained.incidents]
    interrupted = ErrorItem(code="interrupted", message="interrupted")
    return Result(
        data={
            "incidents": [
                incident_data(one, trace)
                for one, trace in zip(explained.incidents, traces, strict=True)
            ],
            "lines": explained.lines,
            "plugins": list(explained.plugins),
            "plugin_lines": explained.spoken,
            "plugin_errors": explained.errors,
        },
        lines=tuple(_lines(explained, session)),
        exit_code=ExitCode.INTERRUPTED if explained.interrupted else ExitCode.DONE,
        errors=(interrupted,) if explained.interrupted else (),
    )


def _lines(explained: Explained, session: Session) -> Iterator[str]:
    from wasmctl.hosts.backtrace import restore
    from wasmctl.hosts.incident_report import report_incident

    if not explained.incidents:
        yield from _nothing(explained)
    for number, incident in enumerate(explained.incidents):
        if number:
            yield ""
        trace = None if incident.trap is None else restore(incident.trap)
        yield from report_incident(
            incident,
            trace,
            whole=session.console.verbosity > 0,
            style=session.console.style_result,
        )
    if explained.more:
        yield f"\nand {explained.more} more that are not shown: split the log"


def _nothing(explained: Explained) -> Iterator[str]:
    if not explained.spoken:
        yield f"nothing in the log is about plug-ins ({explained.lines} lines)"
        return
    names = ", ".join(f"`{name}`" for name in explained.plugins if name) or "plug-ins"
    errors = f", {explained.errors} of them errors" if explained.errors else ""
    yield (
        f"nothing went wrong with plug-ins that the proxy tells of: {names} logged"
        f" {explained.spoken} records{errors}"
    )
