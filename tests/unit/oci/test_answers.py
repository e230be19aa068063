"""Answers of the registries of this world, and what we make of them."""

from __future__ import annotations

import json

import pytest

from wasmctl.errors import RegistryError
from wasmctl.oci.answers import HINTS, Asked, explain_answer
from wasmctl.oci.credentials import Credentials
from wasmctl.oci.transport import Answer

ALICE = Credentials(username="alice", password="hunter2", origin="`config.json`")
ECR = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"


def explain(
    registry: str,
    status: int,
    *errors: tuple[str, str],
    body: str | None = None,
    credentials: Credentials | None = ALICE,
    **headers: str,
) -> RegistryError:
    document = {"errors": [{"code": code, "message": words} for code, words in errors]}
    answer = Answer(
        host=registry,
        status=status,
        headers=headers,
        body=(json.dumps(document) if body is None else body).encode(),
    )
    asked = Asked(registry=registry, repository="acme/x", doing="push", credentials=credentials)
    error = explain_answer(answer, asked)
    assert isinstance(error, RegistryError)
    return error


@pytest.mark.parametrize(
    ("registry", "status", "code", "words", "ours", "hint"),
    [
        (
            ECR, 404, "NAME_UNKNOWN",
            "The repository with name 'acme/x' does not exist in the registry with id '1234'",
            "repository-not-found", "aws ecr create-repository --repository-name acme/x",
        ),
        (ECR, 404, "", "", "repository-not-found", "create the repository"),
        (
            ECR, 400, "TAG_INVALID",
            "The image tag '1.0' already exists in the 'x' repository and cannot be overwritten"
            " because the repository is immutable.",
            "tag-immutable", "another tag",
        ),
        (ECR, 403, "DENIED", "Your authorization token has expired.", "denied",
         "aws ecr get-login-password"),
        (
            "ghcr.io", 403, "DENIED",
            "permission_denied: The token provided does not match expected scopes.",
            "denied", "write:packages",
        ),
        ("ghcr.io", 403, "DENIED", "permission_denied: write_package", "denied",
         "Manage Actions access"),
        ("ghcr.io", 403, "DENIED", "installation not allowed to Create organization package",
         "denied", "packages: write"),
        ("ghcr.io", 401, "UNAUTHORIZED", "authentication required", "unauthorized",
         "wasmctl login ghcr.io"),
        ("docker.io", 401, "UNAUTHORIZED", "authentication required", "unauthorized",
         "`acme` is your user"),
        ("docker.io", 403, "DENIED", "requested access to the resource is denied", "denied",
         "access token"),
        ("docker.io", 429, "TOOMANYREQUESTS", "pull rate limit", "too-many-requests",
         "raises the limit"),
        (
            "europe-docker.pkg.dev", 403, "DENIED",
            'Permission "artifactregistry.repositories.uploadArtifacts" denied on resource',
            "denied", "gcloud auth configure-docker europe-docker.pkg.dev",
        ),
        ("europe-docker.pkg.dev", 404, "NAME_UNKNOWN", 'Repository "x" not found',
         "repository-not-found", "gcloud artifacts repositories create x"),
        ("europe-docker.pkg.dev", 400, "MANIFEST_INVALID",
         "cannot update tag 1.0. The repository has enabled tag immutability", "tag-immutable",
         "another tag"),
        ("acme.azurecr.io", 401, "UNAUTHORIZED", "authentication required", "unauthorized",
         "az acr login --name acme"),
        ("quay.io", 401, "UNAUTHORIZED",
         "access to the requested resource is not authorized", "unauthorized", "grant Write"),
        ("harbor.example.com", 404, "NOT_FOUND", "project acme not found",
         "repository-not-found", "create the project `acme`"),
        ("harbor.example.com", 401, "UNAUTHORIZED",
         "unauthorized to access repository: acme/x, action: push", "unauthorized",
         "robot$PROJECT+NAME"),
        ("harbor.example.com", 412, "PRECONDITION",
         "Failed to process request due to 'acme/x:1.0' configured as immutable.",
         "tag-immutable", "another tag"),
        ("r.example.com", 403, "DENIED", "no", "denied", "whoever runs the registry"),
        ("r.example.com", 413, "", "", "too-large", "client_max_body_size"),
    ],
)  # fmt: skip
def test_known_answers(
    registry: str, status: int, code: str, words: str, ours: str, hint: str
) -> None:
    error = explain(registry, status, (code, words))
    assert error.code == ours
    assert hint in str(error.hint)
    assert words.rstrip(".") in error.message


def test_every_hint_tells_its_source() -> None:
    assert all(hint.source for hint in HINTS)


def test_every_hint_of_the_table_can_be_reached() -> None:
    """One that stands behind a more general one would never be shown."""
    for index, hint in enumerate(HINTS):
        for earlier in HINTS[:index]:
            wider = earlier.host in {"", hint.host} and earlier.words in {"", hint.words}
            statuses = not earlier.statuses or set(hint.statuses) <= set(earlier.statuses)
            assert not (wider and statuses and hint.statuses), hint.hint


@pytest.mark.parametrize("host", ["notghcr.io", "ghcr.io.example.com", "docker.io.example.com"])
def test_a_host_that_only_looks_like_one(host: str) -> None:
    error = explain(host, 403, ("DENIED", "no"))
    assert "write:packages" not in str(error.hint)
    assert "access token" not in str(error.hint)


def test_without_credentials_the_hint_is_to_log_in() -> None:
    for status in (401, 403):
        error = explain("r.example.com", status, credentials=None)
        assert "`wasmctl login r.example.com`" in str(error.hint)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('{"details": "incorrect username or password"}', "incorrect username or password"),
        ('{"error": "invalid_grant", "error_description": "token expired"}', "token expired"),
        ('{"errors": [{"code": "DENIED"}]}', "DENIED"),
        ("quota exceeded\nsecond line", "quota exceeded"),
        ("<html><body>Bad gateway</body></html>", None),
        ("[]", None),
        ("", None),
        ('{"errors": "odd"}', None),
    ],
)
def test_words_in_any_form(body: str, words: str | None) -> None:
    message = explain("r.example.com", 403, body=body).message
    assert message.endswith(f": {words}" if words else "from `config.json`")


def test_words_are_cut_and_cleaned() -> None:
    message = explain("r.example.com", 403, body="\x1b[31m" + "x" * 5000).message
    assert "\x1b" not in message
    assert len(message) < 500


def test_an_echoed_secret_is_not_shown() -> None:
    error = explain("r.example.com", 401, ("UNAUTHORIZED", "password hunter2 is wrong"))
    assert "hunter2" not in error.message
    assert "***" in error.message
