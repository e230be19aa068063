"""Rows of the table of explanations: what proxies say around plug-ins. Data.

Modules that did not reach them, requests that were answered for a plug-in's sake, settings, and
refusals for which they give no reason.

The words are those of Envoy's source/extensions/common/wasm and of Istio's agent; each was
provoked in Envoy 1.36 and 1.40 unless it says otherwise.
"""

from __future__ import annotations

from typing import Final

from wasmctl.hosts.rows import Fault, Row, Words

__all__ = ["ROWS"]

_PROXY: Final = (
    Row(
        id="module-not-found",
        pattern=Words(r"Invalid path: (?P<path>\S+\.wasm)"),
        message="Envoy does not find the module `{path}`",
        hint="build it, and give a path that the proxy's own file system has and its user may read",
        fault=Fault.CONFIGURATION,
        source="envoy, source/common/config/datasource.cc",
    ),
    Row(
        id="image-not-fetched",
        pattern=Words(
            r"[Cc]annot fetch Wasm module (?P<name>\S+): (?P<error>.*?)\.?(?: applying|$)"
        ),
        message="the proxy's agent could not fetch the module `{name}`: {error}",
        hint="`wasmctl pull` it with the same credentials; until it is there, requests are denied"
        " (403) or, failing open, pass without the plug-in",
        fault=Fault.IMAGE,
        source="istio, pkg/wasm/convert.go and imagefetcher.go; read, not provoked",
    ),
    Row(
        id="remote-code-not-fetched",
        pattern=Words(
            r"(?:Failed to load Wasm code|createWasm: failed to load) \((?P<error>[\w ]+)\) from"
            r" (?P<url>\S+)"
        ),
        message="Envoy has no module yet from `{url}` ({error})",
        hint="see that the proxy's cluster reaches that address and the sha256 is the module's;"
        " while fetching it may only be a matter of time",
        fault=Fault.IMAGE,
        source="envoy, common/wasm/wasm.cc; read, not provoked",
    ),
    Row(
        id="remote-code-given-up",
        pattern=Words(r"Retry limit exceeded for fetching data from remote data source"),
        message="Envoy could not fetch the plug-in's module: its server did not answer, had no"
        " such file, or sent another than `sha256` says; requests are answered with 503, or pass"
        " without the plug-in where it fails open",
        hint="fetch the URL of `code.remote.http_uri` from where the proxy runs and compare its"
        " sha256; better mount the file and name it in `code.local.filename`, which Envoy says"
        " is the stable way",
        fault=Fault.IMAGE,
        source="envoy, common/wasm/remote_async_datasource.h and common/wasm/wasm.cc",
    ),
    Row(
        id="image-denied",
        pattern=Words(r"wasm-default-deny"),
        message="requests are denied (403), because the proxy has no module for the plug-in: the"
        " agent could not fetch it",
        hint="look for `cannot fetch Wasm module` in the agent's log, before this line",
        fault=Fault.IMAGE,
        source="istio, pkg/wasm/convert.go; read, not provoked",
    ),
    Row(
        id="plug-in-stopped",
        pattern=Words(r"wasm_fail_stream"),
        message="a request was answered with 503, because the plug-in had trapped before or never"
        " loaded",
        hint="look for `Function: … failed` before this line; `failure_policy: FAIL_RELOAD`"
        " (Envoy 1.33 and newer) starts the plug-in again",
        fault=Fault.PLUGIN,
        source="envoy, common/wasm/context.cc, failStream",
    ),
    Row(
        id="rbac-denied",
        pattern=Words(r"rbac_access_denied_matched_policy\[none\]"),
        message="requests were denied (403) by a rule that allows nobody: an authorization policy"
        " that none of its rules allow, or what Istio's agent puts in the place of a plug-in whose"
        " module it could not fetch",
        hint="look for `cannot fetch Wasm module` in the log since the proxy started; where there"
        " is none it is no plug-in's doing: see `istioctl x authz check POD`",
        fault=Fault.CONFIGURATION,
        source="istio, pkg/wasm/convert.go; envoy, extensions/filters/http/rbac/rbac_filter.cc",
    ),
    Row(
        id="no-filter-configuration",
        pattern=Words(r"(?<=[\s\",:])NFCF\b"),
        message="requests were answered with 500 (`NFCF`): the proxy has no configuration for a"
        " filter that is fetched apart, as Istio's plug-ins are, or refused the one that it got",
        hint="look for `Unable to create Wasm` or `TypedExtensionConfig` before this line;"
        " `istioctl proxy-status` and `istioctl proxy-config ecds POD` show what arrived",
        fault=Fault.CONFIGURATION,
        source="envoy, source/common/filter/config_discovery_impl.h; response flag NFCF",
    ),
    Row(
        id="extension-config-late",
        pattern=Words(
            r"initial fetch timed out for type\.googleapis\.com/envoy\.config\.core\.v3\."
            r"TypedExtensionConfig"
        ),
        message="the proxy waited in vain for the configuration of a plug-in: the control plane,"
        " or the agent that fetches modules for it, did not send it in time",
        hint="look in the agent's log for a module that is still being fetched, and in the control"
        " plane's for the plug-in's object; large modules and slow registries take longer than"
        " a proxy waits (`initial_fetch_timeout`)",
        fault=Fault.IMAGE,
        source="envoy, extensions/config_subscription/grpc/grpc_subscription_impl.cc; read, not"
        " provoked",
    ),
    Row(
        id="proxy-out-of-memory",
        pattern=Words(
            r"Cannot allocate Wasm memory for new instance|Fatal (?:process|JavaScript) out of"
            r" memory"
        ),
        message="the proxy itself ran out of memory for plug-ins, and ended",
        hint="give it more memory, or have fewer VMs: each worker thread has one for every"
        " plug-in of another module, VM configuration or `vm_id`",
        fault=Fault.PROXY,
        source="v8, src/wasm/wasm-memory and src/api; read, not provoked",
    ),
    Row(
        id="panic-told",
        pattern=Words(r"\Alast words: (?P<error>.+)"),
        message="the plug-in panicked: {error}",
        hint="mend it there; what the host says of it was left out of this log: the record"
        " `Function: … failed` with its backtrace says in which callback it was",
        fault=Fault.PLUGIN,
        source="what languages' runtimes say last: wasmctl.hosts.traps",
    ),
    Row(
        id="plug-in-reloaded",
        pattern=Words(r"(?P<name>\S*vm_reload_(?:success|failure|backoff)): (?P<n>[1-9]\d*)"),
        message="the proxy started the plug-in again after it had trapped: `{name}` is {n}",
        hint="look for `Function: … failed` in the log, which says why it trapped",
        fault=Fault.PLUGIN,
        source="envoy, docs, configuration/other_features/wasm; read, not provoked",
    ),
    Row(
        id="deprecated-setting",
        pattern=Words(r"Using deprecated option 'envoy\.extensions\.wasm\.v3\.(?P<name>[\w.]+)'"),
        message="a future Envoy will not take the setting `{name}` of plug-ins",
        hint="see its release notes for what takes its place; until then it is only a warning",
        fault=Fault.CONFIGURATION,
        source="envoy, source/common/protobuf/message_validator_impl.cc; Envoy 1.40",
    ),
    Row(
        id="remote-code-unstable",
        pattern=Words(r"Wasm remote code fetch is unstable"),
        message="the proxy fetches the plug-in's module itself (`code.remote`), which Envoy calls"
        " unstable: it may crash it",
        hint="mount the file and name it in `code.local.filename`; in Istio and Envoy Gateway"
        " give the image to their own objects, which fetch it for the proxy",
        fault=Fault.CONFIGURATION,
        source="envoy, common/wasm/wasm.cc",
    ),
)

