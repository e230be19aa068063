"""Layouts as consumers see them, without a registry."""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tests.integration.layouts import Layout
from wasmctl.consumers.gather import gather_image
from wasmctl.consumers.view import ImageView
from wasmctl.oci.image import digest_of
from wasmctl.oci.manifest import Descriptor
from wasmctl.oci.options import RegistryOptions
from wasmctl.oci.reference import parse_reference
from wasmctl.oci.source import NamedImage

NAME = "ghcr.io/acme/plugin:1.0"


@dataclass(frozen=True)
class MemoryPlace:
    """A layout that is nowhere."""

    layout: Layout

    @property
    def manifest(self) -> bytes:
        return self.layout.manifest

    @property
    def media_type(self) -> str:
        return self.layout.media_type

    @property
    def digest(self) -> str:
        return self.layout.digest

    @contextlib.contextmanager
    def open_blob(self, digest: str, size: int) -> Iterator[IO[bytes]]:
        del size
        blobs = {digest_of(blob): blob for blob in self.layout.blobs}
        yield io.BytesIO(blobs[digest])

    def child(self, descriptor: Descriptor) -> MemoryPlace:
        children = {child.digest: child for child in self.layout.children}
        return MemoryPlace(children[descriptor.digest])


def view_of(layout: Layout, name: str = NAME) -> ImageView:
    """Return what a consumer sees of a layout that a registry has under a name."""
    reference = parse_reference(name, require_registry=True)
    if layout.pin:
        reference = reference.with_digest(layout.pin)
    named = NamedImage(place=MemoryPlace(layout), reference=reference)
    with tempfile.TemporaryDirectory() as scratch:
        options = RegistryOptions(env={})
        return gather_image(named, options=options, scratch=Path(scratch)).view
