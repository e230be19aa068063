"""What `docker save` wrote, in the forms that docker had over the years."""

from __future__ import annotations

import gzip
import json
import tarfile
from pathlib import Path

import pytest

from tests.unit.oci.sources import MODULE, special, tar
from wasmctl.errors import Unreadable
from wasmctl.oci.options import RegistryOptions
from wasmctl.oci.saved import is_saved, read_saved
from wasmctl.oci.source import find_image, resolve_image
from wasmctl.oci.unpack import unpack_module

LAYER = tar(("plugin.wasm", MODULE))


def saved(
    path: Path, *entries: tuple[str, bytes] | tarfile.TarInfo, packed: bool = False, images: object
) -> Path:
    listed = ("manifest.json", json.dumps(images).encode())
    content = tar(*entries, listed)
    path.write_bytes(gzip.compress(content) if packed else content)
    return path


def image(*layers: str) -> list[dict[str, object]]:
    return [{"Config": "config.json", "RepoTags": ["x:1"], "Layers": [*layers]}]


@pytest.mark.parametrize("packed", [False, True])
def test_a_saved_image_has_its_module(packed: bool, tmp_path: Path) -> None:
    path = saved(
        tmp_path / "x.tar",
        ("config.json", b"{}"),
        ("abc/layer.tar", LAYER),
        images=image("abc/layer.tar"),
        packed=packed,
    )
    named = find_image("x.tar", folder=tmp_path, options=RegistryOptions(env={}))
    assert str(named) == str(path)
    source, way = resolve_image(named.place)
    assert way == ()
    unpacked = unpack_module(source, tmp_path / "out.wasm")
    assert (unpacked.format, (tmp_path / "out.wasm").read_bytes()) == ("docker", MODULE)


def test_layers_that_are_links_are_followed(tmp_path: Path) -> None:
    path = saved(
        tmp_path / "x.tar",
        ("config.json", b"{}"),
        ("abc/layer.tar", LAYER),
        special("def/layer.tar", tarfile.SYMTYPE, "../abc/layer.tar"),
        images=image("def/layer.tar"),
    )
    assert unpack_module(read_saved(path), tmp_path / "out.wasm").size == len(MODULE)


@pytest.mark.parametrize(
    ("images", "why"),
    [
        ([], "holds 0 images"),
        ([*image("abc/layer.tar"), *image("abc/layer.tar")], "holds 2 images"),
        ({}, "names no image"),
        ([7], "names no image"),
        ([{"Config": 7}], "names no image"),
        ([{"Config": "config.json", "Layers": [7]}], "names no image"),
        (image("nowhere/layer.tar"), "`nowhere/layer.tar` is not in it"),
        (image("../../etc/passwd"), "`../../etc/passwd` is not in it"),
    ],
)
def test_what_is_no_image_is_told(images: object, why: str, tmp_path: Path) -> None:
    path = saved(tmp_path / "x.tar", ("config.json", b"{}"), images=images)
    assert is_saved(path)
    with pytest.raises(Unreadable) as caught:
        read_saved(path)
    assert why in caught.value.message


@pytest.mark.parametrize("content", [b"", b"x" * 2000, LAYER, LAYER[:700]])
def test_other_files_are_none(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    path.write_bytes(content)
    assert not is_saved(path)
