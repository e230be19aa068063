"""`wasmctl logs`: a plug-in's lines out of a proxy's log, as they come."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from wasmctl.cli.options import LogLevelChoice
from wasmctl.errors import ExitCode
from wasmctl.results import ErrorItem, JSONValue, Result
from wasmctl.session import Session

if TYPE_CHECKING:
    from wasmctl.cli.logs_talk import LogsTalk
    from wasmctl.flow.follow.follow import Followed, FollowRequest

__all__ = ["register"]

# Of the plug-ins that spoke, where none of them is the one that was asked for.
_NAMED: Final = 5


def register(app: typer.Typer) -> None:
    """Add the verb."""

    @app.command(
        epilog="For example: wasmctl logs --admin http://127.0.0.1:15000 --level debug -- kubectl "
        "logs -f POD -c istio-proxy. Exit codes: 0 the log's or the command's end; 4 the command "
        "failed; 7 the admin interface is not Envoy's, or the level could not be put back; 130 "
        "Ctrl-C. With --json every line is an object, the envelope comes last."
    )
    def logs(
        ctx: typer.Context,
        file: Annotated[
            Path | None,
            typer.Option(
                "--file", metavar="FILE", help="The log; else a command behind --, else stdin."
            ),
        ] = None,
        follow: Annotated[
            bool, typer.Option("-f", "--follow", help="Read the file on as it grows.")
        ] = False,
        plugin: Annotated[
            str | None, typer.Option("--plugin", metavar="NAME", help="Only this one's lines.")
        ] = None,
        level: Annotated[
            LogLevelChoice | None,
            typer.Option("--level", help="From which level on lines are shown; else all."),
        ] = None,
        admin: Annotated[
            str | None,
            typer.Option(
                "--admin",
                metavar="URL",
                help="Envoy's admin interface: it logs from --level on meanwhile.",
            ),
        ] = None,
    ) -> Result:
        """Show what plug-ins say in a proxy's log."""
        from wasmctl.cli.logs_talk import LogsTalk
        from wasmctl.flow.follow.follow import FollowRequest, follow_log

        session: Session = ctx.obj
        request = FollowRequest(
            command=session.tail,
            file=None if file is None or str(file) == "-" else Path(session.cwd, file),
            goes_on=follow,
            plugin=plugin,
            level=None if level is None else level.value,
            admin=admin,
        )
        talk = LogsTalk(session)
        try:
            followed = follow_log(request, session, talk)
        except KeyboardInterrupt:
            session.console.say("stopped")
            stopped = ErrorItem(code="interrupted", message="stopped")
            return Result(data=talk.data, exit_code=ExitCode.INTERRUPTED, errors=(stopped,))
        return _result(followed, request, session, talk)


def _result(followed: Followed, request: FollowRequest, session: Session, talk: LogsTalk) -> Result:
    data: dict[str, JSONValue] = {
        **talk.data,
        "plugins": [*followed.plugins],
        "command_exit_code": followed.exit_code,
    }
    if not followed.exit_code:
        nothing = () if followed.shown else (_nothing(followed, request),)
        return Result(data=data, afterwards=nothing)
    code = followed.exit_code
    how = f"with exit code {code}" if code > 0 else f"by signal {-code}"
    message = f"`{shlex.join(request.command)}` ended {how}"
    hint = "its own words are above: this is not wasmctl's doing"
    session.console.error(message, hint)
    error = ErrorItem(code="command-failed", message=message, hint=hint)
    return Result(data=data, exit_code=ExitCode.TOOL_FAILED, errors=(error,))


def _nothing(followed: Followed, request: FollowRequest) -> str:
    named = ", ".join(f"`{name}`" for name in followed.plugins[:_NAMED] if name)
    who = f"`{request.plugin}`" if request.plugin else "a plug-in"
    least = f" from level `{request.level}` on" if request.level else ""
    return f"no line of {who}{least}" + (f"; in the log are lines of {named}" if named else "")
