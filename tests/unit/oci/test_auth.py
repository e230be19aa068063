"""What a registry's challenge says."""

from __future__ import annotations

import pytest

from wasmctl.oci.auth import parse_challenges


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", []),
        ("Basic", [("basic", {})]),
        ('Basic realm="a, b"', [("basic", {"realm": "a, b"})]),
        (
            'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",'
            'scope="repository:acme/x:pull,push"',
            [
                (
                    "bearer",
                    {
                        "realm": "https://auth.docker.io/token",
                        "service": "registry.docker.io",
                        "scope": "repository:acme/x:pull,push",
                    },
                )
            ],
        ),
        (
            'BEARER Realm = "https://t/", error=insufficient_scope',
            [("bearer", {"realm": "https://t/", "error": "insufficient_scope"})],
        ),
        (
            'Basic realm="x", Bearer realm="https://t/?a=b", service=s',
            [("basic", {"realm": "x"}), ("bearer", {"realm": "https://t/?a=b", "service": "s"})],
        ),
        (
            r'Basic realm="say \"hi\", Bearer realm=no"',
            [("basic", {"realm": 'say "hi", Bearer realm=no'})],
        ),
    ],
)
def test_challenges(header: str, expected: list[tuple[str, dict[str, str]]]) -> None:
    found = [
        (challenge.scheme, dict(challenge.parameters)) for challenge in parse_challenges(header)
    ]
    assert found == expected
