"""Module → Image: the image as a value.

Knows the three formats and nothing of where an image goes: `layout`, `registry` and `daemon` are
the sinks. Touches nothing but the module and a scratch folder for the large blob. The same module,
annotations and time give the same digest on any machine.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import IO, BinaryIO, Final, NoReturn, Protocol

from wasmctl.errors import Refused, UsageError
from wasmctl.oci.archive import Layer, write_layer
from wasmctl.oci.module import check_module
from wasmctl.results import JSONValue

__all__ = [
    "MODULE_NAME",
    "Blob",
    "Format",
    "Image",
    "ImageSource",
    "MediaType",
    "digest_of",
    "package_image",
]

# Istio's fetcher looks for a file of this base name (pkg/wasm/imagefetcher.go), as the others do.
MODULE_NAME: Final = "plugin.wasm"

_COPY_CHUNK: Final = 1024 * 1024
_TITLE: Final = "org.opencontainers.image.title"


class MediaType(StrEnum):
    """What manifests and blobs call themselves.

    Sources: the OCI image specification (media-types.md), Docker's "Image Manifest V 2, Schema 2",
    solo-io's wasm-image-spec (spec.md), the CNCF's Wasm OCI Artifact layout, and wasm-to-oci.
    """

    OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
    OCI_INDEX = "application/vnd.oci.image.index.v1+json"
    OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
    OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
    OCI_LAYER_PLAIN = "application/vnd.oci.image.layer.v1.tar"
    OCI_LAYER_ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd"
    DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
    DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
    DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
    DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
    DOCKER_LAYER_PLAIN = "application/vnd.docker.image.rootfs.diff.tar"
    SOLO_CONFIG = "application/vnd.module.wasm.config.v1+json"
    SOLO_MODULE = "application/vnd.module.wasm.content.layer.v1+wasm"
    CNCF_MODULE = "application/wasm"
    DEIS_MODULE = "application/vnd.wasm.content.layer.v1+wasm"


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
    """An image somewhere else, in a registry or a layout."""

    @property
    def manifest(self) -> bytes:
        """The manifest, or the index, as it stands there."""

    @property
    def media_type(self) -> str:
        """The manifest's media type."""

    @property
    def digest(self) -> str:
        """The hash of `manifest`."""

    def open_blob(self, digest: str, size: int) -> AbstractContextManager[IO[bytes]]:
        """Return a stream of a blob's bytes; whoever reads it checks hash and size."""


