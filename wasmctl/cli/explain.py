"""`wasmctl explain`: what a proxy's log says of plug-ins, why, and what to do."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wasmctl.cli.options import CaFile, Insecure, PlainHttp
from wasmctl.errors import ExitCode, UsageError
from wasmctl.results import ErrorItem, Result
from wasmctl.session import Session

if TYPE_CHECKING:
    from wasmctl.flow.backtraces import NamedModule
    from wasmctl.flow.explain import Explained
    from wasmctl.hosts.backtrace import Backtrace
    from wasmctl.hosts.incidents import Incident
    from wasmctl.oci.options import RegistryOptions

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
        modules: Annotated[
            list[str] | None,
            typer.Option(
                "--module",
                metavar="FILE|DIR|REF",
                help="What trapped, for names, packages and lines; several times for several. "
                "Else dist/plugin.wasm of the project here.",
            ),
        ] = None,
        plain_http: PlainHttp = None,
        ca_file: CaFile = None,
        insecure: Insecure = False,
    ) -> Result:
        """Say what happened to plug-ins in a proxy's log, why, and what to do."""
        from wasmctl.cli.registry import registry_options
        from wasmctl.flow.explain import explain_log, open_log

        session: Session = ctx.obj
        options = registry_options(
            session, plain_http=plain_http, ca_file=ca_file, insecure=insecure
        )
        path = None if log is None or str(log) == "-" else Path(session.cwd, log)
        # Whether there is a log is asked before modules are fetched for it.
        with open_log(path, session) as stream, _modules(modules, session, options) as named:
            with session.console.waiting("reading the log"):
                explained = explain_log(stream)
            return _result(explained, named, session)


@contextlib.contextmanager
def _modules(
    names: list[str] | None, session: Session, options: RegistryOptions
) -> Iterator[tuple[NamedModule, ...]]:
    if names is None:
        yield ()
        return
    from wasmctl.flow.backtraces import named_module

    with tempfile.TemporaryDirectory(prefix="wasmctl-") as scratch:
        yield tuple(named_module(name, session, options, Path(scratch)) for name in names)


def _result(explained: Explained, modules: tuple[NamedModule, ...], session: Session) -> Result:
    from wasmctl.hosts.incident_report import incident_data

    if explained.lines == 0 and not explained.interrupted:
        raise UsageError(
            "no-log", "the log is empty", hint="see that what should write it does, and where to"
        )
    told = _with_backtraces(explained, modules, session)
    if explained.interrupted:
        session.console.error("interrupted: what had been read by then is explained", None)
    interrupted = ErrorItem(code="interrupted", message="interrupted")
    return Result(
        data={
            "incidents": [incident_data(*one) for one in told],
            "lines": explained.lines,
            "plugins": list(explained.plugins),
            "plugin_lines": explained.spoken,
            "plugin_errors": explained.errors,
        },
        lines=tuple(_lines(explained, told, session)),
        exit_code=ExitCode.INTERRUPTED if explained.interrupted else ExitCode.DONE,
        errors=(interrupted,) if explained.interrupted else (),
    )


def _with_backtraces(
    explained: Explained, modules: tuple[NamedModule, ...], session: Session
) -> list[tuple[Incident, Backtrace | None]]:
    if not any(incident.trap for incident in explained.incidents):
        return [(incident, None) for incident in explained.incidents]
    from wasmctl.flow.backtraces import module_here, open_programs, trace

    with open_programs(modules or module_here(session)) as opened:
        return [
            (incident, None if incident.trap is None else trace(incident.trap, opened))
            for incident in explained.incidents
        ]


def _lines(
    explained: Explained, told: list[tuple[Incident, Backtrace | None]], session: Session
) -> Iterator[str]:
    from wasmctl.hosts.incident_report import report_incident

    if not told:
        yield from _nothing(explained)
    whole, style = session.console.verbosity > 0, session.console.style_result
    for number, (incident, backtrace) in enumerate(told):
        if number:
            yield ""
        yield from report_incident(incident, backtrace, whole=whole, style=style)
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
