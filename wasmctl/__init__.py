"""wasmctl: the command line of people who write Proxy-Wasm plug-ins."""

from __future__ import annotations

__version__ = "0.1.0"
