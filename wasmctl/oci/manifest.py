"""What a manifest or an index says, whoever wrote it. Pure.

Bytes that come from elsewhere enter here and leave as values whose digests, sizes and types have
been looked at.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from wasmctl.errors import Unreadable
from wasmctl.oci.image import MediaType

__all__ = [
    "Child",
    "Descriptor",
    "Manifest",
    "choose_child",
    "is_schema1",
    "read_children",
    "read_descriptors",
    "read_manifest",
]

_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_INDEXES: Final = frozenset({MediaType.OCI_INDEX, MediaType.DOCKER_INDEX})
_MANIFESTS: Final = frozenset({MediaType.OCI_MANIFEST, MediaType.DOCKER_MANIFEST})
# BuildKit's docs/attestations/attestation-storage.md: entries of an index that are no images.
_ATTESTATION: Final = "vnd.docker.reference.type"
# go-containerregistry's pkg/v1/remote/descriptor.go: the platform that Istio's fetcher asks for,
# and the one of an entry that names none.
_PLATFORM: Final = "linux/amd64"


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """A blob or a manifest as another document names it."""

    media_type: str
    digest: str
    size: int
    annotations: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """An image's manifest.

    Args:
        media_type: its type, by itself or else by the one who handed it over.
        says: the type that it gives itself; empty: none.
        config: its configuration, where it names one.
        layers: in their order.
        annotations: its own.
    """

    media_type: str
    says: str = ""
    config: Descriptor | None = None
    layers: tuple[Descriptor, ...]
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """An entry of an index.

    Args:
        descriptor: its manifest.
        platform: the platform it is said to be for.
        meshes_agree: whether its platform is the one that Istio's fetcher takes.
    """

    descriptor: Descriptor
    platform: str
    meshes_agree: bool

    @property
    def attests(self) -> bool:
        """Whether it is no image, but says something of one."""
        return _ATTESTATION in self.descriptor.annotations


def read_descriptors(content: bytes, key: str) -> list[Descriptor]:
    """Return the list that the document has under `key`; each digest is a sha256.

    Raises:
        Unreadable: `not-an-image`.
    """
    return [_descriptor(entry) for entry in _list(_document(content), key)]


def read_manifest(content: bytes, media_type: str) -> Manifest:
    """Return what an image manifest says.

    Args:
        content: the document.
        media_type: what the one who handed it over calls it.

    Raises:
        Unreadable: `not-an-image`.
    """
    document = _document(content)
    claimed = document.get("mediaType") or media_type
    if is_schema1(content):
        raise _no_image(
            "its manifest is of Docker's schema 1, which no mesh reads", "push it again"
        )
    if claimed not in _MANIFESTS and "layers" not in document:
        raise _no_image(f"its manifest is of the type `{claimed}`")
    return Manifest(
        media_type=str(claimed),
        says=str(document.get("mediaType") or ""),
        config=_descriptor(document["config"]) if document.get("config") else None,
        layers=tuple(_descriptor(entry) for entry in _list(document, "layers")),
        annotations=_texts(document.get("annotations")),
    )


def is_schema1(content: bytes) -> bool:
    """Return whether a manifest is of Docker's schema 1."""
    return _document(content).get("schemaVersion") == 1


def choose_child(content: bytes, media_type: str) -> Child | None:
    """Return the image an index means, or None where `content` is no index.

    The first one for linux/amd64 is taken, else the only one there is.

    Raises:
        Unreadable: `no-such-platform`, `not-an-image`.
    """
    children = read_children(content, media_type)
    if children is None:
        return None
    for child in children:
        if child.meshes_agree:
            return child
    images = [child for child in children if not child.attests]
    if len(images) == 1:
        return images[0]
    platforms = ", ".join(f"`{child.platform}`" for child in images) or "nothing"
    raise Unreadable(
        "no-such-platform",
        f"the index has no image for {_PLATFORM}, which meshes take; it has {platforms}",
        hint="give the digest of one of its images, or push the image with `wasmctl push`",
    )


def read_children(content: bytes, media_type: str) -> tuple[Child, ...] | None:
    """Return the entries of an index, or None where `content` is no index.

    Raises:
        Unreadable: `not-an-image`.
    """
    document = _document(content)
    if (document.get("mediaType") or media_type) not in _INDEXES:
        return None
    return tuple(
        Child(
            descriptor=_descriptor(entry),
            platform=_platform(entry),
            meshes_agree=_platform(entry) == _PLATFORM,
        )
        for entry in _list(document, "manifests")
    )


def _document(content: bytes) -> Mapping[str, object]:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise _no_image("its manifest is no JSON") from error
    if not isinstance(document, dict):
        raise _no_image("its manifest is no JSON object")
    return document


def _list(document: Mapping[str, object], key: str) -> Sequence[object]:
    entries = document.get(key)
    if not isinstance(entries, list):
        raise _no_image(f"its manifest has no list of {key}")
    return entries


def _descriptor(entry: object) -> Descriptor:
    if not isinstance(entry, dict):
        raise _no_image("an entry of its manifest is no object")
    digest, size = entry.get("digest"), entry.get("size")
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        raise _no_image(f"its manifest names `{digest}`, which is no sha256 digest")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise _no_image(f"its manifest gives `{size}` as a size")
    return Descriptor(
        media_type=str(entry.get("mediaType", "")),
        digest=digest,
        size=size,
        annotations=_texts(entry.get("annotations")),
    )


def _texts(annotations: object) -> Mapping[str, str]:
    if not isinstance(annotations, dict):
        return {}
    return {key: value for key, value in annotations.items() if isinstance(value, str)}


def _platform(entry: object) -> str:
    platform = entry.get("platform") if isinstance(entry, dict) else None
    if not isinstance(platform, dict):
        return _PLATFORM
    return f"{platform.get('os', '')}/{platform.get('architecture', '')}"


def _no_image(why: str, hint: str | None = None) -> Unreadable:
    return Unreadable(
        "not-an-image",
        f"this is no image of a plug-in: {why}",
        hint=hint or "look at it with `crane manifest` or `skopeo inspect --raw`",
    )
