"""The server behind a served plug-in: what a URL means to Envoy. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from wasmctl.envoy.bootstrap import Cluster
from wasmctl.wire.url import USUAL_PORTS, parse_server_url

__all__ = ["FAILURES", "UPSTREAM", "Upstream", "parse_upstream", "why_unreachable"]

# The cluster's name.
UPSTREAM: Final = "upstream"
# The counters that tell, after `cluster.upstream.`, the most telling first; why, and what to do:
# https://www.envoyproxy.io/docs/envoy/latest/configuration/upstream/cluster_manager/cluster_stats
_AUTHORITY: Final = (
    "its certificate is signed by nobody who is trusted here",
    "name the file of the authority that did: `SSL_CERT_FILE=ca.pem wasmctl run ...`",
)
_REASONS: Final = {
    "ssl.fail_verify_san": (
        "its certificate is for another name",
        "use the name that stands in its certificate",
    ),
    "ssl.fail_verify_error": _AUTHORITY,
    "ssl.fail_verify_no_cert": _AUTHORITY,
    "ssl.connection_error": ("it does not speak TLS as it should", "is it `http://`?"),
    "upstream_cx_connect_timeout": ("it takes no connection", "look whether it is up"),
    "upstream_cx_connect_fail": ("nothing listens there", "start it, or look at its port"),
    "upstream_cx_none_healthy": ("its name has no address", "look at the name"),
}
# A regular expression that finds these counters, for Envoy.
FAILURES: Final = rf"^cluster\.{UPSTREAM}\.(ssl\.|upstream_cx_)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """A server by its URL.

    Args:
        url: `http://HOST:PORT` or `https://HOST:PORT`, for people.
        host: a name, or an address without brackets.
        port: its port.
        tls: whether it is https.
    """

    url: str
    host: str
    port: int
    tls: bool

    @property
    def cluster(self) -> Cluster:
        """The server as Envoy is told of it."""
        return Cluster(name=UPSTREAM, host=self.host, port=self.port, tls=self.tls)

    @property
    def authority(self) -> str | None:
        """What requests have to call it: servers of several sites go by that. None: as they come.

        An address or this machine's own name is no site's name.
        """
        try:
            ipaddress.ip_address(self.host)
        except ValueError:
            usual = self.port == USUAL_PORTS["https" if self.tls else "http"]
            named = self.host if usual else f"{self.host}:{self.port}"
            return None if self.is_here else named
        return None

    @property
    def is_here(self) -> bool:
        """Whether it is this machine's own."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


def why_unreachable(before: Mapping[str, int], now: Mapping[str, int]) -> tuple[str, str] | None:
    """Return why requests did not get through to the upstream, and what to do; None: they did.

    Args:
        before: Envoy's counters a while ago.
        now: the same counters now.
    """
    for name, reason in _REASONS.items():
        counter = f"cluster.{UPSTREAM}.{name}"
        if now.get(counter, 0) > before.get(counter, 0):
            return reason
    return None


def parse_upstream(url: str) -> Upstream:
    """Read the URL of a server; a bare `HOST:PORT` is http.

    Raises:
        UsageError: it is no such URL, or has more to it than a server.
    """
    read = parse_server_url(url, what="the upstream", code="bad-upstream")
    return Upstream(url=read.url, host=read.host, port=read.port, tls=read.tls)
