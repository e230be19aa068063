"""Which functions the hosts have, by release: data, with the source of each. Pure.

host is proxy-wasm/proxy-wasm-cpp-host, which Envoy pins; its WASI functions are the same under
`wasi_snapshot_preview1` and `wasi_unstable`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = [
    "FIRST_ENVOY",
    "GCP_FUNCTIONS",
    "HIGRESS_FUNCTIONS",
    "HIGRESS_TYPES",
    "HIGRESS_WASI",
    "OLD_ABI_FUNCTIONS",
    "WASI_FILES",
    "WASI_GENERATIONS",
    "WASI_MODULES",
    "WASI_SOCKETS",
]

WASI_FILES: Final = frozenset(
    [
        "clock_res_get",
        "fd_advise",
        "fd_allocate",
        "fd_datasync",
        "fd_fdstat_set_rights",
        "fd_filestat_get",
        "fd_filestat_set_size",
        "fd_filestat_set_times",
        "fd_pread",
        "fd_pwrite",
        "fd_readdir",
        "fd_renumber",
        "fd_sync",
        "fd_tell",
        "path_create_directory",
        "path_filestat_get",
        "path_filestat_set_times",
        "path_link",
        "path_readlink",
        "path_remove_directory",
        "path_rename",
        "path_symlink",
        "path_unlink_file",
    ]
)
WASI_SOCKETS: Final = frozenset(("sock_accept", "sock_recv", "sock_send", "sock_shutdown"))

# Hosts have the same functions by both names.
WASI_MODULES: Final = ("wasi_snapshot_preview1", "wasi_unstable")

# What each generation added: host, src/wasm.cc, registerCallbacks, at the commits f383473
# (2021-11), c4d7bb0 (2024-12) and 94091cd (2026-04).
WASI_GENERATIONS: Final[tuple[frozenset[str], ...]] = (
    frozenset(
        [
            "args_get",
            "args_sizes_get",
            "clock_time_get",
            "environ_get",
            "environ_sizes_get",
            "fd_close",
            "fd_fdstat_get",
            "fd_prestat_dir_name",
            "fd_prestat_get",
            "fd_read",
            "fd_seek",
            "fd_write",
            "path_open",
            "proc_exit",
            "random_get",
        ]
    ),
    frozenset(("fd_fdstat_set_flags", "poll_oneoff", "sched_yield")),
    WASI_FILES | WASI_SOCKETS,
)

# Generation → the first minor of Envoy that has it. 1.33: README of proxy-wasm/proxy-wasm-go-sdk;
# 1.39: measured, 1.36.2 to 1.38.2 lack what 1.39.3 and 1.40.0 have.
FIRST_ENVOY: Final[Mapping[int, str]] = {0: "1.21", 1: "1.33", 2: "1.39"}

# In ABI 0.1.0 only: host, src/wasm.cc, registerCallbacks; proxy-wasm/spec, abi-versions/v0.2.0.
OLD_ABI_FUNCTIONS: Final = frozenset(
    (
        "proxy_clear_route_cache",
        "proxy_continue_request",
        "proxy_continue_response",
        "proxy_get_configuration",
    )
)

# Of Higress's own host: higress-group/proxy-wasm-cpp-host, include/proxy-wasm/exports.h.
HIGRESS_TYPES: Final[Mapping[str, str]] = {
    "proxy_get_upstream_hosts": "i32 i32 -> i32",
    "proxy_inject_encoded_data_to_filter_chain": "i32 i32 i32 -> i32",
    "proxy_redis_call": "i32 i32 i32 i32 i32 -> i32",
    "proxy_redis_init": "i32 i32 i32 i32 i32 i32 i32 -> i32",
    "proxy_set_upstream_override_host": "i32 i32 -> i32",
}
HIGRESS_FUNCTIONS: Final = frozenset(HIGRESS_TYPES)
# The part of the third generation of WASI that Higress's host had before it had all of it.
HIGRESS_WASI: Final = frozenset(("fd_filestat_get", "path_filestat_get"))

# What GCP's Service Extensions serve: GoogleCloudPlatform/service-extensions, plugins/README.md.
GCP_FUNCTIONS: Final = frozenset(
    (
        "proxy_add_header_map_value",
        "proxy_get_buffer_bytes",
        "proxy_get_buffer_status",
        "proxy_get_current_time_nanoseconds",
        "proxy_get_header_map_pairs",
        "proxy_get_header_map_size",
        "proxy_get_header_map_value",
        "proxy_get_log_level",
        "proxy_get_property",
        "proxy_log",
        "proxy_remove_header_map_value",
        "proxy_replace_header_map_value",
        "proxy_send_local_response",
        "proxy_set_buffer_bytes",
        "proxy_set_effective_context",
        "proxy_set_header_map_pairs",
    )
)
