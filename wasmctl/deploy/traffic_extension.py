"""Istio's TrafficExtension, which has a plug-in's fields below `wasm`. Pure."""

from __future__ import annotations

from typing import Final

from wasmctl.deploy.deployment import Deployment
from wasmctl.deploy.istio import (
    API_VERSION,
    ROOT_NAMESPACE,
    Json,
    choice_of,
    made_object,
    place_of,
    plugin_of,
)
from wasmctl.deploy.kind import ObjectKind

__all__ = ["TRAFFIC_EXTENSION"]


def _make(deployment: Deployment) -> Json:
    spec: Json = {**choice_of(deployment), **place_of(deployment), "wasm": plugin_of(deployment)}
    return made_object("TrafficExtension", deployment, spec)


TRAFFIC_EXTENSION: Final = ObjectKind(
    name="trafficextension",
    api_version=API_VERSION,
    kind="TrafficExtension",
    namespace=ROOT_NAMESPACE,
    image=("spec", "wasm"),
    since=(1, 30),
    make=_make,
)
