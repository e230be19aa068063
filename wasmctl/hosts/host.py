"""What proxies have for plug-ins and what they refuse: measured releases, and those read about.

`measured.json` is written by `python -m tests.measure.hosts`, which asks every release that the
package index has. What is older, or a fork, is derived from the nearest measured one by what its
source says, and marked so.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Final

from wasmctl.hosts.host_functions import WASI_GENERATIONS, WASI_MODULES

__all__ = ["ABIS", "Host", "Release", "older", "releases"]

# proxy-wasm-cpp-host, src/bytecode_util.cc, getAbiVersion.
ABIS: Final = ("0.1.0", "0.2.0", "0.2.1")
_TABLE: Final = Path(__file__).with_name("measured.json")
# ABI → name → type, as the host writes it.
Typed = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """What a proxy has for plug-ins.

    Args:
        imports: ABI → `env.proxy_log` → `i32 i32 i32 -> i32`.
        exports: ABI → `proxy_on_tick` → `i32 -> void`: what it looks up in a plug-in.
        at_start: the imports that may be called while a plug-in is loaded.
        in_section: the imports that do not end the proxy at once where the start section calls
            them.
        lacks: features of WebAssembly that its engine does not compile.
        taken: the types of values that exports and imports may have: any other ends the whole
            proxy.
        sizes: `pages` and `elements` that a memory and a table may begin with, and the like.
        measured: whether the real one was asked.
        doubted_imports: those that it may lack.
        doubted_features: those that its engine may not compile.
        unserved: those imports that are there, but do nothing.
    """

    imports: Typed
    exports: Typed
    at_start: frozenset[str]
    in_section: frozenset[str]
    lacks: frozenset[str]
    taken: frozenset[str]
    sizes: Mapping[str, int]
    measured: bool = True
    doubted_imports: frozenset[str] = frozenset()
    doubted_features: frozenset[str] = frozenset()
    unserved: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A release of Envoy.

    Args:
        version: `1.38.2`.
        host: what it has; None: it was compiled without Wasm.
        engine: the version of V8 in it.
    """

    version: str
    host: Host | None
    engine: str = ""


@cache
def releases() -> Mapping[str, Release]:
    """Return the measured releases by version, oldest first."""
    table = json.loads(_TABLE.read_bytes())
    hosts = {name: _host(profile) for name, profile in table["profiles"].items()}
    return {
        version: Release(
            version=version, host=hosts.get(one["profile"]), engine=one.get("engine", "")
        )
        for version, one in table["releases"].items()
    }


def older(host: Host, *, generation: int, engine_lacks: frozenset[str]) -> Host:
    """Return a host as it was before WASI grew to what this one has, with an older engine.

    Args:
        host: the nearest measured one.
        generation: the last one of `WASI_GENERATIONS` that it has.
        engine_lacks: what its engine may not compile.
    """
    later = frozenset().union(*WASI_GENERATIONS[generation + 1 :])
    gone = {f"{module}.{name}" for module in WASI_MODULES for name in later}
    return replace(
        host,
        imports={
            abi: {name: type_ for name, type_ in typed.items() if name not in gone}
            for abi, typed in host.imports.items()
        },
        at_start=host.at_start - gone,
        in_section=host.in_section - gone,
        measured=False,
        doubted_features=engine_lacks - host.lacks,
    )


def _host(profile: Mapping[str, Any]) -> Host:
    return Host(
        imports=_typed(profile["imports"]),
        exports=_typed(profile["exports"]),
        at_start=frozenset(profile["at_start"].split()),
        in_section=frozenset(profile["in_section"].split()),
        # A feature that it compiles in part is one that it lacks.
        lacks=frozenset(name.partition(":")[0] for name in profile["lacks"]),
        taken=frozenset(profile["taken"]),
        sizes=profile["sizes"],
    )


def _typed(by_type: Mapping[str, Mapping[str, str]]) -> Typed:
    """Return ABI → name → type of a table in which names are gathered by type."""
    parts = {
        abi: {name: type_ for type_, names in part.items() for name in names.split()}
        for abi, part in by_type.items()
    }
    return {abi: {**parts["all"], **parts.get(abi, {})} for abi in ABIS}
