"""What a pull secret holds, and whether the meshes' fetchers find a registry in it. Pure.

istio, pkg/wasm/imagefetcher.go, wasmKeyChain (the same in Envoy Gateway and Higress): the content
of `.dockerconfigjson` is read by docker's own cli/config, and Docker Hub is looked for under
go-containerregistry's authn.DefaultAuthKey.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
from collections.abc import Mapping
from typing import Final

from wasmctl.hosts.finding import Finding, Severity
from wasmctl.hosts.rows import Fault
from wasmctl.oci.reference import DOCKER_HUB

__all__ = ["check_pull_secret"]

_HUB_KEY: Final = "https://index.docker.io/v1/"
_SOURCE: Final = "istio, pkg/wasm/imagefetcher.go, wasmKeyChain; docker/cli, cli/config/credentials"
_CREATE: Final = (
    "kubectl create secret docker-registry NAME --docker-server={key} --docker-username=USER"
    " --docker-password=TOKEN"
)


def check_pull_secret(content: bytes, registry: str) -> tuple[Finding, ...]:
    """Return what is wrong with a pull secret for a registry; nothing: it has credentials for it.

    Args:
        content: of the secret's `.dockerconfigjson`, decoded.
        registry: its host, with its port; `docker.io` for Docker Hub.
    """
    key = _HUB_KEY if registry == DOCKER_HUB else registry
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        return (_error("secret-unreadable", "the pull secret is no JSON object", key),)
    auths = document.get("auths")
    entries = auths if isinstance(auths, dict) else {}
    entry = _find(entries, key)
    if entry is None:
        if _helper(document):
            message = (
                "the pull secret names a credential helper, which is a program of your machine and"
                " not the mesh's"
            )
            return (_error("secret-by-helper", message, key),)
        names = ", ".join(f"`{name}`" for name in entries) or "nothing"
        message = f"the pull secret has no credentials for `{key}`; it has {names}"
        return (_error("secret-of-another-registry", message, key),)
    if not _has_credentials(entry):
        return (_error("secret-empty", f"the pull secret has no password for `{key}`", key),)
    return ()


def _find(entries: Mapping[str, object], key: str) -> Mapping[str, object] | None:
    """Return the entry of a key: itself, else one that is its host in a form of the past."""
    for name in (key, *(name for name in entries if _host(name) == key)):
        entry = entries.get(name)
        if isinstance(entry, dict):
            return entry
    return None


def _host(name: str) -> str:
    """Return what docker's ConvertToHostname makes of a key."""
    for scheme in ("http://", "https://"):
        name = name.removeprefix(scheme)
    return name.partition("/")[0]


def _helper(document: Mapping[str, object]) -> bool:
    return bool(document.get("credsStore") or document.get("credHelpers"))


def _has_credentials(entry: Mapping[str, object]) -> bool:
    if any(entry.get(name) for name in ("identitytoken", "registrytoken", "password")):
        return True
    auth = entry.get("auth")
    if not isinstance(auth, str):
        return False
    with contextlib.suppress(binascii.Error, ValueError):
        user, colon, password = base64.b64decode(auth, validate=True).partition(b":")
        return bool(user and colon and password.strip(b"\0"))
    return False


def _error(id_: str, message: str, key: str) -> Finding:
    return Finding(
        id=id_,
        severity=Severity.ERROR,
        message=message,
        hint=f"`{_CREATE.format(key=key)}`",
        fault=Fault.CONFIGURATION,
        where="pull secret",
        source=_SOURCE,
    )
