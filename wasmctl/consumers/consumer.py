"""Who loads plug-ins from images, and what they can make of one. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

__all__ = ["CONSUMERS", "Consumer", "Reader", "find_consumer"]


class Reader(StrEnum):
    """The program, or the family of programs, that reads an image."""

    ISTIO = "istio"
    ENVOY_GATEWAY = "envoy-gateway"
    HIGRESS = "higress"
    GCP = "gcp"
    CNCF = "cncf"


# The names of targets → who reads for them. Alibaba's ASM is Istio.
_READERS: Final[Mapping[str, Reader]] = {
    **{reader.value: reader for reader in Reader},
    "asm": Reader.ISTIO,
}
_TARGET: Final = re.compile(r"(?P<name>[a-z][a-z-]*?)(?:-(?P<release>\d+(?:\.\d+)*))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Consumer:
    """One who loads plug-ins from images.

    Args:
        name: as a user names the target: `istio-1.27`.
        reader: what reads the image.
        release: of the target; empty: the newest.
    """

    name: str
    reader: Reader
    release: tuple[int, ...] = ()

    def at_least(self, *release: int) -> bool:
        """Return whether it is of this release or a later one."""
        return not self.release or self.release >= release


CONSUMERS: Final = tuple(Consumer(name=reader.value, reader=reader) for reader in Reader)


def find_consumer(target: str) -> Consumer | None:
    """Return who reads images for a target; None: it loads no images, as Envoy itself."""
    found = _TARGET.fullmatch(target)
    reader = _READERS.get(found["name"]) if found else None
    if found is None or reader is None:
        return None
    release = tuple(int(part) for part in (found["release"] or "").split(".") if part)
    return Consumer(name=target, reader=reader, release=release)
