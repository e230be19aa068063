"""Values → Envoy's configuration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from wasmctl.envoy.barrier import BARRIER
from wasmctl.envoy.bootstrap import (
    Cluster,
    FailurePolicy,
    Listener,
    Service,
    WasmPlugin,
    make_bootstrap,
    make_listener,
    make_listeners,
)

STRING = "type.googleapis.com/google.protobuf.StringValue"
AUTH = WasmPlugin(name="auth", module=Path("/m.wasm"), vm_id="g1")


def plugin_of(plugin: WasmPlugin, kind: Any = "http") -> Any:
    """Return the plug-in's part of a listener that has it alone."""
    listener = make_listener(Listener(name="x", kind=kind, plugins=(plugin,)))
    return filters_of(listener, kind)[0]["typed_config"]["config"]


def filters_of(listener: Any, kind: str = "http") -> Any:
    (chain,) = listener["filter_chains"]
    if kind == "tcp":
        return chain["filters"]
    return chain["filters"][0]["typed_config"]["http_filters"]


def test_a_plugin_says_no_more_than_it_was_given() -> None:
    machine = {
        "vm_id": "g1",
        "runtime": "envoy.wasm.runtime.v8",
        "code": {"local": {"filename": "/m.wasm"}},
    }
    assert plugin_of(AUTH) == {"name": "auth", "root_id": "", "vm_config": machine}


def test_everything_a_plugin_is_given_is_said() -> None:
    made = plugin_of(
        WasmPlugin(
            name="auth",
            module=b"\0asm",
            root_id="r",
            configuration='{"a": 1}',
            vm_configuration=b"\xff",
            environment={"MODE": "test"},
            failure_policy="reload",
            capabilities=("proxy_log",),
        )
    )
    assert made["root_id"] == "r"
    assert made["configuration"] == {"@type": STRING, "value": '{"a": 1}'}
    assert made["failure_policy"] == "FAIL_RELOAD"
    assert made["capability_restriction_config"] == {"allowed_capabilities": {"proxy_log": {}}}
    machine = made["vm_config"]
    assert machine["code"] == {"local": {"inline_bytes": "AGFzbQ=="}}
    assert machine["configuration"]["value"] == "/w=="
    assert machine["environment_variables"] == {"key_values": {"MODE": "test"}}


@pytest.mark.parametrize(
    ("policy", "said"), [("closed", None), ("open", "FAIL_OPEN"), ("reload", "FAIL_RELOAD")]
)
def test_failure_policies(policy: FailurePolicy, said: str | None) -> None:
    plugin = WasmPlugin(name="x", module=b"", failure_policy=policy)
    assert plugin_of(plugin).get("failure_policy") == said


def test_no_allowed_capability_is_not_the_same_as_no_restriction() -> None:
    made = plugin_of(WasmPlugin(name="x", module=b"", capabilities=()))
    assert made["capability_restriction_config"] == {"allowed_capabilities": {}}


def test_an_empty_configuration_is_given() -> None:
    made = plugin_of(WasmPlugin(name="x", module=b"", configuration=""))
    assert made["configuration"] == {"@type": STRING, "value": ""}


@pytest.mark.parametrize("kind", ["http", "tcp"])
def test_plugins_of_a_chain_keep_their_order(kind: Any) -> None:
    chain = tuple(WasmPlugin(name=name, module=b"") for name in ("one", "two"))
    made = filters_of(make_listener(Listener(name="x", kind=kind, plugins=chain)), kind)
    names = [one["typed_config"]["config"]["name"] for one in made[:-1]]
    assert names == ["one", "two"]
    scope = "http" if kind == "http" else "network"
    assert {one["name"] for one in made[:-1]} == {f"envoy.filters.{scope}.wasm"}


@pytest.mark.parametrize(
    ("kind", "cluster", "last"),
    [
        ("tcp", None, "envoy.filters.network.echo"),
        ("tcp", "up", "envoy.filters.network.tcp_proxy"),
        ("http", "up", "envoy.filters.http.router"),
    ],
)
def test_the_chain_ends_where_the_traffic_goes(kind: Any, cluster: str | None, last: str) -> None:
    listener = Listener(name="x", kind=kind, plugins=(AUTH,), cluster=cluster)
    assert filters_of(make_listener(listener), kind)[-1]["name"] == last


