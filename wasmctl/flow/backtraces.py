"""Traps → backtraces, with what the modules that trapped know of their functions."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wasmctl.errors import Unreadable, UsageError
from wasmctl.hosts.backtrace import Backtrace, backtrace_of, restore
from wasmctl.hosts.traps import Trap
from wasmctl.paths import relative
from wasmctl.session import Session
from wasmctl.wasm.frames import MAGIC
from wasmctl.wasm.program import Program
from wasmctl.wasm.twin import open_program

if TYPE_CHECKING:
    from wasmctl.oci.options import RegistryOptions

__all__ = ["NamedModule", "module_here", "named_module", "open_programs", "trace"]

_MODULE: Final = Path("dist/plugin.wasm")


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedModule:
    """A module that may have trapped.

    Args:
        path: its file.
        name: what it is called.
        asked: whether a person named it: only then it is said that it is another.
    """

    path: Path
    name: str
    asked: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opened:
    module: NamedModule
    program: Program = field(repr=False)


def module_here(session: Session) -> tuple[NamedModule, ...]:
    """Return what the project here has built last; nothing where there is none."""
    from wasmctl.project.load import project_folder

    try:
        path = project_folder(None, session) / _MODULE
    except UsageError:
        return ()
    name = str(relative(path, session.cwd))
    return (NamedModule(path=path, name=name, asked=False),) if path.is_file() else ()


def named_module(
    name: str, session: Session, options: RegistryOptions, scratch: Path
) -> NamedModule:
    """Return the module that a person named.

    Args:
        name: a module, a project's folder, an OCI layout, an image's tar, or its reference.
        session: where relative names start.
        options: how a registry is reached.
        scratch: a folder for what is fetched.

    Raises:
        UsageError: there is no such thing.
        Unreadable: the image holds no module.
        RegistryError: the registry cannot be reached or refuses.
    """
    path = Path(session.cwd, name)
    if path.is_file() and _is_module(path):
        return NamedModule(path=path, name=name)
    if path.is_dir() and not (path / "oci-layout").exists():
        if not (path / _MODULE).is_file():
            raise UsageError(
                "no-module",
                f"`{name}` has no `{_MODULE}`",
                hint="build it, or name the module that was deployed",
            )
        return NamedModule(path=path / _MODULE, name=str(Path(name, _MODULE)))
    return NamedModule(path=_fetch(name, session, options, scratch), name=name)


@contextlib.contextmanager
def open_programs(modules: Sequence[NamedModule]) -> Iterator[tuple[_Opened, ...]]:
    """Read the functions of modules; of one that nobody named, nothing is demanded.

    Raises:
        Unreadable: a file that was named is no module.
    """
    with contextlib.ExitStack() as stack:
        opened = []
        for module in modules:
            try:
                opened.append(
                    _Opened(module=module, program=stack.enter_context(open_program(module.path)))
                )
            except Unreadable:
                if module.asked:
                    raise
        yield tuple(opened)


def trace(trap: Trap, opened: Sequence[_Opened]) -> Backtrace:
    """Return a trap's backtrace, with what the module among these knows that trapped."""
    tried = [(one.module, restore(trap, one.program, one.module.name)) for one in opened]
    for _, backtrace in tried:
        if backtrace.matches is not False:
            return backtrace
    asked = (backtrace for module, backtrace in tried if module.asked)
    return next(asked, backtrace_of(trap))


def _is_module(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(len(MAGIC)) == MAGIC


def _fetch(name: str, session: Session, options: RegistryOptions, scratch: Path) -> Path:
    from wasmctl.oci.source import find_image, resolve_image
    from wasmctl.oci.unpack import unpack_module

    found = find_image(name, folder=session.cwd, options=options)
    for assumed in found.assumed:
        session.console.say(assumed)
    image, _ = resolve_image(found.place)
    path = Path(tempfile.mkdtemp(dir=scratch)) / "plugin.wasm"
    unpack_module(image, path)
    return path
