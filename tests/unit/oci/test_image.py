"""A module as an image: the layouts, byte by byte."""

from __future__ import annotations

import gzip
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.unit.oci.modules import HEADER, large_module, small_module
from wasmctl.errors import Refused, Unreadable, UsageError
from wasmctl.oci.image import Blob, Format, Image, digest_of, package_image

ANNOTATIONS = {
    "org.opencontainers.image.title": "plug-in ü",
    "org.opencontainers.image.version": "1.0.0",
}


def package(
    module: Path,
    form: Format,
    *,
    annotations: Mapping[str, str] = ANNOTATIONS,
    created: int = 0,
) -> Image:
    scratch = module.parent / f"scratch-{form}"
    scratch.mkdir(exist_ok=True)
    return package_image(
        module,
        format=form,
        annotations=annotations,
        created=created,
        scratch=scratch,
        abi_versions=("0.2.1",),
    )


def content(blob: Blob) -> bytes:
    with blob.open() as stream:
        return stream.read()


# What these images are on every machine, for ever: a change here changes everybody's digests.
@pytest.mark.parametrize(
    ("form", "digest"),
    [
        (Format.OCI, "a1a5b303b0d9d2e26a64d2dea9688b8640dcebdf71a2aefef7964b96f9896a9d"),
        (Format.DOCKER, "1243a4b77499efc845910152a904c39ace99e7d82261e74097476491ba30d976"),
        (Format.ARTIFACT, "0bb61004b1e64e15796db5999ae3f3f181c6f91e527add86ca2c078ea2e8e5a6"),
    ],
)
def test_golden_digests_of_a_small_module(
    tmp_path: Path,
    form: Format,
    digest: str,
) -> None:
    assert package(small_module(tmp_path), form).digest == f"sha256:{digest}"


@pytest.mark.parametrize(
    ("form", "digest"),
    [
        (Format.OCI, "0ffc5ca9f1e8a8bac332f0b26a56ec3c5cfdd188c49be5e5e02a40da8d6fed72"),
        (Format.DOCKER, "7dfa752003705aaec4863922dd7c96760739fbebc89aeabd02e04c7de95d6cc4"),
        (Format.ARTIFACT, "ca1846957f2ff15bcd154ec9209f99aecc3c79143162d633c2afc4c5a5aceae4"),
    ],
)
def test_golden_digests_of_a_large_module(
    tmp_path: Path,
    form: Format,
    digest: str,
) -> None:
    assert package(large_module(tmp_path), form).digest == f"sha256:{digest}"


@pytest.mark.parametrize("form", Format)
def test_names_folders_and_times_of_the_module_do_not_matter(
    tmp_path: Path,
    form: Format,
) -> None:
    module = small_module(tmp_path)
    elsewhere = tmp_path / "else where"
    elsewhere.mkdir()
    copy = Path(shutil.copy(module, elsewhere / "other name.wasm"))
    copy.chmod(0o700)
    backwards = dict(reversed(ANNOTATIONS.items()))
    assert package(module, form).digest == package(copy, form, annotations=backwards).digest


def test_oci_is_one_manifest_of_one_layer(tmp_path: Path) -> None:
    image = package(small_module(tmp_path), Format.OCI)
    (layer,) = image.layers
    config = json.loads(content(image.config))
    assert json.loads(image.manifest) == {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": image.config.digest,
            "size": image.config.size,
        },
        "layers": [
            {
                "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
                "digest": layer.digest,
                "size": layer.size,
            }
        ],
        "annotations": {"module.wasm.image/variant": "compat", **ANNOTATIONS},
    }
    assert config == {
        "architecture": "amd64",
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": {"Labels": ANNOTATIONS},
        "rootfs": {"type": "layers", "diff_ids": [digest_of(gzip.decompress(content(layer)))]},
        "history": [
            {"created": "1970-01-01T00:00:00Z", "created_by": "COPY plugin.wasm /plugin.wasm"}
        ],
    }
    assert "plug-in ü".encode() in image.manifest


def test_docker_is_the_same_in_dockers_media_types(tmp_path: Path) -> None:
    module = small_module(tmp_path)
    oci, docker = package(module, Format.OCI), package(module, Format.DOCKER)
    manifest = json.loads(docker.manifest)
    assert docker.media_type == manifest["mediaType"]
    assert docker.media_type == "application/vnd.docker.distribution.manifest.v2+json"
    assert docker.config.media_type == "application/vnd.docker.container.image.v1+json"
    assert docker.layers[0].media_type == "application/vnd.docker.image.rootfs.diff.tar.gzip"
    assert "annotations" not in manifest
    assert docker.config.digest == oci.config.digest
    assert docker.layers[0].digest == oci.layers[0].digest


