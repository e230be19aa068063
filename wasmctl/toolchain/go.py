"""Go main package → module, with the standard toolchain.

The command is the SDK's, `GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared`, with two flags for
modules that are the same on every machine: `-trimpath`, for Go writes the places of all source
files into what it links, and `-buildvcs=false`, for it writes the state of the git repository, too.
Either is left to the user where GOFLAGS or an argument names it.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wasmctl.errors import ToolFailed, ToolMissing, UsageError, WasmctlError
from wasmctl.process import follow
from wasmctl.toolchain.failures import GO_HINTS, hint_for
from wasmctl.toolchain.gofiles import (
    MainUse,
    look_at_main,
    require_main_package,
    require_sdk,
)
from wasmctl.toolchain.job import Compiled, Job, command_line
from wasmctl.toolchain.tools import Tool, environment_with, find_tool

if TYPE_CHECKING:
    from wasmctl.process import Completed

__all__ = ["compile_with_go"]

# `-buildmode=c-shared` for wasip1: https://go.dev/doc/go1.24#wasm
_MINIMUM: Final = 24
_TARGETS: Final = ("wasip1", "wasip1/wasm", "wasm32-wasip1")
_REMEDY: Final = 'install Go 1.24 or newer (https://go.dev/dl), or `pip install "wasmctl[go]"`'
_SDK_REMEDY: Final = (
    "`go get github.com/proxy-wasm/proxy-wasm-go-sdk@v0.0.0-20250212164326-ab4161dcf924`"
)
_PLATFORM: Final = {"GOOS": "wasip1", "GOARCH": "wasm"}
_NEEDS_GO: Final = re.compile(r"requires go >= (\S+) \(running go (\S+?)[;)]")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Go:
    """A go made ready for one project."""

    tool: Tool
    env: Mapping[str, str]
    version: str
    flags: str


def compile_with_go(job: Job) -> Compiled:
    """Compile a Go main package.

    Raises:
        ToolMissing: no Go, or one older than 1.24 for this module.
        ToolFailed: go failed.
        UsageError: the package is not `main` or no plug-in, or the target is not wasip1.
    """
    target = job.target or "wasip1"
    if target not in _TARGETS:
        hint = 'leave the target out; or compile with TinyGo: `toolchain = "tinygo"`'
        raise UsageError(
            "bad-target", f"Go compiles plug-ins for `wasip1`, not `{target}`", hint=hint
        )
    require_main_package(job.project.folder)
    require_sdk(job.project.folder, _SDK_REMEDY)
    _check_main(job)
    go = _prepare(job)
    result = job.scratch / "plugin.wasm"
    seeded = _seed(job, result)
    argv = [str(go.tool.path), "build", *_arguments(job, go), "-o", str(result), *job.args, "."]
    job.session.console.detail(command_line(argv, **_PLATFORM))
    done = follow(argv, env=go.env, cwd=job.project.folder, live=job.live, stdin_terminal=job.asks)
    if done.exit_code != 0:
        raise _failure(job, done)
    return Compiled(
        path=result,
        target="wasip1",
        fresh=seeded == result.stat().st_ino and job.is_recorded(result),
        tools={"go": go.version},
    )


def _prepare(job: Job) -> _Go:
    """Find go, and ask its version where the module's own choice of toolchain counts."""
    folder = job.project.folder
    configured = job.project.settings.build.tool
    tool = find_tool("go", job.session, configured=configured, folder=folder)
    env = {**environment_with(job.env, tool), **_PLATFORM}
    # Quick, unless go.mod names a toolchain that go has to fetch first.
    argv = [str(tool.path), "env", "GOVERSION", "GOFLAGS"]
    said = follow(
        argv, env=env, cwd=folder, live=job.live, stdin_terminal=job.asks, stdout_apart=True
    )
    if said.exit_code != 0:
        raise _failure(job, said)
    version, _, flags = said.stdout.strip().partition("\n")
    found = re.search(r"go(1\.(\d+)\S*)", version)
    if found is not None and int(found[2]) < _MINIMUM:
        raise _too_old(found[1], tool, env)
    return _Go(tool=tool, env=env, version=found[1] if found else version, flags=flags)


def _check_main(job: Job) -> None:
    """Refuse contexts that are registered in main: nothing calls it in a c-shared module.

    https://go.dev/doc/go1.24#wasm: such a module has `_initialize`, which runs every init.
    """
    if "-buildmode" in " ".join(job.args):
        return
    match look_at_main(job.project.folder):
        case MainUse.REGISTERS:
            message = "the contexts are set in `func main()`, which proxies never call"
            hint = "move the body of `func main()` to `func init()`, and leave `func main() {}`"
            raise UsageError("main-not-called", message, hint=hint)
        case MainUse.UNKNOWN:
            job.session.console.warn(
                "proxies never call `func main()`: what sets the contexts belongs in `func init()`"
            )
        case _:
            pass


def _arguments(job: Job, go: _Go) -> list[str]:
    given = " ".join((go.flags, *job.args))
    arguments = ["-buildmode=c-shared"]
    if "-trimpath" not in given:
        arguments.append("-trimpath")
    if "-buildvcs" not in given:
        arguments.append("-buildvcs=false")
    if job.request.locked and "-mod=mod" in given:
        arguments.append("-mod=readonly")
    return arguments


def _seed(job: Job, result: Path) -> int | None:
    """Put the last module where go will write: go leaves a file that is up to date in its place.

    It looks at the build ID alone, so only bytes that the record vouches for are put there.

    Returns:
        The number of the file, which another in its place does not have; None: none was put there.
    """
    if not job.record:
        return None
    shutil.copyfile(job.place, result)
    return result.stat().st_ino


def _too_old(version: str, tool: Tool, env: Mapping[str, str]) -> ToolMissing:
    message = f"Go {version} (`{tool.path}`) is too old: plug-ins need 1.24 or newer"
    chosen = env.get("GOTOOLCHAIN", "")
    hint = f"unset `GOTOOLCHAIN`, which is `{chosen}`; or {_REMEDY}" if chosen else _REMEDY
    return ToolMissing("go-too-old", message, hint=hint)


def _failure(job: Job, done: Completed) -> WasmctlError:
    """Say whose failure it is, after go's own words."""
    output = "" if job.live is not None else done.stderr
    if found := _NEEDS_GO.search(done.stderr):
        message = f"the module needs Go {found[1]}, and this is Go {found[2]}"
        hint = f"install Go {found[1]} or newer, or unset `GOTOOLCHAIN` to let go fetch it"
        return ToolMissing("go-too-old", message, hint=hint, output=output)
    known = hint_for(done.stderr, GO_HINTS)
    if re.search(r"^# ", done.stderr, re.MULTILINE):
        message = f"go could not compile `{job.project.name}`: the errors above are about its code"
        hint = known or "correct the first of them and build again"
    else:
        message = f"go failed (exit code {done.exit_code}); its words are above"
        hint = known or "the error above is go's: it says what to do"
    return ToolFailed("compile-failed", message, hint=hint, output=output)
