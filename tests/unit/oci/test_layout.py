"""An image as a folder or a tar, and back."""

from __future__ import annotations

import json
import stat
import tarfile
from pathlib import Path

import pytest

from tests.unit.oci.modules import HEADER, large_module, small_module
from tests.unit.oci.sources import descriptor, index
from wasmctl.errors import Unreadable, UsageError
from wasmctl.oci.image import Format, Image, MediaType, digest_of, package_image
from wasmctl.oci.layout import read_layout, write_layout
from wasmctl.oci.unpack import unpack_module

REF_NAME = "org.opencontainers.image.ref.name"


@pytest.fixture
def image(tmp_path: Path) -> Image:
    return made(small_module(tmp_path))


def made(module: Path, form: Format = Format.OCI) -> Image:
    scratch = module.with_suffix(f".{form}.scratch")
    scratch.mkdir()
    return package_image(module, format=form, annotations={}, created=0, scratch=scratch)


def other(folder: Path, content: bytes = b"\0\1x") -> Image:
    module = folder / f"{content.hex()}.wasm"
    module.write_bytes(HEADER + content)
    return made(module)


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def names(folder: Path) -> list[str | None]:
    document = json.loads((folder / "index.json").read_bytes())
    return [entry.get("annotations", {}).get(REF_NAME) for entry in document["manifests"]]


