"""Rules about how a module was built: what it carries and lacks, whatever the host. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from wasmctl.hosts.finding import Finding, Severity
from wasmctl.hosts.rule import Rule, found
from wasmctl.hosts.targets import Target
from wasmctl.wasm.info import ModuleInfo

__all__ = ["check_build", "check_size"]

_MIB: Final = 1 << 20
# Below this share of the file, debug information is not worth a word.
_WORTH_A_WORD: Final = 0.1

_DEBUG: Final = Rule(
    id="debug-information",
    message="{share:.0%} of the module ({size:,.1f} MB) is debug information, which no proxy reads",
    hint="`wasmctl build` takes it out, and leaves the names for backtraces; {how}",
    source="https://yurydelendik.github.io/webassembly-dwarf/",
)
_STRIP_RUST: Final = 'or build for release, with `strip = "debuginfo"` in the profile'
_STRIP_TINYGO: Final = "or use `wasm-opt --strip-dwarf` (`-no-debug` takes the names too)"
_NO_NAMES: Final = Rule(
    id="no-names",
    message="the module has no names of functions: a backtrace will show addresses only",
    hint='keep the `name` section: Rust `strip = "debuginfo"` instead of `true`, Go without'
    " `-ldflags=-s`, TinyGo without `-no-debug`, `wasm-opt -g`",
    source="host, src/v8/v8.cc, getFailMessage: the backtrace",
)
# TinyGo exports all of them; other languages that export `malloc` free what it gave.
_TINYGO_ALLOCATORS: Final = ("malloc", "calloc", "realloc")
_TWO_ALLOCATORS: Final = Rule(
    id="allocators-two",
    message="the module exports `malloc` beside `proxy_on_memory_allocate`: the host calls the"
    " former, whose memory TinyGo keeps until `free`, which the host never calls: it leaks",
    hint="do not export `malloc`: TinyGo leaves it out with `-tags=custommalloc`"
    ' (`[build] args = ["-tags", "custommalloc"]`)',
    source="host, src/wasm.cc, getFunctions; tinygo, src/runtime/arch_tinygowasm_malloc.go;"
    " tetratelabs/proxy-wasm-go-sdk#349",
)
_TOO_LARGE: Final = Rule(
    id="module-too-large",
    message="the module has {size:,.1f} MiB, and the target takes {limit:,.0f} MiB",
    hint='make it smaller: `opt-level = "z"`, `lto = true`, no debug information, fewer'
    " dependencies; TinyGo or Rust instead of Go",
    source="https://cloud.google.com/service-extensions/docs/quotas; istio,"
    " pilot/pkg/features/pilot.go, ISTIO_WASM_MAX_BINARY_SIZE_BYTES",
)


def check_build(info: ModuleInfo) -> Iterator[Finding]:
    """What holds for every host."""
    debug = sum(one.size for one in info.sections if one.name.startswith(".debug_"))
    if info.size and debug / info.size > _WORTH_A_WORD:
        share, size = debug / info.size, debug / 1e6
        how = _STRIP_TINYGO if _tool(info, "TinyGo") else _STRIP_RUST
        yield found(_DEBUG, Severity.WARNING, share=share, size=size, how=how)
    if not info.has_names:
        yield found(_NO_NAMES, Severity.WARNING)
    if {*_TINYGO_ALLOCATORS, "proxy_on_memory_allocate"} <= {*info.exported_functions}:
        yield found(_TWO_ALLOCATORS, Severity.WARNING, where="export malloc")


def check_size(info: ModuleInfo, target: Target) -> Iterator[Finding]:
    """Some targets take no module above a size."""
    limit = target.limit
    if limit is not None and info.size > limit:
        size, most = info.size / _MIB, limit / _MIB
        yield found(_TOO_LARGE, Severity.ERROR, size=size, limit=most)


def _tool(info: ModuleInfo, name: str) -> bool:
    return any(name in tool for tool in info.producers.get("processed-by", ()))
