"""What Istio's fetcher, and the forks of it in Envoy Gateway and Higress, make of an image. Pure.

The order of the steps and every word are theirs: istio, pkg/wasm/imagefetcher.go and cache.go;
envoyproxy/gateway, internal/wasm/imagefetcher.go and cache.go; higress-group/istio, the same as
Istio's. What their library says is go-containerregistry's, pkg/v1/remote.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from wasmctl.consumers.consumer import Consumer, Reader
from wasmctl.consumers.content import Content, Packing, Stage
from wasmctl.consumers.realm import unsafe_realm
from wasmctl.consumers.view import ImageView, Kind, Layer
from wasmctl.hosts.verdict import Outcome
from wasmctl.oci.image import MODULE_NAME, MediaType
from wasmctl.oci.module import FETCH_LIMIT
from wasmctl.wasm.frames import MAGIC

__all__ = ["Fetched", "fetch"]

_NO_IMAGE: Final = "could not fetch Wasm OCI image: "
_NO_BINARY: Final = "could not fetch Wasm binary: "
# go-containerregistry, pkg/v1/remote/options.go, defaultPlatform.
_PLATFORM: Final = "linux/amd64"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What became of a fetch.

    Args:
        outcome: whether there is a module in the end.
        words: the consumer's own, where it refuses.
        layer: the layer that it read, or refused, counted from 1; 0: it came to none.
        why: where the outcome cannot be told, the reason; where it can, what is odd about it.
    """

    outcome: Outcome
    words: str = ""
    layer: int = 0
    why: str = ""


class _RefusedError(Exception):
    """The fetcher refuses; the text is its own."""


class _UnsureError(Exception):
    """What it does cannot be told; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Binary:
    """What was taken for the module."""

    head: bytes
    size: int


def fetch(view: ImageView, consumer: Consumer) -> Fetched:
    """Fetch an image as a consumer of Istio's family does."""
    number = len(view.layers)
    try:
        _prepare(view, consumer)
        layer, binary = _take(view, consumer)
        number = view.layers.index(layer) + 1
        _check_magic(binary, view)
    except _RefusedError as error:
        return Fetched(outcome=Outcome.REFUSES, words=str(error), layer=number)
    except _UnsureError as error:
        return Fetched(outcome=Outcome.UNSURE, why=str(error), layer=number)
    return Fetched(outcome=Outcome.ACCEPTS, layer=number)


def _check_magic(binary: _Binary, view: ImageView) -> None:
    if binary.size < 8 or binary.head[:4] != MAGIC:
        raise _RefusedError(f"fetched Wasm binary from {_url(view)} is invalid")


def _url(view: ImageView) -> str:
    return f"oci://{view.name}"


def _prepare(view: ImageView, consumer: Consumer) -> None:
    """Get the manifest and choose the image, as PrepareFetch does, and compare digests."""
    challenge = view.access.challenge if view.access else ""
    if consumer.reader is Reader.ISTIO and consumer.at_least(1, 30) and challenge:
        _check_realm(challenge, view)
    if view.kind is Kind.SCHEMA1:
        raise _RefusedError(
            f'{_NO_IMAGE}could not fetch image: unsupported MediaType: "{view.media_type}", see'
            " https://github.com/google/go-containerregistry/issues/377"
        )
    if view.stuck:
        raise _RefusedError(
            f"{_NO_IMAGE}could not fetch image: no child with platform {_PLATFORM} in index"
            f" {view.stuck}"
        )
    if view.pinned and view.pinned != view.image_digest:
        # The digest of the name is expected, and that of the chosen image is compared with it.
        raise _RefusedError(
            f"module downloaded from {_url(view)} has checksum {_hash(view.image_digest)}, which"
            f" does not match: {_hash(view.pinned)}"
        )


def _hash(digest: str) -> str:
    return digest.removeprefix("sha256:")


def _check_realm(challenge: str, view: ImageView) -> None:
    found = unsafe_realm(challenge)
    if found is None:
        return
    if not challenge.lower().startswith("bearer"):
        raise _UnsureError(
            "from 1.30 on Istio may refuse any registry whose challenge has a realm that is no"
            f" safe address, also of Basic: `rejected unsafe bearer realm: {found}`"
        )
    host, scheme = view.name.partition("/")[0], "http" if view.plain_http else "https"
    raise _RefusedError(
        f'{_NO_IMAGE}could not fetch manifest: Get "{scheme}://{host}/v2/": rejected unsafe bearer'
        f" realm: {found}"
    )


