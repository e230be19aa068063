"""Values → Envoy's configuration, as mappings that are JSON. Pure.

The names are those of Envoy's v3 API: https://www.envoyproxy.io/docs/envoy/latest/api-v3/api
"""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from wasmctl.envoy.barrier import BARRIER, barrier_module

__all__ = [
    "Cluster",
    "FailurePolicy",
    "Listener",
    "Service",
    "WasmPlugin",
    "make_bootstrap",
    "make_listener",
    "make_listeners",
]

_TYPE_URL: Final = "type.googleapis.com/"
_AUTHORITIES: Final = "/etc/ssl/certs/ca-certificates.crt"
Json = dict[str, object]
FailurePolicy = Literal["closed", "open", "reload"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WasmPlugin:
    """A plug-in as Envoy is told of it.

    Args:
        name: its name in log lines and statistics.
        module: the module's file, an absolute path where Envoy runs; or the module itself.
        root_id: which of the module's plug-ins it is; empty where it holds one.
        vm_id: plug-ins of equal VM id, VM configuration and module share a VM.
        configuration: what `proxy_on_configure` reads; None: nothing.
        vm_configuration: what `proxy_on_vm_start` reads; None: nothing.
        environment: the variables that the module sees.
        host_environment: those of Envoy's own that it sees too.
        failure_policy: what becomes of requests once the plug-in has crashed: refused, let
            through, or served by a new VM.
        capabilities: the calls and callbacks that are allowed; None: all.
    """

    name: str
    module: Path | bytes
    root_id: str = ""
    vm_id: str = ""
    configuration: str | bytes | None = None
    vm_configuration: str | bytes | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    host_environment: tuple[str, ...] = ()
    failure_policy: FailurePolicy = "closed"
    capabilities: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A server that requests go to.

    Args:
        name: what plug-ins call it by.
        host: an address or a name.
        port: its port.
        http2: whether it speaks HTTP/2, as gRPC needs; else HTTP/1.1.
        tls: whether to talk to it through TLS, and believe only a certificate for `host`.
        authorities: the file of the authorities that such a certificate may come from; None: that
            of Envoy's images, Debian and Alpine.
    """

    name: str
    host: str
    port: int
    http2: bool = False
    tls: bool = False
    authorities: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """A port with plug-ins behind it, in the order in which requests meet them.

    Args:
        name: its name; unique.
        kind: HTTP filters (HTTP/1.1, and HTTP/2 with prior knowledge), or network filters.
        plugins: the chain.
        cluster: where requests go; None: every HTTP request is answered 200, TCP is echoed.
        port: 0 lets the kernel choose.
        host: the address to listen at.
        authority: what the request's host becomes on its way on; None leaves it.
    """

    name: str
    kind: Literal["http", "tcp"] = "http"
    plugins: tuple[WasmPlugin, ...] = ()
    cluster: str | None = None
    port: int = 0
    host: str = "127.0.0.1"
    authority: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A plug-in that runs beside the traffic, without requests.

    Args:
        plugin: which.
        singleton: one on the main thread; else one a worker.
    """

    plugin: WasmPlugin
    singleton: bool


def make_bootstrap(
    *,
    clusters: Sequence[Cluster] = (),
    listeners: Sequence[Listener] = (),
    services: Sequence[Service] = (),
    lds: Path | None = None,
    admin_host: str = "127.0.0.1",
    admin_port: int = 0,
    barrier: bool = False,
) -> Json:
    """Return what Envoy starts from.

    Args:
        clusters: servers that listeners and plug-ins use.
        listeners: those that never change.
        services: plug-ins beside the traffic.
        lds: the file that further listeners are read from, again whenever a file is moved into
            its folder.
        admin_host: the admin interface's address. Whoever reaches it rules Envoy.
        admin_port: 0 lets the kernel choose.
        barrier: whether to have the listener `BARRIER`, and with it V8 before the workers.
    """
    static: list[Json] = [make_listener(listener) for listener in listeners]
    if barrier:
        static.append(_barrier())
    bootstrap: Json = {
        "node": {"id": "wasmctl", "cluster": "wasmctl"},
        "admin": {"address": _address(admin_host, admin_port)},
        "static_resources": {
            "listeners": static,
            "clusters": [_cluster(cluster) for cluster in clusters],
        },
    }
    if lds is not None:
        source = {"path": str(lds), "watched_directory": {"path": str(lds.parent)}}
        config = {"resource_api_version": "V3", "path_config_source": source}
        bootstrap["dynamic_resources"] = {"lds_config": config}
    if services:
        bootstrap["bootstrap_extensions"] = [_service(service) for service in services]
    return bootstrap


def make_listeners(listeners: Sequence[Listener], *, version: str) -> Json:
    """Return the content of an LDS file."""
    kind = f"{_TYPE_URL}envoy.config.listener.v3.Listener"
    resources = [{"@type": kind, **make_listener(listener)} for listener in listeners]
    return {"version_info": version, "resources": resources}


def make_listener(listener: Listener) -> Json:
    """Return one listener."""
    if listener.kind == "tcp":
        filters = [_wasm("network", plugin) for plugin in listener.plugins]
        filters.append(_tcp_end(listener))
    else:
        plugins = [_wasm("http", plugin) for plugin in listener.plugins]
        filters = [_http(listener.name, plugins, _route(listener))]
    return _listener(listener, filters)


def _listener(listener: Listener, filters: Sequence[Json]) -> Json:
    return {
        "name": listener.name,
        "address": _address(listener.host, listener.port),
        # Else a port that another Envoy has would be shared with it, and nobody told.
        "enable_reuse_port": False,
        "filter_chains": [{"filters": filters}],
    }


def _http(name: str, filters: Sequence[Json], route: Json) -> Json:
    router = _typed("envoy.filters.http.router", "envoy.extensions.filters.http.router.v3.Router")
    host = {"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, **route}]}
    return _typed(
        "envoy.filters.network.http_connection_manager",
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix=name,
        # Envoy's second is for far-away clients that must yet read an early answer.
        delayed_close_timeout="0.1s",
        http_protocol_options={"enable_trailers": True},
        route_config={"virtual_hosts": [host]},
        http_filters=[*filters, router],
    )


def _route(listener: Listener) -> Json:
    if listener.cluster is None:
        return {"direct_response": {"status": 200, "body": {"inline_string": "ok\n"}}}
    # As the meshes set it; Envoy's own default is 15 s.
    route: Json = {"cluster": listener.cluster, "timeout": "0s"}
    if listener.authority is not None:
        route["host_rewrite_literal"] = listener.authority
    return {"route": route}


def _tcp_end(listener: Listener) -> Json:
    if listener.cluster is None:
        return _typed("envoy.filters.network.echo", "envoy.extensions.filters.network.echo.v3.Echo")
    return _typed(
        "envoy.filters.network.tcp_proxy",
        "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
        stat_prefix=listener.name,
        cluster=listener.cluster,
    )


def _barrier() -> Json:
    plugin = WasmPlugin(name="barrier", module=barrier_module(), vm_id=BARRIER)
    return make_listener(Listener(name=BARRIER, plugins=(plugin,)))


def _service(service: Service) -> Json:
    return _typed(
        "envoy.bootstrap.wasm",
        "envoy.extensions.wasm.v3.WasmService",
        config=_plugin(service.plugin),
        singleton=service.singleton,
    )


def _wasm(kind: Literal["http", "network"], plugin: WasmPlugin) -> Json:
    name = f"envoy.filters.{kind}.wasm"
    return _typed(name, f"envoy.extensions.filters.{kind}.wasm.v3.Wasm", config=_plugin(plugin))


def _plugin(plugin: WasmPlugin) -> Json:
    code: Json = {"filename": str(plugin.module)}
    if isinstance(plugin.module, bytes):
        code = {"inline_bytes": base64.b64encode(plugin.module).decode()}
    machine: Json = {
        "vm_id": plugin.vm_id,
        "runtime": "envoy.wasm.runtime.v8",
        "code": {"local": code},
    }
    if plugin.vm_configuration is not None:
        machine["configuration"] = _value(plugin.vm_configuration)
    variables: Json = {}
    if plugin.host_environment:
        variables["host_env_keys"] = [*plugin.host_environment]
    if plugin.environment:
        variables["key_values"] = dict(plugin.environment)
    if variables:
        machine["environment_variables"] = variables
    config: Json = {"name": plugin.name, "root_id": plugin.root_id, "vm_config": machine}
    if plugin.configuration is not None:
        config["configuration"] = _value(plugin.configuration)
    if plugin.failure_policy != "closed":
        # Closed is the default of every release; older ones do not know the field.
        config["failure_policy"] = f"FAIL_{plugin.failure_policy.upper()}"
    if plugin.capabilities is not None:
        allowed: Json = {name: {} for name in plugin.capabilities}
        config["capability_restriction_config"] = {"allowed_capabilities": allowed}
    return config


def _value(value: str | bytes) -> Json:
    """Return text or bytes so that the plug-in reads them as they are."""
    if isinstance(value, str):
        return {"@type": f"{_TYPE_URL}google.protobuf.StringValue", "value": value}
    text = base64.b64encode(value).decode()
    return {"@type": f"{_TYPE_URL}google.protobuf.BytesValue", "value": text}


def _cluster(cluster: Cluster) -> Json:
    discovery = "STATIC" if _is_address(cluster.host) else "LOGICAL_DNS"
    endpoint = {"endpoint": {"address": _address(cluster.host, cluster.port)}}
    protocol: Json = {"http_protocol_options": {"enable_trailers": True}}
    if cluster.http2:
        protocol = {"http2_protocol_options": {}}
    options = f"{_TYPE_URL}envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
    made: Json = {
        "name": cluster.name,
        "type": discovery,
        "load_assignment": {
            "cluster_name": cluster.name,
            "endpoints": [{"lb_endpoints": [endpoint]}],
        },
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": options,
                "explicit_http_config": protocol,
            }
        },
    }
    if discovery == "LOGICAL_DNS":
        # `localhost` has addresses of both kinds, and most servers listen at one of them. A
        # logical cluster tries the next address where one does not answer; a strict one does not.
        made["dns_lookup_family"] = "ALL"
    if cluster.tls:
        made["transport_socket"] = _tls(cluster)
    return made


def _tls(cluster: Cluster) -> Json:
    is_address = _is_address(cluster.host)
    kind = "IP_ADDRESS" if is_address else "DNS"
    named = {"san_type": kind, "matcher": {"exact": cluster.host}}
    trusted = {"filename": str(cluster.authorities or _AUTHORITIES)}
    common = {
        "validation_context": {
            "trusted_ca": trusted,
            "match_typed_subject_alt_names": [named],
        },
        "alpn_protocols": ["h2" if cluster.http2 else "http/1.1"],
    }
    return _typed(
        "envoy.transport_sockets.tls",
        "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        # RFC 6066, section 3: no address is a name.
        sni="" if is_address else cluster.host,
        common_tls_context=common,
    )


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _address(host: str, port: int) -> Json:
    return {"socket_address": {"address": host, "port_value": port}}


def _typed(name: str, kind: str, /, **fields: object) -> Json:
    return {"name": name, "typed_config": {"@type": f"{_TYPE_URL}{kind}", **fields}}
