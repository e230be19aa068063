"""What Istio's kinds of object have in common. Pure.

The fields are those of extensions/v1alpha1 of https://github.com/istio/api: wasm.proto and
traffic_extension.proto.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from wasmctl.deploy.deployment import Deployment

if TYPE_CHECKING:
    from wasmctl.results import JSONValue

__all__ = ["API_VERSION", "ROOT_NAMESPACE", "choice_of", "made_object", "place_of", "plugin_of"]

API_VERSION: Final = "extensions.istio.io/v1alpha1"
# MeshConfig's rootNamespace as it is installed: what stands there is for the whole mesh.
ROOT_NAMESPACE: Final = "istio-system"

Json = dict[str, "JSONValue"]


def made_object(kind: str, deployment: Deployment, spec: Mapping[str, JSONValue]) -> Json:
    """Return the object around a spec."""
    return {
        "apiVersion": API_VERSION,
        "kind": kind,
        "metadata": {"name": deployment.name, "namespace": deployment.namespace},
        "spec": spec,
    }


def choice_of(deployment: Deployment) -> Json:
    """Return which workloads get the plug-in."""
    if deployment.selector:
        return {"selector": {"matchLabels": dict(deployment.selector)}}
    if deployment.target_refs:
        refs = deployment.target_refs
        listed = [{"group": ref.group, "kind": ref.kind, "name": ref.name} for ref in refs]
        return {"targetRefs": listed}
    return {}


def place_of(deployment: Deployment) -> Json:
    """Return where in a proxy's filter chain it stands, and what it sees there."""
    made = _without_none(phase=deployment.phase, priority=deployment.priority)
    if deployment.match:
        made["match"] = [
            {
                **({} if match.mode is None else {"mode": match.mode}),
                **({"ports": [{"number": port} for port in match.ports]} if match.ports else {}),
            }
            for match in deployment.match
        ]
    return made


def plugin_of(deployment: Deployment) -> Json:
    """Return the module, and how it is run."""
    made = _without_none(
        url=deployment.url,
        sha256=deployment.sha256,
        imagePullPolicy=deployment.pull_policy,
        imagePullSecret=deployment.pull_secret,
        type=deployment.type,
        pluginName=deployment.plugin_name,
        failStrategy=deployment.fail_strategy,
    )
    env: list[Json] = [{"name": name, "value": value} for name, value in deployment.env.items()]
    env += [{"name": name, "valueFrom": "HOST"} for name in deployment.host_env]
    if env:
        made["vmConfig"] = {"env": env}
    if deployment.config is not None:
        made["pluginConfig"] = deployment.config
    return made


def _without_none(**fields: JSONValue) -> Json:
    return {name: value for name, value in fields.items() if value is not None}
