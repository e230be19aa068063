"""The configuration that a plug-in is tried out with: `[plugin] config` or `config-file`."""

from __future__ import annotations

import json
from pathlib import Path

from wasmctl.errors import UsageError
from wasmctl.project.layers import FILE_NAME
from wasmctl.project.project import Project

__all__ = ["configuration_file", "plugin_configuration", "read_configuration"]


def plugin_configuration(project: Project) -> str | None:
    """Return the configuration as the proxy hands it to the plug-in; None where there is none.

    Text is passed as it is, be it JSON or not; a table becomes JSON.

    Raises:
        UsageError: the file cannot be read, or both keys are set.
    """
    plugin = project.settings.plugin
    file = configuration_file(project)
    if plugin.config is not None and file is not None:
        message = f"`[plugin]` in `{project.folder / FILE_NAME}` has `config` and `config-file`"
        raise UsageError("bad-config", message, hint="leave one of them out")
    if file is not None:
        return read_configuration(file)
    if plugin.config is None or isinstance(plugin.config, str):
        return plugin.config
    # Dates and times, which TOML has and JSON has not, become text.
    return json.dumps(plugin.config, ensure_ascii=False, default=str)


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
