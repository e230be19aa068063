"""Whether targets will load a module, and if not why: every rule of every one of them. Pure.

An error is what the real host refuses, a warning is anything else. What a host says is predicted
word for word, and explained by the table that explains logs; that they agree is tried with real
ones (`python -m tests.measure.agreement`).
"""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Final

from wasmctl.hosts.finding import Finding, Severity
from wasmctl.hosts.host import Host
from wasmctl.hosts.rule import said
from wasmctl.hosts.rules_build import check_build, check_size
from wasmctl.hosts.rules_engine import Features, check_features, check_memory
from wasmctl.hosts.rules_link import check_exports, check_imports, check_marker
from wasmctl.hosts.rules_start import Start, check_start
from wasmctl.hosts.targets import Target
from wasmctl.wasm.info import ModuleInfo

__all__ = ["check_module", "needed_capabilities"]

_NO_WASM: Final = (
    "Failed to create Wasm VM using envoy.wasm.runtime.v8 runtime. Envoy was compiled without"
    " support for it"
)
_RULES: Final[tuple[Callable[[ModuleInfo, Host], Iterator[Finding]], ...]] = (
    check_marker,
    check_imports,
    check_exports,
    check_memory,
)


def check_module(
    data: bytes | mmap.mmap, info: ModuleInfo, targets: Iterable[Target]
) -> tuple[Finding, ...]:
    """Return what is wrong with a module for these targets: errors first.

    What holds for several of them is told once, with all that it holds for.

    Args:
        data: the module's bytes.
        info: what was read of them.
        targets: at least one.
    """
    wanted = tuple(targets)
    start, features = Start(data, info), Features(data, info)
    holds: dict[Finding, list[str]] = {}
    for host, its in _by_host(wanted):
        names = [target.name for target in its]
        for finding in _of_host(info, start, features, host):
            holds.setdefault(finding, []).extend(names)
    for target in wanted:
        for finding in check_size(info, target):
            holds.setdefault(finding, []).append(target.name)
    order = {target.name: place for place, target in enumerate(wanted)}
    findings = [
        replace(finding, targets=tuple(sorted({*names}, key=order.__getitem__)))
        for finding, names in holds.items()
    ]
    findings += [replace(one, targets=tuple(order)) for one in check_build(info)]
    return tuple(sorted(findings, key=lambda one: one.severity is not Severity.ERROR))


def needed_capabilities(info: ModuleInfo) -> tuple[str, ...]:
    """Return what `capability_restriction_config` must allow the module, sorted.

    Host calls and WASI functions that it imports, callbacks that it exports. The allocator and
    what runs while it is loaded cannot be restricted.

    proxy-wasm-cpp-host, src/wasm.cc, registerCallbacks and getFunctions.
    """
    called = {one.name for one in info.imported_functions if one.module != "env"}
    called |= {
        one.name
        for one in info.imported_functions
        if one.module == "env" and one.name.startswith("proxy_")
    }
    callbacks = {
        name
        for name in info.exported_functions
        if name.startswith(("proxy_on_", "proxy_validate_")) and name != "proxy_on_memory_allocate"
    }
    return tuple(sorted(called | callbacks))


def _by_host(targets: Iterable[Target]) -> Iterable[tuple[Host | None, list[Target]]]:
    """Return the targets gathered by what they have: many have the same."""
    gathered: dict[int, tuple[Host | None, list[Target]]] = {}
    for target in targets:
        gathered.setdefault(id(target.host), (target.host, []))[1].append(target)
    return gathered.values()


def _of_host(
    info: ModuleInfo, start: Start, features: Features, host: Host | None
) -> Iterator[Finding]:
    if host is None:
        yield said(_NO_WASM)
        return
    for rule in _RULES:
        yield from rule(info, host)
    yield from check_features(features, host)
    yield from check_start(start, host)
