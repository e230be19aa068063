"""Image → module: takes the module out of every layout that a consumer reads, and no more than it.

Hashes and sizes are checked while bytes stream by; no name in an archive is ever written to; what
a layer unpacks to is bounded. Where an image comes from is not known here.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final, Protocol

from wasmctl.errors import RegistryError, Unreadable, UsageError
from wasmctl.oci.image import MODULE_NAME, ImageSource, MediaType
from wasmctl.oci.manifest import Descriptor, Manifest, read_manifest
from wasmctl.oci.module import FETCH_LIMIT
from wasmctl.paths import replacing
from wasmctl.wasm.frames import MAGIC

__all__ = ["Unpacked", "unpack_module"]

_CHUNK: Final = 256 * 1024
_GZIP: Final = b"\x1f\x8b"
# RFC 8878, 3.1.1.
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
# Raw modules, and what their layout is called.
_MODULES: Final = {
    MediaType.SOLO_MODULE: "artifact",
    MediaType.CNCF_MODULE: "cncf",
    MediaType.DEIS_MODULE: "wasm-to-oci",
}
_ARCHIVES: Final = frozenset(
    {MediaType.OCI_LAYER, MediaType.OCI_LAYER_PLAIN, MediaType.OCI_LAYER_ZSTD}
    | {MediaType.DOCKER_LAYER, MediaType.DOCKER_LAYER_PLAIN}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpacked:
    """A module that was written.

    Args:
        sha256: of the module, in hexadecimal.
        size: its bytes.
        format: how it lay in the image: oci, docker, artifact, cncf or wasm-to-oci.
    """

    sha256: str
    size: int
    format: str


def unpack_module(
    source: ImageSource, output: Path, *, advance: Callable[[int], None] | None = None
) -> Unpacked:
    """Write the module of an image to `output`, whole or not at all.

    Read as Istio's fetcher reads it (pkg/wasm/imagefetcher.go): the first `plugin.wasm` of the last
    layer, else the raw module of an artifact. What Istio refuses but is plain enough is read too:
    another layer, another name, a tar that is not compressed, the CNCF's layout.

    Args:
        source: the image; no index.
        output: the file to write, in a folder that exists.
        advance: called with the bytes of layers read since the last call.

    Raises:
        Unreadable: it is no image of a plug-in, or its bytes are not those its digests promise.
        UsageError: `output` cannot be written.
    """
    manifest = read_manifest(source.manifest, source.media_type)
    try:
        with replacing(output) as sink:
            return _Search(source, _Module(sink), advance).run(manifest)
    except OSError as error:
        raise UsageError(
            "cannot-write",
            f"`{output}` cannot be written: {error.strerror or error}",
            hint="name another file with `--output`",
        ) from error


class _Module:
    """The module on its way into the file; a second `start` forgets the first."""

    def __init__(self, sink: BinaryIO) -> None:
        self._sink = sink
        self.start()

    def start(self) -> None:
        self._sink.seek(0)
        self._sink.truncate()
        self._hash = hashlib.sha256()
        self._size = 0
        self._head = b""

    def copy(self, content: _Readable) -> None:
        while chunk := content.read(_CHUNK):
            self._hash.update(chunk)
            self._size += self._sink.write(chunk)
            self._head += chunk[: 8 - len(self._head)]
            if self._size > FETCH_LIMIT:
                raise _too_large()

    def finished(self, layout: str) -> Unpacked:
        if len(self._head) < 8 or not self._head.startswith(MAGIC):
            raise Unreadable(
                "not-wasm",
                f"the image's `{MODULE_NAME}` is no WebAssembly module",
                hint="push the plug-in again, with `wasmctl push`",
            )
        return Unpacked(sha256=self._hash.hexdigest(), size=self._size, format=layout)


class _Search:
    """Looks for the module, layer by layer."""

    def __init__(
        self, source: ImageSource, module: _Module, advance: Callable[[int], None] | None
    ) -> None:
        self._source = source
        self._module = module
        self._advance = advance

    def run(self, manifest: Manifest) -> Unpacked:
        container = "docker" if manifest.media_type == MediaType.DOCKER_MANIFEST else "oci"
        for layer in reversed(manifest.layers):
            if layer.media_type in _ARCHIVES and self._read(layer, _search):
                return self._module.finished(container)
        raw = [layer for layer in manifest.layers if layer.media_type in _MODULES]
        if len(raw) > 1:
            raise _several(len(raw))
        for layer in raw:
            self._read(layer, _take_whole)
            return self._module.finished(_MODULES[MediaType(layer.media_type)])
        raise Unreadable(
            "no-module-in-image",
            f"no layer of the image holds a `{MODULE_NAME}`",
            hint="is this the image of a plug-in? look at its layers with `crane manifest`",
        )

    def _read(self, layer: Descriptor, look: _Look) -> bool:
        """Return whether the module was found in the layer, every byte of which was verified."""
        with self._source.open_blob(layer.digest, layer.size) as blob:
            verified = _Verified(blob, layer, self._advance)
            try:
                found = look(io.BufferedReader(verified, _CHUNK), self._module)
            except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError) as error:
                # A wrong digest would explain it better.
                verified.drain()
                raise Unreadable(
                    "broken-layer",
                    f"the layer `{layer.digest}` is no archive: {error}",
                    hint="push the plug-in again, with `wasmctl push`",
                ) from error
            verified.drain()
        return found


def _take_whole(stream: io.BufferedReader[_Verified], module: _Module) -> bool:
    module.copy(stream)
    return True


def _search(stream: io.BufferedReader[_Verified], module: _Module) -> bool:
    head = stream.peek(4)[:4]
    if head == MAGIC:
        # `oras push` calls any file a tar unless told better.
        module.copy(stream)
        return True
    if head == _ZSTD:
        raise Unreadable(
            "zstd-layer",
            "the layer is compressed with zstd, which neither wasmctl nor any mesh unpacks",
            hint="push it with gzip: `docker buildx build --output type=image,compression=gzip`,"
            " or `wasmctl push`",
        )
    if not head.startswith(_GZIP):
        return _search_archive(stream, module)
    with gzip.GzipFile(fileobj=stream) as unpacked:
        return _search_archive(unpacked, module)


def _search_archive(stream: _Readable, module: _Module) -> bool:
    others = 0
    # tarfile wants only `read` of a stream, and typeshed more.
    with tarfile.open(fileobj=_Bounded(stream), mode="r|") as archive:  # type: ignore[call-overload]
        for member in archive:
            path = PurePosixPath(member.name)
            if path.name == MODULE_NAME and not member.isdir():
                _take(archive, member, module)
                return True
            if path.suffix == ".wasm" and member.isreg():
                others += 1
                if others == 1:
                    _take(archive, member, module)
    if others > 1:
        raise _several(others)
    return others == 1


def _take(archive: tarfile.TarFile, member: tarfile.TarInfo, module: _Module) -> None:
    why = None
    if not member.isreg() or member.issparse():
        why = "it is no regular file"
    elif ".." in PurePosixPath(member.name).parts:
        why = "its path leaves the folder"
    content = archive.extractfile(member) if why is None else None
    if content is None:
        raise Unreadable(
            "unsafe-entry",
            f"the entry `{member.name}` of the image is refused: {why}",
            hint="ask who pushed it; an image of `wasmctl push` holds one regular file",
        )
    module.start()
    module.copy(content)


_Look = Callable[["io.BufferedReader[_Verified]", _Module], bool]


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class _Verified(io.RawIOBase):
    """A blob's bytes; at their end, or past it, raises where they are not the promised ones."""

    def __init__(
        self, blob: _Readable, promised: Descriptor, advance: Callable[[int], None] | None
    ) -> None:
        self._advance = advance
        self._blob = blob
        self._promised = promised
        self._hash = hashlib.sha256()
        self._size = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        try:
            chunk = self._blob.read(len(buffer))
        except OSError as error:
            raise RegistryError(
                "image-not-read",
                f"the image could not be read to its end: {error}",
                hint="try again",
            ) from error
        self._hash.update(chunk)
        self._size += len(chunk)
        if self._size > self._promised.size or (not chunk and not self._kept()):
            raise Unreadable(
                "digest-mismatch",
                f"the bytes of `{self._promised.digest}` are not those of that digest",
                hint="try again; if it stays, whoever serves the image is broken",
            )
        if self._advance is not None:
            self._advance(len(chunk))
        buffer[: len(chunk)] = chunk
        return len(chunk)

    def drain(self) -> None:
        """Read what is left, to know all of it."""
        rest = memoryview(bytearray(_CHUNK))
        while self.readinto(rest):
            pass

    def _kept(self) -> bool:
        digest = f"sha256:{self._hash.hexdigest()}"
        return (self._size, digest) == (self._promised.size, self._promised.digest)


class _Bounded:
    """What a layer unpacks to, no further than meshes follow it."""

    def __init__(self, stream: _Readable) -> None:
        self._stream = stream
        self._left = FETCH_LIMIT

    def read(self, size: int, /) -> bytes:
        chunk = self._stream.read(size)
        self._left -= len(chunk)
        if self._left < 0:
            raise _too_large()
        return chunk


def _too_large() -> Unreadable:
    return Unreadable(
        "module-too-large",
        f"the image unpacks to more than {FETCH_LIMIT // 1024**2} MiB, the most that Istio and"
        " Envoy Gateway read",
        hint="is this the image of a plug-in?",
    )


def _several(count: int) -> Unreadable:
    return Unreadable(
        "several-modules",
        f"the image holds {count} modules, and nothing says which one is meant",
        hint=f"push one module an image, called `{MODULE_NAME}`",
    )
