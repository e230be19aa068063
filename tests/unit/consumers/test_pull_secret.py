"""Whether meshes find a registry in a pull secret."""

from __future__ import annotations

import base64
import json

import pytest

from wasmctl.consumers.pull_secret import check_pull_secret

_ENTRY = {"auth": base64.b64encode(b"alice:secret").decode()}
_HUB = "https://index.docker.io/v1/"


def found(document: object, registry: str) -> list[str]:
    content = document if isinstance(document, bytes) else json.dumps(document).encode()
    return [it.id for it in check_pull_secret(content, registry)]


@pytest.mark.parametrize(
    ("key", "registry", "ids"),
    [
        ("ghcr.io", "ghcr.io", []),
        ("https://ghcr.io", "ghcr.io", []),
        ("https://ghcr.io/v1/", "ghcr.io", []),
        ("registry:5000", "registry:5000", []),
        ("registry", "registry:5000", ["secret-of-another-registry"]),
        ("ghcr.io/acme", "ghcr.io", []),
        (_HUB, "docker.io", []),
        # go-containerregistry asks for this key alone, and docker's own code for no host like it.
        ("docker.io", "docker.io", ["secret-of-another-registry"]),
        ("index.docker.io", "docker.io", ["secret-of-another-registry"]),
        ("ghcr.io", "docker.io", ["secret-of-another-registry"]),
    ],
)
def test_a_registry_is_looked_for_as_docker_and_the_library_do(
    key: str, registry: str, ids: list[str]
) -> None:
    assert found({"auths": {key: _ENTRY}}, registry) == ids


@pytest.mark.parametrize(
    ("entry", "ids"),
    [
        ({"username": "alice", "password": "secret"}, []),
        ({"identitytoken": "x"}, []),
        ({"registrytoken": "x"}, []),
        ({}, ["secret-empty"]),
        ({"auth": ""}, ["secret-empty"]),
        ({"auth": "not base64"}, ["secret-empty"]),
        ({"auth": base64.b64encode(b"alice").decode()}, ["secret-empty"]),
        ({"auth": base64.b64encode(b"alice:").decode()}, ["secret-empty"]),
        ({"auth": 7}, ["secret-empty"]),
    ],
)
def test_an_entry_must_have_a_password(entry: object, ids: list[str]) -> None:
    assert found({"auths": {"ghcr.io": entry}}, "ghcr.io") == ids


def test_a_helper_is_a_program_of_another_machine() -> None:
    assert found({"auths": {}, "credsStore": "desktop"}, "ghcr.io") == ["secret-by-helper"]
    assert found({"credHelpers": {"ghcr.io": "gh"}}, "ghcr.io") == ["secret-by-helper"]


@pytest.mark.parametrize("content", [b"", b"null", b"[]", b"no json", b"[" * 100_000, b"\xff"])
def test_what_is_no_json_object_is_told(content: bytes) -> None:
    assert found(content, "ghcr.io") == ["secret-unreadable"]


def test_no_password_is_shown_and_the_hint_has_the_key() -> None:
    (it,) = check_pull_secret(json.dumps({"auths": {"x.io": _ENTRY}}).encode(), "docker.io")
    assert "secret" not in it.message.replace("pull secret", "")
    assert _ENTRY["auth"] not in it.message
    assert f"--docker-server={_HUB}" in it.hint
    assert "`x.io`" in it.message
