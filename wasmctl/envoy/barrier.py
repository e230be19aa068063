"""A plug-in of our own that says in Envoy's log how far a worker got. Pure.

A worker does one thing after another. When the line that this plug-in logs on a request is in
the log, so are all lines of the requests that were answered before.

It is loaded before Envoy starts its workers, which helps another need: V8 up to Envoy 1.36 must
not see its first module later. On processors with memory protection keys the workers' threads
would lack the rights to V8's memory, and Envoy would end by SIGSEGV.
"""

from __future__ import annotations

from typing import Final

from wasmctl.envoy.logs import Record, plugin_line

__all__ = ["BARRIER", "BARRIER_LINE", "barrier_module", "is_barrier"]

# The name of its listener, and the id of its VM.
BARRIER: Final = "wasmctl-barrier"
BARRIER_LINE: Final = "barrier"

_I32 = b"\x7f"
_INFO = 2  # the level, as proxy_log takes it


def barrier_module() -> bytes:
    """Return the module.

    As text:

        (module
          (import "env" "proxy_log" (func (param i32 i32 i32) (result i32)))
          (memory (export "memory") 1)
          (data (i32.const 0) "barrier")
          (func (export "proxy_abi_version_0_2_1"))
          (func (export "proxy_on_memory_allocate") (param i32) (result i32) i32.const 1024)
          (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
            i32.const 2  i32.const 0  i32.const 7  call 0))  ;; 0, of a success, is `continue`
    """
    types = [
        b"\x60" + _vector(_I32, _I32, _I32) + _vector(_I32),
        b"\x60" + _vector() + _vector(),
        b"\x60" + _vector(_I32) + _vector(_I32),
    ]
    exports = [
        _name("memory") + b"\x02\x00",
        _name("proxy_abi_version_0_2_1") + b"\x00\x01",
        _name("proxy_on_memory_allocate") + b"\x00\x02",
        _name("proxy_on_request_headers") + b"\x00\x03",
    ]
    log = bytes([0x41, _INFO, 0x41, 0, 0x41, len(BARRIER_LINE), 0x10, 0])
    bodies = [_body(b""), _body(b"\x41\x80\x08"), _body(log)]
    # Section number → entries: https://webassembly.github.io/spec/core/binary/modules.html
    sections = {
        1: types,
        2: [_name("env") + _name("proxy_log") + b"\x00\x00"],
        3: [b"\x01", b"\x02", b"\x00"],
        5: [b"\x00\x01"],
        7: exports,
        10: bodies,
        11: [b"\x00\x41\x00\x0b" + _name(BARRIER_LINE)],
    }
    made = (bytes([number]) + _sized(_vector(*entries)) for number, entries in sections.items())
    return b"\x00asm\x01\x00\x00\x00" + b"".join(made)


def _vector(*entries: bytes) -> bytes:
    return bytes([len(entries)]) + b"".join(entries)


def _sized(content: bytes) -> bytes:
    # One byte is a whole LEB128 number up to 127; nothing here is longer.
    return bytes([len(content)]) + content


def _name(text: str) -> bytes:
    return _sized(text.encode())


def _body(code: bytes) -> bytes:
    return _sized(b"\x00" + code + b"\x0b")


def is_barrier(record: Record) -> bool:
    """Return whether a record is the barrier's own."""
    line = plugin_line(record)
    return line is not None and line.vm_id == BARRIER
