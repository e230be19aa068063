"""The level at which an Envoy writes what plug-ins say: asked for, raised for a while, put back.

https://www.envoyproxy.io/docs/envoy/latest/operations/admin#post--logging
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from wasmctl.errors import ProxyError
from wasmctl.interruptions import interrupted_once, interruptions_held
from wasmctl.wire.client import exchange
from wasmctl.wire.messages import Broken, Request, Response
from wasmctl.wire.url import ServerUrl

__all__ = ["EnvoyLevel", "LevelChange", "level_raised"]

EnvoyLevel = Literal["trace", "debug", "info", "warning", "error", "critical", "off"]

# From the most that is written to nothing.
_LEVELS: Final[tuple[EnvoyLevel, ...]] = (
    "trace",
    "debug",
    "info",
    "warning",
    "error",
    "critical",
    "off",
)
_WASM: Final = re.compile(r"^ +wasm: (\w+)$", re.MULTILINE)
_LISTED: Final = "active loggers:"
# Seconds for one question; Envoy's main thread answers between everything else that it does.
_PATIENCE: Final = 5.0
_WHERE: Final = (
    "name the admin interface: istio-proxy's is port 15000 of its pod, which "
    "`kubectl -n NAMESPACE port-forward POD 15000` brings here"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelChange:
    """What becomes of the level.

    Args:
        before: what it is, and will be again.
        during: what it is raised to; the same where as much is written already.
        restore: the line for bash that puts it back.
    """

    before: EnvoyLevel
    during: EnvoyLevel
    restore: str


@contextlib.contextmanager
def level_raised(
    admin: ServerUrl, level: EnvoyLevel, told: Callable[[LevelChange], None]
) -> Iterator[None]:
    """Have the level of plug-ins' lines be at least `level` for as long as the block lasts.

    It is put back however the block ends, by whatever signal that can be caught; only a first one
    is taken.

    Args:
        admin: Envoy's admin interface.
        level: the wanted one.
        told: is told what is about to change before it does.

    Raises:
        ProxyError: it is no Envoy's, or does not answer; or the level could not be put back.
    """
    before = _level_of(admin)
    during = min(level, before, key=_LEVELS.index)
    with interrupted_once():
        told(LevelChange(before=before, during=during, restore=_curl(admin, before)))
        if during == before:
            yield
            return
        try:
            _change(admin, during)
            yield
        finally:
            try:
                _put_back(admin, before)
            except KeyboardInterrupt:
                # It may have come before anything was sent. There is no second one.
                _put_back(admin, before)
                raise


def _level_of(admin: ServerUrl) -> EnvoyLevel:
    """Return the level.

    Raises:
        ProxyError: this is not known.
    """
    # Nothing is changed at what has not proved to be Envoy.
    _require_envoy(admin, _ask(admin, "GET", "/server_info"))
    listed = _ask(admin, "POST", "/logging")
    text = listed.body.decode(errors="replace")
    found = _WASM.search(text)
    if listed.status != 200 or not text.startswith(_LISTED):
        words = text.strip().partition("\n")[0]
        message = f"Envoy at {admin.url} does not tell its log levels: {listed.status}, {words}"
        hint = "see that its configuration allows POST to `/logging` (`admin: allow_paths`)"
        raise ProxyError("no-log-levels", message, hint=hint)
    level = next((level for level in _LEVELS if found and found[1] == level), None)
    if level is None:
        message = f"Envoy at {admin.url} has no logger `wasm`"
        hint = (
            "it was built without Wasm, or logs by files (`--enable-fine-grain-logging`): leave "
            "`--admin` out"
        )
        raise ProxyError("no-wasm-logger", message, hint=hint)
    return level


def _require_envoy(admin: ServerUrl, answer: Response) -> None:
    try:
        said = json.loads(answer.body)
    except ValueError:
        said = None
    if isinstance(said, dict) and "version" in said and "command_line_options" in said:
        return
    message = (
        f"what answers at {admin.url} is not Envoy's admin interface:"
        f" status {answer.status} to `/server_info`"
    )
    raise ProxyError("not-envoy", message, hint=_WHERE)


def _change(admin: ServerUrl, level: EnvoyLevel) -> None:
    with interruptions_held():
        answer = _ask(admin, "POST", f"/logging?wasm={level}")
    words = answer.body.decode(errors="replace")
    found = _WASM.search(words)
    if answer.status != 200 or found is None or found[1] != level:
        message = (
            f"Envoy at {admin.url} did not take the log level `{level}`: status {answer.status}"
        )
        raise ProxyError("level-not-taken", message, hint=f"try it by hand: {_curl(admin, level)}")


def _put_back(admin: ServerUrl, level: EnvoyLevel) -> None:
    try:
        _change(admin, level)
    except ProxyError as error:
        message = f"the log level of plug-ins could not be put back to `{level}`: {error.message}"
        raise ProxyError("level-not-restored", message, hint=_curl(admin, level)) from error


def _curl(admin: ServerUrl, level: EnvoyLevel) -> str:
    return f"curl -X POST '{admin.url}/logging?wasm={level}'"


def _ask(admin: ServerUrl, method: str, path: str) -> Response:
    request = Request(method=method, path=path)
    try:
        return asyncio.run(exchange(admin.host, admin.port, request, timeout=_PATIENCE))
    except Broken as error:
        message = f"Envoy's admin interface at {admin.url} does not answer: {error.message}"
        raise ProxyError("admin-unreachable", message, hint=_WHERE) from None
