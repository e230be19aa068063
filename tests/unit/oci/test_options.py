"""How a registry is to be reached, by the command line and the environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from wasmctl.errors import UsageError
from wasmctl.oci.options import RegistryOptions, find_proxy, is_loopback


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("localhost:5000", True),
        ("registry.localhost:5000", True),
        ("127.0.0.1:5000", True),
        ("127.1.2.3", True),
        ("[::1]:5000", True),
        ("localhost.example.com", False),
        ("10.0.0.1:5000", False),
        ("192.168.1.1", False),
        ("ghcr.io", False),
        ("notlocalhost", False),
    ],
)
def test_loopback_is_plain_by_default_and_nothing_else(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback
    assert RegistryOptions(env={}).scheme(host) == ("http" if loopback else "https")


@pytest.mark.parametrize(
    ("options", "scheme"),
    [
        (RegistryOptions(env={}, plain_http=True), "http"),
        (RegistryOptions(env={}, plain_http=False), "https"),
        (RegistryOptions(env={}, ca_file=Path("ca.pem")), "https"),
        (RegistryOptions(env={}, insecure_skip_tls_verify=True), "https"),
        (RegistryOptions(env={}, ca_file=Path("ca.pem"), plain_http=True), "http"),
    ],
)
def test_what_is_said_goes_before_the_rule(options: RegistryOptions, scheme: str) -> None:
    assert options.scheme("localhost:5000") == scheme


def test_options_do_not_show_secrets() -> None:
    options = RegistryOptions(env={"TOKEN": "hunter2"}, username="alice", password="hunter2")
    assert "hunter2" not in repr(options)


PROXY = "http://proxy.example.com:3128"


@pytest.mark.parametrize(
    ("url", "env", "proxy"),
    [
        ("https://ghcr.io/v2/", {"HTTPS_PROXY": PROXY}, PROXY),
        ("https://ghcr.io/v2/", {"https_proxy": PROXY}, PROXY),
        ("https://ghcr.io/v2/", {"HTTPS_PROXY": "proxy.example.com:3128"}, PROXY),
        ("https://ghcr.io/v2/", {"HTTP_PROXY": PROXY}, None),
        ("https://ghcr.io/v2/", {"ALL_PROXY": PROXY}, PROXY),
        ("http://r.example.com/v2/", {"HTTP_PROXY": PROXY}, PROXY),
        ("http://r.example.com/v2/", {"HTTP_PROXY": PROXY, "REQUEST_METHOD": "GET"}, None),
        ("https://ghcr.io/v2/", {}, None),
        ("http://localhost:5000/v2/", {"HTTP_PROXY": PROXY}, None),
        ("http://127.0.0.1:5000/v2/", {"ALL_PROXY": PROXY}, None),
        ("https://[::1]:5000/v2/", {"HTTPS_PROXY": PROXY}, None),
    ],
)
def test_the_proxy_of_a_url(url: str, env: dict[str, str], proxy: str | None) -> None:
    assert find_proxy(url, env) == proxy


@pytest.mark.parametrize(
    ("url", "no_proxy", "proxied"),
    [
        ("https://r.example.com/", "example.com", False),
        ("https://example.com/", "example.com", False),
        ("https://example.com/", ".example.com", True),
        ("https://r.example.com/", ".example.com", False),
        ("https://r.example.com/", "*.example.com", False),
        ("https://r.example.com/", "other.com, R.Example.Com", False),
        ("https://notexample.com/", "example.com", True),
        ("https://r.example.com:5000/", "r.example.com:5000", False),
        ("https://r.example.com:5000/", "r.example.com:443", True),
        ("https://10.1.2.3/", "10.0.0.0/8", False),
        ("https://11.1.2.3/", "10.0.0.0/8", True),
        ("https://10.1.2.3:5000/", "10.1.2.3", False),
        ("https://[fd00::1]/", "fd00::/8", False),
        ("https://r.example.com/", "*", False),
        ("https://r.example.com/", "", True),
    ],
)
def test_no_proxy(url: str, no_proxy: str, proxied: bool) -> None:
    env = {"HTTPS_PROXY": PROXY, "NO_PROXY": no_proxy}
    assert (find_proxy(url, env) is not None) is proxied


@pytest.mark.parametrize("value", ["http://", "http://[", "http://host:port:99"])
def test_a_proxy_that_is_no_address(value: str) -> None:
    with pytest.raises(UsageError) as caught:
        find_proxy("https://ghcr.io/", {"HTTPS_PROXY": value})
    assert caught.value.code == "bad-proxy"
    assert "HTTPS_PROXY" in caught.value.message
