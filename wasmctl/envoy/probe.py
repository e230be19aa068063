"""Asks an Envoy what it is: its version, and whether it loads a plug-in that does nothing."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Final

from wasmctl.envoy.binary import Binary
from wasmctl.errors import ProxyError, ToolFailed, ToolMissing
from wasmctl.process import capture

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wasmctl.process import Completed
    from wasmctl.results import JSONValue

__all__ = ["ask_envoy"]

# `envoy  version: 9e55809…/1.40.0/Clean/RELEASE/BoringSSL`
# (https://github.com/envoyproxy/envoy/blob/main/source/common/version/version.cc)
_VERSION: Final = re.compile(r"version: [0-9a-f]*/([^/\s]+)/")
# What an Envoy says of a plug-in that was compiled without V8, without the extension's factory,
# and without its configuration's type.
_WITHOUT_WASM: Final = re.compile(
    r"compiled without support for it|Didn't find a registered implementation"
    r"|could not find @type"
)
_ANOTHER: Final = "name another with `--envoy` (a path or a version) or `WASMCTL_ENVOY`"


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


def _run(argv: list[str], env: Mapping[str, str]) -> Completed:
    try:
        return capture(argv, env=env)
    except (ToolMissing, ToolFailed) as error:
        raise ProxyError("envoy-not-runnable", error.message, hint=_ANOTHER) from error


def _not_runnable(message: str, said: Completed) -> ProxyError:
    output = said.stdout + said.stderr
    return ProxyError("envoy-not-runnable", message, hint=_ANOTHER, output=output)


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
