"""Go main package → module, with TinyGo: the compiling, once it has to be done.

Flags are chosen for the TinyGo at hand (tinygo_releases.py), and so is the Go below it
(tinygo_go.py); a flag among the further arguments replaces ours. Debugging sections are taken out
of the module that is shipped: they name the places of all source files on this machine, and no
proxy reads them. They stay in its twin, `dist/plugin.debug.wasm`.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wasmctl.errors import ToolFailed, UsageError, WasmctlError
from wasmctl.process import capture, follow
from wasmctl.toolchain.failures import GO_HINTS, hint_for
from wasmctl.toolchain.gofiles import (
    GoMod,
    has_main_body,
    imports,
    module_file,
    read_go_mod,
    require_main_package,
    require_sdk,
    source_files,
)
from wasmctl.toolchain.golist import watch_packages
from wasmctl.toolchain.inputs import Inputs
from wasmctl.toolchain.job import Compiled, Job, command_line
from wasmctl.toolchain.sections import without_debug_sections
from wasmctl.toolchain.tinygo_go import TinyGo, ready_tinygo
from wasmctl.toolchain.tinygo_releases import (
    NOTTINYGC,
    advise,
    flags_for,
    sdk_for,
    target_name,
)
from wasmctl.toolchain.tools import Tool

if TYPE_CHECKING:
    from wasmctl.process import Completed

__all__ = ["compile_changed"]

# What TinyGo, or the go below it, says → what to do.
_HINTS: Final[Mapping[str, str]] = {
    r"flag provided but not defined: (-\S+)": (
        "this TinyGo has no flag `{0}`: look at what stands behind `--`, and at `[build] args`"
    ),
    r"(?m)^invalid .*valid values are (.+)": "say one of these: {0}",
    r"only accepts a single positional argument": (
        "flags alone may stand behind `--`: the package is the project's folder"
    ),
    r"targets/([\w.-]+)\.json: no such file": (
        "this TinyGo has no target `{0}`: leave it out, or say `wasip1`"
    ),
    r"could not find wasm-opt": "install binaryen, which has `wasm-opt`",
    r"download go[\d.]+|toolchain not available": (
        "see that the network and `GOPROXY` work, or put a Go that this TinyGo takes on PATH"
    ),
    **GO_HINTS,
}


def compile_changed(job: Job, tool: Tool, env: Mapping[str, str], key: str | None) -> Compiled:
    """Compile with the TinyGo that was found.

    Args:
        job: what to compile.
        tool: TinyGo.
        env: its environment.
        key: of everything but files; None where nothing is to be remembered.

    Raises:
        ToolMissing: TinyGo and the Go below it do not go together, or not with the project.
        ToolFailed: TinyGo failed.
        UsageError: the package is not `main`, or its entry does not fit this TinyGo.
    """
    require_main_package(job.project.folder)
    go_mod = _go_mod(job)
    tinygo = ready_tinygo(job, tool, env)
    require_sdk(job.project.folder, f"`go get {sdk_for(tinygo.version)}`")
    flags = _flags(job, tinygo, go_mod)
    tail = [*_spelt(flags), *job.args, *_merged_tags(job, flags), _package(job.project.folder)]
    result = job.scratch / "plugin.wasm"
    argv = [str(tinygo.path), "build", "-o", str(result), *tail]
    job.session.console.detail(command_line(argv))
    env = _locked_env(tinygo.env) if job.request.locked else tinygo.env
    # TinyGo does not clean up when it is stopped; the scratch folder is removed in any case.
    env = {**env, "TMPDIR": str(job.scratch)}
    began = time.time_ns()
    # Listing the packages takes a tenth of the time: it goes on beside the compiler.
    with ThreadPoolExecutor(max_workers=1) as pool:
        listing = pool.submit(
            _list, job, [str(tinygo.path), "list", "-deps", "-json", *tail], env, key
        )
        done = follow(argv, env=env, cwd=job.project.folder, live=job.live, stdin_terminal=job.asks)
        inputs = listing.result()
    if done.exit_code != 0:
        raise _failure(job, tinygo, done, go_mod)
    # Of what was edited meanwhile nobody knows which of the two was compiled.
    if inputs is not None and (inputs.watch.changed_since(began) or inputs.difference(inputs.key)):
        inputs = None
    if not result.is_file():
        message = f"TinyGo {tinygo.version} said that all went well, and made nothing"
        raise ToolFailed("compile-failed", message, hint="see what `-v` shows", output=done.stderr)
    content = result.read_bytes()
    stripped = without_debug_sections(content)
    debug = None
    if len(stripped) < len(content):
        debug = result.rename(job.scratch / "plugin.debug.wasm")
        result.write_bytes(stripped)
    return Compiled(
        path=result,
        target=flags.get("-target") or _given_target(job),
        fresh=False,
        tools=tinygo.tools,
        inputs=None if inputs is None else inputs.to_json(),
        debug=debug,
    )


def _list(job: Job, argv: list[str], env: Mapping[str, str], key: str | None) -> Inputs | None:
    """Return what the compiler reads now; None where that cannot be remembered."""
    if key is None:
        return None
    try:
        said = capture(argv, env=env, cwd=job.project.folder)
    except WasmctlError:
        return None
    watch = watch_packages(said.stdout, job.project.folder, env) if said.exit_code == 0 else None
    return None if watch is None else Inputs(key=key, watch=watch, seen=watch.look())


def _go_mod(job: Job) -> GoMod:
    path = module_file(job.project.folder)
    if path is None:
        raise UsageError(
            "no-go-module",
            f"`{job.project.folder}` has no go.mod, nor has a folder above it",
            hint="make it a module: `go mod init NAME`",
        )
    return read_go_mod(path)


def _flags(job: Job, tinygo: TinyGo, go_mod: GoMod) -> dict[str, str]:
    """Return TinyGo's flags but those that the further arguments give."""
    folder = job.project.folder
    main_body = has_main_body(folder)
    release = tinygo.release
    flags = flags_for(
        release,
        nottinygc=NOTTINYGC in go_mod.direct or imports(folder, NOTTINYGC),
        main_body=main_body,
    )
    if job.target is not None:
        flags["-target"] = _target(job, tinygo, job.target)
    given = {f"-{arg.lstrip('-').partition('=')[0]}" for arg in job.args if arg.startswith("-")}
    if main_body and release.reactor and not release.legacy and "-buildmode" not in given:
        raise UsageError(
            "main-not-called",
            f"`main` does something here, and a plug-in of TinyGo {tinygo.version} never calls it",
            hint="register the contexts in `func init()`, or use TinyGo 0.36 or newer",
        )
    return {name: value for name, value in flags.items() if name not in given - {"-tags"}}