_UNTOLD: Final = (
    Row(
        id="not-started",
        pattern=Words(r"Failed to initialize Wasm code|Failed to clone Base Wasm"),
        message="Envoy loaded the module but could not start it, and does not say why",
        hint="set the log level of `wasm` to debug, and see what it writes before this line",
        fault=Fault.PLUGIN,
        source="host, src/wasm.cc, createWasm; no way to it without another reason is known",
    ),
    Row(
        id="not-loaded",
        pattern=Words(r"Failed to load Wasm code"),
        message="Envoy could not load the module, and does not say why",
        hint="set the log level of `wasm` to debug, and see what it writes before this line",
        fault=Fault.PLUGIN,
        source="host, src/wasm.cc, createWasm; no way to it without another reason is known",
    ),
    Row(
        id="empty-module",
        pattern=Words(r"Plugin .*failed to load"),
        message="Envoy got an empty module",
        hint="build it again: the file has no bytes; in a log that was cut or filtered the reason"
        " may have stood before this line",
        fault=Fault.PLUGIN,
        source="envoy, common/wasm/wasm.cc, createWasm",
    ),
    Row(
        id="rejected",
        pattern=Words(r"Unable to create Wasm|Plugin configured to fail"),
        message="the proxy refused the configuration that asks for the plug-in; why is not in this"
        " log",
        hint="see what it wrote before this line, from `Wasm VM failed` or `Failed to load` on; a"
        " filter on the log, or its level for `wasm`, may have left that out",
        fault=Fault.PLUGIN,
        source="envoy, common/wasm/wasm.cc",
    ),
)

# Those that say more come first.
ROWS: Final = (*_PROXY, *_UNTOLD)
