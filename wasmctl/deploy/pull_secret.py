"""A registry's credentials → the Secret by which a mesh pulls from it. Pure.

https://kubernetes.io/docs/concepts/configuration/secret/#docker-config-secrets
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Final

from wasmctl.errors import UsageError
from wasmctl.oci.credentials import Credentials, config_key

if TYPE_CHECKING:
    from wasmctl.results import JSONValue

__all__ = ["make_pull_secret"]

_TYPE: Final = "kubernetes.io/dockerconfigjson"
_KEY: Final = ".dockerconfigjson"


def make_pull_secret(
    name: str, namespace: str, registry: str, credentials: Credentials
) -> dict[str, JSONValue]:
    """Return the Secret with the credentials of one registry, as kubectl would make it.

    Args:
        name: its name.
        namespace: the plug-in's: a mesh looks there, and nowhere else.
        registry: host and port; `docker.io` for Docker Hub.
        credentials: what is written.

    Raises:
        UsageError: the user's name cannot be told from the password.
    """
    config = {"auths": {config_key(registry): _entry(credentials)}}
    encoded = base64.b64encode(json.dumps(config, ensure_ascii=False).encode()).decode("ascii")
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "type": _TYPE,
        "data": {_KEY: encoded},
    }


def _entry(credentials: Credentials) -> dict[str, str]:
    """Return an entry of docker's configuration (cli/config/types/authconfig.go)."""
    if credentials.identity_token:
        return {"identitytoken": credentials.identity_token}
    if credentials.registry_token:
        return {"registrytoken": credentials.registry_token}
    username, password = credentials.username, credentials.password
    if ":" in username:
        message = f"the user `{username}` has a colon, and the password begins behind the first"
        raise UsageError("bad-user", message, hint="name the registry's user: `-u USER`")
    pair = base64.b64encode(f"{username}:{password}".encode()).decode("ascii")
    return {"username": username, "password": password, "auth": pair}
