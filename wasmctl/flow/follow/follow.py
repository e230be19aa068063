"""A proxy's log, told as it comes, while the proxy may be asked to write more of it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wasmctl.errors import UsageError
from wasmctl.flow.follow.lines import LevelSet, LineTeller, Seen
from wasmctl.flow.follow.sources import open_source
from wasmctl.flow.serve.log import LogLevel
from wasmctl.session import Session
from wasmctl.wire.url import parse_server_url

if TYPE_CHECKING:
    from wasmctl.envoy.log_level import EnvoyLevel, LevelChange

__all__ = ["FollowRequest", "Followed", "follow_log"]

# As Envoy spells them.
_OF_ENVOY: Final[dict[LogLevel, EnvoyLevel]] = {
    "trace": "trace",
    "debug": "debug",
    "info": "info",
    "warn": "warning",
    "error": "error",
    "critical": "critical",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowRequest:
    """Which log is followed, and what of it is told.

    Args:
        command: writes the log; empty: none does.
        file: has it; None, and no command: stdin.
        goes_on: whether the file is read on as it grows, without end.
        plugin: the only one whose lines are told; None: all.
        level: from which level on lines are told; None: all.
        admin: the URL of the admin interface of the proxy that is to write from that level on.
    """

    command: tuple[str, ...] = ()
    file: Path | None = None
    goes_on: bool = False
    plugin: str | None = None
    level: LogLevel | None = None
    admin: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """How it ended.

    Args:
        shown: how many lines were told.
        plugins: who spoke, also of those whose lines are not told.
        exit_code: the command's, negative: the signal that ended it; None where none ended.
    """

    shown: int
    plugins: tuple[str, ...]
    exit_code: int | None


def follow_log(request: FollowRequest, session: Session, told: Callable[[Seen], None]) -> Followed:
    """Tell what a log says of plug-ins, to its end, or until nobody reads what is told.

    A proxy that is asked to write more is asked to write as before in the end, whatever ends this.

    Raises:
        UsageError: no log, or options that do not go together.
        ToolMissing: there is no such command.
        Unreadable: it is no log.
        ProxyError: the admin interface is none, or does not answer; or the level was not put back.
        KeyboardInterrupt: it was ended from outside; the level is put back, the command has ended.
    """
    if request.command and request.file is not None:
        message = "both `--file` and a command behind `--`"
        raise UsageError("usage", message, hint="leave one of them out")
    if request.goes_on and request.file is None:
        message = "`--follow` is for `--file`"
        raise UsageError("usage", message, hint="leave it out: all else is followed anyway")
    level = _level(request.admin, request.level, told)
    teller = LineTeller(request.level, request.plugin, told)
    with contextlib.ExitStack() as stack:
        # First, so that nothing is changed for a log that is not there; and so ended last.
        source = stack.enter_context(
            open_source(
                session, file=request.file, goes_on=request.goes_on, command=request.command
            )
        )
        stack.enter_context(level)
        exit_code = source.read(teller.tell)
    return Followed(shown=teller.shown, plugins=tuple(teller.plugins), exit_code=exit_code)


def _level(
    url: str | None, level: LogLevel | None, told: Callable[[Seen], None]
) -> contextlib.AbstractContextManager[None]:
    """Return what has the proxy write lines from a level on, for as long as it is entered.

    Raises:
        UsageError: it is no URL of an admin interface, or no level was named.
    """
    if url is None:
        return contextlib.nullcontext()
    if level is None:
        message = "`--admin` names whom to ask for more lines, and nothing says how many"
        raise UsageError("usage", message, hint="add `--level debug`, or leave `--admin` out")
    admin = parse_server_url(url, what="the admin interface", code="bad-url")
    if admin.tls:
        message = f"the admin interface `{url}` cannot be used: Envoy's speaks no TLS"
        hint = "write it like `http://127.0.0.1:15000`"
        raise UsageError("bad-url", message, hint=hint)
    from wasmctl.envoy.log_level import level_raised

    def changes(change: LevelChange) -> None:
        told(LevelSet(before=change.before, during=change.during, restore=change.restore))

    return level_raised(admin, _OF_ENVOY[level], changes)
