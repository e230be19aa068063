"""What an Envoy's binary is: its version, and whether it has Wasm in it. Asked once, remembered.

Two short processes of Envoy tell; the answer is kept in the cache by the file's path, time and
size, so that a binary that is known costs reading a small file.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from wasmctl.envoy.envoy import Binary
from wasmctl.errors import ProxyError
from wasmctl.paths import cache_folder, replacing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wasmctl.results import JSONValue

__all__ = [
    "know_binary",
    "known_as",
    "remember_as",
    "remember_binary",
    "without_wasm",
]


def know_binary(path: Path, env: Mapping[str, str]) -> Binary:
    """Return what is known of the Envoy at `path`, asking it if it has changed since.

    Raises:
        ProxyError: it does not run here, or is no Envoy.
    """
    try:
        identity = _identity(path)
    except OSError:
        identity = []  # asking it tells what is wrong
    binary = known_as(str(path), identity, env)
    if binary is None:
        from wasmctl.envoy.probe import ask_envoy

        binary = ask_envoy((str(path),), env)
        remember_binary(path, binary, env)
    return binary


def remember_binary(path: Path, binary: Binary, env: Mapping[str, str]) -> None:
    """Keep what the Envoy at `path` answered."""
    with contextlib.suppress(OSError):
        remember_as(str(path), _identity(path), binary, env)


def known_as(name: str, identity: Sequence[int | str], env: Mapping[str, str]) -> Binary | None:
    """Return what was kept under a name, if it is of the same identity."""
    entry = _read_memory(env).get(name)
    if not isinstance(entry, dict) or entry.get("identity") != list(identity):
        return None
    return Binary(version=str(entry.get("version")), has_wasm=entry.get("has_wasm") is True)


def remember_as(
    name: str, identity: Sequence[int | str], binary: Binary, env: Mapping[str, str]
) -> None:
    """Keep what an Envoy answered; a cache that cannot be written is done without.

    Args:
        name: what it is found again by.
        identity: what is another when it has been replaced.
        binary: what it answered.
        env: the environment, which says where the cache is.
    """
    memory = {**_read_memory(env), name: {"identity": list(identity), **asdict(binary)}}
    file = _memory_file(env)
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(file) as stream:
            stream.write(json.dumps(memory, indent=1).encode())


def without_wasm(name: str, version: str) -> ProxyError:
    """Return the error of an Envoy that cannot run any plug-in.

    Args:
        name: the Envoy, in words for a user.
        version: its version.
    """
    message = f"{name} has no Wasm in it: it was compiled so, and runs no plug-in"
    hint = f"take another, as `--envoy {'.'.join(version.split('.')[:2])}`: its newest with Wasm"
    return ProxyError("envoy-without-wasm", message, hint=hint)


def _memory_file(env: Mapping[str, str]) -> Path:
    return cache_folder(env) / "envoy" / "binaries.json"


def _read_memory(env: Mapping[str, str]) -> dict[str, JSONValue]:
    try:
        memory = json.loads(_memory_file(env).read_bytes())
    except (OSError, ValueError):
        return {}
    return memory if isinstance(memory, dict) else {}


def _identity(path: Path) -> list[int | str]:
    status = path.stat()
    return [status.st_mtime_ns, status.st_size]
