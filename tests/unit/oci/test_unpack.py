"""Every layout that a consumer reads, and the bytes that nobody should."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest

from tests.unit.oci.modules import large_module, small_module
from tests.unit.oci.sources import MODULE, MemoryImage, image, packed, special, tar
from wasmctl.errors import RegistryError, Unreadable, UsageError, WasmctlError
from wasmctl.oci.image import Format, MediaType, digest_of, package_image
from wasmctl.oci.unpack import unpack_module

OCI = MediaType.OCI_LAYER
README = ("application/vnd.module.wasm.doc.v1+markdown", b"# read me")
OTHER = MODULE + b"other"


def refusal(source: MemoryImage, folder: Path) -> WasmctlError:
    """Return the error of unpacking; nothing may have been written."""
    with pytest.raises(WasmctlError) as caught:
        unpack_module(source, folder / "plugin.wasm")
    assert list(folder.iterdir()) == []
    return caught.value


@pytest.mark.parametrize(
    ("source", "layout"),
    [
        (image((OCI, packed(("plugin.wasm", MODULE)))), "oci"),
        (image((OCI, packed(("./plugin.wasm", MODULE)))), "oci"),
        (image((OCI, packed(("/plugin.wasm", MODULE)))), "oci"),
        (image((OCI, packed(("opt/x/plugin.wasm", MODULE)))), "oci"),
        (image((OCI, packed(("main.wasm", MODULE), ("README.md", b"x")))), "oci"),
        (image((OCI, packed(("main.wasm", OTHER), ("plugin.wasm", MODULE)))), "oci"),
        (image((OCI, packed(("plugin.wasm", MODULE), ("a/plugin.wasm", OTHER)))), "oci"),
        (image((OCI, packed(special("plugin.wasm", tarfile.DIRTYPE), ("x/plugin.wasm", MODULE)))),
         "oci"),
        (image((OCI, packed(("plugin.wasm", OTHER))), (OCI, packed(("plugin.wasm", MODULE)))),
         "oci"),
        (image(README, (OCI, packed(("plugin.wasm", MODULE)))), "oci"),
        (image((OCI, packed(("plugin.wasm", MODULE))), README), "oci"),
        (image((OCI, packed(("plugin.wasm", MODULE))), (OCI, packed(("etc/x", b"x")))), "oci"),
        (image((MediaType.OCI_LAYER_PLAIN, tar(("plugin.wasm", MODULE)))), "oci"),
        (image((MediaType.OCI_LAYER_PLAIN, MODULE)), "oci"),
        (image((OCI, gzip.compress(tar(("plugin.wasm", MODULE))[:700])
                + gzip.compress(tar(("plugin.wasm", MODULE))[700:]))), "oci"),
        (image((MediaType.DOCKER_LAYER, packed(("plugin.wasm", MODULE))),
               media_type=MediaType.DOCKER_MANIFEST), "docker"),
        (image((MediaType.SOLO_CONFIG, b"{}"), (MediaType.SOLO_MODULE, MODULE)), "artifact"),
        (image((MediaType.SOLO_MODULE, MODULE), (MediaType.SOLO_CONFIG, b"{}")), "artifact"),
        (image((MediaType.SOLO_MODULE, MODULE)), "artifact"),
        (image((MediaType.CNCF_MODULE, MODULE)), "cncf"),
        (image((MediaType.DEIS_MODULE, MODULE)), "wasm-to-oci"),
    ],
)  # fmt: skip
def test_reads_what_consumers_and_peers_write(
    source: MemoryImage, layout: str, tmp_path: Path
) -> None:
    output = tmp_path / "out.wasm"
    unpacked = unpack_module(source, output)
    assert output.read_bytes() == MODULE
    assert (unpacked.sha256, unpacked.size) == (hashlib.sha256(MODULE).hexdigest(), len(MODULE))
    assert unpacked.format == layout


@pytest.mark.parametrize("form", Format)
@pytest.mark.parametrize("make", [small_module, large_module])
def test_gives_back_what_was_packaged(form: Format, make: object, tmp_path: Path) -> None:
    assert callable(make)
    module = make(tmp_path)
    made = package_image(module, format=form, annotations={}, created=0, scratch=tmp_path)
    blobs = {}
    for blob in made.blobs:
        with blob.open() as stream:
            blobs[blob.digest] = stream.read()
    source = MemoryImage(manifest=made.manifest, media_type=made.media_type, blobs=blobs)
    assert unpack_module(source, tmp_path / "back.wasm").format == form.value
    assert (tmp_path / "back.wasm").read_bytes() == module.read_bytes()


def test_a_manifest_without_media_type_is_taken_for_what_it_was_served_as(tmp_path: Path) -> None:
    source = image((OCI, packed(("plugin.wasm", MODULE))))
    document = json.loads(source.manifest)
    del document["mediaType"]
    bare = MemoryImage(json.dumps(document).encode(), MediaType.OCI_MANIFEST, source.blobs)
    assert unpack_module(bare, tmp_path / "plugin.wasm").format == "oci"


@pytest.mark.parametrize(
    ("source", "code"),
    [
        (image(), "no-module-in-image"),
        (image(README), "no-module-in-image"),
        (image((OCI, packed(("bin/sh", b"elf")))), "no-module-in-image"),
        (image((OCI, packed(special("plugin.wasm", tarfile.DIRTYPE)))), "no-module-in-image"),
        (image((OCI, packed(("a.wasm", MODULE), ("b.wasm", OTHER)))), "several-modules"),
        (image((MediaType.CNCF_MODULE, MODULE), (MediaType.CNCF_MODULE, OTHER)), "several-modules"),
        (image((OCI, b"\x28\xb5\x2f\xfdxxxx")), "zstd-layer"),
        (image((MediaType.OCI_LAYER_ZSTD, b"\x28\xb5\x2f\xfdxxxx")), "zstd-layer"),
        (image((OCI, b"neither tar nor gzip")), "broken-layer"),
        (image((OCI, b"")), "broken-layer"),
        (image((OCI, packed(("plugin.wasm", MODULE))[:-30])), "broken-layer"),
        (image((OCI, gzip.compress(tar(("plugin.wasm", MODULE))[:700]))), "broken-layer"),
        (image((OCI, packed(("plugin.wasm", b"#!/bin/sh")))), "not-wasm"),
        (image((OCI, packed(("plugin.wasm", b"")))), "not-wasm"),
        (image((MediaType.SOLO_MODULE, b"\0asm")), "not-wasm"),
    ],
)  # fmt: skip
def test_what_holds_no_module(source: MemoryImage, code: str, tmp_path: Path) -> None:
    error = refusal(source, tmp_path)
    assert isinstance(error, Unreadable)
    assert error.code == code
    assert error.hint


@pytest.mark.parametrize(
    "entry",
    [
        special("plugin.wasm", tarfile.SYMTYPE, "/etc/passwd"),
        special("plugin.wasm", tarfile.LNKTYPE, "../../etc/passwd"),
        special("plugin.wasm", tarfile.CHRTYPE),
        special("plugin.wasm", tarfile.FIFOTYPE),
        ("../../plugin.wasm", MODULE),
        ("a/../../plugin.wasm", MODULE),
        ("../evil.wasm", MODULE),
    ],
)
def test_entries_that_lead_elsewhere_are_refused(
    entry: tuple[str, bytes] | tarfile.TarInfo, tmp_path: Path
) -> None:
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    error = refusal(image((OCI, packed(entry))), folder)
    assert error.code == "unsafe-entry"
    assert [path.name for path in tmp_path.rglob("*")] == ["a", "b"]


def test_no_other_entry_is_ever_written(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    folder.mkdir()
    layer = packed(("../evil", b"x"), ("/tmp/evil", b"x"), ("plugin.wasm", MODULE))
    unpack_module(image((OCI, layer)), folder / "plugin.wasm")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "plugin.wasm"]


def _swapped(content: bytes) -> MemoryImage:
    """Return an image whose layer is served with other bytes."""
    right = image((OCI, packed(("plugin.wasm", MODULE))))
    (digest,) = right.blobs
    return MemoryImage(right.manifest, right.media_type, {digest: content})


@pytest.mark.parametrize(
    "content",
    [
        packed(("plugin.wasm", MODULE + b"!")),
        packed(("plugin.wasm", MODULE))[:-1],
        packed(("plugin.wasm", MODULE)) + b"more",
        packed(("plugin.wasm", MODULE)) + bytes(1_000_000),
        b"<html>please log in</html>",
        b"",
    ],
)
def test_bytes_that_are_not_the_promised_ones_are_refused(content: bytes, tmp_path: Path) -> None:
    error = refusal(_swapped(content), tmp_path)
    assert isinstance(error, Unreadable)
    assert error.code == "digest-mismatch"


def test_what_follows_the_module_in_its_layer_is_verified_too(tmp_path: Path) -> None:
    layer = packed(("plugin.wasm", MODULE), ("rest", hashlib.shake_256(b"").digest(2_000_000)))
    right = image((OCI, layer))
    wrong = layer[:-9] + bytes([layer[-9] ^ 1]) + layer[-8:]
    error = refusal(MemoryImage(right.manifest, OCI, {digest_of(layer): wrong}), tmp_path)
    assert error.code == "digest-mismatch"


def test_a_layer_that_unpacks_without_end_is_left(tmp_path: Path) -> None:
    megabyte = bytes(1024 * 1024)
    entry = tarfile.TarInfo("zeros")
    entry.size = 300 * len(megabyte)
    bomb = gzip.compress(entry.tobuf()) + gzip.compress(megabyte) * 300
    assert len(bomb) < 400_000
    error = refusal(image((OCI, bomb)), tmp_path)
    assert error.code == "module-too-large"


def test_an_existing_file_stays_when_the_image_is_bad(tmp_path: Path) -> None:
    output = tmp_path / "plugin.wasm"
    output.write_bytes(b"before")
    with pytest.raises(Unreadable):
        unpack_module(_swapped(b"x"), output)
    assert output.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [output]


def test_a_folder_that_is_not_there_is_a_plain_error(tmp_path: Path) -> None:
    source = image((OCI, packed(("plugin.wasm", MODULE))))
    with pytest.raises(UsageError, match="No such file") as caught:
        unpack_module(source, tmp_path / "nowhere" / "plugin.wasm")
    assert "--output" in str(caught.value.hint)


def test_a_source_that_fails_is_not_taken_for_a_full_disk(tmp_path: Path) -> None:
    class Stream(io.BytesIO):
        def read(self, _size: int | None = -1) -> bytes:
            raise ConnectionResetError(104, "Connection reset by peer")

    class Cut(MemoryImage):
        def open_blob(self, digest: str, size: int) -> Stream:  # type: ignore[override]
            del digest, size
            return Stream()

    right = image((OCI, packed(("plugin.wasm", MODULE))))
    error = refusal(Cut(right.manifest, right.media_type, right.blobs), tmp_path)
    assert isinstance(error, RegistryError)
