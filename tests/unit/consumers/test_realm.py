"""Token servers that Istio does not go to."""

from __future__ import annotations

import pytest

from wasmctl.consumers.realm import unsafe_realm

_INSIDE = "realm targets private/loopback/link-local IP"


@pytest.mark.parametrize(
    ("realm", "said"),
    [
        ("https://auth.docker.io/token", None),
        ("https://ghcr.io/token", None),
        ("https://8.8.8.8/token", None),
        ("https://registry.svc.cluster.local:5001/token", None),
        ("https://10.1.2.3/token", _INSIDE),
        ("https://172.16.0.1:5001/token", _INSIDE),
        ("https://172.32.0.1:5001/token", None),
        ("http://192.168.0.1/token", _INSIDE),
        ("http://127.0.0.1:5001/token", _INSIDE),
        ("http://[::1]:5001/token", _INSIDE),
        ("http://[fd00::1]/token", _INSIDE),
        ("http://[fe80::1]/token", _INSIDE),
        ("http://[::ffff:10.0.0.1]/token", _INSIDE),
        ("http://169.254.169.254/token", _INSIDE),
        ("http://192.0.2.1/token", None),  # Go's IsPrivate knows no documentation addresses
        ("http://localhost:5001/token", "realm targets localhost"),
        ("http://metadata.google.internal/token", "realm targets cloud metadata service"),
        ("http:///token", "realm missing host"),
        ("file:///etc/passwd", 'realm scheme "file" not allowed'),
        ("Registry Realm", 'realm scheme "" not allowed'),
    ],
)
def test_a_realm_is_looked_at_as_istio_does(realm: str, said: str | None) -> None:
    assert unsafe_realm(f'Bearer realm="{realm}",service="x",scope="y"') == said


def test_every_challenge_is_looked_at() -> None:
    challenge = 'Bearer realm="https://ghcr.io/token", Basic realm="http://10.0.0.1/"'
    assert unsafe_realm(challenge) == _INSIDE


def test_a_challenge_without_a_realm_is_fine() -> None:
    assert unsafe_realm("Negotiate") is None
