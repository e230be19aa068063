"""Where a plug-in may be deployed: the targets' names, and what each of them runs. Data.

A name is a kind and mostly a version: `envoy-1.36`, `istio-1.27`, `asm-1.22`,
`envoy-gateway-1.5`, `higress-2.1`, `gcp`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Final

from wasmctl.errors import UsageError
from wasmctl.hosts.host import ABIS, Host, older, releases
from wasmctl.hosts.host_functions import (
    GCP_FUNCTIONS,
    HIGRESS_TYPES,
    HIGRESS_WASI,
    WASI_GENERATIONS,
    WASI_MODULES,
)

__all__ = ["KINDS", "Target", "find_targets", "target_names"]

_MIB: Final = 1 << 20
# istio, pilot/pkg/features/pilot.go (ISTIO_WASM_MAX_BINARY_SIZE_BYTES); Envoy Gateway and Higress
# carry the same number in internal/wasm and pkg/wasm.
_MESH_LIMIT: Final = 256 * _MIB
# https://cloud.google.com/service-extensions/docs/quotas: plug-in and configuration together.
_GCP_LIMIT: Final = 2 * _MIB

# What V8 10.7 lacks of what 13.8 has: v8, src/wasm/wasm-feature-flags.h. It is not certain that
# these Envoys have it: proxy-wasm-cpp-host left 10.7.193.13 in July 2025 (commit 1000bc2).
_OLD_ENGINE_LACKS: Final = frozenset(
    (
        *("exnref", "extended-const", "function-references", "gc", "memory64", "multimemory"),
        *("relaxed-simd", "tail-call"),
    )
)
# Minor of Envoy → the last generation of WASI_GENERATIONS that it has.
# host, commit c4d7bb0 (2024-12); proxy-wasm/proxy-wasm-go-sdk, README: from Envoy 1.33 on.
_UNMEASURED: Final[Mapping[str, int]] = {
    **dict.fromkeys(("1.30", "1.31", "1.32"), 0),
    **dict.fromkeys(("1.33", "1.34", "1.35"), 1),
}

_ISTIO_SOURCE: Final = "https://istio.io/latest/docs/releases/supported-releases/"
_GATEWAY_SOURCE: Final = "https://gateway.envoyproxy.io/news/releases/matrix"
# Kind → version → minor of the Envoy in it. Istio 1.N has Envoy 1.(N+8): read of 1.25 and 1.28
# (istio/test-infra, pull requests 5608 and 5758) and, on the page below, of 1.15 to 1.17; for
# releases later than 1.28 concluded. ASM 1.N is made of Istio 1.N. Envoy Gateway's default, as read
# of up to 1.7.
_ENVOYS: Final[Mapping[str, Mapping[str, str]]] = {
    "istio": {f"1.{minor}": f"1.{minor + 8}" for minor in range(24, 32)},
    "asm": {f"1.{minor}": f"1.{minor + 8}" for minor in range(22, 29)},
    "envoy-gateway": {f"1.{minor}": f"1.{minor + 30}" for minor in range(3, 10)},
}
_SOURCES: Final = {
    "envoy": "measured; 1.33 to 1.35: proxy-wasm-cpp-host, src/wasm.cc, registerCallbacks",
    "istio": _ISTIO_SOURCE,
    "asm": "https://www.alibabacloud.com/help/en/asm: ASM 1.N is of Istio 1.N",
    "envoy-gateway": _GATEWAY_SOURCE,
    "higress": "higress-group/proxy-wasm-cpp-host, include/proxy-wasm/exports.h",
    "gcp": "GoogleCloudPlatform/service-extensions, plugins/README.md",
}
_READ_UP_TO: Final = {"istio": 28, "envoy-gateway": 7}
# Version → the last generation that its fork has for sure: of the third a part was read.
_HIGRESS: Final[Mapping[str, int]] = {"2.0": 0, "2.1": 1, "2.2": 1}

KINDS: Final = ("envoy", "istio", "asm", "envoy-gateway", "higress", "gcp")
_FORMS: Final = (
    "`envoy-1.36`, `envoy-1.36.3`, `istio-1.27`, `asm-1.25`, `envoy-gateway-1.5`, `higress-2.1`,"
    " `gcp`, or a kind without its version for all of them"
)
_NAME: Final = re.compile(r"(?P<kind>[a-z]+(?:-[a-z]+)*)(?:-(?P<version>\d+(?:\.\d+)*))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a plug-in is to be loaded by.

    Args:
        name: as a user names it.
        kind: the name without its version.
        envoy: the release or minor of Envoy in it; empty where that is unknown.
        host: what it has; None: it was compiled without Wasm.
        limit: how many bytes a module may have; None: any.
        source: where it comes from what it runs.
        certain: whether that was read or measured; else it is concluded.
    """

    name: str
    kind: str
    envoy: str
    host: Host | None
    limit: int | None = None
    source: str = ""
    certain: bool = True


