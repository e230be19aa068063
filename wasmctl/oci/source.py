"""What a person names as an image that is there: a REF, an OCI layout, or a tar of either kind."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, Self

from wasmctl.errors import Unreadable
from wasmctl.oci.image import ImageSource
from wasmctl.oci.layout import find_in_layout
from wasmctl.oci.manifest import Child, Descriptor, choose_child
from wasmctl.oci.options import RegistryOptions
from wasmctl.oci.reference import Reference, parse_reference
from wasmctl.oci.saved import is_saved, read_saved

__all__ = ["ImagePlace", "NamedImage", "find_image", "resolve_image"]

# An index in an index is seldom, and deeper nesting is nobody's.
_DEPTH: Final = 4


class ImagePlace(ImageSource, Protocol):
    """An image, or an index, and the way to what an index names."""

    def child(self, descriptor: Descriptor, /) -> Self:
        """Return the manifest that this index names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedImage:
    """What a person named.

    Args:
        place: the image, or the index.
        reference: its reference, with its tag or digest, where it is in a registry.
        path: the file or folder it lies in otherwise.
        assumed: how the name was read, where more was read than was written.
    """

    place: ImagePlace
    reference: Reference | None = None
    path: Path | None = None
    assumed: tuple[str, ...] = ()

    def __str__(self) -> str:
        return str(self.reference or self.path)


def find_image(name: str, *, folder: Path, options: RegistryOptions) -> NamedImage:
    """Return what is there under a name: an existing path is a layout or a tar, else it is a REF.

    Args:
        name: as typed.
        folder: what a relative path starts from.
        options: how a registry is reached.

    Raises:
        Unreadable: the file or folder is no image.
        UsageError: the name is no reference.
        RegistryError: the registry cannot be reached or refuses.
    """
    path = Path(folder, name)
    if path.is_file() and is_saved(path):
        return NamedImage(place=read_saved(path), path=path)
    if path.exists():
        return NamedImage(place=find_in_layout(path), path=path)
    from wasmctl.oci.registry import fetch_image

    reference = parse_reference(name, require_registry=False)
    assumed = [reference.read_as] if reference.read_as else []
    if reference.tag is None and reference.digest is None:
        reference = reference.with_tag("latest")
        assumed.append(f"no tag given: `{reference}`")
    return NamedImage(
        place=fetch_image(reference, options), reference=reference, assumed=tuple(assumed)
    )


def resolve_image(place: ImagePlace) -> tuple[ImagePlace, tuple[Child, ...]]:
    """Return the image that a place means, and the entries of the indices on the way to it.

    Raises:
        Unreadable: an index names no image that could be meant.
        RegistryError: the registry refuses or fails.
    """
    way: list[Child] = []
    while child := choose_child(place.manifest, place.media_type):
        if len(way) == _DEPTH:
            raise Unreadable(
                "not-an-image",
                f"this is no image of a plug-in: {_DEPTH} indices lead to yet another one",
                hint="give the digest of the image itself",
            )
        way.append(child)
        place = place.child(child.descriptor)
    return place, tuple(way)
