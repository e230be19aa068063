"""What is to be deployed, and how: a value that every kind of object is made of. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wasmctl.project.settings import FailStrategy, Phase, PluginType, PullPolicy
    from wasmctl.results import JSONValue

__all__ = ["Deployment", "TargetRef", "TrafficMatch"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetRef:
    """An object that a plug-in attaches to, in its own namespace."""

    group: str
    kind: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficMatch:
    """Traffic that a plug-in sees.

    Args:
        mode: `CLIENT`, `SERVER` or `CLIENT_AND_SERVER`: the proxy's side of it; None: any.
        ports: the ports; empty: all.
    """

    mode: str | None = None
    ports: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """An image in a mesh; None and empty leave a field to the mesh's own default.

    Args:
        name: the object's name.
        namespace: its namespace.
        url: `oci://HOST/REPOSITORY:TAG@sha256:…`.
        sha256: the digest in hexadecimal, where it is told besides the url.
        selector: labels of the workloads; empty: all of the namespace.
        target_refs: what it attaches to instead.
        phase: where it stands in the filter chain.
        priority: its order within the phase.
        match: the traffic that it sees; empty: all.
        fail_strategy: what becomes of requests when it cannot be loaded or crashes.
        type: HTTP or network filter.
        plugin_name: which of the module's plug-ins it is.
        env: environment of its VM.
        host_env: variables of the proxy's environment that its VM sees.
        pull_policy: when the image is fetched anew.
        pull_secret: the Secret with the registry's credentials.
        config: the plug-in's configuration.
    """

    name: str
    namespace: str
    url: str
    sha256: str | None = None
    selector: Mapping[str, str]
    target_refs: tuple[TargetRef, ...] = ()
    phase: Phase | None = None
    priority: int | None = None
    match: tuple[TrafficMatch, ...] = ()
    fail_strategy: FailStrategy | None = None
    type: PluginType | None = None
    plugin_name: str | None = None
    env: Mapping[str, str]
    host_env: tuple[str, ...] = ()
    pull_policy: PullPolicy | None = None
    pull_secret: str | None = None
    config: Mapping[str, JSONValue] | None = None
