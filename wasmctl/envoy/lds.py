"""The file that Envoy reads its listeners from (LDS), and what its log says of them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from wasmctl.envoy.bootstrap import Listener, WasmPlugin, make_listeners
from wasmctl.envoy.logs import Record, plugin_line
from wasmctl.errors import Unreadable
from wasmctl.paths import replacing

__all__ = ["keep_module", "records_about", "write_listeners"]

# source/common/listener_manager/lds_api.cc
_LDS = re.compile(r"lds: (?:add/update listener|listener|remove listener) '")


def write_listeners(folder: Path, listeners: Sequence[Listener], version: int) -> Path:
    """Give the Envoy of a run folder its listeners; return the file that it reads."""
    made = make_listeners(listeners, version=str(version))
    # Written elsewhere: whatever moves within the folder that Envoy watches is an update.
    temporary = folder / "listeners.json"
    temporary.write_text(json.dumps(made, indent=1))
    read = folder / "lds" / "listeners.json"
    read.parent.mkdir(parents=True, exist_ok=True)
    temporary.replace(read)
    return read


def keep_module(plugin: WasmPlugin, folder: Path) -> WasmPlugin:
    """Return the plug-in with its module as a copy, named by content, in the run folder.

    Raises:
        Unreadable: the module's file is not there.
    """
    if isinstance(plugin.module, bytes):
        return plugin
    try:
        content = plugin.module.read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        message = f"`{plugin.module}` cannot be read: {reason}"
        raise Unreadable("no-module", message, hint="build it with `wasmctl build`") from error
    kept = folder / "modules" / f"{hashlib.sha256(content).hexdigest()[:16]}.wasm"
    if not kept.exists():
        kept.parent.mkdir(exist_ok=True)
        with replacing(kept) as stream:
            stream.write(content)
    return replace(plugin, module=kept)


def records_about(listener: Listener, records: Sequence[Record]) -> tuple[Record, ...]:
    """Return what was logged while Envoy was at this listener.

    The main thread takes one listener after the other and ends each with a line that names it.
    Meanwhile the workers may have their say on earlier ones; plug-ins' lines tell by their VM.
    """
    ends = [n for n, record in enumerate(records) if _LDS.match(record.message)]
    named = [n for n in ends if f"'{listener.name}'" in records[n].message]
    if not named:
        return ()  # it was not touched
    first = max((n + 1 for n in ends if n < named[-1]), default=0)
    records = records[first : named[-1] + 1]
    ours = {plugin.vm_id for plugin in listener.plugins}
    lines = ((record, plugin_line(record)) for record in records)
    return tuple(record for record, line in lines if line is None or line.vm_id in ours)
