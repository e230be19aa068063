"""Rules about what a module and its host have of each other: ABI, imports, exports. Pure.

Words and order: proxy-wasm-cpp-host, src/bytecode_util.cc, src/v8/v8.cc and src/wasm.cc.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from typing import Final

from wasmctl.hosts.finding import Finding, Severity
from wasmctl.hosts.host import ABIS, Host
from wasmctl.hosts.rule import Rule, found, said
from wasmctl.wasm.info import FunctionType, Import, Kind, ModuleInfo

__all__ = ["abi_of", "check_exports", "check_imports", "check_marker"]

_MARKER: Final = "proxy_abi_version_"
_MISSING: Final = "Failed to load Wasm module due to a missing import: "
_MISMATCH: Final = "Failed to load Wasm module due to an import type mismatch: "
_SIGNATURE: Final = "Bad function signature for: "
# In this order: src/wasm.cc, getFunctions. The second is not looked at where there is the first.
_ALLOCATORS: Final = ("malloc", "proxy_on_memory_allocate")

_SEVERAL_MARKERS: Final = Rule(
    id="abi-markers-several",
    message="the module exports {count} ABI markers ({markers}), of which the first that the host"
    " knows counts: `{taken}`",
    hint="leave out all but one: parts for two SDK releases are in the module (`cargo tree -d`,"
    " `go mod graph`)",
    source="host, src/bytecode_util.cc, getAbiVersion",
)
_ENDS_PROXY: Final = Rule(
    id="type-ends-proxy",
    message="{what} has {type}, of which Envoy's engine has no notion outside of a module: loading"
    " it ends the whole proxy",
    hint="do not export or import it: pass numbers, and keep vectors, references of garbage"
    " collection and exceptions inside of the module",
    source="v8, src/wasm/c-api.cc, V8ValueTypeToWasm; measured",
)
_DOUBTED_IMPORT: Final = Rule(
    id="import-doubtful",
    message="the plug-in imports `{name}`, which not every release of this target may have",
    hint="try it there before you rely on it, or leave out what brings it in",
    source="the host's source; not measured",
)
_UNSERVED_IMPORTS: Final = Rule(
    id="imports-not-served",
    message="the plug-in imports host calls that this target does not serve: {names}",
    hint="do not rely on them there (an SDK may import them without need): it serves headers,"
    " bodies, trailers, local responses, logging, the time and the configuration",
    source="GoogleCloudPlatform/service-extensions, plugins/README.md",
)


def abi_of(info: ModuleInfo) -> str | None:
    """Return the ABI that hosts take the module for: that of the first marker that they know."""
    return next((abi for abi in info.abi_versions if abi in ABIS), None)


def check_marker(info: ModuleInfo, _host: Host) -> Iterator[Finding]:
    """Hosts look for the marker of an ABI before anything else."""
    markers = info.abi_versions
    taken = abi_of(info)
    if taken is None:
        where = f"export {_MARKER}{markers[0].replace('.', '_')}" if markers else ""
        yield said("Wasm VM failed Missing or unknown Proxy-Wasm ABI version", where=where)
    elif len(markers) > 1:
        yield found(
            _SEVERAL_MARKERS,
            Severity.WARNING,
            where=f"export {_MARKER}{taken.replace('.', '_')}",
            count=len(markers),
            markers=", ".join(markers),
            taken=taken,
        )


def check_imports(info: ModuleInfo, host: Host) -> Iterator[Finding]:
    """Every import must be there, and of the type that the host has."""
    has = host.imports[abi_of(info) or ABIS[-1]]
    # Go declares some twice.
    for one in dict.fromkeys(info.imports):
        if untaken := _untaken(one, host):
            what = f"the import `{one}`"
            yield found(_ENDS_PROXY, Severity.ERROR, where=str(one), what=what, type=untaken)
        elif one.kind is Kind.FUNCTION:
            yield from _check_function(one, has.get(str(one)), host)
        elif one.kind is Kind.GLOBAL:
            yield said(f"{_MISSING}{one}", where=str(one))
    unserved = sorted({one.name for one in info.imports if str(one) in host.unserved})
    if unserved:
        first, more = ", ".join(f"`{name}`" for name in unserved[:3]), len(unserved) - 3
        names = f"{first} and {more} more" if more > 0 else first
        yield found(_UNSERVED_IMPORTS, Severity.WARNING, names=names)


def check_exports(info: ModuleInfo, host: Host) -> Iterator[Finding]:
    """What the host looks up must have the type that it is called with; it needs an allocator."""
    yield from _check_export_types(info, host)
    known = host.exports[abi_of(info) or ABIS[-1]]
    exported = info.exported_functions
    allocator = next((name for name in _ALLOCATORS if name in exported), None)
    for name, type_ in exported.items():
        if (want := known.get(name)) is None or not _is_looked_up(name, exported, allocator):
            continue
        if type_ is not None and str(type_) != want:
            words = f"{_SIGNATURE}{name}, want: {want}, but the module exports: {type_}"
            yield said(words, where=f"export {name}")
    if allocator is None:
        yield said("Wasm VM failed Wasm module is missing malloc function.")


def _check_function(one: Import, has: str | None, host: Host) -> Iterator[Finding]:
    where = str(one)
    if has is None:
        yield said(f"{_MISSING}{one}", where=where)
    elif has != str(one.type):
        yield said(f"{_MISMATCH}{one}, want: {one.type}, but host exports: {has}", where=where)
    elif str(one) in host.doubted_imports:
        yield found(_DOUBTED_IMPORT, Severity.WARNING, where=where, name=one)


def _is_looked_up(name: str, exported: Container[str], allocator: str | None) -> bool:
    """Return whether the host looks at an export that it knows."""
    if name in _ALLOCATORS:
        return name == allocator
    if name == "_start":
        return "_initialize" not in exported
    return name not in {"main", "__main_void"} or "_initialize" in exported


def _check_export_types(info: ModuleInfo, host: Host) -> Iterator[Finding]:
    globals_ = [one.value for one in info.imports if one.kind is Kind.GLOBAL]
    tables = [one.limits for one in info.imports if one.limits and one.kind is Kind.TABLE]
    for one in info.exports:
        untaken = None
        if one.kind is Kind.FUNCTION:
            untaken = _untaken_of(info.type_of(one.index), host)
        elif one.kind is Kind.GLOBAL:
            untaken = _untaken_value([*globals_, *info.globals][one.index], host)
        elif one.kind is Kind.TABLE:
            untaken = _untaken_value([*tables, *info.tables][one.index].element, host)
        elif one.kind is Kind.TAG:
            untaken = "exceptions"
        if untaken:
            what = f"the export `{one.name}`"
            yield found(
                _ENDS_PROXY, Severity.ERROR, where=f"export {one.name}", what=what, type=untaken
            )


def _untaken(one: Import, host: Host) -> str | None:
    """Return what of an import's type the engine has no notion of; None: it has of all."""
    if one.kind is Kind.TAG:
        return "exceptions"
    if one.kind is Kind.GLOBAL:
        return _untaken_value(one.value, host)
    if one.kind is Kind.TABLE and one.limits:
        return _untaken_value(one.limits.element, host)
    return _untaken_of(one.type, host) if one.kind is Kind.FUNCTION else None


def _untaken_of(type_: FunctionType | None, host: Host) -> str | None:
    values = (*type_.parameters, *type_.results) if type_ else ()
    return next((f"the type `{value}`" for value in values if value not in host.taken), None)


def _untaken_value(value: str, host: Host) -> str | None:
    value = value.removeprefix("mut ")
    return None if value in host.taken else f"the type `{value}`"
