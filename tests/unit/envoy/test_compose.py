"""The compose file and Envoy's configuration for it."""

from __future__ import annotations

import json
from pathlib import Path

from wasmctl.envoy.compose import Composition, make_compose_bootstrap, make_compose_file
from wasmctl.envoy.upstream import parse_upstream


def test_an_answering_upstream_stands_behind_envoy() -> None:
    composition = Composition(name="p", module=Path("../dist/plugin.wasm"), image="envoy:1")
    made = json.loads(json.dumps(make_compose_file(composition)))
    assert made["services"]["proxy"]["ports"] == [
        "127.0.0.1:18000:18000",
        "127.0.0.1:9901:9901",
    ]
    assert made["services"]["proxy"]["depends_on"] == ["upstream"]
    assert made["services"]["upstream"]["image"].startswith("hashicorp/http-echo:")
    text = json.dumps(make_compose_bootstrap(composition))
    assert '"filename": "/plugin/plugin.wasm"' in text
    assert '{"address": "upstream", "port_value": 5678}' in text


def test_a_server_of_this_machine_is_reached_from_the_container() -> None:
    composition = Composition(
        name="p",
        module=Path("dist/plugin.wasm"),
        image="envoy:1",
        upstream=parse_upstream("http://127.0.0.1:8080"),
    )
    made = json.loads(json.dumps(make_compose_file(composition)))
    assert set(made["services"]) == {"proxy"}
    assert made["services"]["proxy"]["extra_hosts"] == ["host.docker.internal:host-gateway"]
    text = json.dumps(make_compose_bootstrap(composition))
    assert '{"address": "host.docker.internal", "port_value": 8080}' in text


def test_a_dollar_in_a_path_is_no_variable() -> None:
    composition = Composition(name="p", module=Path("/a$b/plugin.wasm"), image="envoy:1")
    volumes = json.dumps(make_compose_file(composition))
    assert '"/a$$b"' in volumes
