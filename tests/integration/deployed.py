"""A real Envoy with a plug-in deployed in it, as a mesh would have it; written without our code."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

__all__ = ["PLUGIN", "Deployed", "deployed", "wasm_level"]

# As istiod names it: namespace and name of the object.
PLUGIN = "istio-system.auth"
_TYPES = "type.googleapis.com/envoy.extensions"
_HTTP = f"{_TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager"
_ROUTER = f"{_TYPES}.filters.http.router.v3.Router"
_WASM = f"{_TYPES}.filters.http.wasm.v3.Wasm"
_TLS = f"{_TYPES}.transport_sockets.tls.v3.DownstreamTlsContext"


@dataclass(frozen=True)
class Deployed:
    """An Envoy that serves.

    `ports` by listener: `plain` and `tls` have the plug-in before an upstream that says hello,
    `teapot` before one that says it is a tea pot, `bare` has none, `redirecting` redirects.
    """

    ports: Mapping[str, int]
    admin: str
    log: Path
    process: subprocess.Popen[bytes]

    def url(self, listener: str) -> str:
        scheme = "https" if listener == "tls" else "http"
        return f"{scheme}://127.0.0.1:{self.ports[listener]}"


class _Upstream(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        teapot = self.path == "/teapot"
        body = b"-=[ teapot ]=-\n" if teapot else b"hello"
        self.send_response(418 if teapot else 200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815 - the library's way to spell it

    def log_message(self, *_: object) -> None:
        pass


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _listener(
    name: str, action: dict[str, Any], filters: list[dict[str, Any]], **chain: object
) -> dict[str, Any]:
    host = {"name": "v", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, **action}]}
    router = {"name": "router", "typed_config": {"@type": _ROUTER}}
    manager = {
        "@type": _HTTP,
        "stat_prefix": name,
        "route_config": {"virtual_hosts": [host]},
        "http_filters": [*filters, router],
    }
    one = {"filters": [{"name": name, "typed_config": manager}], **chain}
    return {"name": name, "address": _address(0), "filter_chains": [one]}


def _bootstrap(module: Path, port: int, certificate: Path) -> dict[str, Any]:
    code = {"local": {"filename": str(module)}}
    machine = {"vm_id": "auth", "runtime": "envoy.wasm.runtime.v8", "code": code}
    config = {"name": PLUGIN, "vm_config": machine}
    wasm = {"name": "wasm", "typed_config": {"@type": _WASM, "config": config}}
    chain = {"filename": str(certificate / "cert.pem")}
    pair = {"certificate_chain": chain, "private_key": {"filename": str(certificate / "key.pem")}}
    common = {"tls_certificates": [pair], "alpn_protocols": ["h2", "http/1.1"]}
    context = {"@type": _TLS, "common_tls_context": common}
    tls = {"transport_socket": {"name": "tls", "typed_config": context}}
    hello = {"route": {"cluster": "upstream"}}
    teapot = {"route": {"cluster": "upstream", "regex_rewrite": _REWRITE}}
    redirect = {"redirect": {"https_redirect": True, "host_redirect": "shop.example.com"}}
    endpoint = {"endpoint": {"address": _address(port)}}
    cluster = {
        "name": "upstream",
        "load_assignment": {
            "cluster_name": "upstream",
            "endpoints": [{"lb_endpoints": [endpoint]}],
        },
    }
    return {
        "admin": {"address": _address(0)},
        "static_resources": {
            "clusters": [cluster],
            "listeners": [
                _listener("plain", hello, [wasm]),
                _listener("tls", hello, [wasm], **tls),
                _listener("teapot", teapot, [wasm]),
                _listener("bare", hello, []),
                _listener("redirecting", redirect, []),
            ],
        },
    }


_REWRITE = {"pattern": {"regex": ".*"}, "substitution": "/teapot"}


@contextlib.contextmanager
def deployed(module: Path, folder: Path, certificate: Path) -> Iterator[Deployed]:
    """Run an Envoy with the module; `certificate` is the folder of cert.pem and key.pem."""
    upstream = ThreadingHTTPServer(("127.0.0.1", 0), _Upstream)
    Thread(target=upstream.serve_forever, daemon=True).start()
    bootstrap, admin, log = folder / "envoy.json", folder / "admin", folder / "envoy.log"
    bootstrap.write_text(json.dumps(_bootstrap(module, upstream.server_port, certificate)))
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [
                str(Path(sys.executable).parent / "envoy"),
                *("-c", str(bootstrap), "--disable-hot-restart", "--concurrency", "1"),
                *("--admin-address-path", str(admin)),
            ],
            stdout=sink,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + 60
        while not (admin.exists() and admin.read_text() and _is_live(admin.read_text())):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.02)
        yield Deployed(_ports(admin.read_text()), admin.read_text(), log, process)
    finally:
        process.kill()
        process.wait()
        upstream.shutdown()
        upstream.server_close()


def _is_live(admin: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{admin}/ready") as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _ports(admin: str) -> Mapping[str, int]:
    with urllib.request.urlopen(f"http://{admin}/listeners?format=json") as answer:
        statuses = json.load(answer)["listener_statuses"]
    return {
        status["name"]: status["local_address"]["socket_address"]["port_value"]
        for status in statuses
    }


def wasm_level(admin: str) -> str:
    """Return the level at which an Envoy logs what plug-ins say."""
    request = urllib.request.Request(f"http://{admin}/logging", method="POST")
    with urllib.request.urlopen(request) as answer:
        lines: list[str] = answer.read().decode().splitlines()
    return next(line.split()[1] for line in lines if line.startswith("  wasm:"))
