"""Go main package → module, with TinyGo: whether anything has to be compiled.

TinyGo compiles for seconds even where nothing has changed, so the record of the last build decides
(inputs.py). Then no program is started at all, and no more is imported than that takes.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from wasmctl import __version__
from wasmctl.programs import find_program
from wasmctl.toolchain.inputs import (
    environment_part,
    file_identity,
    is_trackable,
    key_of,
    load_inputs,
    tool_identity,
)
from wasmctl.toolchain.job import Compiled, Job
from wasmctl.toolchain.tools import Tool, environment_with, find_tool

__all__ = ["Look", "compile_with_tinygo", "look_for_changes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a look at a project shows.

    Args:
        tool: TinyGo.
        env: the environment to run it in.
        key: stands for everything but files; None where something could change unseen.
        change: why the module in its place is not to be taken; None: it is up to date.
    """

    tool: Tool
    env: Mapping[str, str]
    key: str | None
    change: str | None


def compile_with_tinygo(job: Job) -> Compiled:
    """Compile a Go main package, unless the record shows that nothing has changed.

    Raises:
        ToolMissing: no TinyGo or no Go, or none that go together.
        ToolFailed: TinyGo failed.
        UsageError: the package is not `main`, or its entry does not fit this TinyGo.
    """
    look = look_for_changes(job)
    if look.change is not None:
        from wasmctl.toolchain.tinygo_build import compile_changed

        job.session.console.detail(f"compiling: {look.change}")
        # TinyGo says nothing for seconds.
        with job.session.console.waiting(f"TinyGo compiles {job.project.name}"):
            return compile_changed(job, look.tool, look.env, look.key)
    return Compiled(
        path=job.place,
        target=job.recorded_target,
        fresh=True,
        tools=job.recorded_tools,
        inputs=job.record["inputs"],
    )


def look_for_changes(job: Job) -> Look:
    """Compare a project with the record of its last build.

    Raises:
        ToolMissing: no TinyGo or no Go.
    """
    configured = job.project.settings.build.tool
    tool = find_tool("tinygo", job.session, configured=configured, folder=job.project.folder)
    go = find_tool("go", job.session)
    env = environment_with(job.env, tool, go)
    key = _key(job, tool, go, env)
    remembered = load_inputs(job.record.get("inputs"))
    if key is None or remembered is None:
        change: str | None = "nothing is remembered of the last build"
    else:
        change = remembered.difference(key)
    return Look(tool=tool, env=env, key=key, change=change)


def _key(job: Job, tool: Tool, go: Tool, env: Mapping[str, str]) -> str | None:
    """Return the key of everything but files; None where something could change unseen."""
    tools = [tool_identity(tool.path, "tinygo"), tool_identity(go.path, "go")]
    if None in tools or not is_trackable(*job.args, job.target or ""):
        return None
    # Of these TinyGo runs the first that it finds (goenv/goenv.go).
    root = Path(env.get("TINYGOROOT") or tool.path.resolve().parent.parent)
    optimizer = env.get("WASMOPT") or find_program("wasm-opt", env)
    parts = [root / "bin/wasm-opt", root / "build/wasm-opt"]
    parts += [] if optimizer is None else [Path(optimizer)]
    parts += sorted(root.glob("targets/wasi*.json"))
    # A folder that was copied brings a record along that watches the folder it was copied from.
    place = os.path.realpath(job.project.folder)
    return key_of(
        [__version__, place, job.target, job.request.locked, *job.args],
        [*tools, *map(file_identity, parts)],
        environment_part(env),
    )