def find_targets(names: Iterable[str] = ()) -> tuple[Target, ...]:
    """Return the targets of these names, each once, in the order of the names.

    Args:
        names: a kind without a version stands for every release of it in the table; none at all
            for every target.

    Raises:
        UsageError: no target has a name.
    """
    wanted = tuple(names) or KINDS
    found = [target for name in wanted for target in _named(name)]
    return tuple({target.name: target for target in found}.values())


def target_names() -> tuple[str, ...]:
    """Return every name that a target may be given by, as for a shell to complete."""
    kinds = [kind for kind in KINDS if kind != "gcp"]
    return (*kinds, *_targets(), *(f"envoy-{version}" for version in releases()))


def _named(name: str) -> tuple[Target, ...]:
    targets = _targets()
    if name in targets:
        return (targets[name],)
    if name in KINDS:
        return tuple(one for one in targets.values() if one.kind == name)
    match = _NAME.fullmatch(name)
    version = match["version"] if match else ""
    if match and match["kind"] in KINDS and version and version.count(".") == 2:
        minor = targets.get(f"{match['kind']}-{version.rpartition('.')[0]}")
        if minor is not None:
            return (_patch(minor, name, version),)
    raise _unknown(name)


def _patch(minor: Target, name: str, version: str) -> Target:
    """Return the target of one patch: as it was measured, else as its minor."""
    release = releases().get(version) if minor.kind == "envoy" else None
    if release is None:
        return replace(minor, name=name, certain=False)
    return replace(minor, name=name, envoy=version, host=release.host)


def _unknown(name: str) -> UsageError:
    import difflib

    close = difflib.get_close_matches(name.lower(), target_names(), n=1)
    meant = f"did you mean `{close[0]}`? " if close else ""
    return UsageError(
        "unknown-target",
        f"`{name}` is no target that is known",
        hint=f"{meant}A target is one of {_FORMS}",
    )


@cache
def _targets() -> Mapping[str, Target]:
    """Return every target but single patches of Envoy, by name."""
    hosts = _minors()
    made = [
        _target("envoy", minor, minor, host)
        for minor, host in hosts.items()
        if _UNMEASURED.get(minor) != 0
    ]
    for kind, versions in _ENVOYS.items():
        made += [
            replace(
                _target(kind, version, minor, hosts[minor]),
                limit=_MESH_LIMIT,
                certain=int(version.partition(".")[2]) <= _READ_UP_TO.get(kind, 99),
            )
            for version, minor in versions.items()
        ]
    newest = [*hosts.values()][-1]
    made += [
        replace(
            _target("higress", version, "", _of_higress(newest, generation)),
            limit=_MESH_LIMIT,
            certain=False,
        )
        for version, generation in _HIGRESS.items()
    ]
    gcp = replace(_target("gcp", "", "", _of_gcp(newest)), limit=_GCP_LIMIT, certain=False)
    return {target.name: target for target in (*made, gcp)}


def _target(kind: str, version: str, envoy: str, host: Host | None) -> Target:
    name = f"{kind}-{version}" if version else kind
    return Target(name=name, kind=kind, envoy=envoy, host=host, source=_SOURCES[kind])


def _minors() -> Mapping[str, Host]:
    """Return what each minor of Envoy has: that of its newest patch with Wasm."""
    measured = {
        version.rpartition(".")[0]: release.host
        for version, release in releases().items()
        if release.host is not None
    }
    oldest = next(iter(measured.values()))
    read = {
        generation: older(oldest, generation=generation, engine_lacks=_OLD_ENGINE_LACKS)
        for generation in set(_UNMEASURED.values())
    }
    return {**{minor: read[one] for minor, one in _UNMEASURED.items()}, **measured}


def _of_higress(newest: Host, generation: int) -> Host:
    """Return what Higress's fork has: functions of its own, and WASI of some generation or more."""
    own = {f"env.{name}": type_ for name, type_ in HIGRESS_TYPES.items()}
    host = older(newest, generation=2, engine_lacks=_OLD_ENGINE_LACKS)
    return replace(
        host,
        imports={abi: {**host.imports[abi], **own} for abi in ABIS},
        doubted_imports=_wasi_after(generation) - _wasi(HIGRESS_WASI if generation else ()),
    )


def _of_gcp(newest: Host) -> Host:
    """Return what GCP's load balancers have: they serve a part of the ABI."""
    functions = {name for typed in newest.imports.values() for name in typed}
    served = {f"env.{name}" for name in GCP_FUNCTIONS}
    return replace(
        older(newest, generation=2, engine_lacks=_OLD_ENGINE_LACKS),
        doubted_imports=_wasi_after(1),
        unserved=frozenset(
            name for name in functions if name.startswith("env.proxy_") and name not in served
        ),
    )


def _wasi_after(generation: int) -> frozenset[str]:
    return _wasi(frozenset().union(*WASI_GENERATIONS[generation + 1 :]))


def _wasi(names: Iterable[str]) -> frozenset[str]:
    return frozenset(f"{module}.{name}" for module in WASI_MODULES for name in names)
