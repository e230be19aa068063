"""What Envoy reads from its run folder while it runs: listeners (LDS), modules, authorities."""

from __future__ import annotations

import hashlib
import json
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from wasmctl.envoy.bootstrap import Cluster, Listener, WasmPlugin, make_listeners
from wasmctl.errors import Unreadable
from wasmctl.paths import replacing

__all__ = ["keep_authorities", "keep_module", "write_listeners"]


def write_listeners(folder: Path, listeners: Sequence[Listener], version: int) -> Path:
    """Give the Envoy of a run folder its listeners; return the file that it reads."""
    made = make_listeners(listeners, version=str(version))
    # Written elsewhere: whatever moves within the folder that Envoy watches is an update.
    temporary = folder / "listeners.json"
    temporary.write_text(json.dumps(made, indent=1))
    read = folder / "lds" / "listeners.json"
    read.parent.mkdir(parents=True, exist_ok=True)
    temporary.replace(read)
    return read


def keep_module(plugin: WasmPlugin, folder: Path) -> WasmPlugin:
    """Return the plug-in with its module as a copy, named by content, in the run folder.

    Raises:
        Unreadable: the module's file is not there.
    """
    if isinstance(plugin.module, bytes):
        return plugin
    try:
        content = plugin.module.read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        message = f"`{plugin.module}` cannot be read: {reason}"
        raise Unreadable("no-module", message, hint="build it with `wasmctl build`") from error
    kept = folder / "modules" / f"{hashlib.sha256(content).hexdigest()[:16]}.wasm"
    if not kept.exists():
        kept.parent.mkdir(exist_ok=True)
        with replacing(kept) as stream:
            stream.write(content)
    return replace(plugin, module=kept)


def keep_authorities(cluster: Cluster, folder: Path, env: Mapping[str, str]) -> Cluster:
    """Return the cluster with the authorities that it trusts copied to the run folder.

    Where none are named they are those of the environment (`SSL_CERT_FILE`, as for OpenSSL), else
    the system's, else those that requests brings.

    Raises:
        Unreadable: their file is not there.
    """
    if not cluster.tls:
        return cluster
    source = cluster.authorities or _system_authorities(env)
    kept = folder / "authorities.pem"
    try:
        with replacing(kept) as stream:
            stream.write(source.read_bytes())
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        message = f"the authorities in `{source}` cannot be read: {reason}"
        raise Unreadable("no-authorities", message, hint="look at SSL_CERT_FILE") from error
    return replace(cluster, authorities=kept)


def _system_authorities(env: Mapping[str, str]) -> Path:
    if named := env.get("SSL_CERT_FILE"):
        return Path(named)
    if system := ssl.get_default_verify_paths().cafile:
        return Path(system)
    import certifi

    return Path(certifi.where())
