"""How a registry is to be reached: what the command line and the environment say. Pure.

Knows no HTTP library and opens nothing.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from wasmctl.errors import UsageError

__all__ = ["RegistryOptions", "find_proxy", "is_loopback"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryOptions:
    """What a person says about a registry.

    Args:
        env: the environment: proxies, CA bundles, where credentials are kept.
        plain_http: whether to speak HTTP; None: only on loopback, where nothing was said of TLS.
        ca_file: a PEM file of authorities that are trusted besides the usual ones.
        insecure_skip_tls_verify: whether any certificate will do.
        username: of credentials given by hand; they go before any that are stored.
        password: likewise.
    """

    env: Mapping[str, str] = field(repr=False)
    plain_http: bool | None = None
    ca_file: Path | None = None
    insecure_skip_tls_verify: bool = False
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    def scheme(self, host: str) -> str:
        """Return `http` or `https` for a registry's host (with or without a port).

        Loopback is plain by default as for go-containerregistry (pkg/name/registry.go, Scheme),
        and so for crane and Istio's fetcher.
        """
        if self.plain_http is not None:
            return "http" if self.plain_http else "https"
        says_tls = self.ca_file is not None or self.insecure_skip_tls_verify
        return "http" if is_loopback(host) and not says_tls else "https"


def is_loopback(host: str) -> bool:
    """Return whether a host, with or without a port, is this machine by its name."""
    name = urlsplit(f"//{host}").hostname or ""
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def find_proxy(url: str, env: Mapping[str, str]) -> str | None:
    """Return the proxy that the environment asks for, for `url`, or None.

    The rules are those of Go's golang.org/x/net/http/httpproxy, which docker and crane follow:
    loopback is never proxied, NO_PROXY lists hosts, domains, addresses and networks.

    Raises:
        UsageError: the variable holds no URL.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if is_loopback(parts.netloc):
        return None
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    if _excluded(host, port, _either(env, "NO_PROXY")):
        return None
    name = f"{parts.scheme.upper()}_PROXY"
    if name == "HTTP_PROXY" and env.get("REQUEST_METHOD"):
        return None  # a CGI script's HTTP_PROXY is a header of its visitor (https://httpoxy.org)
    proxy = _either(env, name) or _either(env, "ALL_PROXY")
    if not proxy:
        return None
    if "://" not in proxy:
        proxy = f"http://{proxy}"
    if not _is_url(proxy):
        raise UsageError(
            "bad-proxy",
            f"`{name}` holds no proxy's address",
            hint=f"set `{name}` to something like `http://proxy.example.com:3128`, or unset it",
        )
    return proxy


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return bool(parts.hostname) and parts.port != 0 and bool(unquote(parts.netloc))
    except ValueError:
        return False


def _either(env: Mapping[str, str], name: str) -> str:
    return env.get(name) or env.get(name.lower()) or ""


def _excluded(host: str, port: int, no_proxy: str) -> bool:
    return any(
        _matches(host, port, entry.strip().lower())
        for entry in no_proxy.split(",")
        if entry.strip()
    )


def _matches(host: str, port: int, entry: str) -> bool:
    if entry == "*":
        return True
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        pass
    name, colon, wanted = entry.rpartition(":")
    if colon and wanted.isdigit() and not name.endswith(":"):
        if int(wanted) != port:
            return False
        entry = name.strip("[]")
    entry = entry.removeprefix("*")
    if entry.startswith("."):
        return host.endswith(entry)
    return host == entry or host.endswith(f".{entry}")
