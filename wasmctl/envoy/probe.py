"""Asks an Envoy what it is: its version, and whether it loads a plug-in of our own."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

from wasmctl.envoy.bootstrap import make_bootstrap
from wasmctl.envoy.envoy import Binary
from wasmctl.errors import ProxyError, ToolFailed, ToolMissing
from wasmctl.process import capture

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wasmctl.process import Completed

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
    # With a plug-in of our own in it: whatever becomes of that says nothing of anybody's module.
    bootstrap = json.dumps(make_bootstrap(barrier=True))
    # The reason for a missing V8 is a warning.
    level = ("--log-level", "warning")
    said = _run([*command, "--mode", "validate", "--config-yaml", bootstrap, *level], env)
    if said.exit_code != 0 and not _WITHOUT_WASM.search(said.stdout + said.stderr):
        message = f"`{name}` (Envoy {found[1]}) does not start with a plug-in of our own"
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