def _take(view: ImageView, consumer: Consumer) -> tuple[Layer, _Binary]:
    """Take the module out of the image, as binaryFetcher does."""
    if view.docker:
        try:
            return _standard(view, MediaType.DOCKER_LAYER, consumer)
        except _RefusedError as error:
            raise _RefusedError(
                f"{_NO_BINARY}could not extract Wasm file from the image as Docker container"
                f" {error}"
            ) from error
    try:
        return _standard(view, MediaType.OCI_LAYER, consumer)
    except _RefusedError as error:
        compat = error
    try:
        return _artifact(view, consumer)
    except _RefusedError as error:
        both = (
            f"could not parse as compat variant: {compat}",
            f"could not parse as oci variant: {error}",
        )
        raise _RefusedError(
            f"{_NO_BINARY}the given image is in invalid format as an OCI image:"
            f" {_joined(both, consumer)}"
        ) from error


def _joined(errors: tuple[str, ...], consumer: Consumer) -> str:
    if consumer.reader is Reader.ENVOY_GATEWAY:
        return "\n".join(errors)  # Go's errors.Join
    # hashicorp/go-multierror, format.go, ListFormatFunc.
    points = "\n\t".join(f"* {error}" for error in errors)
    return f"{len(errors)} errors occurred:\n\t{points}\n\n"


def _standard(view: ImageView, expected: MediaType, consumer: Consumer) -> tuple[Layer, _Binary]:
    """Take it out of the last layer (extractDockerImage, extractOCIStandardImage)."""
    if not view.layers:
        raise _RefusedError("number of layers must be greater than zero")
    layer = view.layers[-1]
    if layer.taken_for != expected:
        raise _RefusedError(f"invalid media type {layer.taken_for} (expect {expected})")
    if layer.content is None:
        raise _UnsureError("its last layer is too large to be looked into")
    try:
        return layer, _extract(layer.content, consumer)
    except _RefusedError as error:
        raise _RefusedError(f"could not extract wasm binary: {error}") from error


def _extract(content: Content, consumer: Consumer) -> _Binary:
    """Find the module in the archive (extractWasmPluginBinary)."""
    unpacked = _as_gzip(content)
    if unpacked.broken and unpacked.stage is Stage.OPENING:
        raise _RefusedError(f"failed to parse layer as tar.gz: {unpacked.broken}")
    if unpacked.found is not None:
        found = unpacked.found
        return _Binary(head=found.head, size=found.entry.size)
    if unpacked.unread:
        raise _UnsureError(unpacked.unread)
    if unpacked.over and consumer.reader is Reader.ENVOY_GATEWAY:
        raise _RefusedError(f"wasm layer size exceeds maximum size {FETCH_LIMIT}")
    if unpacked.broken and unpacked.stage is Stage.READING:
        raise _RefusedError(f"failed to read {MODULE_NAME}: {unpacked.broken}")
    if unpacked.broken:
        raise _RefusedError(unpacked.broken)
    raise _RefusedError(f"{MODULE_NAME} not found in the archive")


def _as_gzip(content: Content) -> Content:
    """Return what a reader of gzip finds, which a layer need not be."""
    if content.packing is Packing.GZIP:
        return content
    if not content.head:
        broken = content.broken or "EOF"
    else:
        broken = "gzip: invalid header" if content.size >= 10 else "unexpected EOF"
    return replace(content, broken=broken, stage=Stage.OPENING, found=None)


def _artifact(view: ImageView, consumer: Consumer) -> tuple[Layer, _Binary]:
    """Take the raw module of solo-io's artifact (extractOCIArtifactImage)."""
    if len(view.layers) != 2:
        raise _RefusedError(f"number of layers must be 2 but got {len(view.layers)}")
    for layer in view.layers:
        if layer.taken_for == MediaType.SOLO_MODULE:
            return layer, _raw(layer, consumer)
    raise _RefusedError(f"could not find the layer of type {MediaType.SOLO_MODULE}")


def _raw(layer: Layer, consumer: Consumer) -> _Binary:
    content = layer.content
    if content is None:
        if consumer.reader is Reader.ENVOY_GATEWAY and layer.descriptor.size > FETCH_LIMIT:
            raise _RefusedError(f"wasm module size exceeds maximum size {FETCH_LIMIT}")
        raise _UnsureError("its module is too large to be looked at")
    if content.end:
        raise _RefusedError(f"could not extract wasm binary: {content.end}")
    return _Binary(head=content.head, size=content.size)
