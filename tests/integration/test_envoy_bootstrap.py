"""What the real Envoy says of every shape of configuration that we make."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.integration.proxies import envoy_beside, logging, unpacked
from wasmctl.envoy.bootstrap import (
    Cluster,
    Listener,
    Service,
    WasmPlugin,
    make_bootstrap,
)
from wasmctl.envoy.envoy import Envoy

pytestmark = pytest.mark.envoy

PLUGIN = WasmPlugin(name="auth", module=logging("hello"), vm_id="g1")
FULL = WasmPlugin(
    name="auth",
    module=logging("hello"),
    root_id="root",
    vm_id="g2",
    configuration='{"word": "caf\u00e9 \\u0000 \U0001f512"}',
    vm_configuration=b"\x00\xff",
    environment={"MODE": "test", "EMPTY": ""},
    failure_policy="open",
    capabilities=("proxy_log", "proxy_on_request_headers"),
)
RELOADED = WasmPlugin(name="x", module=logging("x"), failure_policy="reload")
UP = Cluster(name="up", host="127.0.0.1", port=8080)


def bootstrap_with(*listeners: Listener, **more: object) -> Mapping[str, object]:
    return make_bootstrap(listeners=listeners, clusters=[UP], **more)  # type: ignore[arg-type]


SHAPES: Mapping[str, Mapping[str, object]] = {
    "nothing": make_bootstrap(),
    "barrier": make_bootstrap(barrier=True),
    "http": bootstrap_with(Listener(name="a", plugins=(PLUGIN,), cluster="up")),
    "http, answered": bootstrap_with(Listener(name="a", plugins=(PLUGIN,))),
    "http, everything": bootstrap_with(Listener(name="a", plugins=(FULL,), authority="x.org")),
    "http, chain": bootstrap_with(Listener(name="a", plugins=(PLUGIN, FULL), cluster="up")),
    "tcp": bootstrap_with(Listener(name="a", kind="tcp", plugins=(PLUGIN,), cluster="up")),
    "tcp, echo": bootstrap_with(Listener(name="a", kind="tcp", plugins=(FULL, PLUGIN))),
    "reload": bootstrap_with(Listener(name="a", plugins=(RELOADED,))),
    "service, one": make_bootstrap(services=[Service(plugin=FULL, singleton=True)]),
    "service, one a worker": make_bootstrap(services=[Service(plugin=PLUGIN, singleton=False)]),
    "clusters": make_bootstrap(
        clusters=[
            UP,
            Cluster(name="six", host="::1", port=8080),
            Cluster(name="named", host="localhost", port=8080),
            Cluster(name="grpc", host="127.0.0.1", port=8080, http2=True),
            Cluster(name="tls", host="example.com", port=443, tls=True),
            Cluster(name="grpc tls", host="example.com", port=443, tls=True, http2=True),
        ]
    ),
    "ports": bootstrap_with(Listener(name="a", host="0.0.0.0", port=18000), admin_port=18001),
}


def validate(envoy: Envoy, bootstrap: Mapping[str, object], folder: Path) -> str:
    """Return what Envoy has against a configuration; nothing when it takes it."""
    file = folder / "bootstrap.json"
    file.write_text(json.dumps(bootstrap))
    argv = [
        *envoy.command,
        "-c",
        str(file),
        "--mode",
        "validate",
        "--reject-unknown-dynamic-fields",
    ]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stderr[-2000:]


@pytest.mark.parametrize("shape", SHAPES)
def test_envoy_takes_every_shape(shape: str, tmp_path: Path) -> None:
    assert validate(envoy_beside(), SHAPES[shape], tmp_path) == ""


@pytest.mark.parametrize("shape", SHAPES)
def test_an_old_envoy_takes_every_shape(shape: str, tmp_path: Path) -> None:
    assert validate(unpacked("1.36.2"), SHAPES[shape], tmp_path) == ""


def test_envoy_would_tell_of_a_wrong_field(tmp_path: Path) -> None:
    assert "has unknown fields" in validate(envoy_beside(), {"admim": {}}, tmp_path)
