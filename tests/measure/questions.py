"""What a release of Envoy is asked, as modules, and how its answers are read.

Imports and exports are declared with a type that no host has: the refusal tells the host's own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Final

from tests.measure.prober import Answer
from tests.modules.assembler import DROP, Call, Function, call, number
from tests.modules.binary import Import, Kind, limits, plain
from wasmctl.hosts.host_functions import HIGRESS_FUNCTIONS, WASI_GENERATIONS, WASI_MODULES

__all__ = [
    "ABIS",
    "CALLBACKS",
    "IMPORTS",
    "SIZES",
    "TYPES",
    "calling",
    "export_with",
    "import_with",
    "largest",
    "marker",
    "type_of_export",
    "type_of_import",
]

ABIS: Final = ("0.1.0", "0.2.0", "0.2.1")
_ABSURD: Final = "f64 f32 f64 -> f64"
_MISSING: Final = re.compile(r"due to a missing import: (\S+)")
_IMPORT: Final = re.compile(r"due to an import type mismatch: .*, but host exports: (.*)")
_EXPORT: Final = re.compile(r"Bad function signature for: \S+, want: (.*), but the module exports:")

# proxy-wasm/spec, abi-versions, of every version; host, include/proxy-wasm/exports.h.
_ENV: Final = """
    proxy_add_header_map_value proxy_call_foreign_function proxy_clear_route_cache
    proxy_close_stream proxy_continue_request proxy_continue_response proxy_continue_stream
    proxy_define_metric proxy_dequeue_shared_queue proxy_done proxy_enqueue_shared_queue
    proxy_get_buffer proxy_get_buffer_bytes proxy_get_buffer_status proxy_get_configuration
    proxy_get_current_time_nanoseconds proxy_get_header_map_pairs proxy_get_header_map_size
    proxy_get_header_map_value proxy_get_log_level proxy_get_metric proxy_get_property
    proxy_get_shared_data proxy_get_status proxy_grpc_call proxy_grpc_cancel proxy_grpc_close
    proxy_grpc_send proxy_grpc_stream proxy_http_call proxy_increment_metric proxy_log
    proxy_record_metric proxy_register_shared_queue proxy_remove_header_map_value
    proxy_replace_header_map_value proxy_resolve_shared_queue proxy_send_http_response
    proxy_send_local_response proxy_set_buffer_bytes proxy_set_effective_context
    proxy_set_header_map_pairs proxy_set_property proxy_set_shared_data
    proxy_set_tick_period proxy_set_tick_period_milliseconds proxy_create_timer
    proxy_dispatch_http_call envoy_resolve_dns emscripten_notify_memory_growth pthread_equal
    abort memory
"""
_WASI: Final = sorted({*frozenset().union(*WASI_GENERATIONS), "proc_raise", "thread_spawn"})

IMPORTS: Final[Sequence[str]] = (
    *(f"env.{name}" for name in [*_ENV.split(), *sorted(HIGRESS_FUNCTIONS)]),
    *(f"{module}.{name}" for module in WASI_MODULES for name in _WASI),
)

# host, include/proxy-wasm/wasm.h and src/wasm.cc, getFunctions; Envoy, common/wasm/wasm.cc.
_CALLBACKS: Final = """
    __main_void __wasm_call_ctors _initialize _start envoy_on_resolve_dns envoy_on_stats_update
    free main malloc proxy_on_configure proxy_on_context_create proxy_on_context_finalize
    proxy_on_delete proxy_on_done proxy_on_downstream_connection_close proxy_on_downstream_data
    proxy_on_foreign_function proxy_on_grpc_close proxy_on_grpc_receive
    proxy_on_grpc_receive_initial_metadata proxy_on_grpc_receive_trailing_metadata
    proxy_on_http_call_response proxy_on_log proxy_on_memory_allocate proxy_on_new_connection
    proxy_on_queue_ready proxy_on_request_body proxy_on_request_headers proxy_on_request_metadata
    proxy_on_request_trailers proxy_on_response_body proxy_on_response_headers
    proxy_on_response_metadata proxy_on_response_trailers proxy_on_tick
    proxy_on_upstream_connection_close proxy_on_upstream_data proxy_on_vm_start
    proxy_validate_configuration
