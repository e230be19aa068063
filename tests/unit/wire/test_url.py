"""What a URL of a server says."""

from __future__ import annotations

import pytest

from wasmctl.errors import UsageError
from wasmctl.wire.url import parse_server_url


@pytest.mark.parametrize(
    ("url", "whole", "authority"),
    [
        ("localhost:15000", "http://localhost:15000", "localhost:15000"),
        ("http://a.test", "http://a.test:80", "a.test"),
        ("https://a.test:80/", "https://a.test:80", "a.test:80"),
        ("https://[::1]", "https://[::1]:443", "[::1]"),
    ],
)
def test_the_url_and_what_a_client_calls_it(url: str, whole: str, authority: str) -> None:
    server = parse_server_url(url, what="the gateway", code="bad-url")
    assert (server.url, server.authority) == (whole, authority)


@pytest.mark.parametrize("url", ["http://me:secret@a", "http://me:secret@a:99999"])
def test_no_password_is_repeated(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_server_url(url, what="the gateway", code="bad-url")
    assert "secret" not in caught.value.message
    assert caught.value.code == "bad-url"
