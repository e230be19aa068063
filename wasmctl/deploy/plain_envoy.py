"""The whole configuration of an Envoy, without a mesh, that runs a plug-in. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from wasmctl.envoy.bootstrap import FailurePolicy, Listener, WasmPlugin, make_bootstrap

if TYPE_CHECKING:
    from wasmctl.envoy.upstream import Upstream
    from wasmctl.project.settings import DeploySettings
    from wasmctl.results import JSONValue

__all__ = ["PlainEnvoy", "make_plain_envoy"]

# The port of Envoy's own examples.
_ADMIN_PORT: Final = 9901
_POLICIES: Final[Mapping[str, FailurePolicy]] = {
    "FAIL_CLOSE": "closed",
    "FAIL_OPEN": "open",
    "FAIL_RELOAD": "reload",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainEnvoy:
    """What an Envoy shall do.

    Args:
        name: the plug-in's.
        module: its file, as Envoy will find it.
        settings: type, root id, environment and fail strategy.
        configuration: what the plug-in is configured with; None: nothing.
        upstream: the server behind it; None: Envoy answers by itself.
        port: where it listens, for everybody.
    """

    name: str
    module: Path
    settings: DeploySettings
    configuration: str | None
    upstream: Upstream | None
    port: int


def make_plain_envoy(wanted: PlainEnvoy) -> dict[str, JSONValue]:
    """Return the configuration: a listener with the plug-in, the admin interface on loopback."""
    settings, upstream = wanted.settings, wanted.upstream
    plugin = WasmPlugin(
        name=wanted.name,
        module=wanted.module,
        root_id=settings.plugin_name or "",
        configuration=wanted.configuration,
        environment=settings.env,
        host_environment=settings.host_env,
        failure_policy=_POLICIES[settings.fail_strategy or "FAIL_CLOSE"],
    )
    listener = Listener(
        name="plugin",
        kind="tcp" if settings.type == "NETWORK" else "http",
        plugins=(plugin,),
        cluster=None if upstream is None else upstream.cluster.name,
        port=wanted.port,
        host="0.0.0.0",
        authority=None if upstream is None else upstream.authority,
    )
    clusters = [] if upstream is None else [upstream.cluster]
    made = make_bootstrap(clusters=clusters, listeners=[listener], admin_port=_ADMIN_PORT)
    return cast("dict[str, JSONValue]", made)
