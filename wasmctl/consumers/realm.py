"""Which token servers Istio's fetcher does not go to. Pure.

istio, pkg/wasm/imagefetcher.go, from 1.30 on: every realm in a 401's challenge is looked at before
go-containerregistry sees it.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final
from urllib.parse import SplitResult, urlsplit

__all__ = ["unsafe_realm"]

_REALM: Final = re.compile(r'realm="([^"]*)"')
# Go's IsPrivate: RFC 1918 and RFC 4193; Python's `is_private` means more.
_PRIVATE: Final = tuple(
    ipaddress.ip_network(network)
    for network in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
)


def unsafe_realm(challenge: str) -> str | None:
    """Return what the fetcher says of a challenge that it refuses, else None."""
    for realm in _REALM.findall(challenge):
        said = _look(realm)
        if said is not None:
            return said
    return None


def _look(realm: str) -> str | None:
    try:
        parts = urlsplit(realm)
    except ValueError:
        return "invalid realm URL"
    if parts.scheme not in {"http", "https"}:
        return f'realm scheme "{parts.scheme}" not allowed'
    match _host(parts):
        case "":
            return "realm missing host"
        case "metadata.google.internal":
            return "realm targets cloud metadata service"
        case "localhost":
            return "realm targets localhost"
        case host:
            inside = _inside(host)
            return "realm targets private/loopback/link-local IP" if inside else None


def _host(parts: SplitResult) -> str:
    """Return the host in the case that it is written in, which Go's comparisons mind."""
    lower = parts.hostname or ""
    start = parts.netloc.lower().rfind(lower)
    return parts.netloc[start : start + len(lower)]


def _inside(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None) or address
    private = any(mapped in network for network in _PRIVATE if network.version == mapped.version)
    return private or mapped.is_loopback or mapped.is_link_local
