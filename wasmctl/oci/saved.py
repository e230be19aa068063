"""What `docker save` wrote: an image as the engine keeps it, its layers not compressed.

Read as far as an image made by others is read. A new Docker puts an OCI layout into the same tar,
whose layers are what no registry ever gets from it: the engine packs them when it pushes.

https://github.com/moby/docker-image-spec/blob/main/v1.2.md, "Combined Image JSON + Filesystem
Changeset Format"
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, NoReturn

from wasmctl.errors import Unreadable
from wasmctl.oci.image import MediaType, digest_of
from wasmctl.oci.manifest import Descriptor
from wasmctl.results import JSONValue

__all__ = ["SavedImage", "is_saved", "read_saved"]

_LIST: Final = "manifest.json"
_DOCUMENT_LIMIT: Final = 4 * 1024 * 1024
_CHUNK: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedImage:
    """An image in such a tar.

    Args:
        path: the tar.
        manifest: one that names its layers as they lie there; no registry has it.
        media_type: its type.
        digest: its digest.
        places: digest → name in the tar.
    """

    path: Path
    manifest: bytes
    media_type: str
    digest: str
    places: Mapping[str, str]

    @contextlib.contextmanager
    def open_blob(self, digest: str, size: int) -> Iterator[IO[bytes]]:
        """Open a layer, or the configuration, for reading.

        Raises:
            Unreadable: it is not in the tar.
        """
        del size
        with tarfile.open(self.path) as archive, _member(archive, self.places[digest]) as stream:
            yield stream

    def child(self, descriptor: Descriptor) -> NoReturn:
        """Raise: what the engine keeps is never an index."""
        raise _no_image(self.path, f"it has no `{descriptor.digest}`")


def is_saved(path: Path) -> bool:
    """Return whether a file is a tar that `docker save` wrote."""
    try:
        with tarfile.open(path) as archive:
            return any(member.name == _LIST for member in archive)
    except (OSError, tarfile.TarError, EOFError):
        return False


def read_saved(path: Path) -> SavedImage:
    """Return the only image of such a tar.

    Raises:
        Unreadable: it holds another number of images, or is damaged.
    """
    try:
        with tarfile.open(path) as archive:
            return _read(path, archive)
    except (OSError, tarfile.TarError, EOFError) as error:
        raise _no_image(path, str(error)) from error


def _read(path: Path, archive: tarfile.TarFile) -> SavedImage:
    config, names = _parts(path, archive)
    blobs = [_describe(archive, MediaType.DOCKER_CONFIG, config)]
    blobs += [_describe(archive, MediaType.DOCKER_LAYER_PLAIN, name) for name in names]
    document = {
        "schemaVersion": 2,
        "mediaType": MediaType.DOCKER_MANIFEST,
        "config": blobs[0],
        "layers": blobs[1:],
    }
    manifest = json.dumps(document, sort_keys=True).encode()
    return SavedImage(
        path=path,
        manifest=manifest,
        media_type=MediaType.DOCKER_MANIFEST,
        digest=digest_of(manifest),
        places={
            str(blob["digest"]): name for blob, name in zip(blobs, (config, *names), strict=True)
        },
    )


def _parts(path: Path, archive: tarfile.TarFile) -> tuple[str, Sequence[str]]:
    """Return the names of the configuration and of the layers."""
    with _member(archive, _LIST) as stream:
        content = stream.read(_DOCUMENT_LIMIT)
    try:
        images = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise _no_image(path, f"its `{_LIST}` is no JSON") from error
    if isinstance(images, list) and len(images) != 1:
        raise _no_image(path, f"it holds {len(images)} images, not one")
    image = images[0] if isinstance(images, list) and isinstance(images[0], dict) else {}
    names = [image.get("Config"), *(image.get("Layers") or [])]
    if not all(isinstance(name, str) for name in names):
        raise _no_image(path, f"its `{_LIST}` names no image")
    return names[0], names[1:]


def _describe(archive: tarfile.TarFile, media_type: str, name: str) -> Mapping[str, JSONValue]:
    digest, size = hashlib.sha256(), 0
    with _member(archive, name) as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return {"mediaType": media_type, "digest": f"sha256:{digest.hexdigest()}", "size": size}


def _member(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    try:
        # Layers that two images have in common are links.
        content = archive.extractfile(name)
    except KeyError:
        content = None
    if content is None:
        raise tarfile.TarError(f"`{name}` is not in it")
    return content


def _no_image(path: Path, why: str) -> Unreadable:
    return Unreadable(
        "not-an-image",
        f"`{path}` is no image saved by docker: {why}",
        hint="write it anew, with `docker save --output FILE IMAGE`",
    )
