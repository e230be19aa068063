"""What happens while a plug-in is served: values, told one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from wasmctl.errors import WasmctlError

__all__ = [
    "BuildFailed",
    "Crashed",
    "Event",
    "Listening",
    "Logged",
    "NotReloaded",
    "Reloaded",
    "Restarted",
    "Saved",
    "Source",
    "Unchanged",
    "Unreachable",
]

Source = Literal["plugin", "earlier", "envoy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """The plug-in is served.

    Args:
        address: `http://127.0.0.1:18000`.
        admin: the same of Envoy's admin interface.
        upstream: the URL of the server behind it; None: the echo.
        envoy: the release.
        module: the module's file.
        sha256: its digest.
        run_folder: where Envoy's configuration and log are.
    """

    address: str
    admin: str
    upstream: str | None
    envoy: str
    module: Path
    sha256: str
    run_folder: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """A line of the log.

    Args:
        time: local time, as `2026-11-21 11:00:00.123`.
        level: trace, debug, info, warn, error or critical.
        text: what was said; may have several lines.
        source: the plug-in; the plug-in as it was before a reload; or Envoy.
    """

    time: str
    level: str
    text: str
    source: Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Crashed:
    """The plug-in trapped: why, and what to do."""

    message: str
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreachable:
    """Requests do not get through to the upstream: why, and what to do."""

    upstream: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """Files were saved; a build begins."""

    paths: tuple[Path, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unchanged:
    """What was saved changed neither module nor configuration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reloaded:
    """The new module, or configuration, is served.

    Args:
        sha256: the module's digest.
        size: its size in bytes.
        build_seconds: how long the build took.
        load_seconds: how long Envoy took.
    """

    sha256: str
    size: int
    build_seconds: float
    load_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Restarted:
    """Envoy had to be started anew; it serves at the same address."""

    admin: str
    run_folder: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildFailed:
    """What was saved does not build; the module before it is served on."""

    error: WasmctlError


@dataclass(frozen=True, slots=True, kw_only=True)
class NotReloaded:
    """Envoy does not take the new module, or its configuration; the one before is served on."""

    error: WasmctlError


Event = (
    Listening
    | Logged
    | Crashed
    | Saved
    | Unchanged
    | Reloaded
    | Restarted
    | BuildFailed
    | NotReloaded
    | Unreachable
)
