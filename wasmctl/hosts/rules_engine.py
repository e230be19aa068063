"""Rules about what the host's engine compiles and makes an instance of: V8 in Envoy. Pure.

proxy-wasm-cpp-host, src/v8/v8.cc; the sizes and features are measured.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from wasmctl.errors import Unreadable
from wasmctl.hosts.finding import Finding, Severity
from wasmctl.hosts.host import Host
from wasmctl.hosts.rule import Rule, found
from wasmctl.wasm.info import Kind, Limits, ModuleInfo

__all__ = ["Features", "check_features", "check_memory"]

_NO_INSTANCE: Final = "Failed to create new Wasm instance"
_BYTECODE: Final = "Wasm VM failed Failed to load Wasm bytecode"
_PAGE: Final = 64 * 1024

_MEMORY_TOO_LARGE: Final = Rule(
    id="memory-too-large",
    message="its memory begins with {size}, and the host allows {most}",
    hint="lower the initial memory (Rust and C `-C link-arg=--initial-memory=…`), and look for"
    " large static arrays",
    source="host, include/proxy-wasm/limits.h; measured",
    words=_NO_INSTANCE,
)
# The host makes a memory for it, and fails without a word.
_IMPORTED_TOO_LARGE: Final = replace(
    _MEMORY_TOO_LARGE, words="Wasm VM failed Failed to initialize Wasm code"
)
_MAXIMUM_TOO_LARGE: Final = Rule(
    id="memory-maximum-too-large",
    message="its memory may grow to {size}, and the engine takes {most} at most",
    hint="lower the maximum, or declare none (`-C link-arg=--max-memory=…`)",
    source="v8, src/wasm/wasm-limits.h; measured",
    words=_BYTECODE,
)
_IMPORT_NOT_MADE: Final = Rule(
    id="memory-import-refused",
    message="the module imports {what}, which the host does not make",
    hint="define them in the module: link without `--import-memory`, `--shared-memory` and"
    " `--import-table`",
    source="host, src/v8/v8.cc, V8::link; measured",
    words=_NO_INSTANCE,
)
_SHARED: Final = Rule(
    id="memory-shared",
    message="the module's memory is shared between threads, of which a plug-in never has more than"
    " one",
    hint="build it without threads: no `-C target-feature=+atomics`, no `-pthread`",
    source="measured: it loads; host, src/v8/v8.cc has no threads",
)
_WIDE: Final = Rule(
    id="memory-wide",
    message="the module's memory has addresses of 64 bits, and the host passes addresses of 32",
    hint="build it for `wasm32-wasip1`, not for wasm64",
    source="measured: it loads; host, src/v8/v8.cc, words of 32 bits",
)
_NO_MEMORY: Final = Rule(
    id="no-memory-export",
    message="the module exports no memory: the host loads it, and can hand it no data",
    hint="export the memory: it is the linker's default; drop `--no-export-memory` or a tool that"
    " strips exports",
    source="host, src/v8/v8.cc, V8::link; measured: it loads",
)
_FEATURE: Final = Rule(
    id="feature-lacking",
    message="the module uses {feature}, which the host's engine does not compile",
    hint="build without it (Rust `-C target-feature=-…`, C `-mno-…`); an experimental proposal is"
    " in no released proxy",
    source="measured in every release; v8, src/wasm/wasm-feature-flags.h",
    words=_BYTECODE,
)
_DOUBTED_FEATURE: Final = Rule(
    id="feature-doubtful",
    message="the module uses {feature}, which this host's engine may not compile: it is older than"
    " the releases that were measured",
    hint="try it there, or build without it (Rust `-C target-feature=-…`)",
    source="v8, src/wasm/wasm-feature-flags.h of 10.7; not measured",
)
_NO_INSTRUCTION: Final = Rule(
    id="instruction-unknown",
    message="the module has code that no released proxy compiles: {why}",
    hint="build it again, without experimental features (Rust `-C target-feature=-…`, C `-mno-…`)",
    source="host, src/v8/v8.cc, V8::load; measured",
    words=_BYTECODE,
)


def check_memory(info: ModuleInfo, host: Host) -> Iterator[Finding]:
    """The host gives a module memories and tables of limited size, and few of its own making."""
    imported = [one for one in info.imports if one.kind is Kind.MEMORY]
    limits = [one.limits for one in imported if one.limits]
    yield from _check_sizes(limits, host, _IMPORTED_TOO_LARGE)
    yield from _check_sizes(info.memories, host, _MEMORY_TOO_LARGE)
    tables = [one for one in info.imports if one.kind is Kind.TABLE]
    for several, what in ((imported, "memories"), (tables, "tables")):
        wide = any(one.limits and one.limits.wide for one in several)
        shared = any(one.limits and one.limits.shared for one in several)
        if len(several) > 1 or wide or shared:
            kind = "two or more" if len(several) > 1 else "shared" if shared else "64-bit"
            facts = {"what": f"{kind} {what}"}
            yield found(_IMPORT_NOT_MADE, Severity.ERROR, where=str(several[-1]), **facts)
    if any(one.shared for one in info.memories):
        yield found(_SHARED, Severity.WARNING, where="memory")
    if any(one.wide for one in info.memories):
        yield found(_WIDE, Severity.WARNING, where="memory")
    if not any(one.kind is Kind.MEMORY for one in info.exports):
        yield found(_NO_MEMORY, Severity.WARNING)


def _check_sizes(memories: Iterable[Limits], host: Host, rule: Rule) -> Iterator[Finding]:
    for one in memories:
        if one.minimum > (most := host.sizes["pages"]):
            facts = {"size": _in_words(one.minimum), "most": _in_words(most)}
            yield found(rule, Severity.ERROR, where="memory", **facts)
        declared = host.sizes["declared-wide-pages" if one.wide else "declared-pages"]
        if (one.maximum or 0) > declared:
            facts = {"size": _in_words(one.maximum or 0), "most": _in_words(declared)}
            yield found(_MAXIMUM_TOO_LARGE, Severity.ERROR, where="memory", **facts)


class Features:
    """Which features a module uses; its code is read only where a host may lack one.

    Args:
        data: the module's bytes.
        info: what was read of them.
    """

    def __init__(self, data: bytes | mmap.mmap, info: ModuleInfo) -> None:
        self._data = data
        self._info = info
        self._used: frozenset[str] | None = None

    def used_of(self, lacking: frozenset[str]) -> frozenset[str]:
        """Return which of these it uses.

        Raises:
            Unreadable: there is something that is no instruction.
        """
        told = self._info.features
        if "Go" in self._info.producers.get("language", ()) or (told and lacking.isdisjoint(told)):
            return frozenset()
        if self._used is None:
            from wasmctl.wasm.features import used_features

            self._used = used_features(self._data, self._info)
        return self._used & lacking


def check_features(features: Features, host: Host) -> Iterator[Finding]:
    """The engine must know every feature that the code uses."""
    try:
        used = features.used_of(host.lacks | host.doubted_features)
    except Unreadable as error:
        yield found(_NO_INSTRUCTION, Severity.ERROR, why=error.message)
        return
    for feature in sorted(used):
        if feature in host.lacks:
            yield found(_FEATURE, Severity.ERROR, where=f"feature {feature}", feature=feature)
        else:
            yield found(
                _DOUBTED_FEATURE, Severity.WARNING, where=f"feature {feature}", feature=feature
            )


def _in_words(pages: int) -> str:
    return f"{pages * _PAGE / (1 << 20):,.0f} MiB"
