"""The values for an Envoy: what its binary is; and once found, what to run and whence it came."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Binary", "Envoy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Binary:
    """What is known of an Envoy's binary.

    Args:
        version: its release, as `1.40.0`.
        has_wasm: whether it runs Wasm plug-ins.
    """

    version: str
    has_wasm: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Envoy:
    """An Envoy that can be run.

    Args:
        version: its release, as `1.40.0`.
        command: what the command line begins with: a binary, or a `docker run …`.
        origin: where it was found, in words for a user.
        image: the image that a `docker run …` starts; None for a binary.
    """

    version: str
    command: tuple[str, ...]
    origin: str
    image: str | None = None

    def argv(self, arguments: Sequence[str], folder: Path) -> tuple[str, ...]:
        """Return the whole command line.

        Args:
            arguments: Envoy's own.
            folder: the absolute folder of all files that it reads and writes; a container sees
                it under the same path, and nothing else of this machine.
        """
        if self.image is None:
            return (*self.command, *arguments)
        return (*self.command, f"--volume={folder}:{folder}", self.image, *arguments)