def test_the_folder_is_what_the_specification_says(image: Image, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    write_layout(image, folder, name="1.0")
    assert json.loads((folder / "oci-layout").read_bytes()) == {"imageLayoutVersion": "1.0.0"}
    assert json.loads((folder / "index.json").read_bytes()) == {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [
            {
                "mediaType": image.media_type,
                "digest": image.digest,
                "size": len(image.manifest),
                "annotations": {REF_NAME: "1.0"},
            }
        ],
    }
    blobs = sorted((folder / "blobs" / "sha256").iterdir())
    assert len(blobs) == 3
    for blob in blobs:
        assert digest_of(blob.read_bytes()) == f"sha256:{blob.name}"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755


@pytest.mark.parametrize("form", Format)
@pytest.mark.parametrize("name", ["out", "out.tar"])
def test_comes_back_as_it_went(form: Format, name: str, tmp_path: Path) -> None:
    module = large_module(tmp_path)
    image = made(module, form)
    write_layout(image, tmp_path / name, name=None)
    back = read_layout(tmp_path / name)
    assert (back.digest, back.media_type) == (image.digest, image.media_type)
    unpack_module(back, tmp_path / "back.wasm")
    assert (tmp_path / "back.wasm").read_bytes() == module.read_bytes()


def test_the_tar_holds_the_same_files_and_is_the_same_every_time(
    image: Image, tmp_path: Path
) -> None:
    write_layout(image, tmp_path / "folder", name="1.0")
    write_layout(image, tmp_path / "a.tar", name="1.0")
    write_layout(image, tmp_path / "b.tar", name="1.0")
    with tarfile.open(tmp_path / "a.tar") as archive:
        assert set(archive.getnames()) == files(tmp_path / "folder")
        assert {(entry.mtime, entry.uid, entry.mode) for entry in archive} == {(0, 0, 0o644)}
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()


def test_folders_above_are_made(image: Image, tmp_path: Path) -> None:
    write_layout(image, tmp_path / "a" / "b" / "image", name=None)
    assert read_layout(tmp_path / "a" / "b" / "image").digest == image.digest


def test_an_empty_folder_is_filled(image: Image, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir(mode=0o700)
    write_layout(image, folder, name=None)
    assert read_layout(folder).digest == image.digest
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_the_same_again_changes_nothing(image: Image, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    write_layout(image, folder, name="1.0")
    before = {path: (folder / path).stat().st_ino for path in files(folder) - {"index.json"}}
    write_layout(image, folder, name="1.0")
    assert before == {path: (folder / path).stat().st_ino for path in before}
    assert names(folder) == ["1.0"]


def test_another_image_of_the_name_takes_its_place_and_leaves_no_rest(
    image: Image, tmp_path: Path
) -> None:
    write_layout(image, tmp_path / "out", name="1.0")
    after = other(tmp_path)
    write_layout(after, tmp_path / "out", name="1.0")
    write_layout(after, tmp_path / "fresh", name="1.0")
    assert read_layout(tmp_path / "out", name="1.0").digest == after.digest
    assert files(tmp_path / "out") == files(tmp_path / "fresh")


def test_an_image_of_another_name_stands_beside(image: Image, tmp_path: Path) -> None:
    after = other(tmp_path)
    write_layout(image, tmp_path / "out", name="1.0")
    write_layout(after, tmp_path / "out", name="2.0")
    assert names(tmp_path / "out") == ["1.0", "2.0"]
    assert read_layout(tmp_path / "out", name="1.0").digest == image.digest
    unpack_module(read_layout(tmp_path / "out", name="1.0"), tmp_path / "one.wasm")
    assert read_layout(tmp_path / "out", name="2.0").digest == after.digest


def test_what_others_wrote_into_the_index_stays(image: Image, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    (folder / "blobs" / "sha256").mkdir(parents=True)
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (folder / "index.json").write_text('{"schemaVersion":2,"manifests":[],"annotations":{"a":"b"}}')
    write_layout(image, folder, name=None)
    assert json.loads((folder / "index.json").read_bytes())["annotations"] == {"a": "b"}
    assert (folder / "oci-layout").read_text() == '{"imageLayoutVersion": "1.0.0"}'


def test_a_folder_with_other_things_is_left_alone(image: Image, tmp_path: Path) -> None:
    folder = tmp_path / "src"
    folder.mkdir()
    (folder / "main.go").write_text("package main")
    with pytest.raises(UsageError, match="a folder with other things in it") as caught:
        write_layout(image, folder, name=None)
    assert caught.value.code == "output-in-the-way"
    assert files(folder) == {"main.go"}


def test_a_file_is_left_alone(image: Image, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(UsageError, match="a file"):
        write_layout(image, tmp_path / "out", name=None)
    assert (tmp_path / "out").read_text() == "mine"


@pytest.mark.parametrize("text", ["", "[]", '{"manifests": 1}'])
def test_a_broken_index_is_left_alone(text: str, image: Image, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    write_layout(image, folder, name=None)
    (folder / "index.json").write_text(text)
    with pytest.raises(UsageError, match="no index of an OCI layout"):
        write_layout(image, folder, name=None)
    assert (folder / "index.json").read_text() == text


@pytest.mark.parametrize("name", ["out", "out.tar"])
@pytest.mark.parametrize("there", [True, False])
def test_what_fails_half_way_leaves_things_as_they_were(
    name: str, there: bool, image: Image, tmp_path: Path
) -> None:
    folder = tmp_path / "place"
    folder.mkdir()
    if there:
        write_layout(image, folder / name, name="1.0")
    before = {path: (folder / path).read_bytes() for path in files(folder)}
    broken = other(tmp_path)
    layer = broken.layers[0].source
    assert isinstance(layer, Path)
    layer.unlink()
    with pytest.raises(UsageError, match="cannot be written"):
        write_layout(broken, folder / name, name="1.0")
    assert before == {path: (folder / path).read_bytes() for path in files(folder)}
    assert there or list(folder.iterdir()) == []


def test_an_index_within_a_layout_is_followed(image: Image, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    write_layout(image, folder, name=None)
    inner = index([descriptor(image.media_type, image.manifest)])
    (folder / "blobs" / digest_of(inner).replace(":", "/")).write_bytes(inner)
    (folder / "index.json").write_bytes(index([descriptor(MediaType.OCI_INDEX, inner)]))
    assert read_layout(folder).digest == image.digest


def test_a_layout_with_several_images_wants_a_name(image: Image, tmp_path: Path) -> None:
    write_layout(image, tmp_path / "out", name="1.0")
    write_layout(other(tmp_path), tmp_path / "out", name="2.0")
    with pytest.raises(Unreadable, match="2 images"):
        read_layout(tmp_path / "out")
    with pytest.raises(Unreadable, match=r"0 images called `3\.0`"):
        read_layout(tmp_path / "out", name="3.0")


def test_a_manifest_that_was_changed_is_noticed(image: Image, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    write_layout(image, folder, name=None)
    (folder / "blobs" / image.digest.replace(":", "/")).write_bytes(image.manifest + b" ")
    with pytest.raises(Unreadable) as caught:
        read_layout(folder)
    assert caught.value.code == "digest-mismatch"


@pytest.mark.parametrize("content", [None, b"", b"text" * 400])
def test_what_is_no_layout(content: bytes | None, tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir() if content is None else place.write_bytes(content)
    with pytest.raises(Unreadable, match="no OCI layout") as caught:
        read_layout(place)
    assert caught.value.code == "not-an-image"
