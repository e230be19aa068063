"""What an image says of itself that stays true when its module is packed anew."""

from __future__ import annotations

import json

import pytest

from tests.unit.oci.sources import MemoryImage, descriptor
from wasmctl.oci.annotations import carried_annotations
from wasmctl.oci.configuration import read_labels
from wasmctl.oci.image import MediaType, digest_of


def test_what_is_of_the_module_is_carried_and_what_is_of_the_image_is_not() -> None:
    kept = {"org.opencontainers.image.version": "1", "com.acme.team": "edge", "a": "b"}
    dropped = {
        "org.opencontainers.image.created": "2026-01-01T00:00:00Z",
        "org.opencontainers.image.ref.name": "1.0",
        "org.opencontainers.image.base.digest": "sha256:0",
        "module.wasm.image/variant": "compat",
        "module.wasm.runtime/abi_version": "0.1.0",
        "io.buildah.version": "1.28",
        "com.docker.official-images.bashbrew.arch": "amd64",
        "": "x",
    }
    assert carried_annotations({**kept, **dropped}) == kept


def test_there_is_an_end_to_what_is_carried() -> None:
    many = {f"key{number}": "x" * 1000 for number in range(1000)}
    assert len(json.dumps(carried_annotations(many))) < 70_000


@pytest.mark.parametrize(
    ("config", "labels"),
    [
        ({"config": {"Labels": {"a": "b", "c": 7}}}, {"a": "b"}),
        ({"config": {"Labels": None}}, {}),
        ({"config": {}}, {}),
        ({}, {}),
        ([], {}),
        (None, {}),
    ],
)
def test_labels_are_read_where_there_are_any(config: object, labels: dict[str, str]) -> None:
    content = json.dumps(config).encode()
    document = {
        "schemaVersion": 2,
        "config": descriptor(MediaType.DOCKER_CONFIG, content),
        "layers": [],
    }
    manifest = json.dumps(document).encode()
    image = MemoryImage(manifest, MediaType.DOCKER_MANIFEST, {digest_of(content): content})
    assert read_labels(image) == labels
    wrong = MemoryImage(manifest, MediaType.DOCKER_MANIFEST, {digest_of(content): b"{}"})
    assert read_labels(wrong) == {}
