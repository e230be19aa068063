"""The Go below a TinyGo: TinyGo refuses one that is too new or too old for it, so it is chosen.

Changes nothing but the environment that TinyGo is going to run in.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wasmctl.errors import ToolMissing
from wasmctl.process import capture
from wasmctl.toolchain.gofiles import module_file, read_go_mod
from wasmctl.toolchain.job import Job
from wasmctl.toolchain.tinygo_releases import (
    RELEASES,
    Release,
    go_toolchain,
    numbers,
    release_for,
)
from wasmctl.toolchain.tools import Tool

__all__ = ["TinyGo", "ready_tinygo"]

# Seconds; go may have to fetch the toolchain that go.mod asks for.
_FETCH_TIMEOUT: Final = 600.0
_VERSION: Final = re.compile(r"tinygo version (\S+).*?using go version go(1\.\d+\S*)")
# TinyGo's two ways to refuse the Go below it (builder/config.go).
_REFUSED: Final = re.compile(
    r"requires go version 1\.\d+ through 1\.(\d+), got"
    r"|cannot compile with Go toolchain version .*? \(TinyGo was built using .*?go1\.(\d+)"
)
# The first Go that fetches others: https://go.dev/doc/toolchain
_FETCHING: Final = (1, 21)


@dataclass(frozen=True, slots=True, kw_only=True)
class TinyGo:
    """A TinyGo with a Go below it that it takes.

    Args:
        path: the program.
        env: the environment to run it in.
        version: its version.
        go_version: that of the Go below it.
        release: what holds for it; the newest known where it is newer.
    """

    path: Path
    env: Mapping[str, str]
    version: str
    go_version: str
    release: Release

    @property
    def tools(self) -> Mapping[str, str]:
        """What takes part in a build, for the record."""
        return {"tinygo": self.version, "go": self.go_version}


def ready_tinygo(job: Job, tool: Tool, env: Mapping[str, str]) -> TinyGo:
    """Ask for the versions, and choose a Go that this TinyGo takes.

    Raises:
        ToolMissing: TinyGo does not run, or there is no Go for it and the project's go.mod.
    """
    folder = job.project.folder
    said = capture([tool.path, "version"], env=env, cwd=folder, timeout=_FETCH_TIMEOUT)
    found = _VERSION.search(said.stdout)
    if found is None:
        raise _unanswered(tool, said.stdout + said.stderr)
    version, go_version = found[1], found[2]
    release = release_for(version)
    if numbers(version) < RELEASES[0].since:
        first = ".".join(map(str, RELEASES[0].since))
        message = f"TinyGo {version} (`{tool.path}`) is too old: plug-ins need {first} or newer"
        hint = "install a newer one (https://tinygo.org/getting-started/install)"
        raise ToolMissing("tinygo-too-old", message, hint=hint)
    if release is None:
        newest = _newest_taken(tool, folder, env)
    else:
        _require_fit(folder, version, release)
        oldest, newest = release.go
        if oldest <= numbers(go_version)[1] <= newest:
            newest = 0
    if newest:
        reason = f"TinyGo {version} takes Go up to 1.{newest}, and go is {go_version}"
        chosen = _another_go(job, reason, go_version, newest)
        job.session.console.detail(f"GOTOOLCHAIN={chosen}: {reason}")
        env = {**env, "GOTOOLCHAIN": chosen}
        go_version = chosen.removeprefix("go")
    return TinyGo(
        path=tool.path,
        env=env,
        version=version,
        go_version=go_version,
        release=release or RELEASES[-1],
    )


def _unanswered(tool: Tool, talk: str) -> ToolMissing:
    if found := re.search(r"requires go >= (\S+) \(running go (\S+); GOTOOLCHAIN=(\S+)\)", talk):
        message = (
            f"go.mod asks for Go {found[1]}, and `GOTOOLCHAIN={found[3]}` allows {found[2]} alone"
        )
        return ToolMissing("go-too-old", message, hint="unset `GOTOOLCHAIN`", output=talk)
    message = f"`{tool.path}` does not tell its version; its words are above"
    hint = "see that `tinygo version` and `go version` work in the project's folder"
    return ToolMissing("tinygo-broken", message, hint=hint, output=talk)


def _newest_taken(tool: Tool, folder: Path, env: Mapping[str, str]) -> int:
    """Ask a TinyGo that the table does not know; 0: it takes the Go that is there."""
    argv = [str(tool.path), "list", f"-target={RELEASES[-1].target}", "."]
    said = capture(argv, env=env, cwd=folder, timeout=_FETCH_TIMEOUT)
    found = _REFUSED.search(said.stderr)
    return 0 if found is None else int(found[1] or found[2])


def _require_fit(folder: Path, version: str, release: Release) -> None:
    """Refuse a project that asks for a newer Go than TinyGo takes."""
    for name in ("go.mod", "go.work"):
        path = module_file(folder, name)
        wanted = "" if path is None else read_go_mod(path).go or ""
        if numbers(wanted)[1] <= release.go[1]:
            continue
        able = next((row.since for row in RELEASES if row.go[1] >= numbers(wanted)[1]), None)
        newer = "a newer TinyGo" if able is None else f"TinyGo {able[0]}.{able[1]} or newer"
        edit = "go mod edit" if name == "go.mod" else "go work edit"
        raise ToolMissing(
            "tinygo-too-old",
            f"`{path}` asks for Go {wanted}; TinyGo {version} takes Go up to 1.{release.go[1]}",
            hint=f"install {newer}, or `{edit} -go=1.{release.go[1]}`",
        )


def _another_go(job: Job, reason: str, go_version: str, newest: int) -> str:
    """Return the GOTOOLCHAIN to use instead of the Go that is there."""
    chosen = go_toolchain(newest)
    path = module_file(job.project.folder)
    asked = None if path is None else read_go_mod(path).go
    if asked is not None and numbers(asked) == (1, newest) and _patch(asked) > _patch(chosen):
        chosen = f"go{asked}"
    if job.env.get("GOTOOLCHAIN") == "local":
        message = f"{reason}; `GOTOOLCHAIN=local` forbids to fetch another"
        hint = f"set `GOTOOLCHAIN={chosen}`, or put such a Go on PATH"
        raise ToolMissing("go-does-not-fit", message, hint=hint)
    if numbers(go_version) < _FETCHING:
        hint = f"install Go 1.{newest}, or one from 1.21 on: it fetches the Go that is needed"
        raise ToolMissing("go-too-old", f"{reason}, too old to fetch another", hint=hint)
    return chosen


def _patch(version: str) -> int:
    found = re.search(r"1\.\d+\.(\d+)", version)
    return int(found[1]) if found else 0
