"""Logs that real Envoys wrote, and what becomes of a log on its way to a person."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path

__all__ = ["CARRIED", "REAL", "log_lines"]

_FOLDER = Path(__file__).parent / "logs"
_MOMENT = "2026-11-30T12:00:00.000000000Z"

# Log → its incidents: id, plug-in, how often, how many requests were answered with an error.
REAL: Mapping[str, list[tuple[str, str, int, int]]] = {
    **{
        name: [
            ("trap-panic", "default.auth-rust", 1, 0),
            ("trap-panic", "default.limit-go", 1, 2),
            ("rbac-denied", "", 2, 0),
        ]
        for name in (
            "envoy-1.40",
            "istio-proxy",
            "istio-proxy.json",
            "application.json",
            "escaped",
        )
    },
    "refused-1.36": [("configuration-refused", "default.auth-rust", 1, 0)],
    "refused-1.40": [("configuration-refused", "default.auth-rust", 1, 0)],
    "restricted-1.40": [
        ("capability-restricted", "default.auth-rust", 1, 0),
        ("deprecated-setting", "", 1, 0),
    ],
    "ecds-1.36": [("import-of-old-abi", "default.auth", 1, 2)],
    "lds-1.40": [("import-of-old-abi", "default.auth-rust", 1, 0)],
    "no-filter-1.40": [("no-filter-configuration", "", 2, 0)],
    "remote-1.40": [
        ("remote-code-given-up", "default.remote", 1, 0),
        ("remote-code-unstable", "", 1, 0),
    ],
    "remote-bad-1.36": [("not-wasm", "default.remote", 1, 0), ("remote-code-unstable", "", 1, 0)],
    "go-panic-1.36": [("trap-go-panic-lost", "default.limit-go", 1, 0)],
    "threads-1.40": [("trap-panic", "default.limit-go", 2, 0)],
}


def log_lines(name: str) -> list[bytes]:
    """Return the lines of a log, with their ends."""
    return (_FOLDER / f"{name}.log").read_bytes().splitlines(keepends=True)


def _before(prefix: str) -> Callable[[bytes], bytes]:
    return lambda line: prefix.encode() + line


def _docker_json(line: bytes) -> bytes:
    return json.dumps({"log": line.decode(), "stream": "stderr", "time": _MOMENT}).encode() + b"\n"


def _coloured(line: bytes) -> bytes:
    return re.sub(rb"(error|critical)", b"\x1b[31m\\1\x1b[0m", line)


def _with_crlf(line: bytes) -> bytes:
    return line.replace(b"\n", b"\r\n")


# Way → what a line has become.
CARRIED: Mapping[str, Callable[[bytes], bytes]] = {
    "as it is": lambda line: line,
    "kubectl --prefix": _before("[pod/httpbin-6d84d49667-gqdrd/istio-proxy] "),
    "kubectl --timestamps": _before(f"{_MOMENT} "),
    "stern": _before("httpbin-6d84d49667-gqdrd istio-proxy "),
    "docker compose": _before("envoy-1  | "),
    "docker compose --timestamps": _before(f"envoy-1  | {_MOMENT} "),
    "docker's own files": _docker_json,
    "containerd's files": _before(f"{_MOMENT} stderr F "),
    "journald": _before("Nov 30 12:00:00 edge-1 envoy[123]: "),
    "quoted in an issue": _before("> "),
    "coloured": _coloured,
    "from Windows": _with_crlf,
}
