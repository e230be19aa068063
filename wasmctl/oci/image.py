"""Module → Image: the image as a value. Pure but for the compressed layer in a scratch folder.

Knows the three formats and nothing of where an image goes: `layout`, `registry` and `daemon` are
the sinks. The same module, annotations and time give the same digest on any machine.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, Final, Protocol

__all__ = [
    "Blob",
    "Format",
    "Image",
    "ImageSource",
    "package_image",
]


class Format(StrEnum):
    """How a module is laid out in an image."""

    OCI = "oci"
    DOCKER = "docker"
    ARTIFACT = "artifact"


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """Bytes with a name.

    Args:
        digest: `sha256:` and the hash of the bytes.
        size: how many bytes.
        media_type: what they are.
        source: the bytes, or the file that holds them.
        annotations: those of the descriptor in the manifest.
    """

    digest: str
    size: int
    media_type: str
    source: Path | bytes
    annotations: Mapping[str, str] = field(default_factory=dict)

    def open(self) -> BinaryIO:
        """Return a stream of the bytes, to be closed by the caller."""
        if isinstance(self.source, bytes):
            return io.BytesIO(self.source)
        return self.source.open("rb")


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A manifest and the blobs it names.

    Args:
        manifest: the bytes that `digest` is the hash of.
        media_type: the manifest's.
        digest: the manifest's: what an image is pinned by.
        config: the configuration blob.
        layers: in the manifest's order.
        format: how the module is laid out.
    """

    manifest: bytes
    media_type: str
    digest: str
    config: Blob
    layers: tuple[Blob, ...]
    format: Format

    @property
    def blobs(self) -> tuple[Blob, ...]:
        """Every blob once, in the order in which a registry wants them: layers, then config."""
        return tuple({blob.digest: blob for blob in (*self.layers, self.config)}.values())

    @property
    def size(self) -> int:
        """Bytes in all: blobs and manifest."""
        return len(self.manifest) + sum(blob.size for blob in self.blobs)


class ImageSource(Protocol):
    """An image somewhere else: in a registry or a layout."""

    @property
    def manifest(self) -> bytes:
        """The manifest, or the index, whose hash `digest` is (verified)."""

    @property
    def media_type(self) -> str:
        """The manifest's media type."""

    @property
    def digest(self) -> str:
        """The manifest's digest."""

    def open_blob(self, digest: str, size: int) -> AbstractContextManager[BinaryIO]:
        """Stream a blob; reading to its end raises `Unreadable` where hash or size differ."""


def package_image(
    module: Path,
    *,
    format: Format,  # noqa: A002  # it is the option's name
    annotations: Mapping[str, str],
    created: int,
    scratch: Path,
    abi_versions: Sequence[str] = (),
) -> Image:
    """Return the image of a module; its large blobs are files in `scratch`.

    Args:
        module: the WebAssembly module.
        format: how to lay it out.
        annotations: those of the manifest; for images of the container kind labels too.
        created: seconds since 1970, written wherever a time is: SOURCE_DATE_EPOCH, or 0.
        scratch: a folder that outlives the use of the image.
        abi_versions: the module's Proxy-Wasm ABIs ("0.2.1"), told by the artifact's configuration.

    Raises:
        Unreadable: the module is not WebAssembly, or empty.
        Refused: it is larger than any mesh fetches.
        UsageError: the scratch folder cannot be written.
    """
    raise NotImplementedError