def test_artifact_is_a_configuration_and_the_bare_module(tmp_path: Path) -> None:
    module = small_module(tmp_path)
    image = package(module, Format.ARTIFACT)
    manifest = json.loads(image.manifest)
    runtime = image.config
    assert json.loads(content(runtime)) == {
        "type": "envoy_proxy",
        "abiVersions": ["v0.2.1"],
        "config": {},
    }
    descriptor = {
        "mediaType": "application/vnd.module.wasm.config.v1+json",
        "digest": runtime.digest,
        "size": runtime.size,
    }
    assert manifest["mediaType"] == "application/vnd.oci.image.manifest.v1+json"
    assert manifest["config"] == descriptor
    assert manifest["layers"] == [
        {**descriptor, "annotations": {"org.opencontainers.image.title": "runtime-config.json"}},
        {
            "mediaType": "application/vnd.module.wasm.content.layer.v1+wasm",
            "digest": digest_of(module.read_bytes()),
            "size": 8,
            "annotations": {"org.opencontainers.image.title": "filter.wasm"},
        },
    ]
    assert manifest["annotations"] == ANNOTATIONS
    assert content(image.layers[1]) == module.read_bytes()


def test_a_name_that_is_no_text_does_no_harm(tmp_path: Path) -> None:
    odd = os.fsdecode(b"caf\xe9")
    image = package(small_module(tmp_path), Format.OCI, annotations={"title": odd})
    assert json.loads(image.manifest)["annotations"]["title"] == "caf?"


def test_blobs_are_each_named_once(tmp_path: Path) -> None:
    image = package(small_module(tmp_path), Format.ARTIFACT)
    assert len(image.blobs) == 2
    assert image.size == len(image.manifest) + sum(blob.size for blob in image.blobs)


def test_the_time_given_is_written_wherever_one_is(tmp_path: Path) -> None:
    image = package(small_module(tmp_path), Format.OCI, created=1_700_000_000)
    config = json.loads(content(image.config))
    assert config["created"] == "2023-11-14T22:13:20Z"
    assert config["history"][0]["created"] == "2023-11-14T22:13:20Z"
    assert f"{1_700_000_000:o}".encode() in gzip.decompress(content(image.layers[0]))[:512]


def test_a_module_that_is_replaced_after_packaging_does_not_change_the_artifact(
    tmp_path: Path,
) -> None:
    module = small_module(tmp_path)
    image = package(module, Format.ARTIFACT)
    module.write_bytes(HEADER + b"other")
    assert digest_of(content(image.layers[1])) == image.layers[1].digest


@pytest.mark.parametrize(
    ("bytes_", "why"),
    [
        (b"", "empty"),
        (b"\0asm", "does not begin as one"),
        (b"#!/bin/sh\necho", "does not begin as one"),
        (b"\0asm\x0d\0\1\0", "component"),
        (b"\0asm\2\0\0\0", "version"),
    ],
)
@pytest.mark.parametrize("form", Format)
def test_what_is_no_module_is_refused_before_anything_is_written(
    tmp_path: Path,
    form: Format,
    bytes_: bytes,
    why: str,
) -> None:
    module = tmp_path / "plugin.wasm"
    module.write_bytes(bytes_)
    with pytest.raises(Unreadable, match=why) as caught:
        package(module, form)
    assert caught.value.code == "not-wasm"
    assert list((tmp_path / f"scratch-{form}").iterdir()) == []


@pytest.mark.parametrize("form", Format)
def test_a_module_that_no_mesh_would_fetch_is_refused(
    tmp_path: Path,
    form: Format,
) -> None:
    module = small_module(tmp_path)
    with module.open("r+b") as stream:
        stream.truncate(300 * 1024 * 1024)  # sparse
    with pytest.raises(Refused, match="300 MiB, and Istio and Envoy Gateway fetch at most 256"):
        package(module, form)


def test_a_module_that_is_not_there_names_the_way_to_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file") as caught:
        package(tmp_path / "plugin.wasm", Format.OCI)
    assert "wasmctl build" in str(caught.value.hint)


@pytest.mark.parametrize("form", Format)
def test_a_scratch_folder_that_is_not_there_is_a_plain_error(
    tmp_path: Path,
    form: Format,
) -> None:
    with pytest.raises(UsageError, match="cannot be written"):
        package_image(
            small_module(tmp_path), format=form, annotations={}, created=0, scratch=tmp_path / "x"
        )
