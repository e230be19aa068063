"""Where the Docker engine is: what docker's own command line would make of the environment.

Reads docker's configuration and contexts and opens no connection.

Sources: docker/cli `cli/command/cli.go` (which context counts) and `cli/context/store` (its files).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wasmctl.errors import UsageError

__all__ = ["Endpoint", "find_endpoint"]

_DEFAULT_HOST: Final = "unix:///var/run/docker.sock"
_DEFAULT_CONTEXT: Final = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """How the engine is reached.

    Args:
        host: `unix://`, `tcp://` or `ssh://`.
        origin: who says so, for people.
        certificates: the folder of ca.pem, cert.pem and key.pem, where TLS is spoken.
        verify: whether the engine's own certificate is checked, where TLS is spoken.
    """

    host: str
    origin: str
    certificates: Path | None = None
    verify: bool = True


def find_endpoint(env: Mapping[str, str]) -> Endpoint:
    """Return the engine that docker's command line would talk to.

    DOCKER_HOST counts first, then DOCKER_CONTEXT, then the context that `docker context use` chose.

    Raises:
        UsageError: `docker-context`: there is no such context, or it cannot be read.
    """
    folder = Path(env.get("DOCKER_CONFIG") or Path(env.get("HOME") or "~").expanduser() / ".docker")
    if host := env.get("DOCKER_HOST"):
        return _from_environment(host, "DOCKER_HOST", env, folder)
    name, origin = env.get("DOCKER_CONTEXT"), "DOCKER_CONTEXT"
    if not name:
        name, origin = _current_context(folder), f"`{folder / 'config.json'}`"
    if not name or name == _DEFAULT_CONTEXT:
        return _from_environment(_DEFAULT_HOST, "the default", env, folder)
    return _from_context(name, origin, folder)


def _from_environment(host: str, origin: str, env: Mapping[str, str], folder: Path) -> Endpoint:
    verify = bool(env.get("DOCKER_TLS_VERIFY"))
    if not host.startswith("tcp://") or not (verify or env.get("DOCKER_TLS")):
        return Endpoint(host=host, origin=origin)
    certificates = Path(env.get("DOCKER_CERT_PATH") or folder)
    return Endpoint(host=host, origin=origin, certificates=certificates, verify=verify)


def _from_context(name: str, origin: str, folder: Path) -> Endpoint:
    identity = hashlib.sha256(name.encode()).hexdigest()
    try:
        meta = json.loads((folder / "contexts" / "meta" / identity / "meta.json").read_bytes())
        endpoint = meta["Endpoints"]["docker"]
        host, verify = endpoint["Host"], not endpoint.get("SkipTLSVerify", False)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            "docker-context",
            f"docker's context `{name}`, named by {origin}, cannot be read",
            hint="see `docker context ls`, or push without docker: `--via registry`",
        ) from error
    certificates = folder / "contexts" / "tls" / identity / "docker"
    return Endpoint(
        host=str(host) or _DEFAULT_HOST,
        origin=f"docker's context `{name}`",
        certificates=certificates if certificates.is_dir() else None,
        verify=verify,
    )


def _current_context(folder: Path) -> str | None:
    try:
        name = json.loads((folder / "config.json").read_bytes()).get("currentContext")
    except (OSError, ValueError, AttributeError):
        return None
    return name if isinstance(name, str) else None
