"""Rules about what runs while a host loads a module, before it may call much of the host. Pure.

proxy-wasm-cpp-host, src/wasm.cc, startVm: `_initialize`, then `main`, else `__main_void`; without
`_initialize`, `_start`. Earlier still, an engine runs the start section.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from wasmctl.hosts.finding import Finding, Severity
from wasmctl.hosts.host import ABIS, Host
from wasmctl.hosts.rule import Rule, found, said
from wasmctl.hosts.rules_link import abi_of
from wasmctl.wasm.info import Kind, ModuleInfo

if TYPE_CHECKING:
    from wasmctl.wasm.course import Course

__all__ = ["Start", "check_start"]

_FAILED: Final = "Function: {name} failed: Uncaught "
_RESTRICTED: Final = f"{_FAILED}Error: restricted_callback"
_TRAPPED: Final = f"{_FAILED}RuntimeError: unreachable"

_START_ENDS_PROXY: Final = Rule(
    id="start-section-calls-host",
    message="the module's start section calls `{name}`, before there is a plug-in to call for: it"
    " ends the whole proxy",
    hint="leave the start section out: export what it does as `_initialize` (link with"
    " `--no-entry`, without `wasm-ld --entry` or `wasm-opt` passes that add it)",
    source="host, src/v8/v8.cc, V8::link; measured",
)
_START_TRAPS: Final = Rule(
    id="start-section-traps",
    message="the module's start section ends in a trap, so that no instance can be made of it",
    hint="leave the start section out: export what it does as `_initialize`",
    source="host, src/v8/v8.cc, V8::link; measured",
    words="Failed to create new Wasm instance",
)
_START_SECTION: Final = Rule(
    id="start-section",
    message="the module has a start section, which runs before the host can be called: a call from"
    " it, be it to log a panic, ends the whole proxy",
    hint="leave it out: export what it does as `_initialize`",
    source="host, src/v8/v8.cc, V8::link; measured",
)
_MAY_CALL: Final = Rule(
    id="start-may-call-host",
    message="`{start}` can reach `{name}`, which the host refuses while it loads the plug-in",
    hint="if it does, move the call from Go's `init()` or Rust's `proxy_wasm::main!` to"
    " `OnVMStart`/`on_vm_start` or `OnPluginStart`/`on_configure`",
    source="host, src/wasm.cc, startVm",
)


class Start:
    """What a module's bytes tell of how it starts; read once for all hosts.

    Args:
        data: the module's bytes.
        info: what was read of them.
    """

    def __init__(self, data: bytes | mmap.mmap, info: ModuleInfo) -> None:
        self.info = info
        self.functions = {one.name: one.index for one in info.exports if one.kind is Kind.FUNCTION}
        self.imports = [str(one) for one in info.imported_functions]
        self._data = data
        self._course: Course | None = None

    @property
    def is_of_go(self) -> bool:
        """Whether Go's own compiler made it: then it calls through tables, which tells nothing."""
        return "Go" in self.info.producers.get("language", ())

    def sure(self, function: int) -> list[str]:
        """Return what is surely called, imports by name; empty stands for a trap."""
        return [self.imports[one] if one >= 0 else "" for one in self._of().sure(function)]

    def possible(self, function: int) -> list[str]:
        """Return which imports may be called."""
        return [self.imports[one] for one in self._of().possible(function)]

    def _of(self) -> Course:
        from wasmctl.wasm.course import Course

        if self._course is None:
            self._course = Course(self._data, self.info)
        return self._course


def check_start(start: Start, host: Host) -> Iterator[Finding]:
    """What runs while it is loaded may call few functions of the host, and must not trap."""
    yield from _check_section(start, host)
    exports = host.exports[abi_of(start.info) or ABIS[-1]]
    for name in _run_by(start.functions, exports):
        if start.is_of_go:
            # Go's `_start` runs `main`, and exits when it is back.
            if name == "_start" and "_initialize" not in start.functions:
                yield said(_RESTRICTED.format(name=name), where="wasi_snapshot_preview1.proc_exit")
            continue
        yield from _check_function(name, start, host)


def _check_function(name: str, start: Start, host: Host) -> Iterator[Finding]:
    function = start.functions[name]
    surely = start.sure(function)
    for called in surely:
        if not called:
            yield said(_TRAPPED.format(name=name), where=name)
            return
        if called not in host.at_start:
            yield said(_RESTRICTED.format(name=name), where=called)
            return
    for called in start.possible(function):
        # What a panic calls is always in reach: logging, and WASI to exit.
        if called.startswith("env.") and called not in host.at_start:
            yield found(_MAY_CALL, Severity.WARNING, where=called, start=name, name=called)


def _check_section(start: Start, host: Host) -> Iterator[Finding]:
    function = start.info.start
    if function is None:
        return
    is_import = function < len(start.imports)
    surely = [start.imports[function]] if is_import else start.sure(function)
    for called in surely:
        if not called:
            yield found(_START_TRAPS, Severity.ERROR, where="start section")
            return
        if called not in host.in_section:
            yield found(_START_ENDS_PROXY, Severity.ERROR, where=called, name=called)
            return
    yield found(_START_SECTION, Severity.WARNING, where="start section")


def _run_by(functions: Mapping[str, int], known: Mapping[str, str]) -> list[str]:
    """Return which functions the host runs, in their order."""
    if "_initialize" not in functions:
        return ["_start"] if "_start" in functions else []
    mains = [name for name in ("main", "__main_void") if name in functions and name in known]
    return ["_initialize", *mains[:1]]
