"""The line that asks a gateway as a case does."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from wasmctl.cases.gateway import Gateway
from wasmctl.cases.model import Request
from wasmctl.wire.tls import Tls
from wasmctl.wire.url import parse_server_url

TLS = Tls(context=ssl.create_default_context(), name="a.test")


def gateway(url: str, *, host: str | None = None, **more: object) -> Gateway:
    server = parse_server_url(url, what="the gateway", code="bad-url")
    tls = TLS if server.tls else None
    return Gateway(server=server, host=host, tls=tls, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("asked", "request_", "expected"),
    [
        (gateway("http://a.test:80"), Request(), "curl -i http://a.test/"),
        (gateway("[::1]:8080"), Request(path="/a"), "curl -i 'http://[::1]:8080/a'"),
        (
            gateway("http://10.0.0.1", host="a.test"),
            Request(),
            "curl -i -H 'host: a.test' http://10.0.0.1/",
        ),
        (
            gateway("http://10.0.0.1", host="a.test"),
            Request(headers=((b"host", b"b.test"),), http=2),
            "curl -i --http2-prior-knowledge -H 'host: b.test' http://10.0.0.1/",
        ),
        (
            gateway("https://a.test", ca_file=Path("/my ca.pem")),
            Request(),
            "curl -i --cacert '/my ca.pem' --http1.1 https://a.test/",
        ),
        (
            gateway("https://[::1]:8443", host="a.test:444", insecure=True),
            Request(http=2),
            "curl -i -k --connect-to '::[::1]:8443' --http2 https://a.test:444/",
        ),
    ],
)
def test_the_line_of_a_request(asked: Gateway, request_: Request, expected: str) -> None:
    assert asked.curl(request_) == expected
