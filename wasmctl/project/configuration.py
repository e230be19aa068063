"""The configuration that a plug-in is tried out with: `[plugin] config` or `config-file`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from wasmctl.errors import UsageError
from wasmctl.project.layers import FILE_NAME
from wasmctl.project.project import Project

if TYPE_CHECKING:
    from wasmctl.project.settings import PluginSettings

__all__ = [
    "configuration_file",
    "configuration_text",
    "plugin_configuration",
    "read_configuration",
    "settings_configuration",
]


def plugin_configuration(project: Project) -> str | None:
    """Return the configuration as the proxy hands it to the plug-in; None where there is none.

    Text is passed as it is, be it JSON or not; a table becomes JSON.

    Raises:
        UsageError: the file cannot be read, or both keys are set.
    """
    return settings_configuration(project.settings.plugin, project.folder)


def settings_configuration(plugin: PluginSettings, folder: Path) -> str | None:
    """Return the same of settings whose project is not there, or is not known.

    Raises:
        UsageError: as of `plugin_configuration`.
    """
    if plugin.config is not None and plugin.config_file is not None:
        message = f"`[plugin]` in `{folder / FILE_NAME}` has `config` and `config-file`"
        raise UsageError("bad-config", message, hint="leave one of them out")
    if plugin.config_file is not None:
        return read_configuration(folder / plugin.config_file)
    return configuration_text(plugin.config)


def configuration_text(config: str | Mapping[str, object] | None) -> str | None:
    """Return a configuration of wasmctl.toml as the proxy hands it to the plug-in."""
    if config is None or isinstance(config, str):
        return config
    # Dates and times, which TOML has and JSON has not, become text.
    return json.dumps(config, ensure_ascii=False, default=str)


def configuration_file(project: Project) -> Path | None:
    """Return the absolute file that `[plugin] config-file` names."""
    name = project.settings.plugin.config_file
    return None if name is None else project.folder / name


def read_configuration(path: Path) -> str:
    """Return a configuration file's text.

    Raises:
        UsageError: it cannot be read, or is no text.
    """
    try:
        return path.read_bytes().decode("utf-8")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
    except UnicodeDecodeError:
        reason = "it is not UTF-8 text"
    message = f"the configuration `{path}` cannot be read: {reason}"
    raise UsageError("unreadable-file", message, hint="name a text file")