def _target(job: Job, tinygo: TinyGo, wanted: str) -> str:
    """Return this TinyGo's name of a target.

    Raises:
        UsageError: it makes no module.
    """
    if wanted in {"wasip2", "wasm32-wasip2"}:
        message = f"`{wanted}` makes a WebAssembly component, and proxies load modules"
        raise UsageError("bad-target", message, hint="leave the target out, or say `wasip1`")
    target = target_name(wanted, tinygo.release)
    if target != wanted:
        job.session.console.say(
            f"`{wanted}` is called `{target}` in TinyGo {tinygo.version}; compiling for that"
        )
    return target


def _given_target(job: Job) -> str:
    """Return the target that the further arguments name; none is the machine's own."""
    found = re.search(r"(?:^|\s)--?target[=\s](\S+)", " ".join(job.args))
    return found[1] if found else ""


def _spelt(flags: Mapping[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in flags.items()]


def _merged_tags(job: Job, flags: Mapping[str, str]) -> list[str]:
    """Return the tags of both sides where both have some: TinyGo takes the last `-tags` alone."""
    words = " ".join(job.args)
    found = re.search(r"(?:^|\s)--?tags[=\s](.*?)(?=\s-|$)", words)
    if found is None or "-tags" not in flags:
        return []
    return [f"-tags={flags['-tags']} {found[1]}"]


def _package(folder: Path) -> str:
    # As the SDK's manual has it; further files of the package go with the folder only.
    return "main.go" if [path.name for path in source_files(folder)] == ["main.go"] else "."


def _locked_env(env: Mapping[str, str]) -> Mapping[str, str]:
    flags = env.get("GOFLAGS", "")
    return {**env, "GOFLAGS": f"{flags} -mod=readonly"} if "-mod=mod" in flags else env


def _failure(job: Job, tinygo: TinyGo, done: Completed, go_mod: GoMod) -> ToolFailed:
    """Say whose failure it is, after TinyGo's own words."""
    output = "" if job.live is not None else done.stderr
    named = f"TinyGo {tinygo.version}"
    requires = {
        name: found for name, found in go_mod.requires.items() if name not in go_mod.replaced
    }
    hint = hint_for(done.stderr, _HINTS)
    advice = advise(tinygo.version, requires)
    if hint is None and advice is not None:
        message = f"{named} could not compile `{job.project.name}`; its words are above"
        return ToolFailed("compile-failed", message, hint=advice, output=output)
    if re.search(r"\.go:\d+:\d+: ", done.stderr) and hint is None:
        message = (
            f"{named} could not compile `{job.project.name}`: the errors above are about its code"
        )
        hint = "correct the first of them and build again"
    else:
        message = f"{named} failed (exit code {done.exit_code}); its words are above"
    # It pours its help after what it has against its arguments.
    if re.search(r"^(?:Usage of |Build compiles the packages)", done.stderr, re.MULTILINE):
        first = done.stderr.strip().partition("\n")[0]
        message = f"{named} does not take its arguments: {first}"
    hint = hint or "the error above is TinyGo's: it says what to do"
    return ToolFailed("compile-failed", message, hint=hint, output=output)
