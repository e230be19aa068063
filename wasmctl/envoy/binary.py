"""What an Envoy's binary is: its version, and whether it has Wasm in it. Asked once, remembered.

Two short processes of Envoy tell; the answer is kept in the cache by the file's path, time and
size, so that a binary that is known costs reading a small file.
"""

from __future__ import annotations

import base64
import contextlib
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wasmctl.errors import ProxyError, ToolFailed, ToolMissing
from wasmctl.paths import cache_folder, replacing
from wasmctl.process import capture

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wasmctl.process import Completed
    from wasmctl.results import JSONValue

__all__ = ["Binary", "ask_envoy", "know_binary", "remember_binary", "without_wasm"]

# `envoy  version: 9e55809…/1.40.0/Clean/RELEASE/BoringSSL`
# (https://github.com/envoyproxy/envoy/blob/main/source/common/version/version.cc)
_VERSION: Final = re.compile(r"version: [0-9a-f]*/([^/\s]+)/")
# How an Envoy without Wasm answers to a plug-in: without V8, and without the whole extension.
_WITHOUT_WASM: Final = re.compile(
    r"compiled without support for it|registered implementation for .{0,9}envoy\.filters\.network"
    r"\.wasm|extensions\.filters\.network\.wasm\.v3"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Binary:
    """What is known of an Envoy's binary.

    Args:
        version: its release, as `1.40.0`.
        has_wasm: whether it runs Wasm plug-ins.
    """

    version: str
    has_wasm: bool


def know_binary(path: Path, env: Mapping[str, str]) -> Binary:
    """Return what is known of the Envoy at `path`, asking it if it has changed since.

    Raises:
        ProxyError: it does not run here, or is no Envoy.
    """
    memory = _read_memory(env)
    try:
        entry = memory.get(str(path))
        if isinstance(entry, dict) and entry["file"] == _identity(path):
            return Binary(version=str(entry["version"]), has_wasm=entry["has_wasm"] is True)
    except (OSError, KeyError):
        pass  # asking it tells what is wrong
    binary = ask_envoy((str(path),), env)
    remember_binary(path, binary, env)
    return binary


def remember_binary(path: Path, binary: Binary, env: Mapping[str, str]) -> None:
    """Keep what the Envoy at `path` answered; a cache that cannot be written is done without."""
    with contextlib.suppress(OSError):
        memory = _read_memory(env)
        memory[str(path)] = {"file": _identity(path), **asdict(binary)}
        file = _memory_file(env)
        file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(file) as stream:
            stream.write(json.dumps(memory, indent=1).encode())


def ask_envoy(command: tuple[str, ...], env: Mapping[str, str]) -> Binary:
    """Run an Envoy to learn its version and whether it has Wasm.

    Args:
        command: what its command line begins with.
        env: its environment.

    Raises:
        ProxyError: it does not run here, or is no Envoy.
    """
    said = _run([*command, "--version"], env)
    found = _VERSION.search(said.stdout)
    if said.exit_code != 0 or found is None:
        message = f"`{command[0]}` does not run here, or is no Envoy"
        hint = "name another with `--envoy` (a path or a version) or `WASMCTL_ENVOY`"
        output = said.stdout + said.stderr
        raise ProxyError("envoy-not-runnable", message, hint=hint, output=output)
    configuration = json.dumps(_probing_configuration())
    # The log tells what is missing; with `error` as its level the reason itself would be dropped.
    level = ("--log-level", "warning")
    said = _run([*command, "--mode", "validate", "--config-yaml", configuration, *level], env)
    if said.exit_code != 0 and not _WITHOUT_WASM.search(said.stdout + said.stderr):
        message = f"`{command[0]}` (Envoy {found[1]}) does not even load an empty plug-in"
        hint = "name another with `--envoy` (a path or a version) or `WASMCTL_ENVOY`"
        output = said.stdout + said.stderr
        raise ProxyError("envoy-not-runnable", message, hint=hint, output=output)
    return Binary(version=found[1], has_wasm=said.exit_code == 0)


def without_wasm(name: str, version: str) -> ProxyError:
    """Return the error of an Envoy that cannot run any plug-in.

    Args:
        name: the Envoy, in words for a user.
        version: its version.
    """
    message = (
        f"{name} is Envoy {version} without Wasm in it: it was compiled so, and runs no plug-in"
    )
    hint = f"take another, as `--envoy {'.'.join(version.split('.')[:2])}`: its newest with Wasm"
    return ProxyError("envoy-without-wasm", message, hint=hint)


def _run(argv: list[str], env: Mapping[str, str]) -> Completed:
    try:
        return capture(argv, env=env)
    except (ToolMissing, ToolFailed) as error:
        hint = "name another with `--envoy` (a path or a version) or `WASMCTL_ENVOY`"
        raise ProxyError("envoy-not-runnable", error.message, hint=hint) from error


def _memory_file(env: Mapping[str, str]) -> Path:
    return cache_folder(env) / "envoy" / "binaries.json"


def _read_memory(env: Mapping[str, str]) -> dict[str, JSONValue]:
    try:
        memory = json.loads(_memory_file(env).read_bytes())
    except (OSError, ValueError):
        return {}
    return memory if isinstance(memory, dict) else {}


def _identity(path: Path) -> list[JSONValue]:
    status = path.stat()
    return [status.st_mtime_ns, status.st_size]


def _probing_configuration() -> JSONValue:
    """Return a bootstrap with a plug-in that does nothing: what any Envoy with Wasm loads."""
    types = "type.googleapis.com/envoy.extensions.filters.network"
    code: JSONValue = {"local": {"inline_bytes": base64.b64encode(_probing_module()).decode()}}
    plugin: JSONValue = {
        "name": "probe",
        "vm_config": {"runtime": "envoy.wasm.runtime.v8", "code": code},
    }
    wasm: JSONValue = {"@type": f"{types}.wasm.v3.Wasm", "config": plugin}
    echo: JSONValue = {"@type": f"{types}.echo.v3.Echo"}
    filters: list[JSONValue] = [
        {"name": "envoy.filters.network.wasm", "typed_config": wasm},
        {"name": "envoy.filters.network.echo", "typed_config": echo},
    ]
    address: JSONValue = {"socket_address": {"address": "127.0.0.1", "port_value": 0}}
    chains: JSONValue = [{"filters": filters}]
    listener: JSONValue = {"name": "probe", "address": address, "filter_chains": chains}
    return {"static_resources": {"listeners": [listener]}}


def _probing_module() -> bytes:
    """Return the smallest module that Envoy takes for a plug-in.

    https://webassembly.github.io/spec/core/binary/modules.html
    """
    takes_nothing, takes_size = b"\x60\x00\x00", b"\x60\x01\x7f\x01\x7f"
    returns, returns_null = b"\x02\x00\x0b", b"\x04\x00\x41\x00\x0b"
    return b"".join(
        [
            b"\0asm\x01\x00\x00\x00",
            _section(1, takes_nothing, takes_size),
            _section(3, b"\x00", b"\x01"),  # a function of each type
            _section(5, b"\x00\x01"),  # a memory of one page
            _section(
                7,
                _export("memory", b"\x02\x00"),
                _export("proxy_abi_version_0_2_1", b"\x00\x00"),
                _export("malloc", b"\x00\x01"),
            ),
            _section(10, returns, returns_null),
        ]
    )


def _section(number: int, *items: bytes) -> bytes:
    content = bytes([len(items)]) + b"".join(items)
    return bytes([number, len(content)]) + content


def _export(name: str, what: bytes) -> bytes:
    return bytes([len(name)]) + name.encode() + what
