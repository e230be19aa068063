"""What a toolchain is handed, and what it hands back. Values only: nothing here runs."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wasmctl.paths import sha256_of

if TYPE_CHECKING:
    from wasmctl.project.project import Project
    from wasmctl.results import JSONValue
    from wasmctl.session import Session
    from wasmctl.toolchain.module import BuildRequest

__all__ = ["Compile", "Compiled", "Job", "command_line"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One module to compile.

    Args:
        project: what to compile.
        session: the world.
        request: what was asked for.
        place: where the module will lie; what lies there is the last good one.
        scratch: an empty folder for the result, gone afterwards.
        record: what dist/plugin.json says of `place`; empty where that is not true of it.
    """

    project: Project
    session: Session
    request: BuildRequest
    place: Path
    scratch: Path
    record: Mapping[str, JSONValue]

    @property
    def env(self) -> dict[str, str]:
        """The environment, with the project's `[build] env`."""
        return {**self.session.env, **self.project.settings.build.env}

    @property
    def args(self) -> tuple[str, ...]:
        """Further arguments for the tool: the settings', then the command line's."""
        return (*self.project.settings.build.args, *self.request.args)

    @property
    def target(self) -> str | None:
        """The target that flag or settings ask for."""
        return self.request.target or self.project.settings.build.target

    @property
    def live(self) -> int | None:
        """Where the tool's talk goes as it comes; None: it is kept for a failure."""
        return self.session.console.live if self.request.live else None

    @property
    def asks(self) -> bool:
        """Whether the tool may ask the person at the terminal (a passphrase)."""
        return self.request.live and self.session.prompts

    @property
    def recorded_tools(self) -> Mapping[str, str]:
        """The versions that the record names for the module in its place."""
        tools = self._recorded("tools")
        return (
            {name: str(value) for name, value in tools.items()}
            if isinstance(tools, Mapping)
            else {}
        )

    @property
    def recorded_sha256(self) -> str | None:
        """The digest that the record names for the module in its place."""
        sha256 = self._recorded("sha256")
        return sha256 if isinstance(sha256, str) else None

    @property
    def recorded_target(self) -> str:
        """The target that the record names for the module in its place."""
        return str(self._recorded("target"))

    def is_recorded(self, path: Path) -> bool:
        """Return whether a file holds the very module that the record describes."""
        return sha256_of(path) == self.recorded_sha256

    def _recorded(self, key: str) -> JSONValue:
        module = self.record.get("module")
        return module.get(key) if isinstance(module, Mapping) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """What a toolchain made.

    Args:
        path: the file it is in: in the scratch folder, the toolchain's own, or the job's place.
        target: the target, as the toolchain names it.
        fresh: whether nothing had to be compiled.
        tools: name and version of everything that took part.
        inputs: what the toolchain wants to find again in the record.
        debug: the same module with debugging sections; None where there is none, or the one of an
            earlier build still holds.
    """

    path: Path
    target: str
    fresh: bool
    tools: Mapping[str, str]
    inputs: JSONValue = None
    debug: Path | None = None


Compile = Callable[[Job], Compiled]


def command_line(argv: list[str], **variables: str) -> str:
    """Return a command as one would type it, with the variables that matter before it."""
    before = [f"{name}={shlex.quote(value)}" for name, value in variables.items()]
    return " ".join(["$", *before, shlex.join(argv)])
