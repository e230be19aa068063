"""A cluster's pull secret, tried from here: its file → credentials that alone are shown."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wasmctl.cases.problems import ProblemsError
from wasmctl.cases.yaml import Scalar, Table, parse_yaml
from wasmctl.consumers.pull_secret import check_pull_secret
from wasmctl.errors import Refused, RegistryError, UsageError
from wasmctl.oci.reference import parse_reference

if TYPE_CHECKING:
    from wasmctl.cases.yaml import Node
    from wasmctl.oci.options import RegistryOptions

__all__ = ["told_of_pull_secret", "with_pull_secret"]

_KEY: Final = ".dockerconfigjson"
_GET: Final = "`kubectl get secret NAME -o yaml >secret.yaml` writes one"
# Where else credentials are looked for: oci/credentials.py.
_ELSEWHERE: Final = ("REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME")


def with_pull_secret(
    options: RegistryOptions, path: Path, *, name: str, scratch: Path
) -> RegistryOptions:
    """Return how a registry is reached with the credentials of a pull secret, and no others.

    Args:
        options: how it is reached otherwise.
        path: the Secret as kubectl writes it, or its `.dockerconfigjson`.
        name: the image's reference.
        scratch: a private folder that outlives the use of what is returned.

    Raises:
        Refused: a mesh finds no credentials for that registry in it.
        UsageError: the file is no such thing, or the name no reference.
    """
    content = _content(path)
    registry = parse_reference(name, require_registry=False).registry
    for finding in check_pull_secret(content, registry):
        raise Refused(finding.id, finding.message, hint=finding.hint)
    (scratch / "config.json").write_bytes(content)
    env = {key: value for key, value in options.env.items() if key not in _ELSEWHERE}
    home = str(scratch)
    return replace(
        options, username=None, password=None, env={**env, "DOCKER_CONFIG": home, "HOME": home}
    )


def told_of_pull_secret(error: RegistryError, path: Path, *, scratch: Path) -> RegistryError:
    """Return a registry's error told of the Secret's file instead of what was made of it."""
    message = error.message.replace(str(scratch / "config.json"), str(path))
    anew = "make the Secret anew from credentials that the registry takes: `wasmctl manifest --kind"
    hint = f"{anew} pull-secret`" if error.code == "unauthorized" else error.hint
    return RegistryError(error.code, message, hint=hint, output=error.output)


def _content(path: Path) -> bytes:
    try:
        raw = path.read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UsageError("no-secret", f"`{path}`: {reason}", hint="correct the path") from error
    try:
        found = _find(parse_yaml(raw))
    except (ProblemsError, binascii.Error, UnicodeEncodeError):
        found = None
    if found is None:
        message = f"`{path}` holds no pull secret: no `{_KEY}`"
        raise UsageError("no-secret", message, hint=_GET)
    return raw if found == b"" else found


def _find(node: Node | None) -> bytes | None:
    """Return what the Secret holds; empty: the file itself is it; None: it is neither."""
    top = _entries(node)
    if "auths" in top or "credsStore" in top or "credHelpers" in top:
        return b""
    encoded = _entries(top.get("data")).get(_KEY)
    if isinstance(encoded, Scalar):
        return base64.b64decode("".join(encoded.text.split()).encode("ascii"), validate=True)
    plain = _entries(top.get("stringData")).get(_KEY)
    return plain.text.encode() if isinstance(plain, Scalar) else None


def _entries(node: Node | None) -> Mapping[str, Node]:
    return {key.text: value for key, value in node.pairs} if isinstance(node, Table) else {}
