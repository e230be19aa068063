"""Images as others lay them out, in memory."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO

from wasmctl.oci.image import MediaType, digest_of

# Its only section is a custom one of 601 bytes, without a name.
MODULE = b"\0asm\1\0\0\0" + b"\0\xd9\x04\0" + b"module" * 100


@dataclass(frozen=True)
class MemoryImage:
    """An image whose blobs are served as they stand, right or wrong."""

    manifest: bytes
    media_type: str
    blobs: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        return digest_of(self.manifest)

    @contextlib.contextmanager
    def open_blob(self, digest: str, size: int) -> Iterator[IO[bytes]]:
        del size
        yield io.BytesIO(self.blobs[digest])


def image(*layers: tuple[str, bytes], media_type: str = MediaType.OCI_MANIFEST) -> MemoryImage:
    """Return the image of layers, each (media type, content)."""
    document = {
        "schemaVersion": 2,
        "mediaType": media_type,
        "config": descriptor(MediaType.OCI_CONFIG, b"{}"),
        "layers": [descriptor(kind, content) for kind, content in layers],
    }
    return MemoryImage(
        manifest=json.dumps(document).encode(),
        media_type=media_type,
        blobs={digest_of(content): content for _, content in layers},
    )


def descriptor(media_type: str, content: bytes) -> dict[str, object]:
    return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}


def tar(*entries: tuple[str, bytes] | tarfile.TarInfo) -> bytes:
    """Return the archive of files, each (name, content), and of bare entries."""
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as archive:
        for entry in entries:
            if isinstance(entry, tarfile.TarInfo):
                archive.addfile(entry)
                continue
            info = tarfile.TarInfo(entry[0])
            info.size = len(entry[1])
            archive.addfile(info, io.BytesIO(entry[1]))
    return sink.getvalue()


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    """Return an entry that is no regular file."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def packed(*entries: tuple[str, bytes] | tarfile.TarInfo) -> bytes:
    return gzip.compress(tar(*entries))


def index(entries: Sequence[Mapping[str, object]], media_type: str = MediaType.OCI_INDEX) -> bytes:
    document = {"schemaVersion": 2, "mediaType": media_type, "manifests": entries}
    return json.dumps(document).encode()
