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
    from collections.abc import Mapping, Sequence

    from wasmctl.process import Completed
    from wasmctl.results import JSONValue

__all__ = [
    "Binary",
    "ask_envoy",
    "know_binary",
    "known_as",
    "remember_as",
    "remember_binary",
    "without_wasm",
]

# `envoy  version: 9e55809…/1.40.0/Clean/RELEASE/BoringSSL`
# (https://github.com/envoyproxy/envoy/blob/main/source/common/version/version.cc)
_VERSION: Final = re.compile(r"version: [0-9a-f]*/([^/\s]+)/")
# How an Envoy without Wasm answers to a plug-in: without V8, and without the whole extension.
_WITHOUT_WASM: Final = re.compile(
    r"compiled without support for it|registered implementation for .{0,9}envoy\.filters\.network"
    r"\.wasm|extensions\.filters\.network\.wasm\.v3"
)
_ANOTHER: Final = "name another with `--envoy` (a path or a version) or `WASMCTL_ENVOY`"


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
    try:
        identity = _identity(path)
    except OSError:
        identity = []  # asking it tells what is wrong
    binary = known_as(str(path), identity, env)
    if binary is None:
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


def ask_envoy(
    command: tuple[str, ...], env: Mapping[str, str], *, name: str | None = None
) -> Binary:
    """Run an Envoy to learn its version and whether it has Wasm.

    Args:
        command: what its command line begins with.
        env: its environment.
        name: what a user calls it; the command's program when absent.

    Raises:
        ProxyError: it does not run here, or is no Envoy.
    """
    name = name or command[0]
    said = _run([*command, "--version"], env)
    found = _VERSION.search(said.stdout)
    if said.exit_code != 0 or found is None:
        raise _not_runnable(f"`{name}` does not run here, or is no Envoy", said)
    configuration = json.dumps(_probing_configuration())
    # The reason for a missing V8 is a warning.
    level = ("--log-level", "warning")
    said = _run([*command, "--mode", "validate", "--config-yaml", configuration, *level], env)
    if said.exit_code != 0 and not _WITHOUT_WASM.search(said.stdout + said.stderr):
        message = f"`{name}` (Envoy {found[1]}) does not even load an empty plug-in"
        raise _not_runnable(message, said)
    return Binary(version=found[1], has_wasm=said.exit_code == 0)


def without_wasm(name: str, version: str) -> ProxyError:
    """Return the error of an Envoy that cannot run any plug-in.

    Args:
        name: the Envoy, in words for a user.
        version: its version.
    """
    message = f"{name} has no Wasm in it: it was compiled so, and runs no plug-in"
    hint = f"take another, as `--envoy {'.'.join(version.split('.')[:2])}`: its newest with Wasm"
    return ProxyError("envoy-without-wasm", message, hint=hint)


def _run(argv: list[str], env: Mapping[str, str]) -> Completed:
    try:
        return capture(argv, env=env)
    except (ToolMissing, ToolFailed) as error:
        raise ProxyError("envoy-not-runnable", error.message, hint=_ANOTHER) from error


def _not_runnable(message: str, said: Completed) -> ProxyError:
    output = said.stdout + said.stderr
    return ProxyError("envoy-not-runnable", message, hint=_ANOTHER, output=output)


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
