"""A real Envoy without any plug-in between a client and an upstream; written without our code."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import sys
import urllib.request
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

__all__ = ["envoy_before"]

FILTERS = "type.googleapis.com/envoy.extensions.filters"
HTTP = f"{FILTERS}.network.http_connection_manager.v3.HttpConnectionManager"
TCP = f"{FILTERS}.network.tcp_proxy.v3.TcpProxy"
ROUTER = f"{FILTERS}.http.router.v3.Router"
PROTOCOLS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _cluster(name: str, port: int, options: dict[str, Any]) -> dict[str, Any]:
    endpoint = {"endpoint": {"address": _address(port)}}
    protocols = {"@type": f"type.googleapis.com/{PROTOCOLS}", "explicit_http_config": options}
    return {
        "name": name,
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
        "typed_extension_protocol_options": {PROTOCOLS: protocols},
    }


def _listener(name: str, filter_: dict[str, Any]) -> dict[str, Any]:
    chain = {"filters": [{"name": name, "typed_config": filter_}]}
    return {"name": name, "address": _address(0), "filter_chains": [chain]}


def _http(name: str, action: dict[str, Any]) -> dict[str, Any]:
    host = {"name": "v", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, **action}]}
    router = {"name": "envoy.filters.http.router", "typed_config": {"@type": ROUTER}}
    trailers = {"http_protocol_options": {"enable_trailers": True}}
    manager = {"route_config": {"virtual_hosts": [host]}, "http_filters": [router], **trailers}
    return _listener(name, {"@type": HTTP, "stat_prefix": name, **manager})


def _bootstrap(port: int) -> dict[str, Any]:
    h1 = _cluster("h1", port, {"http_protocol_options": {"enable_trailers": True}})
    h2 = _cluster("h2", port, {"http2_protocol_options": {}})
    refusal = {"direct_response": {"status": 403, "body": {"inline_string": "never"}}}
    return {
        "admin": {"address": _address(0)},
        "static_resources": {
            "clusters": [h1, h2],
            "listeners": [
                _http("h1", {"route": {"cluster": "h1", "timeout": "30s"}}),
                _http("h2", {"route": {"cluster": "h2", "timeout": "30s"}}),
                _http("refusing", refusal),
                _listener("tcp", {"@type": TCP, "stat_prefix": "tcp", "cluster": "h1"}),
            ],
        },
    }


@contextlib.asynccontextmanager
async def envoy_before(port: int, folder: Path) -> AsyncIterator[Mapping[str, int]]:
    """Yield the ports of the listeners `h1` and `h2` (named for how they speak to the upstream on
    `port`), `refusing` (403 to everything) and `tcp`."""
    beside = Path(sys.executable).parent / "envoy"
    program = beside if beside.exists() else shutil.which("envoy")
    assert program is not None
    bootstrap, admin = folder / "bootstrap.json", folder / "admin"
    bootstrap.write_text(json.dumps(_bootstrap(port)))
    process = await asyncio.create_subprocess_exec(
        program,
        *("-c", bootstrap, "--disable-hot-restart", "--concurrency", "1", "-l", "warning"),
        *("--admin-address-path", admin),
    )
    try:
        while not admin.exists() or not admin.read_text():
            assert process.returncode is None, "Envoy did not start"
            await asyncio.sleep(0.01)
        yield await asyncio.to_thread(_ports, f"http://{admin.read_text()}")
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def _ports(admin: str) -> Mapping[str, int]:
    with urllib.request.urlopen(f"{admin}/listeners?format=json") as answer:
        statuses = json.load(answer)["listener_statuses"]
    return {
        status["name"]: status["local_address"]["socket_address"]["port_value"]
        for status in statuses
    }
