"""What a consumer sees of an image. Values; pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from wasmctl.consumers.content import Content
from wasmctl.oci.image import MediaType
from wasmctl.oci.manifest import Child, Descriptor

__all__ = ["Access", "ImageView", "Kind", "Layer"]


class Kind(StrEnum):
    """What a name has."""

    MANIFEST = "manifest"
    INDEX = "index"
    SCHEMA1 = "schema 1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How a registry let us in.

    Args:
        plain_http: whether it was spoken to without TLS.
        own_trust: whether its certificate was believed by an option only.
        challenge: the `WWW-Authenticate` with which it asked for credentials; empty: it did not.
        signed_in: whether credentials were shown.
    """

    plain_http: bool
    own_trust: bool = False
    challenge: str = ""
    signed_in: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One layer of the image.

    Args:
        descriptor: as the manifest lists it.
        taken_for: the media type that go-containerregistry finds for its digest.
        content: what is in it, where that was looked at.
    """

    descriptor: Descriptor
    taken_for: str
    content: Content | None = None

    @property
    def media_type(self) -> str:
        """Its media type."""
        return self.descriptor.media_type


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageView:
    """What a consumer sees of an image.

    Args:
        name: what the image is called: a reference, or the path of a layout.
        pinned: the digest that the name has in it; empty: none.
        digest: the digest of what the name has.
        kind: what that is.
        media_type: of what type whoever handed it over says it is.
        children: the entries of an index.
        image_digest: the digest of the image that the name means in the end; empty: none can be
            meant.
        stuck: the index in which Istio's fetcher finds no image that it takes; empty: it finds
            one.
        says: the type that the image's manifest gives itself; empty: none.
        config: its configuration.
        layers: in their order.
        access: how the registry let us in; None: the image is in none.
    """

    name: str
    pinned: str = ""
    digest: str
    kind: Kind
    media_type: str
    children: tuple[Child, ...] = ()
    image_digest: str = ""
    stuck: str = ""
    says: str = ""
    config: Descriptor | None = None
    layers: tuple[Layer, ...] = ()
    access: Access | None = None

    @property
    def docker(self) -> bool:
        """Whether the image's manifest says that it is Docker's."""
        return self.says == MediaType.DOCKER_MANIFEST

    @property
    def plain_http(self) -> bool:
        """Whether its registry speaks without TLS."""
        return self.access is not None and self.access.plain_http
