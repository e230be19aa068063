"""Facts: which TinyGo goes with which Go and which SDK, and how each is asked for a plug-in. Pure.

Sources: of each release `builder/config.go` for the range of Go, `targets/wasi.json` and
`compileopts/options.go` for targets and build modes, `src/runtime/runtime_wasmentry.go` for what
`_start` does: from 0.35 on it ends in proc_exit, which Envoy forbids while a module starts
(https://github.com/tinygo-org/tinygo/issues/4726). SDKs and nottinygc: compiled with 0.31.2 and
0.39.0.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

__all__ = [
    "NOTTINYGC",
    "RELEASES",
    "Release",
    "advise",
    "flags_for",
    "go_toolchain",
    "numbers",
    "release_for",
    "sdk_for",
    "target_name",
]

NOTTINYGC: Final = "github.com/wasilibs/nottinygc"
_SDK: Final = "github.com/tetratelabs/proxy-wasm-go-sdk"


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """What holds from one TinyGo release on, up to the next in the table.

    Args:
        since: the release: (0, 31).
        go: the oldest and the newest Go 1.x that it takes.
        target: its name for WASI preview 1.
        reactor: whether plug-ins need `-buildmode=c-shared`, which never calls main.
        legacy: whether it has `-buildmode=wasi-legacy`, which calls main and returns.
    """

    since: tuple[int, int]
    go: tuple[int, int]
    target: str = "wasip1"
    reactor: bool = True
    legacy: bool = True


RELEASES: Final = (
    Release(since=(0, 29), go=(18, 21), target="wasi", reactor=False, legacy=False),
    Release(since=(0, 31), go=(18, 22), target="wasi", reactor=False, legacy=False),
    Release(since=(0, 32), go=(19, 22), target="wasi", reactor=False, legacy=False),
    Release(since=(0, 33), go=(19, 23), target="wasi", reactor=False, legacy=False),
    Release(since=(0, 35), go=(19, 23), legacy=False),
    Release(since=(0, 36), go=(19, 24)),
    Release(since=(0, 39), go=(19, 25)),
    Release(since=(0, 41), go=(19, 26)),
)
# A release of each Go 1.x, for GOTOOLCHAIN; of one not named here its first.
_GO_TOOLCHAINS: Final[Mapping[int, str]] = {
    21: "go1.21.13",
    22: "go1.22.12",
    23: "go1.23.12",
    24: "go1.24.11",
    25: "go1.25.5",
    26: "go1.26.1",
}
# From this TinyGo on reflect.SliceHeader counts in uintptr, as the SDK does from v0.24 on.
_UINTPTR_TINYGO: Final = (0, 32)
_UINTPTR_SDK: Final = (0, 24)


def numbers(version: str) -> tuple[int, int]:
    """Return the first two numbers of a version: (0, 31) of `v0.31.2`."""
    found = re.search(r"(\d+)\.(\d+)", version)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def release_for(version: str) -> Release | None:
    """Return what holds for a TinyGo; None for one older or newer than the table knows."""
    number = numbers(version)
    rows = [release for release in RELEASES if release.since <= number]
    return rows[-1] if rows and number <= RELEASES[-1].since else None


def go_toolchain(minor: int) -> str:
    """Return the GOTOOLCHAIN of Go 1.`minor`."""
    return _GO_TOOLCHAINS.get(minor, f"go1.{minor}.0")


def flags_for(release: Release, *, nottinygc: bool, main_body: bool) -> dict[str, str]:
    """Return TinyGo's flags for a plug-in.

    Args:
        release: the TinyGo at hand.
        nottinygc: whether the plug-in brings this garbage collector
            (https://github.com/wasilibs/nottinygc#usage).
        main_body: whether `main` does something, and not `init` alone.
    """
    flags = {}
    if nottinygc:
        flags = {"-gc": "custom", "-tags": "custommalloc nottinygc_envoy"}
    flags |= {"-target": release.target, "-scheduler": "none"}
    if release.reactor:
        flags["-buildmode"] = "wasi-legacy" if main_body and release.legacy else "c-shared"
    return flags


def target_name(wanted: str, release: Release) -> str:
    """Return what a release calls a target: WASI preview 1 has a name for every taste."""
    others = {"wasip1", "wasm32-wasi", "wasm32-wasip1"}
    return release.target if wanted in others else wanted


def sdk_for(version: str) -> str:
    """Return the SDK that goes with a TinyGo, as `go get` takes it."""
    return f"{_SDK}@{'v0.23.0' if numbers(version) < _UINTPTR_TINYGO else 'v0.24.0'}"


def advise(version: str, requires: Mapping[str, str]) -> str | None:
    """Return how to bring a TinyGo and a project's modules together, where they do not go."""
    sdk = requires.get(_SDK)
    old_tinygo = numbers(version) < _UINTPTR_TINYGO
    misfits = {}
    if sdk is not None and old_tinygo != (numbers(sdk) < _UINTPTR_SDK):
        misfits[f"`{_SDK}` {sdk}"] = f"`go get {sdk_for(version)}`"
    if NOTTINYGC in requires and not old_tinygo:
        misfits[f"`{NOTTINYGC}`"] = f"remove the import of `{NOTTINYGC}` and run `go mod tidy`"
    if not misfits:
        return None
    verb = "do" if len(misfits) > 1 else "does"
    return (
        f"{' and '.join(misfits)} {verb} not go with TinyGo {version}: "
        f"{', then '.join(misfits.values())}; or take TinyGo "
        f"{'0.32 or newer' if old_tinygo else '0.31.2'} (`WASMCTL_TINYGO` names the one to use)"
    )
