"""What became of an Envoy that does not serve: its words → whose fault it is, and the remedy.

Pure. What Envoy says of a module is not read here.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wasmctl.envoy.envoy import Envoy
from wasmctl.envoy.logs import Record
from wasmctl.errors import ProxyError, Refused, UsageError, WasmctlError

__all__ = ["Stuck", "ended", "known_failure", "tail_of", "unanswered"]


class Stuck(Refused):
    """The plug-in does not return: the thread of Envoy that runs it answers nothing any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """A failure that Envoy's words tell.

    Args:
        words: what finds it.
        kind: the error that is raised.
        code: its code.
        message: of it, with the groups of `words` and the Envoy's `version` filled in.
        hint: the thing to do.
    """

    words: re.Pattern[str]
    kind: type[WasmctlError]
    code: str
    message: str
    hint: str


_OTHER_RELEASE = "take another one: `--envoy 1.40`, or one that Envoy's own project built"
_KNOWN: Final = (
    _Known(
        # source/common/config/utility.h, getAndCheckFactory; extensions/common/wasm/wasm.cc
        words=re.compile(
            r"registered implementation for '?envoy\.(?:filters\.\w+|bootstrap)\.wasm"
            r"|wasm\.runtime\.v8 runtime\. Envoy was compiled without support"
        ),
        kind=ProxyError,
        code="envoy-without-wasm",
        message="Envoy {version} was built without Wasm",
        hint=_OTHER_RELEASE,
    ),
    _Known(
        # source/common/listener_manager/listener_manager_impl.cc; server/admin/admin.cc
        words=re.compile(r"cannot bind '(?P<address>[^']+)': Address already in use"),
        kind=UsageError,
        code="port-taken",
        message="another program listens at {address}",
        hint="end that program, or choose another port",
    ),
    _Known(
        words=re.compile(r"cannot bind '(?P<address>[^']+)': (?P<reason>[^\n]+)"),
        kind=UsageError,
        code="no-port",
        message="Envoy cannot listen at {address}: {reason}",
        hint="choose another port; those below 1024 may need rights of their own",
    ),
    _Known(
        words=re.compile(r"version `(?P<library>GLIBC\w*_[\d.]+)' not found"),
        kind=ProxyError,
        code="envoy-not-runnable",
        message="Envoy {version} needs a newer C library than this machine's ({library})",
        hint="take an older release, or `--envoy docker:1.40`",
    ),
)


def known_failure(envoy: Envoy, words: str) -> WasmctlError | None:
    """Return the error that Envoy's words tell; None where they tell nothing that we know."""
    for known in _KNOWN:
        if match := known.words.search(words):
            groups = {name: text or "" for name, text in match.groupdict().items()}
            message = known.message.format(version=envoy.version, **groups)
            return known.kind(known.code, message, hint=known.hint)
    return None


def ended(envoy: Envoy, exit_code: int, records: Sequence[Record], folder: Path) -> WasmctlError:
    """Return the error for an Envoy that ended unasked."""
    words = "\n".join(record.message for record in records)
    if known := known_failure(envoy, words):
        return known
    message = f"Envoy {envoy.version} ({envoy.origin}) ended {_manner(exit_code)}"
    hint = f"its own words are above; all it was given and said is in `{folder}`"
    return ProxyError("envoy-ended", message, hint=hint, output=tail_of(records))


def unanswered(envoy: Envoy, waited: float, records: Sequence[Record], folder: Path) -> ProxyError:
    """Return the error for an Envoy that runs, but does not answer."""
    message = f"Envoy {envoy.version} ({envoy.origin}) did not answer within {waited:g} s"
    hint = f"all it was given and said is in `{folder}`"
    return ProxyError("envoy-silent", message, hint=hint, output=tail_of(records))


def tail_of(records: Sequence[Record], lines: int = 20) -> str:
    """Return the last records as text."""
    return "\n".join(_line(record) for record in records[-lines:])


def _line(record: Record) -> str:
    if not record.level:
        return record.message
    return f"[{record.time}] [{record.level}] [{record.logger}] {record.message}"


def _manner(exit_code: int) -> str:
    if exit_code >= 0:
        return f"with exit code {exit_code}"
    try:
        return f"by {signal.Signals(-exit_code).name}"
    except ValueError:
        return f"by signal {-exit_code}"
