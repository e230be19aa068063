"""Project → module: the one entry to the toolchains.

Owns the module's place and its record: what is there is the last good one until a new one is whole.
Knows nothing of any single toolchain.
"""

from __future__ import annotations

import contextlib
import errno
import filecmp
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wasmctl.errors import ToolFailed, Unreadable, UsageError, WasmctlError
from wasmctl.locks import locked
from wasmctl.paths import replacing, sha256_of
from wasmctl.project.record import ensure_dist, read_record, write_record
from wasmctl.toolchain.job import Compile, Compiled, Job
from wasmctl.toolchain.module import BuildRequest, Module
from wasmctl.wasm.reader import open_module, read_module

if TYPE_CHECKING:
    from wasmctl.project.project import Project
    from wasmctl.project.settings import ToolchainName
    from wasmctl.results import JSONValue
    from wasmctl.session import Session

__all__ = ["build_module"]

_ELSEWHERE: Final = "write the module elsewhere: `wasmctl build -o FILE`"
# What stands between a build and its place without being a fault of wasmctl's.
_REMEDIES: Final[Mapping[int, str]] = {
    errno.ENOSPC: f"make room on the disk, or {_ELSEWHERE}",
    errno.EDQUOT: f"make room in your quota, or {_ELSEWHERE}",
    errno.EROFS: f"{_ELSEWHERE}; or take the one that is there: `--no-build`",
    errno.EACCES: f"make the folder writable, or {_ELSEWHERE}",
    errno.EPERM: f"make the folder writable, or {_ELSEWHERE}",
    errno.ENOTDIR: f"move what is in the way, or {_ELSEWHERE}",
    errno.EEXIST: f"move what is in the way, or {_ELSEWHERE}",
    errno.EISDIR: "name a file that can be written",
    errno.ENAMETOOLONG: "choose a shorter name",
}
_NO_MARKER: Final = "no proxy will load this module: it exports no `proxy_abi_version_*`"
_SDKS: Final[Mapping[ToolchainName, str]] = {
    "cargo": "the SDK has it: `cargo add proxy-wasm`, and `proxy_wasm::main!` in the code",
    "go": "the SDK has it: import `github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm`",
    "tinygo": "the SDK has it: import `github.com/tetratelabs/proxy-wasm-go-sdk/proxywasm`",
}


def build_module(project: Project, session: Session, *, request: BuildRequest) -> Module:
    """Compile `project` to its place, `dist/plugin.wasm` or the request's file.

    What lies in `dist` is also recorded, in `dist/plugin.json`; where the compiler was asked for
    debugging sections, it lies with them in `dist/plugin.debug.wasm`. Two builds of one project
    take turns.

    Raises:
        KeyboardInterrupt: everything was told to stop.
        ToolMissing: the compiler, its target or its version is not there.
        ToolFailed: the compiler failed.
        UsageError: the project cannot be a plug-in, or the place cannot be written.
        Unreadable: what came out is no module.
    """
    started = time.monotonic()
    place = request.output or project.module
    with _telling_obstacles(place):
        if request.output is None:
            ensure_dist(project.dist)
            turn: contextlib.AbstractContextManager[None] = _turn(project, session)
        else:
            place.parent.mkdir(parents=True, exist_ok=True)
            turn = contextlib.nullcontext()
        with turn, tempfile.TemporaryDirectory(prefix="wasmctl-", dir=_scratch(session)) as scratch:
            record = _record_of(project, place)
            job = Job(
                project=project,
                session=session,
                request=request,
                place=place,
                scratch=Path(scratch),
                record=record,
            )
            compiled = _toolchain(project.toolchain)(job)
            sha256, size = _put_in_place(job, compiled.path)
            _keep_twin(job, compiled)
            _remember(job, compiled, sha256, size)
    return Module(
        project=project,
        path=place,
        sha256=sha256,
        size=size,
        toolchain=project.toolchain,
        target=compiled.target,
        seconds=time.monotonic() - started,
        fresh=compiled.fresh,
        tools=compiled.tools,
    )


def _toolchain(name: ToolchainName) -> Compile:
    """Return what compiles; only the one that is needed is loaded."""
    match name:
        case "cargo":
            from wasmctl.toolchain.cargo import compile_with_cargo

            return compile_with_cargo
        case "go":
            from wasmctl.toolchain.go import compile_with_go

            return compile_with_go
        case "tinygo":
            from wasmctl.toolchain.tinygo import compile_with_tinygo

            return compile_with_tinygo


