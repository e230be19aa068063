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
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wasmctl.errors import ToolFailed, ToolMissing, UsageError, WasmctlError
from wasmctl.process import capture, follow
from wasmctl.toolchain.failures import GO_HINTS, hint_for
from wasmctl.toolchain.gofiles import (
    MainUse,
    go_flags,
    look_at_main,
    require_main_package,
    require_sdk,
)
from wasmctl.toolchain.job import Compiled, Job, command_line
from wasmctl.toolchain.tools import Tool, environment_with, find_tool

if TYPE_CHECKING:
    from wasmctl.process import Completed

__all__ = ["compile_with_go"]

# `-buildmode=c-shared` for wasip1 came with Go 1.24 (https://go.dev/doc/go1.24#wasm), wasip1
# itself with 1.21.
_NO_REACTOR: Final = re.compile(
    r"-buildmode=c-shared not supported on wasip1|unsupported GOOS/GOARCH pair wasip1/wasm"
)
_TARGETS: Final = ("wasip1", "wasip1/wasm", "wasm32-wasip1")
_REMEDY: Final = 'install Go 1.24 or newer (https://go.dev/dl), or `pip install "wasmctl[go]"`'
_SDK_REMEDY: Final = (
    "`go get github.com/proxy-wasm/proxy-wasm-go-sdk@v0.0.0-20250212164326-ab4161dcf924`"
)
_PLATFORM: Final = {"GOOS": "wasip1", "GOARCH": "wasm"}
_NEEDS_GO: Final = re.compile(r"requires go >= (\S+) \(running go (\S+?)[;)]")


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
    configured = job.project.settings.build.tool
    tool = find_tool("go", job.session, configured=configured, folder=job.project.folder)
    env = {**environment_with(job.env, tool), **_PLATFORM}
    result = job.scratch / "plugin.wasm"
    seeded = _seed(job, result)
    argv = [str(tool.path), "build", *_arguments(job, env), "-o", str(result), *job.args, "."]
    job.session.console.detail(command_line(argv, **_PLATFORM))
    done = follow(argv, env=env, cwd=job.project.folder, live=job.live, stdin_terminal=job.asks)
    if done.exit_code != 0:
        raise _failure(job, tool, env, done)
    if seeded == result.stat().st_ino and job.is_recorded(result) and job.recorded_tools:
        # Go would have linked again had it been another than the recorded one.
        return Compiled(path=job.place, target="wasip1", fresh=True, tools=job.recorded_tools)
    tools = {"go": _version(job, tool, env)}
    return Compiled(path=result, target="wasip1", fresh=False, tools=tools)


def _version(job: Job, tool: Tool, env: Mapping[str, str]) -> str:
    """Ask for the version of the Go that the module chose: not always that of the program."""
    said = capture([tool.path, "env", "GOVERSION"], env=env, cwd=job.project.folder)
    return said.stdout.strip().removeprefix("go")


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


def _arguments(job: Job, env: Mapping[str, str]) -> list[str]:
    given = " ".join((go_flags(env), *job.args))
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
    try:
        shutil.copyfile(job.place, result)
    except OSError:
        # A full disk: go links anew, and what it makes there is looked at.
        result.unlink(missing_ok=True)
        return None
    return result.stat().st_ino


def _too_old(version: str, tool: Tool, env: Mapping[str, str], output: str) -> ToolMissing:
    message = f"Go {version} (`{tool.path}`) is too old: plug-ins need 1.24 or newer"
    chosen = env.get("GOTOOLCHAIN", "")
    hint = f"unset `GOTOOLCHAIN`, which is `{chosen}`; or {_REMEDY}" if chosen else _REMEDY
    return ToolMissing("go-too-old", message, hint=hint, output=output)


def _failure(job: Job, tool: Tool, env: Mapping[str, str], done: Completed) -> WasmctlError:
    """Say whose failure it is, after go's own words."""
    output = "" if job.live is not None else done.stderr
    if found := _NEEDS_GO.search(done.stderr):
        message = f"the module needs Go {found[1]}, and this is Go {found[2]}"
        hint = f"install Go {found[1]} or newer, or unset `GOTOOLCHAIN` to let go fetch it"
        return ToolMissing("go-too-old", message, hint=hint, output=output)
    if _NO_REACTOR.search(done.stderr):
        return _too_old(_version(job, tool, env), tool, env, output)
    known = hint_for(done.stderr, GO_HINTS)
    if re.search(r"^# ", done.stderr, re.MULTILINE):
        message = f"go could not compile `{job.project.name}`: the errors above are about its code"
        hint = known or "correct the first of them and build again"
    else:
        message = f"go failed (exit code {done.exit_code}); its words are above"
        hint = known or "the error above is go's: it says what to do"
    return ToolFailed("compile-failed", message, hint=hint, output=output)
