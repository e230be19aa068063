"""Whether a file is a WebAssembly module that an image may carry: its first bytes and its size.

What is inside the module is the business of the `wasm` room.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from wasmctl.errors import Refused, Unreadable, UsageError
from wasmctl.wasm.frames import COMPONENT_LAYER, MAGIC, PREAMBLE

__all__ = ["FETCH_LIMIT", "check_module", "starts_as_module"]

# Istio's ISTIO_WASM_MAX_BINARY_SIZE_BYTES bounds the tar by default
# (pilot/pkg/features/pilot.go), Envoy Gateway the module (internal/wasm/imagefetcher.go).
FETCH_LIMIT: Final = 256 * 1024 * 1024
_TAR_HEADER: Final = 512


def starts_as_module(path: Path) -> bool:
    """Return whether there is a file that begins as WebAssembly."""
    try:
        with path.open("rb") as stream:
            return stream.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def check_module(module: Path) -> int:
    """Return the size in bytes of a WebAssembly module that meshes would fetch.

    Raises:
        Unreadable: `not-wasm`: it is empty, or something else.
        Refused: `module-too-large`.
        UsageError: `no-module`: it cannot be read.
    """
    try:
        with module.open("rb") as stream:
            start, size = stream.read(len(PREAMBLE)), module.stat().st_size
    except OSError as error:
        raise UsageError(
            "no-module",
            f"`{module}` cannot be read: {error.strerror}",
            hint="build it first, with `wasmctl build`",
        ) from error
    if size == 0:
        raise _not_wasm(module, "it is empty", "build it again, with `wasmctl build`")
    if len(start) < len(PREAMBLE) or not start.startswith(MAGIC):
        raise _not_wasm(
            module, "it does not begin as one", "give the .wasm file that the compiler wrote"
        )
    if start[6:] == COMPONENT_LAYER:
        raise _not_wasm(
            module,
            "it is a component, and proxies load core modules",
            "build it for wasip1 instead of wasip2",
        )
    if start != PREAMBLE:
        raise _not_wasm(module, "its version is not 1", "build it with a released compiler")
    if size > FETCH_LIMIT - _TAR_HEADER:
        raise Refused(
            "module-too-large",
            f"`{module}` has {size / 1024**2:.0f} MiB, and Istio and Envoy Gateway fetch at most"
            f" {FETCH_LIMIT // 1024**2} MiB",
            hint="build it without debug information, and look for data embedded in it",
        )
    return size


def _not_wasm(module: Path, why: str, hint: str) -> Unreadable:
    return Unreadable("not-wasm", f"`{module}` is no WebAssembly module: {why}", hint=hint)