def _scratch(session: Session) -> str | None:
    folder = session.env.get("TMPDIR")
    return folder if folder and Path(folder).is_dir() else None


def _record_of(project: Project, place: Path) -> Mapping[str, JSONValue]:
    """Return the record where it is of this toolchain, and true of the bytes in their place."""
    record = read_record(project.dist)
    module = record.get("module")
    if place != project.module or not isinstance(module, Mapping):
        return {}
    try:
        sha256 = sha256_of(place)
    except FileNotFoundError:
        return {}
    same = (sha256, project.toolchain) == (module.get("sha256"), module.get("toolchain"))
    return record if same else {}


def _put_in_place(job: Job, path: Path) -> tuple[str, int]:
    """Make the job's place hold what is in `path`; bytes that are there already keep their time.

    Returns:
        The SHA-256 in hexadecimal, and the size in bytes.
    """
    place = job.place
    _require_module(job, path)
    # What a toolchain leaves in its place is what the record was true of a moment ago.
    recorded = job.recorded_sha256
    sha256 = recorded if path == place and recorded else sha256_of(path)
    if path != place and not (place.is_file() and sha256_of(place) == sha256):
        with path.open("rb") as source, replacing(place) as target:
            shutil.copyfileobj(source, target, 1 << 20)
    return sha256, place.stat().st_size


def _keep_twin(job: Job, compiled: Compiled) -> None:
    """Keep the module with its debugging sections beside the one in `dist`; let go of an old one.

    Which of them belong together their code tells (wasm/twin.py).
    """
    if job.place != job.project.module:
        return
    twin = job.project.debug_module
    if compiled.debug is None:
        if not compiled.fresh:
            twin.unlink(missing_ok=True)
    elif not (twin.is_file() and filecmp.cmp(compiled.debug, twin, shallow=False)):
        with compiled.debug.open("rb") as source, replacing(twin) as target:
            shutil.copyfileobj(source, target, 1 << 20)


def _require_module(job: Job, path: Path) -> None:
    """Refuse what is no module, or not all of one: go does not notice when its disk is full.

    Of one that is no plug-in is warned.

    Raises:
        Unreadable: it is something else.
        ToolFailed: it is cut off.
    """
    try:
        with open_module(path) as content:
            info = read_module(content, str(path))
    except Unreadable as error:
        raise _told_of_toolchain(error, job.project.toolchain, path) from None
    if not info.abi_versions:
        job.session.console.warn(f"{_NO_MARKER}; {_SDKS[job.project.toolchain]}")


def _told_of_toolchain(error: Unreadable, toolchain: ToolchainName, path: Path) -> WasmctlError:
    match error.code:
        case "component":
            message = f"{toolchain} made a WebAssembly component, and proxies load modules"
            return Unreadable("not-a-module", message, hint=error.hint)
        case "cut-off-module":
            message = f"the module that {toolchain} made is cut off in `{path.parent}`"
            return ToolFailed("incomplete-module", message, hint="make room on that disk")
        case "not-wasm":
            message = f"what {toolchain} made is no WebAssembly module"
        case _:
            message = f"{toolchain} made this: {error.message}"
    hint = "`-v` shows the command: see what its further arguments ask for"
    return Unreadable("not-a-module", message, hint=hint)


def _remember(job: Job, compiled: Compiled, sha256: str, size: int) -> None:
    """Record what lies in `dist`; nothing is written where nothing changed."""
    if job.place != job.project.module:
        return
    module: dict[str, JSONValue] = {
        "sha256": sha256,
        "size": size,
        "toolchain": job.project.toolchain,
        "target": compiled.target,
        "tools": dict(compiled.tools),
    }
    changes = {"module": module, "inputs": compiled.inputs}
    if any(job.record.get(key) != value for key, value in changes.items()):
        write_record(job.project.dist, changes)


def _turn(project: Project, session: Session) -> contextlib.AbstractContextManager[None]:
    """Hold the project's lock, after a build that holds it already."""
    message = f"another build of `{project.name}` is running; waiting for it"
    return locked(project.dist, ".lock", waits=lambda: session.console.say(message))


@contextlib.contextmanager
def _telling_obstacles(place: Path) -> Iterator[None]:
    """Turn what the operating system has against writing the module into an error for people."""
    try:
        yield
    except OSError as error:
        hint = _REMEDIES.get(error.errno or 0)
        if hint is None:
            raise
        where = error.filename if isinstance(error.filename, str) else place
        reason = (error.strerror or str(error)).lower()
        raise UsageError("cannot-write", f"`{where}`: {reason}", hint=hint) from error