def digest_of(content: bytes) -> str:
    """Return the digest of bytes: `sha256:` and their hash."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def package_image(
    module: Path,
    *,
    format: Format,  # noqa: A002  # the option's name
    annotations: Mapping[str, str],
    created: int,
    scratch: Path,
    abi_versions: Sequence[str] = (),
) -> Image:
    """Return the image of a module; its large blob is a file in `scratch`.

    Args:
        module: the WebAssembly module.
        format: how to lay it out.
        annotations: those of the manifest; in `oci` and `docker` labels of the image too.
        created: seconds since 1970, written wherever a time is: SOURCE_DATE_EPOCH, or 0.
        scratch: a folder that outlives the use of the image.
        abi_versions: the module's Proxy-Wasm ABIs ("0.2.1"), told by the artifact's configuration.

    Raises:
        Unreadable: the module is empty, or not WebAssembly.
        Refused: it is larger than any mesh fetches.
        UsageError: the module cannot be read, or the scratch folder cannot be written.
    """
    size = check_module(module)
    if format is Format.ARTIFACT:
        blob = _copy_module(module, size, scratch / MODULE_NAME)
        return _artifact(blob, annotations=annotations, abi_versions=abi_versions)
    target = scratch / f"{MODULE_NAME}.tar.gz"
    layer = _write_module_layer(module, size, target, created=created)
    return _container_image(layer, target, format=format, annotations=annotations, created=created)


def _write_module_layer(module: Path, size: int, target: Path, *, created: int) -> Layer:
    try:
        with module.open("rb") as content, target.open("wb") as sink:
            return write_layer(content, name=MODULE_NAME, size=size, created=created, sink=sink)
    except EOFError as error:
        raise _changed(module) from error
    except OSError as error:
        _raise_scratch(target, error)


def _copy_module(module: Path, size: int, target: Path) -> Blob:
    """Copy the module, lest another build put a new one in its place before it is pushed."""
    digest, copied = hashlib.sha256(), 0
    try:
        with module.open("rb") as content, target.open("wb") as sink:
            while chunk := content.read(_COPY_CHUNK):
                digest.update(chunk)
                copied += sink.write(chunk)
    except OSError as error:
        _raise_scratch(target, error)
    if copied != size:
        raise _changed(module)
    return Blob(
        digest=f"sha256:{digest.hexdigest()}",
        size=size,
        media_type=MediaType.SOLO_MODULE,
        source=target,
        # solo-io/wasm, spec.md: the titles of the two layers.
        annotations={_TITLE: "filter.wasm"},
    )


def _changed(module: Path) -> Refused:
    return Refused(
        "module-changed",
        f"`{module}` was changed while it was being read",
        hint="wait for the other build to end, then try again",
    )


def _raise_scratch(target: Path, error: OSError) -> NoReturn:
    raise UsageError(
        "cannot-write",
        f"`{target.parent}` cannot be written: {error.strerror}",
        hint="free some space there, or name another folder in TMPDIR",
    ) from error


def _container_image(
    layer: Layer,
    source: Path,
    *,
    format: Format,  # noqa: A002
    annotations: Mapping[str, str],
    created: int,
) -> Image:
    docker = format is Format.DOCKER
    config = _blob(
        _container_config(layer.diff_id, labels=annotations, created=created),
        MediaType.DOCKER_CONFIG if docker else MediaType.OCI_CONFIG,
    )
    blob = Blob(
        digest=layer.digest,
        size=layer.size,
        media_type=MediaType.DOCKER_LAYER if docker else MediaType.OCI_LAYER,
        source=source,
    )
    if docker:
        # Schema 2 has no annotations: the labels tell them.
        return _image(format, MediaType.DOCKER_MANIFEST, config, (blob,), {})
    # solo-io/wasm, spec-compat.md: an image of the "compat" variant should say so.
    compat = {"module.wasm.image/variant": "compat", **annotations}
    return _image(format, MediaType.OCI_MANIFEST, config, (blob,), compat)


def _container_config(
    diff_id: str, *, labels: Mapping[str, str], created: int
) -> Mapping[str, JSONValue]:
    time = datetime.fromtimestamp(created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        # What go-containerregistry, and so Istio's fetcher, picks by default.
        "architecture": "amd64",
        "os": "linux",
        "created": time,
        "config": {"Labels": labels} if labels else {},
        "rootfs": {"type": "layers", "diff_ids": [diff_id]},
        "history": [{"created": time, "created_by": f"COPY {MODULE_NAME} /{MODULE_NAME}"}],
    }


def _artifact(
    module: Blob, *, annotations: Mapping[str, str], abi_versions: Sequence[str]
) -> Image:
    # solo-io/wasm, tools/wasme/pkg/config/runtime.proto; wasme's manifests name this blob twice, as
    # their configuration and as their first layer.
    runtime: Mapping[str, JSONValue] = {
        "type": "envoy_proxy",
        "abiVersions": [f"v{version}" for version in abi_versions],
        "config": {},
    }
    config = _blob(runtime, MediaType.SOLO_CONFIG)
    titled = replace(config, annotations={_TITLE: "runtime-config.json"})
    return _image(Format.ARTIFACT, MediaType.OCI_MANIFEST, config, (titled, module), annotations)


def _blob(document: Mapping[str, JSONValue], media_type: str) -> Blob:
    content = _canonical(document)
    return Blob(digest=digest_of(content), size=len(content), media_type=media_type, source=content)


def _image(
    format: Format,  # noqa: A002
    media_type: str,
    config: Blob,
    layers: tuple[Blob, ...],
    annotations: Mapping[str, str],
) -> Image:
    document: dict[str, JSONValue] = {
        "schemaVersion": 2,
        "mediaType": media_type,
        "config": _descriptor(config),
        "layers": [_descriptor(layer) for layer in layers],
    }
    if annotations:
        document["annotations"] = annotations
    manifest = _canonical(document)
    return Image(
        manifest=manifest,
        media_type=media_type,
        digest=digest_of(manifest),
        config=config,
        layers=layers,
        format=format,
    )


def _descriptor(blob: Blob) -> Mapping[str, JSONValue]:
    document: dict[str, JSONValue] = {
        "mediaType": blob.media_type,
        "digest": blob.digest,
        "size": blob.size,
    }
    if blob.annotations:
        document["annotations"] = blob.annotations
    return document


def _canonical(document: Mapping[str, JSONValue]) -> bytes:
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    # A folder's name, and so a title, may hold bytes that are no text.
    return text.encode(errors="replace")
