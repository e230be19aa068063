"""What one VM's plug-in says while its cases run: lines and Envoy's own records, in order."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from wasmctl.cases.compare import LogLine
from wasmctl.cases.model import Level
from wasmctl.envoy.logs import Record, plugin_line
from wasmctl.envoy.proxy import Proxy
from wasmctl.hosts.traps import Trap, find_trap
from wasmctl.wasm.demangle import demangle

__all__ = ["Watch", "lines_of", "records_of", "telling"]

_LEVELS: Final[dict[str, Level]] = {
    "trace": "trace",
    "debug": "debug",
    "info": "info",
    "warning": "warn",
    "error": "error",
    "critical": "critical",
}
# The function in a line of a backtrace: wasm/traps.py.
_FRAME: Final = re.compile(r"(?m)(?<=[0-9a-f] - )\S+$")
_TELLING: Final = frozenset({"warning", "error", "critical", ""})


def records_of(records: Iterable[Record], vm_id: str) -> tuple[Record, ...]:
    """Return the records without what plug-ins in other VMs logged."""
    lines = ((record, plugin_line(record)) for record in records)
    return tuple(record for record, line in lines if line is None or line.vm_id == vm_id)


def lines_of(records: Iterable[Record], vm_id: str) -> tuple[LogLine, ...]:
    """Return what the plug-in in that VM logged."""
    lines = (plugin_line(record) for record in records)
    return tuple(
        LogLine(level=_LEVELS[line.level], text=line.text)
        for line in lines
        if line is not None and line.vm_id == vm_id and line.level in _LEVELS
    )


class Watch:
    """The records of one case.

    Args:
        proxy: whose.
        vm_id: of the plug-in.
        records: those of its start, where the case is about that.
    """

    def __init__(self, proxy: Proxy, vm_id: str, records: Sequence[Record] = ()) -> None:
        self._proxy = proxy
        self._vm_id = vm_id
        self.records: list[Record] = []
        self.lines: list[LogLine] = []
        self._trap: Trap | None = None
        self._add(records)

    async def look(self, *, timeout: float) -> None:
        """Read on, up to the end of all that the proxy has done so far.

        Raises:
            Stuck: it does not come to an end.
            ProxyError: the proxy ended.
        """
        self._add(await self._proxy.barrier(timeout=timeout))

    def _add(self, records: Sequence[Record]) -> None:
        self.records += records_of(records, self._vm_id)
        self.lines += lines_of(records, self._vm_id)
        # Only a trap's place may lie in what came before: a plug-in may say a lot without one.
        if self._trap is None and find_trap([record.message for record in records]) is not None:
            self._trap = find_trap(self.messages)

    @property
    def messages(self) -> tuple[str, ...]:
        """The texts of all records, as they are explained."""
        return tuple(record.message for record in self.records)

    def trap(self) -> Trap | None:
        """Return the first trap."""
        return self._trap


def telling(records: Iterable[Record]) -> tuple[str, ...]:
    """Return Envoy's own records that tell of trouble, with readable names in backtraces."""
    return tuple(
        f"[{record.level}] [{record.logger}] {_readable(record)}"
        if record.level
        else record.message
        for record in records
        if record.level in _TELLING and record.message.strip() and plugin_line(record) is None
    )


def _readable(record: Record) -> str:
    return _FRAME.sub(lambda frame: demangle(frame[0]), record.message)
