"""Istio's WasmPlugin. Pure."""

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

__all__ = ["WASM_PLUGIN"]


def _make(deployment: Deployment) -> Json:
    spec = {**choice_of(deployment), **place_of(deployment), **plugin_of(deployment)}
    return made_object("WasmPlugin", deployment, spec)


WASM_PLUGIN: Final = ObjectKind(
    name="wasmplugin",
    api_version=API_VERSION,
    kind="WasmPlugin",
    namespace=ROOT_NAMESPACE,
    image=("spec",),
    make=_make,
)
