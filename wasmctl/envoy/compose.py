"""Module + configuration → files for `docker compose`: Envoy before an upstream. Pure mappings.

https://github.com/compose-spec/compose-spec/blob/main/spec.md
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from wasmctl.envoy.bootstrap import Cluster, Json, Listener, WasmPlugin, make_bootstrap
from wasmctl.envoy.upstream import UPSTREAM, Upstream

__all__ = ["Composition", "make_compose_bootstrap", "make_compose_file"]

# Where things are in the container.
_PLUGIN_FOLDER: Final = "/plugin"
_CONFIGURATION: Final = "/etc/envoy/envoy.yaml"
_PORT: Final = 18000
_ADMIN_PORT: Final = 9901
# Small, for every platform, and answers whatever is asked with one text.
_ECHO_IMAGE: Final = "hashicorp/http-echo:1.0"
_ECHO_PORT: Final = 5678
# How containers reach the machine that they run on.
_MACHINE: Final = "host.docker.internal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Composition:
    """What the containers shall do.

    Args:
        name: the plug-in's.
        module: the module's file as seen from the folder of docker-compose.yaml.
        image: Envoy's.
        port: the port on this machine.
        admin_port: the admin interface's on this machine.
        log_level: of the plug-in's lines.
        configuration: the plug-in's; None: none.
        upstream: the server; None: one that answers with a text.
    """

    name: str
    module: Path
    image: str
    port: int = _PORT
    admin_port: int = _ADMIN_PORT
    log_level: str = "info"
    configuration: str | None = None
    upstream: Upstream | None = None


def make_compose_file(composition: Composition) -> Json:
    """Return the content of docker-compose.yaml."""
    folder = str(composition.module.parent)
    level = f"wasm:{composition.log_level}"
    proxy: Json = {
        "image": _escaped(composition.image),
        "command": ["-c", _CONFIGURATION, "--component-log-level", level],
        "volumes": [
            _mount("./envoy.yaml", _CONFIGURATION),
            # The folder: a mounted file would stay the old one when a build replaces it.
            _mount(folder if folder.startswith((".", "/")) else f"./{folder}", _PLUGIN_FOLDER),
        ],
        # On this machine only, the admin interface above all.
        "ports": [
            f"127.0.0.1:{composition.port}:{_PORT}",
            f"127.0.0.1:{composition.admin_port}:{_ADMIN_PORT}",
        ],
    }
    services: Json = {"proxy": proxy}
    if composition.upstream is None:
        proxy["depends_on"] = [UPSTREAM]
        command = [f"-listen=:{_ECHO_PORT}", f"-text=hello from behind {composition.name}"]
        services[UPSTREAM] = {"image": _ECHO_IMAGE, "command": command}
    elif composition.upstream.is_here:
        proxy["extra_hosts"] = [f"{_MACHINE}:host-gateway"]
    return {"services": services}


def make_compose_bootstrap(composition: Composition) -> Json:
    """Return the content of envoy.yaml, for the container of `make_compose_file`."""
    upstream = composition.upstream
    cluster = Cluster(name=UPSTREAM, host=UPSTREAM, port=_ECHO_PORT)
    if upstream is not None:
        cluster = upstream.cluster
        if upstream.is_here:
            cluster = replace(cluster, host=_MACHINE)
    plugin = WasmPlugin(
        name=composition.name,
        module=Path(_PLUGIN_FOLDER, composition.module.name),
        configuration=composition.configuration,
    )
    listener = Listener(
        name="http",
        plugins=(plugin,),
        cluster=UPSTREAM,
        host="0.0.0.0",
        port=_PORT,
        authority=None if upstream is None else upstream.authority,
    )
    return make_bootstrap(
        clusters=[cluster], listeners=[listener], admin_host="0.0.0.0", admin_port=_ADMIN_PORT
    )


def _mount(source: str, target: str) -> Json:
    """Return a folder or file of this machine for the container to read; it has to be there."""
    return {"type": "bind", "source": _escaped(source), "target": target, "read_only": True}


def _escaped(text: str) -> str:
    # compose-spec, 12-interpolation.md
    return text.replace("$", "$$")
