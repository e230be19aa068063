"""How a plug-in is served, and what is: values."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from wasmctl.envoy.upstream import Upstream
from wasmctl.errors import Unreadable
from wasmctl.flow.serve.log import LogLevel
from wasmctl.paths import sha256_of
from wasmctl.project.configuration import plugin_configuration, read_configuration
from wasmctl.project.configuration_schema import check_configuration
from wasmctl.project.project import Project

__all__ = ["HOST", "ServeRequest", "Served"]

# Where a plug-in is served: nobody else's machine has a business there.
HOST: Final = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeRequest:
    """How a plug-in is served.

    Args:
        port: where; 0 lets the kernel choose.
        admin_port: where Envoy's admin interface listens; 0 lets the kernel choose.
        upstream: the server behind it; None: an echo of each request.
        text: the plug-in's configuration; None: that of `file`, else the project's.
        file: an absolute file with the plug-in's configuration.
        log_level: from which level on lines are told.
        envoy: which Envoy, as `find_envoy` takes it.
        build: whether to build first; else `dist/plugin.wasm` is served as it stands.
        watch: whether to build and swap for every save.
    """

    port: int
    admin_port: int = 0
    upstream: Upstream | None = None
    text: str | None = None
    file: Path | None = None
    log_level: LogLevel = "info"
    envoy: str | None = None
    build: bool = True
    watch: bool = False

    def configuration(self, project: Project) -> str | None:
        """Return what the plug-in is configured with.

        Raises:
            UsageError: a file cannot be read, or the project's schema does not take it.
        """
        text: str | None
        if self.text is not None:
            text, place = self.text, "`--config`"
        elif self.file is not None:
            text, place = read_configuration(self.file), f"`{self.file}`"
        else:
            text, place = plugin_configuration(project), "`[plugin] config`"
        check_configuration(project.settings.plugin, project.folder, text, place=place)
        return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A module and its configuration; the number gives each of its loads a VM of its own."""

    module: Path
    sha256: str
    configuration: str | None
    number: int = 1

    @classmethod
    def read(cls, module: Path, configuration: str | None, number: int = 1) -> Self:
        """Return what shall be served, as the module's file is now.

        Raises:
            Unreadable: the file cannot be read.
        """
        try:
            sha256 = sha256_of(module)
        except OSError as error:
            message = f"`{module}` cannot be read: {(error.strerror or str(error)).lower()}"
            raise Unreadable("no-module", message, hint="build it: `wasmctl build`") from error
        return cls(module=module, sha256=sha256, configuration=configuration, number=number)

    @property
    def vm_id(self) -> str:
        """The id of the VM that it gets."""
        return f"run-{self.number}"

    def is_as(self, other: Served) -> bool:
        """Return whether module and configuration are those of another."""
        return (self.sha256, self.configuration) == (other.sha256, other.configuration)
