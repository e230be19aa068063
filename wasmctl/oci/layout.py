"""Image → a folder, or one tar of it, as the OCI image layout has it; and back.

https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md
"""

from __future__ import annotations

import contextlib
import json
import shutil
import tarfile
import tempfile
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from wasmctl.errors import Unreadable, UsageError
from wasmctl.oci.image import Blob, Image, MediaType, digest_of
from wasmctl.oci.manifest import Descriptor, choose_child, read_descriptors
from wasmctl.paths import replacing
from wasmctl.results import JSONValue

__all__ = ["LayoutImage", "find_in_layout", "read_layout", "write_layout"]

_MARKER: Final = "oci-layout"
_MARKER_CONTENT: Final = b'{"imageLayoutVersion":"1.0.0"}'
_INDEX: Final = "index.json"
_NAME: Final = "org.opencontainers.image.ref.name"
_TAR_SUFFIX: Final = ".tar"
# What registries take as a manifest at most (distribution's registry/handlers/manifests.go).
_DOCUMENT_LIMIT: Final = 4 * 1024 * 1024


def write_layout(image: Image, output: Path, *, name: str | None) -> None:
    """Write an image as a layout, whole or not at all.

    A folder that is a layout already gets the image added; the image of the same name, or without
    a name the nameless one, is replaced, as skopeo does; blobs that no image names any more go when
    ours is the only one. A tar is written anew.

    Args:
        image: what to write.
        output: a folder, or a file whose name ends in `.tar`.
        name: what the image is called within the layout: its tag.

    Raises:
        UsageError: `output-in-the-way`: something else is there. `cannot-write`.
    """
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        if output.suffix == _TAR_SUFFIX and not output.is_dir():
            _write_tar(image, output, name)
        elif not output.exists():
            with _appearing(output) as folder:
                _fill(image, folder, name)
        else:
            _check_folder(output)
            _fill(image, output, name)
    except OSError as error:
        raise UsageError(
            "cannot-write",
            f"`{output}` cannot be written: {error.strerror or error}",
            hint="name another place with `--output`, or make room",
        ) from error


def _check_folder(output: Path) -> None:
    if output.is_dir() and ((output / _MARKER).is_file() or not any(output.iterdir())):
        return
    what = "a folder with other things in it" if output.is_dir() else "a file"
    raise UsageError(
        "output-in-the-way",
        f"`{output}` is {what}, no OCI layout",
        hint="name a new folder, or a file that ends in `.tar`, with `--output`",
    )


@contextlib.contextmanager
def _appearing(output: Path) -> Iterator[Path]:
    """Yield a folder that becomes `output` when the block ends well, and vanishes otherwise."""
    with tempfile.TemporaryDirectory(prefix=f".{output.name}.", dir=output.parent) as scratch:
        # Not the scratch folder itself, which is closed to others.
        folder = Path(scratch) / "layout"
        folder.mkdir()
        yield folder
        folder.rename(output)


def _fill(image: Image, folder: Path, name: str | None) -> None:
    """Write the blobs and, last, the index that names them; take them back where that fails."""
    index = _index(image, name, before=_read_index(folder))
    created: list[Path] = []
    try:
        for path, blob in _files(image, index):
            place = folder / path
            fresh = not place.exists()
            # A blob's path is its hash: the same path and size are the same bytes.
            same = not fresh and path != _INDEX and place.stat().st_size == blob.size
            if same or (path == _MARKER and not fresh):
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            with replacing(place) as sink, blob.open() as content:
                shutil.copyfileobj(content, sink)
            if fresh:
                created.append(place)
    except BaseException:
        with contextlib.suppress(OSError):
            for place in created:
                place.unlink()
            for empty in (folder / "blobs/sha256", folder / "blobs"):
                empty.rmdir()
        raise
    if len(json.loads(index)["manifests"]) == 1:
        _sweep(folder / "blobs" / "sha256", {path for path, _ in _files(image, index)})


def _sweep(folder: Path, paths: Container[str]) -> None:
    for blob in folder.iterdir():
        if f"blobs/sha256/{blob.name}" not in paths:
            with contextlib.suppress(OSError):
                blob.unlink()


