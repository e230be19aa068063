"""Logs as Envoys write them that nobody of ours has configured; written without our code."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["ISTIO_FORMAT", "ISTIO_JSON_FORMAT", "log_of_envoy"]

# Istio's agent starts Envoy so: istio/istio, pkg/envoy/proxy.go.
ISTIO_FORMAT = "%Y-%m-%dT%T.%fZ\t%l\tenvoy %n %g:%#\t%v\tthread=%t"
ISTIO_JSON_FORMAT = (
    '{"level":"%l","time":"%Y-%m-%dT%T.%fZ","scope":"envoy %n","msg":"%j","caller":"%g:%#",'
    '"thread":%t}'
)
_FILTERS = "type.googleapis.com/envoy.extensions.filters"
_TO_STDOUT = "type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog"
_ACCESS = '[%START_TIME%] "%REQ(:METHOD)% %REQ(:PATH)%" %RESPONSE_CODE% %RESPONSE_CODE_DETAILS%\n'


def log_of_envoy(
    folder: Path, modules: Mapping[str, Path], *options: str, requests: int = 2
) -> bytes:
    """Return what an Envoy with these plug-ins writes while it answers requests to each.

    Args:
        folder: for its files.
        modules: plug-in's name → module.
        options: more of Envoy's.
        requests: how many to each plug-in.
    """
    beside = Path(sys.executable).parent / "envoy"
    program = beside if beside.exists() else shutil.which("envoy")
    assert program is not None
    admin, log, bootstrap = folder / "admin", folder / "envoy.log", folder / "envoy.json"
    bootstrap.write_text(json.dumps(_bootstrap(modules)))
    fixed = ("-c", bootstrap, "--disable-hot-restart", "--concurrency", "1")
    flushed = ("--admin-address-path", admin, "--file-flush-interval-msec", "20")
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [program, *fixed, *flushed, *options], stdout=stream, stderr=subprocess.STDOUT
        )
        try:
            for port in _ports(process, admin):
                for _ in range(requests):
                    with contextlib.suppress(urllib.error.HTTPError):
                        urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=20).close()
        finally:
            process.terminate()
            process.wait()
    return log.read_bytes()


def _bootstrap(modules: Mapping[str, Path]) -> dict[str, Any]:
    listeners = [_listener(name, module) for name, module in modules.items()]
    return {"admin": {"address": _address()}, "static_resources": {"listeners": listeners}}


def _address() -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": 0}}


def _listener(name: str, module: Path) -> dict[str, Any]:
    answer = {"status": 200, "body": {"inline_string": "ok"}}
    host = {
        "name": "v",
        "domains": ["*"],
        "routes": [{"match": {"prefix": "/"}, "direct_response": answer}],
    }
    code = {"local": {"filename": str(module)}}
    plugin = {"name": name, "vm_config": {"runtime": "envoy.wasm.runtime.v8", "code": code}}
    text = {"text_format_source": {"inline_string": _ACCESS}}
    manager = {
        "@type": f"{_FILTERS}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": name,
        "access_log": [{"name": "a", "typed_config": {"@type": _TO_STDOUT, "log_format": text}}],
        "route_config": {"virtual_hosts": [host]},
        "http_filters": [
            _named("wasm", {"@type": f"{_FILTERS}.http.wasm.v3.Wasm", "config": plugin}),
            _named("router", {"@type": f"{_FILTERS}.http.router.v3.Router"}),
        ],
    }
    chain = {"filters": [_named("http", manager)]}
    return {"name": name, "address": _address(), "filter_chains": [chain]}


def _named(name: str, config: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "typed_config": config}


def _ports(process: subprocess.Popen[bytes], admin: Path) -> Sequence[int]:
    while not admin.exists() or not admin.read_text():
        assert process.poll() is None, "Envoy did not start"
        time.sleep(0.01)
    address = admin.read_text()
    while not _ready(address):
        assert process.poll() is None, "Envoy did not start"
        time.sleep(0.01)
    with urllib.request.urlopen(f"http://{address}/listeners?format=json") as answer:
        statuses = json.load(answer)["listener_statuses"]
    return [one["local_address"]["socket_address"]["port_value"] for one in statuses]


def _ready(address: str) -> bool:
    try:
        urllib.request.urlopen(f"http://{address}/ready", timeout=5).close()
    except OSError:
        return False
    return True
