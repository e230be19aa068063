"""The kinds of manifest, in the order in which they are written. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Final

from wasmctl.deploy.kind import ObjectKind
from wasmctl.deploy.traffic_extension import TRAFFIC_EXTENSION
from wasmctl.deploy.wasm_plugin import WASM_PLUGIN
from wasmctl.errors import UsageError

__all__ = ["DEFAULT_KIND", "ENVOY", "KIND_NAMES", "OBJECT_KINDS", "PULL_SECRET", "check_kinds"]

OBJECT_KINDS: Final[Mapping[str, ObjectKind]] = {
    kind.name: kind for kind in (WASM_PLUGIN, TRAFFIC_EXTENSION)
}
DEFAULT_KIND: Final = WASM_PLUGIN.name
# The two that deploy no image: a proxy without a mesh, and what lets the mesh pull.
ENVOY: Final = "envoy"
PULL_SECRET: Final = "pull-secret"
# A Secret comes before what names it.
KIND_NAMES: Final = (PULL_SECRET, *OBJECT_KINDS, ENVOY)


def check_kinds(names: Sequence[str], place: str) -> tuple[str, ...]:
    """Return kinds, each once, in the order of the table.

    Args:
        names: as given.
        place: where they were given, for people.

    Raises:
        UsageError: one is none, or they cannot be in one output.
    """
    for name in names:
        if name not in KIND_NAMES:
            listed = ", ".join(f"`{known}`" for known in KIND_NAMES)
            close = difflib.get_close_matches(name.lower(), KIND_NAMES, n=1)
            hint = f"did you mean `{close[0]}`?" if close else f"there are {listed}"
            message = f"{place}: `{name}` is no kind of manifest"
            raise UsageError("unknown-kind", message, hint=hint)
    if ENVOY in names and set(names) != {ENVOY}:
        message = f"{place}: `{ENVOY}` is a file for Envoy, the others are objects for a cluster"
        raise UsageError("usage", message, hint="write them in two runs")
    return tuple(name for name in KIND_NAMES if name in names)