def _write_tar(image: Image, output: Path, name: str | None) -> None:
    index = _index(image, name, before=None)
    with (
        replacing(output) as sink,
        tarfile.open(fileobj=sink, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for path, blob in _files(image, index):
            # A new entry has no times, no owner and mode 0644.
            entry = tarfile.TarInfo(path)
            entry.size = blob.size
            with blob.open() as content:
                archive.addfile(entry, content)


def _files(image: Image, index: bytes) -> Iterator[tuple[str, Blob]]:
    """Yield every file of a layout with its path, the index last."""
    yield _MARKER, _plain(_MARKER_CONTENT, "")
    for blob in (*image.blobs, _plain(image.manifest, image.media_type)):
        yield _blob_path(blob.digest), blob
    yield _INDEX, _plain(index, MediaType.OCI_INDEX)


def _plain(content: bytes, media_type: str) -> Blob:
    return Blob(digest=digest_of(content), size=len(content), media_type=media_type, source=content)


def _blob_path(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"


def _read_index(folder: Path) -> Mapping[str, JSONValue] | None:
    try:
        document = json.loads((folder / _INDEX).read_bytes())
    except FileNotFoundError:
        return None
    except ValueError:
        document = None
    if not isinstance(document, dict) or not isinstance(document.get("manifests"), list):
        raise UsageError(
            "output-in-the-way",
            f"`{folder / _INDEX}` is no index of an OCI layout",
            hint="name a new folder with `--output`",
        )
    return document


def _index(image: Image, name: str | None, *, before: Mapping[str, JSONValue] | None) -> bytes:
    entry: dict[str, JSONValue] = {
        "mediaType": image.media_type,
        "digest": image.digest,
        "size": len(image.manifest),
    }
    if name is not None:
        entry["annotations"] = {_NAME: name}
    document: dict[str, JSONValue] = {"schemaVersion": 2, "mediaType": MediaType.OCI_INDEX}
    document.update(before or {})
    others = document.get("manifests")
    kept = [other for other in others if _name(other) != name] if isinstance(others, list) else []
    document["manifests"] = [*kept, entry]
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def _name(entry: JSONValue) -> object:
    annotations = entry.get("annotations") if isinstance(entry, dict) else None
    return annotations.get(_NAME) if isinstance(annotations, dict) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class LayoutImage:
    """An image in a layout.

    Args:
        layout: the folder or the tar.
        manifest: the image's manifest, verified.
        media_type: its type.
        digest: its digest.
    """

    layout: Path
    manifest: bytes
    media_type: str
    digest: str

    def open_blob(self, digest: str, size: int) -> contextlib.AbstractContextManager[IO[bytes]]:
        """Return a stream of a blob's bytes.

        Raises:
            Unreadable: the layout lacks it.
        """
        del size
        return _opened(self.layout, _blob_path(digest))

    def child(self, descriptor: Descriptor) -> LayoutImage:
        """Return the manifest that this index names.

        Raises:
            Unreadable: the layout lacks it, or has other bytes under its digest.
        """
        return _read_image(self.layout, descriptor)


def read_layout(layout: Path, *, name: str | None = None) -> LayoutImage:
    """Return the image called `name`, or the only one, of a layout; of an index, the one it means.

    Raises:
        Unreadable: it is no layout, or names no such image.
    """
    image = find_in_layout(layout, name=name)
    child = choose_child(image.manifest, image.media_type)
    return image if child is None else image.child(child.descriptor)


def find_in_layout(layout: Path, *, name: str | None = None) -> LayoutImage:
    """Return what a layout has under `name`, or the only thing it has: an image, or an index.

    Raises:
        Unreadable: it is no layout, or names no such image.
    """
    content = _document(layout, _INDEX)
    entries = read_descriptors(content, "manifests")
    if name is not None:
        entries = [entry for entry in entries if entry.annotations.get(_NAME) == name]
    if len(entries) != 1:
        called = "" if name is None else f" called `{name}`"
        raise Unreadable(
            "not-an-image",
            f"`{layout}` holds {len(entries)} images{called}, not one",
            hint="write it anew, with `wasmctl package`",
        )
    return _read_image(layout, entries[0])


def _read_image(layout: Path, descriptor: Descriptor) -> LayoutImage:
    manifest = _document(layout, _blob_path(descriptor.digest))
    if digest_of(manifest) != descriptor.digest:
        raise Unreadable(
            "digest-mismatch",
            f"the bytes of `{descriptor.digest}` in `{layout}` are not those of that digest",
            hint="write it anew, with `wasmctl package`",
        )
    return LayoutImage(
        layout=layout,
        manifest=manifest,
        media_type=descriptor.media_type,
        digest=descriptor.digest,
    )


def _document(layout: Path, path: str) -> bytes:
    with _opened(layout, path) as stream:
        return stream.read(_DOCUMENT_LIMIT)


@contextlib.contextmanager
def _opened(layout: Path, path: str) -> Iterator[IO[bytes]]:
    with contextlib.ExitStack() as stack:
        try:
            if layout.is_dir():
                stream: IO[bytes] = stack.enter_context((layout / path).open("rb"))
            else:
                archive = stack.enter_context(tarfile.open(layout))
                stream = stack.enter_context(_member(archive, path))
        except (OSError, KeyError, tarfile.TarError) as error:
            raise Unreadable(
                "not-an-image",
                f"`{layout}` is no OCI layout: `{path}` cannot be read from it",
                hint="write one with `wasmctl package`",
            ) from error
        yield stream


def _member(archive: tarfile.TarFile, path: str) -> IO[bytes]:
    try:
        member = archive.getmember(path)
    except KeyError:
        member = archive.getmember(f"./{path}")
    content = archive.extractfile(member) if member.isreg() else None
    if content is None:
        raise KeyError(path)
    return content
