"""Credentials become a Secret that holds one registry's, and those that end are told."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from wasmctl.deploy.pull_secret import make_pull_secret
from wasmctl.deploy.temporary import why_temporary
from wasmctl.errors import UsageError
from wasmctl.oci.credentials import Credentials


def auths(registry: str, **given: str) -> dict[str, Any]:
    secret = make_pull_secret("s", "istio-system", registry, Credentials(origin="here", **given))
    assert secret["type"] == "kubernetes.io/dockerconfigjson"
    data: Any = secret["data"]
    config: dict[str, dict[str, Any]] = json.loads(base64.b64decode(data[".dockerconfigjson"]))
    assert [*data] == [".dockerconfigjson"]
    assert [*config] == ["auths"]
    return config["auths"]


@pytest.mark.parametrize(
    ("registry", "key"),
    [
        ("ghcr.io", "ghcr.io"),
        ("localhost:5000", "localhost:5000"),
        # go-containerregistry's pkg/authn/keychain.go, DefaultAuthKey
        ("docker.io", "https://index.docker.io/v1/"),
    ],
)
def test_the_one_registry_stands_there_as_docker_calls_it(registry: str, key: str) -> None:
    pair = base64.b64encode("bob:pä:ss".encode()).decode()
    assert auths(registry, username="bob", password="pä:ss") == {
        key: {"username": "bob", "password": "pä:ss", "auth": pair}
    }


def test_tokens_keep_their_kind() -> None:
    assert auths("x.azurecr.io", identity_token="t") == {"x.azurecr.io": {"identitytoken": "t"}}
    assert auths("x.io", registry_token="t") == {"x.io": {"registrytoken": "t"}}


def test_a_user_with_a_colon_is_refused() -> None:
    with pytest.raises(UsageError, match="the user `a:b` has a colon"):
        auths("x.io", username="a:b", password="c")


ECR = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"


@pytest.mark.parametrize(
    ("registry", "given", "said"),
    [
        (ECR, {"username": "AWS", "password": "x"}, "Amazon ECR, which ends after 12 hours"),
        (f"{ECR}.cn", {"username": "AWS", "password": "x"}, "Amazon ECR"),
        ("123456789012.dkr-ecr.eu-west-1.on.aws", {"username": "AWS", "password": "x"}, "ECR"),
        ("public.ecr.aws", {"username": "AWS", "password": "x"}, "Amazon ECR"),
        ("proxy.example.com", {"helper": "ecr-login", "username": "u", "password": "x"}, "ECR"),
        ("gcr.io", {"username": "oauth2accesstoken", "password": "x"}, "ends after an hour"),
        ("eu-docker.pkg.dev", {"username": "_dcgcloud_token", "password": "x"}, "Google"),
        ("eu-docker.pkg.dev", {"username": "_dcgcr_2_1_22_token", "password": "x"}, "Google"),
        ("eu-docker.pkg.dev", {"helper": "gcloud", "username": "u", "password": "x"}, "Google"),
        ("eu-docker.pkg.dev", {"username": "u", "password": "ya29.x"}, "Google"),
        (
            "x.azurecr.io",
            {"username": "00000000-0000-0000-0000-000000000000", "password": "ey"},
            "Azure Container Registry, which ends after 3 hours",
        ),
        ("x.azurecr.io", {"helper": "acr-env", "identity_token": "ey"}, "Azure"),
        ("x.azurecr.io", {"identity_token": "ey"}, "an identity token"),
        ("x.io", {"registry_token": "ey"}, "an access token"),
        ("x.cr.aliyuncs.com", {"username": "cr_temp_user", "password": "x"}, "Alibaba Cloud"),
        ("ghcr.io", {"username": "bob", "password": "ghs_x"}, "GitHub Actions"),
        ("registry.gitlab.com", {"username": "gitlab-ci-token", "password": "x"}, "GitLab"),
    ],
)
def test_credentials_that_end_are_told(registry: str, given: dict[str, str], said: str) -> None:
    kind = why_temporary(registry, Credentials(origin="here", **given))
    assert kind is not None
    assert said in kind.what
    assert kind.instead


@pytest.mark.parametrize(
    ("registry", "given"),
    [
        ("ghcr.io", {"username": "bob", "password": "ghp_x"}),
        ("gcr.io", {"username": "_json_key", "password": "{}"}),
        ("harbor.example.com", {"username": "robot$acme+ci", "password": "x"}),
        # Somebody may be called so, elsewhere.
        ("registry.example.com", {"username": "AWS", "password": "x"}),
        ("x.azurecr.io", {"username": "token-name", "password": "x"}),
        ("docker.io", {"helper": "desktop", "username": "bob", "password": "x"}),
    ],
)
def test_credentials_that_stay_are_taken(registry: str, given: dict[str, str]) -> None:
    assert why_temporary(registry, Credentials(origin="here", **given)) is None
