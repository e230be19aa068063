"""The annotations of an image: what a person or a tool can read of it without fetching it. Pure.

Keys: https://github.com/opencontainers/image-spec/blob/main/annotations.md and, for the module's
own facts, solo-io's wasm-image-spec (spec/README.md), whose names Istio's documentation uses.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from wasmctl.wasm.info import ModuleInfo

__all__ = ["carried_annotations", "image_annotations"]

_OCI = "org.opencontainers.image"
# What is of one image and not of the module in it: when and on what it was made, what it is called
# in a layout, and how tools laid it out.
_OF_THE_IMAGE = re.compile(
    rf"{re.escape(_OCI)}\.(?:created|ref\.name|base\..*)|module\.wasm\..*|io\.buildah\..*"
    r"|com\.docker\..*|vnd\.docker\..*|org\.opencontainers\.artifact\..*"
)
# Bytes of all together: a manifest is read whole by everybody.
_CARRIED = 64 * 1024


def image_annotations(
    *,
    title: str,
    version: str | None,
    description: str | None,
    source: str | None,
    module: ModuleInfo,
    commit: tuple[str, int] | None = None,
    more: Mapping[str, str],
) -> dict[str, str]:
    """Return the annotations, sorted by key.

    Args:
        title: the plug-in's name.
        version: its version.
        description: one line on what it does.
        source: URL of its repository.
        module: what is in the module.
        commit: revision and time (seconds since 1970), where they are wanted: with them every
            commit has a digest of its own.
        more: the project's own, which win.
    """
    found = {
        f"{_OCI}.title": title,
        f"{_OCI}.version": version,
        f"{_OCI}.description": description,
        f"{_OCI}.source": source,
        "module.wasm.runtime/type": "envoy_proxy",
        "module.wasm.runtime/abi_version": ",".join(module.abi_versions) or None,
        "module.wasm.toolchain": _toolchain(module),
    }
    if commit is not None:
        found[f"{_OCI}.revision"] = commit[0]
        found[f"{_OCI}.created"] = datetime.fromtimestamp(commit[1], UTC).isoformat()
    given = {key: value for key, value in found.items() if value is not None}
    return dict(sorted({**given, **more}.items()))


def carried_annotations(said: Mapping[str, str]) -> dict[str, str]:
    """Return what of an image's annotations and labels is still true of it when packed anew."""
    carried, room = {}, _CARRIED
    for key, value in sorted(said.items()):
        room -= len(key) + len(value)
        if key and room >= 0 and not _OF_THE_IMAGE.fullmatch(key):
            carried[key] = value
    return carried


def _toolchain(module: ModuleInfo) -> str | None:
    # Read from the module, not from the machine: the same bytes give the same image anywhere.
    tools = module.producers.get("processed-by", {})
    return ", ".join(f"{tool} {version}" for tool, version in tools.items()) or None
