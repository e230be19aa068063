"""What a URL of an upstream means to Envoy."""

from __future__ import annotations

import pytest

from wasmctl.envoy.upstream import parse_upstream, why_unreachable
from wasmctl.errors import UsageError


@pytest.mark.parametrize(
    ("url", "host", "port", "tls", "authority"),
    [
        ("http://127.0.0.1:8080", "127.0.0.1", 8080, False, None),
        ("localhost:8080/", "localhost", 8080, False, None),
        ("http://[::1]:8080", "::1", 8080, False, None),
        ("https://example.com", "example.com", 443, True, "example.com"),
        ("http://example.com:8080", "example.com", 8080, False, "example.com:8080"),
        ("https://example.com:80", "example.com", 80, True, "example.com:80"),
    ],
)
def test_the_server_of_a_url(
    url: str, host: str, port: int, *, tls: bool, authority: str | None
) -> None:
    found = parse_upstream(url)
    assert (found.cluster.host, found.cluster.port, found.cluster.tls) == (host, port, tls)
    assert found.authority == authority


@pytest.mark.parametrize(
    "url",
    [
        "ftp://a",
        "http://",
        "http://a/b",
        "http://a?b",
        "http://a:99999",
        "http://a:0",
        "http://a b",
    ],
)
def test_what_is_no_server_is_refused(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_upstream(url)
    assert caught.value.code == "bad-upstream"
    assert caught.value.hint is not None


def test_no_password_of_a_url_is_repeated() -> None:
    with pytest.raises(UsageError) as caught:
        parse_upstream("http://me:secret@a")
    assert "secret" not in caught.value.message


@pytest.mark.parametrize(
    ("grown", "message"),
    [
        ({"upstream_cx_connect_fail": 1}, "nothing listens there"),
        (
            {"upstream_cx_connect_fail": 1, "ssl.connection_error": 1, "ssl.fail_verify_error": 1},
            "its certificate is signed by nobody who is trusted here",
        ),
        ({"ssl.connection_error": 2}, "it does not speak TLS as it should"),
        ({"upstream_cx_none_healthy": 1}, "its name has no address"),
    ],
)
def test_why_an_upstream_is_not_reached(grown: dict[str, int], message: str) -> None:
    before = {f"cluster.upstream.{name}": 7 for name in grown}
    now = {f"cluster.upstream.{name}": 7 + count for name, count in grown.items()}
    reason = why_unreachable(before, now)
    assert reason is not None
    assert reason[0] == message
    assert why_unreachable(now, now) is None
