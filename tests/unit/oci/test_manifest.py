"""Manifests and indexes, whoever wrote them."""

from __future__ import annotations

import json

import pytest

from tests.unit.oci.sources import descriptor, index
from wasmctl.errors import Unreadable
from wasmctl.oci.image import MediaType, digest_of
from wasmctl.oci.manifest import choose_child, read_manifest

OCI = MediaType.OCI_MANIFEST


def entry(content: bytes, platform: str | None, **annotations: str) -> dict[str, object]:
    made = descriptor(OCI, content)
    if platform is not None:
        system, _, architecture = platform.partition("/")
        made["platform"] = {"os": system, "architecture": architecture}
    if annotations:
        made["annotations"] = {"vnd.docker.reference.type": "attestation-manifest"}
    return made


ATTESTATION = entry(b"attestation", "unknown/unknown", type="attestation")


@pytest.mark.parametrize("media_type", [MediaType.OCI_INDEX, MediaType.DOCKER_INDEX])
@pytest.mark.parametrize(
    ("entries", "chosen", "meshes_agree"),
    [
        ([entry(b"arm", "linux/arm64"), entry(b"amd", "linux/amd64")], b"amd", True),
        ([entry(b"first", "linux/amd64"), entry(b"second", "linux/amd64")], b"first", True),
        ([entry(b"arm", "linux/arm64"), entry(b"none", None)], b"none", True),
        ([entry(b"amd", "linux/amd64"), ATTESTATION], b"amd", True),
        ([entry(b"arm", "linux/arm64")], b"arm", False),
        ([ATTESTATION, entry(b"wasm", "wasi/wasm")], b"wasm", False),
    ],
)
def test_chooses_what_a_mesh_would_else_the_only_one(
    entries: list[dict[str, object]], chosen: bytes, meshes_agree: bool, media_type: str
) -> None:
    child = choose_child(index(entries, media_type), media_type)
    assert child is not None
    assert (child.descriptor.digest, child.meshes_agree) == (digest_of(chosen), meshes_agree)


@pytest.mark.parametrize(
    "entries",
    [[], [ATTESTATION], [entry(b"arm", "linux/arm64"), entry(b"wasm", "wasi/wasm")]],
)
def test_an_index_that_leaves_the_choice_open_is_refused(
    entries: list[dict[str, object]],
) -> None:
    with pytest.raises(Unreadable, match="no image for linux/amd64") as caught:
        choose_child(index(entries), MediaType.OCI_INDEX)
    assert caught.value.code == "no-such-platform"


def test_a_manifest_is_no_index() -> None:
    assert choose_child(b'{"schemaVersion":2,"layers":[]}', OCI) is None


def test_an_index_without_media_type_is_known_by_how_it_was_served() -> None:
    document = json.loads(index([entry(b"amd", "linux/amd64")]))
    del document["mediaType"]
    assert choose_child(json.dumps(document).encode(), MediaType.OCI_INDEX) is not None


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"<html>",
        b"\xff\xfe",
        b"[]",
        b"[" * 100_000,
        b'"text"',
        b"{}",
        b'{"schemaVersion": 1, "fsLayers": []}',
        b'{"mediaType": "application/vnd.oci.image.manifest.v1+json"}',
        b'{"layers": {}}',
        b'{"layers": ["x"]}',
        b'{"layers": [{"digest": 1, "size": 1}]}',
        b'{"layers": [{"digest": "sha256:abc", "size": 1}]}',
        b'{"layers": [{"digest": "sha512:%s", "size": 1}]}' % (b"0" * 128),
        b'{"layers": [{"digest": "../../etc/passwd", "size": 1}]}',
        b'{"layers": [{"digest": "sha256:%s", "size": -1}]}' % (b"0" * 64),
        b'{"layers": [{"digest": "sha256:%s", "size": "1"}]}' % (b"0" * 64),
        b'{"layers": [{"digest": "sha256:%s", "size": true}]}' % (b"0" * 64),
    ],
)
def test_what_is_no_manifest_is_refused(document: bytes) -> None:
    with pytest.raises(Unreadable) as caught:
        read_manifest(document, "text/html")
    assert caught.value.code == "not-an-image"
    assert caught.value.hint