def route_of(listener: Listener) -> Any:
    made: Any = make_listener(listener)
    manager = made["filter_chains"][0]["filters"][0]["typed_config"]
    (host,) = manager["route_config"]["virtual_hosts"]
    return host["routes"][0]


def test_requests_go_to_the_cluster_without_a_time_limit() -> None:
    made = route_of(Listener(name="x", cluster="up", authority="example.com"))
    route = {"cluster": "up", "timeout": "0s", "host_rewrite_literal": "example.com"}
    assert made == {"match": {"prefix": "/"}, "route": route}


def test_without_a_cluster_requests_are_answered_200() -> None:
    assert route_of(Listener(name="x"))["direct_response"]["status"] == 200


def test_a_port_is_never_shared_with_another_process() -> None:
    made = make_listener(Listener(name="x", host="0.0.0.0", port=18000))
    assert made["enable_reuse_port"] is False
    address = {"address": "0.0.0.0", "port_value": 18000}
    assert made["address"] == {"socket_address": address}


def cluster_of(cluster: Cluster) -> Any:
    made: Any = make_bootstrap(clusters=[cluster])
    return made["static_resources"]["clusters"][0]


@pytest.mark.parametrize(
    ("host", "kind"),
    [("127.0.0.1", "STATIC"), ("::1", "STATIC"), ("auth.example.com", "LOGICAL_DNS")],
)
def test_names_are_looked_up_and_addresses_are_not(host: str, kind: str) -> None:
    assert cluster_of(Cluster(name="c", host=host, port=80))["type"] == kind


def test_a_cluster_speaks_http2_where_it_must() -> None:
    def protocol(*, http2: bool) -> Any:
        made = cluster_of(Cluster(name="c", host="::1", port=80, http2=http2))
        (options,) = made["typed_extension_protocol_options"].values()
        return [*options["explicit_http_config"]]

    assert protocol(http2=False) == ["http_protocol_options"]
    assert protocol(http2=True) == ["http2_protocol_options"]


def test_tls_believes_only_the_named_server() -> None:
    authorities = Path("/ca.pem")
    cluster = Cluster(name="c", host="example.com", port=443, tls=True, authorities=authorities)
    made = cluster_of(cluster)
    context = made["transport_socket"]["typed_config"]
    assert context["sni"] == "example.com"
    trusted = context["common_tls_context"]["validation_context"]
    (named,) = trusted["match_typed_subject_alt_names"]
    assert named["matcher"] == {"exact": "example.com"}
    assert trusted["trusted_ca"] == {"filename": "/ca.pem"}


def test_services_start_with_envoy() -> None:
    made: Any = make_bootstrap(services=[Service(plugin=AUTH, singleton=True)])
    (extension,) = made["bootstrap_extensions"]
    assert extension["typed_config"]["singleton"] is True
    assert extension["typed_config"]["config"] == plugin_of(AUTH)


def test_the_file_of_listeners_is_watched_by_its_folder() -> None:
    made: Any = make_bootstrap(lds=Path("/run/lds/listeners.json"))
    source = made["dynamic_resources"]["lds_config"]["path_config_source"]
    expected = {"path": "/run/lds/listeners.json", "watched_directory": {"path": "/run/lds"}}
    assert source == expected


def test_listeners_of_the_file_tell_their_type() -> None:
    made: Any = make_listeners([Listener(name="x")], version="7")
    assert made["version_info"] == "7"
    kind = "type.googleapis.com/envoy.config.listener.v3.Listener"
    assert [(one["@type"], one["name"]) for one in made["resources"]] == [(kind, "x")]


def test_the_barrier_is_a_plugin_of_our_own() -> None:
    made: Any = make_bootstrap(barrier=True)
    (listener,) = made["static_resources"]["listeners"]
    assert listener["name"] == BARRIER
    assert filters_of(listener)[0]["typed_config"]["config"]["vm_config"]["vm_id"] == BARRIER


def test_everything_is_json() -> None:
    listener = Listener(name="x", plugins=(AUTH,), cluster="c")
    cluster = Cluster(name="c", host="h", port=1, http2=True, tls=True)
    service = Service(plugin=AUTH, singleton=False)
    made = make_bootstrap(clusters=[cluster], listeners=[listener], services=[service])
    assert json.loads(json.dumps(made)) == made
