"""An image, wherever it is → what a consumer sees of it. Acts through the `oci` room alone.

What is downloaded is kept in a scratch folder, so that the module can be taken out of it without
a second download; how much that is, is bounded.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Final

from wasmctl.consumers.content import Content, Packing, read_content
from wasmctl.consumers.view import Access, ImageView, Kind, Layer
from wasmctl.errors import RegistryError, Unreadable, UsageError
from wasmctl.oci.image import MediaType
from wasmctl.oci.manifest import Descriptor, Manifest, is_schema1, read_children, read_manifest
from wasmctl.oci.module import FETCH_LIMIT
from wasmctl.oci.options import RegistryOptions
from wasmctl.oci.registry import RemoteImage
from wasmctl.oci.saved import SavedImage
from wasmctl.oci.source import ImagePlace, NamedImage, resolve_image

__all__ = ["Gathered", "gather_image"]

_CHUNK: Final = 256 * 1024
# Indices that are followed; another index at their end is refused for being no image.
_INDICES: Final = 4
# Layers that are looked into, besides those that a consumer reads.
_OTHERS: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """What was seen, and the image itself.

    Args:
        view: what a consumer sees.
        image: the image, its layers at hand; of an index the one that is meant; None: there is
            none that could be.
    """

    view: ImageView
    image: Kept | None


def gather_image(
    named: NamedImage,
    *,
    options: RegistryOptions,
    scratch: Path,
    advance: Callable[[int], None] = lambda _count: None,
) -> Gathered:
    """Look at an image as its consumers do.

    Args:
        named: the image.
        options: how its registry was reached.
        scratch: a folder that outlives the use of what is returned.
        advance: called with the bytes downloaded since the last call.

    Raises:
        Unreadable: it is no image at all.
        RegistryError: the registry refuses or fails.
        UsageError: the scratch folder cannot be written.
    """
    place, access = named.place, _access(named, options)
    children = read_children(place.manifest, place.media_type)
    view = ImageView(
        name=str(named),
        pinned=(named.reference and named.reference.digest) or "",
        digest=place.digest,
        kind=Kind.MANIFEST if children is None else Kind.INDEX,
        media_type=place.media_type,
        children=children or (),
        access=access,
    )
    if is_schema1(place.manifest):
        return Gathered(view=replace(view, kind=Kind.SCHEMA1), image=None)
    image, stuck = _follow(named)
    view = replace(view, stuck=stuck)
    try:
        # Of an index that no mesh follows, the only image is looked at nevertheless.
        image, _ = resolve_image(image)
    except Unreadable as error:
        if error.code != "no-such-platform":
            raise
        return Gathered(view=view, image=None)
    manifest = read_manifest(image.manifest, image.media_type)
    kept = Kept(image, scratch, advance)
    view = replace(
        view,
        image_digest=image.digest,
        says=manifest.says,
        config=manifest.config,
        layers=tuple(_layers(manifest, kept, as_pushed=isinstance(named.place, SavedImage))),
    )
    return Gathered(view=view, image=kept)


def _follow(named: NamedImage) -> tuple[ImagePlace, str]:
    """Go from index to index as go-containerregistry does (pkg/v1/remote/index.go).

    Return where that ends, and what it calls that, where it is an index without the platform.
    """
    place, name = named.place, str(named)
    for _ in range(_INDICES):
        children = read_children(place.manifest, place.media_type)
        if children is None:
            return place, ""
        child = next((child for child in children if child.meshes_agree), None)
        if child is None:
            return place, name
        place = place.child(child.descriptor)
        name = f"{named.reference.name if named.reference else name}@{place.digest}"
    return place, ""


def _access(named: NamedImage, options: RegistryOptions) -> Access | None:
    if not isinstance(named.place, RemoteImage) or named.reference is None:
        return None
    registry = named.place.registry
    return Access(
        plain_http=options.scheme(named.reference.api_host) == "http",
        own_trust=options.insecure_skip_tls_verify or options.ca_file is not None,
        challenge=registry.challenge,
        signed_in=registry.credentials is not None,
    )


def _layers(manifest: Manifest, kept: Kept, *, as_pushed: bool) -> Iterator[Layer]:
    budget, others = FETCH_LIMIT, _OTHERS
    last = len(manifest.layers) - 1
    for index, descriptor in enumerate(manifest.layers):
        layer = Layer(descriptor=descriptor, taken_for=_taken_for(descriptor, manifest))
        wanted = index == last or descriptor.media_type == MediaType.SOLO_MODULE
        if not wanted:
            others, budget = others - 1, budget - descriptor.size
        if descriptor.size <= FETCH_LIMIT and (wanted or (others >= 0 and budget >= 0)):
            layer = replace(layer, content=kept.look(descriptor))
        yield _pushed(layer) if as_pushed else layer


def _taken_for(descriptor: Descriptor, manifest: Manifest) -> str:
    """Return the media type that is found for a layer's digest.

    go-containerregistry, pkg/v1/partial/with.go, BlobDescriptor: by the digest alone, and in the
    configuration first.
    """
    for listed in (*([manifest.config] if manifest.config else []), *manifest.layers):
        if listed.digest == descriptor.digest:
            return listed.media_type
    return descriptor.media_type


def _pushed(layer: Layer) -> Layer:
    """Return a layer that `docker save` wrote as the engine packs it when it pushes."""
    kind = MediaType.DOCKER_LAYER
    content = layer.content and replace(layer.content, packing=Packing.GZIP)
    descriptor = replace(layer.descriptor, media_type=kind)
    return replace(layer, descriptor=descriptor, taken_for=kind, content=content)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """A blob that was downloaded: how much came, and what Go says of it at its end."""

    size: int
    end: str


class Kept:
    """An image whose blobs are downloaded once, and then at hand.

    Args:
        image: where they come from.
        folder: where they are kept.
        advance: called with the bytes downloaded since the last call.
    """

    def __init__(self, image: ImagePlace, folder: Path, advance: Callable[[int], None]) -> None:
        self._image = image
        self._folder = folder
        self._advance = advance
        self._held: dict[tuple[str, int], _Held] = {}
        self._seen: dict[tuple[str, int], Content] = {}
        self.manifest = image.manifest
        self.media_type = image.media_type
        self.digest = image.digest

    @contextlib.contextmanager
    def open_blob(self, digest: str, size: int) -> Iterator[IO[bytes]]:
        """Open a blob for reading.

        Raises:
            WasmctlError: it cannot be had.
        """
        self._hold(digest, size)
        with self._path(digest, size).open("rb") as stream:
            yield stream

    def look(self, descriptor: Descriptor) -> Content:
        """Return what is in a layer; of one that is listed twice it is found out once."""
        key = (descriptor.digest, descriptor.size)
        if key not in self._seen:
            held = self._hold(*key)
            with self.open_blob(*key) as stream:
                self._seen[key] = read_content(stream, size=held.size, end=held.end)
        return self._seen[key]

    def _path(self, digest: str, size: int) -> Path:
        return self._folder / f"{digest.replace(':', '-')}-{size}"

    def _hold(self, digest: str, size: int) -> _Held:
        if (digest, size) not in self._held:
            self._held[digest, size] = self._download(digest, size)
        return self._held[digest, size]

    def _download(self, digest: str, size: int) -> _Held:
        """Download a blob; one that is shorter than its manifest says is no failure."""
        try:
            return self._copy(digest, size, wanted=size)
        except RegistryError:
            place = self._image
            held = place.registry.size_of(digest) if isinstance(place, RemoteImage) else None
            if held is None or held >= size:
                raise
            return self._copy(digest, held, wanted=size)

    def _copy(self, digest: str, size: int, *, wanted: int) -> _Held:
        seen, count = hashlib.sha256(), 0
        path = self._path(digest, wanted)
        try:
            with self._image.open_blob(digest, size) as blob, path.open("wb") as sink:
                while count < size and (chunk := blob.read(min(_CHUNK, size - count))):
                    seen.update(chunk)
                    count += sink.write(chunk)
                    self._advance(len(chunk))
        except OSError as error:
            raise UsageError(
                "cannot-write",
                f"`{self._folder}` cannot be written: {error.strerror or error}",
                hint="free some space there, or name another folder in TMPDIR",
            ) from error
        return _Held(size=count, end=_end(f"sha256:{seen.hexdigest()}", count, digest, wanted))


def _end(got: str, count: int, digest: str, size: int) -> str:
    """Return what go-containerregistry says at a blob's end (internal/verify/verify.go)."""
    if count != size:
        return f"error verifying size; got {count}, want {size}"
    if got != digest:
        return (
            f"error verifying sha256 checksum after reading {count} bytes;"
            f' got "{got}", want "{digest}"'
        )
    return ""