"""
CALLBACKS: Final = tuple(_CALLBACKS.split())

# The types of values that what a plug-in exports may have.
TYPES: Final = (
    *("i32", "i64", "f32", "f64", "v128", "funcref", "externref", "anyref", "eqref", "i31ref"),
    *("structref", "arrayref", "exnref", "nullref", "nullfuncref", "nullexternref", "nullexnref"),
    *("(ref func)", "(ref extern)", "(ref any)"),
)


def marker(abi: str) -> Function:
    """Return the export that says which ABI a module is made for."""
    return Function(f"proxy_abi_version_{abi.replace('.', '_')}")


def import_with(name: str, abi: str, signature: str = _ABSURD) -> bytes:
    """Return a plug-in of the ABI that imports a function."""
    module, _, function = name.partition(".")
    return plain(marker=marker(abi), imports=[Import(module, function, signature)])


def export_with(name: str, abi: str, signature: str = _ABSURD) -> bytes:
    """Return a plug-in of the ABI that exports a function."""
    # What means yes where the host asks.
    values = {"i32": b"\x41\x01", "i64": b"\x42\0", "f64": b"\x44" + bytes(8)}
    body = [values[one] for one in signature.split("->")[1].split()]
    functions = [Function(name, signature, body)]
    if name in {"main", "__main_void"}:
        functions.insert(0, Function("_initialize"))
    if name in {"malloc", "proxy_on_memory_allocate"}:
        return plain(marker=marker(abi), functions=functions, allocator=False)
    return plain(marker=marker(abi), functions=functions)


def type_of_import(answer: Answer) -> str | None:
    """Return the type that the host has an import of; None: it has none such."""
    for words in answer.words:
        if found := _IMPORT.search(words):
            return found[1]
        if _MISSING.search(words):
            return None
    raise AssertionError(answer)


def type_of_export(answer: Answer) -> str | None:
    """Return the type that the host calls an export with; None: it does not know it."""
    return next((found[1] for words in answer.words if (found := _EXPORT.search(words))), None)


def calling(name: str, abi: str, signature: str, *, section: bool = False) -> bytes:
    """Return a plug-in that calls an import in `_initialize`, or else in its start section."""
    module, _, function = name.partition(".")
    parameters, results = (part.replace("void", "").split() for part in signature.split("->"))
    zeros = {"i32": number(0), "i64": b"\x42\0"}
    called: list[bytes | Call] = [*(zeros[one] for one in parameters), call(function)]
    called += [DROP for _ in results]
    return plain(
        marker=marker(abi),
        imports=[Import(module, function, signature.replace("void", ""))],
        functions=[] if section else [Function("_initialize", "->", called)],
        hidden=[Function("start", "->", called)] if section else [],
        start="start" if section else None,
    )


# Sizes of which only some are allowed: what is asked, and between which sizes.
SIZES: Final[Mapping[str, tuple[Callable[[int], bytes], int, int]]] = {
    "pages": (lambda size: plain(memories=[limits(size)]), 1, 65537),
    "declared-pages": (lambda size: plain(memories=[limits(1, size)]), 1, 1 << 20),
    "imported-pages": (
        lambda size: plain(imports=[Import("env", "m", limits(size), Kind.MEMORY)], memories=[]),
        1,
        65537,
    ),
    "wide-pages": (lambda size: plain(memories=[limits(size, flags=4)]), 1, 1 << 20),
    "declared-wide-pages": (lambda size: plain(memories=[limits(1, size, flags=4)]), 1, 1 << 30),
    "elements": (lambda size: plain(tables=[b"\x70" + limits(size)]), 1, 20_000_000),
    "imported-elements": (
        lambda size: plain(imports=[Import("env", "t", b"\x70" + limits(size), Kind.TABLE)]),
        1,
        20_000_000,
    ),
}


async def largest(
    low: int, high: int, is_allowed: Callable[[int], Coroutine[object, object, bool]]
) -> int:
    """Return the largest size that is allowed, where `low` is and `high` is not."""
    while high - low > 1:
        middle = (low + high) // 2
        if await is_allowed(middle):
            low = middle
        else:
            high = middle
    return low
