"""The URL of an image in an object."""

from __future__ import annotations

import pytest

from wasmctl.consumers.consumer import find_consumer
from wasmctl.consumers.urls import check_url
from wasmctl.hosts.finding import Severity

DIGEST = f"@sha256:{'0' * 64}"


def found(url: str, target: str, pull_policy: str | None = None) -> list[str]:
    consumer = find_consumer(target)
    assert consumer is not None
    return [it.id for it in check_url(url, [consumer], pull_policy=pull_policy)]


@pytest.mark.parametrize(
    ("url", "ids"),
    [
        ("oci://ghcr.io/a/b:1", []),
        (f"oci://ghcr.io/a/b{DIGEST}", []),
        (f"oci://ghcr.io/a/b:1{DIGEST}", []),
        ("oci://registry:5000/a/b:1", []),
        ("https://example.com/plugin.wasm", []),
        ("file:///opt/plugin.wasm", []),
        ("ghcr.io/a/b:1", ["url-without-scheme"]),
        ("oci://ghcr.io/a/b", ["url-untagged"]),
        ("oci://registry:5000/a/b", ["url-untagged"]),
        ("oci://ghcr.io/a/b:latest", ["url-latest"]),
        ("oci://localhost:5000/a/b:1", ["url-loopback"]),
        ("oci://127.0.0.1:5000/a/b:1", ["url-loopback"]),
        ("oci://[::1]:5000/a/b:1", ["url-loopback"]),
        ("localhost:5000/x:1", ["url-not-oci", "url-loopback"]),
        ("private-registry:5000/x:1", ["url-not-oci"]),
        ("10.0.0.1:5000/x:1", ["url-not-oci"]),
        ("docker://ghcr.io/a/b:1", ["url-not-oci"]),
    ],
)
def test_istio_s_rules(url: str, ids: list[str]) -> None:
    assert found(url, "istio") == ids
    assert found(url, "higress") == ids


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("localhost:5000/x:1", "url contains unsupported scheme: localhost"),
        ("private-registry:5000/x", "url contains unsupported scheme: private-registry"),
        ("10.0.0.1:5000/x:1", "first path segment in URL cannot contain colon"),
    ],
)
def test_what_the_webhook_says(url: str, words: str) -> None:
    errors = [it for it in check_url(url) if it.severity is Severity.ERROR]
    assert {it.words for it in errors} == {words}
    assert {it.hint for it in errors} == {f"write `oci://{url}`"}
    assert [target for it in errors for target in it.targets] == ["istio", "higress"]


def test_envoy_gateway_does_without_the_scheme() -> None:
    assert found("private-registry:5000/x:1", "envoy-gateway") == []
    assert found("ghcr.io/a/b", "envoy-gateway") == ["url-untagged"]


def test_a_policy_that_says_so_makes_latest_stay() -> None:
    assert found("oci://ghcr.io/a/b:latest", "istio", "IfNotPresent") == []
    assert found("oci://ghcr.io/a/b:latest", "istio", "Always") == ["url-latest"]


@pytest.mark.parametrize(
    ("url", "ids"),
    [
        ("us-central1-docker.pkg.dev/p/r/x:1", []),
        ("gcr.io/p/x:1", []),
        ("ghcr.io/a/b:1", ["url-not-artifact-registry"]),
    ],
)
def test_gcp_fetches_from_its_own_registry(url: str, ids: list[str]) -> None:
    assert found(url, "gcp") == ids
