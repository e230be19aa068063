"""Images go into a real registry and come out again."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path

import pytest

from tests.integration.faults import FaultHandler, FaultyRegistry, answering, cutting_answer
from tests.integration.images import make_image
from tests.integration.registries import RunningRegistry
from wasmctl.errors import Refused, RegistryError
from wasmctl.oci.image import Format, Image
from wasmctl.oci.options import RegistryOptions
from wasmctl.oci.push import Pushed, push_image
from wasmctl.oci.reference import Reference, parse_reference
from wasmctl.oci.registry import fetch_image

pytestmark = pytest.mark.registry


def reference(text: str) -> Reference:
    return parse_reference(text, require_registry=True)


def push(
    image: Image, name: str, *tags: str, move_tag: bool = False, advanced: list[int] | None = None
) -> Pushed:
    return push_image(
        image,
        reference(name),
        tags=tags,
        move_tag=move_tag,
        options=RegistryOptions(env={}),
        advance=(advanced if advanced is not None else []).append,
    )


@pytest.mark.crane
@pytest.mark.parametrize("format_", [*Format])
def test_crane_finds_what_was_pushed(
    plain_registry: RunningRegistry, tmp_path: Path, format_: Format
) -> None:
    image = make_image(tmp_path, format=format_)
    name = plain_registry.new_name()
    pushed = push(image, name, "1.0.0")

    def crane(*arguments: str) -> str:
        done = subprocess.run(["crane", *arguments], capture_output=True, check=True)
        return done.stdout.decode()

    assert str(pushed.reference) == f"{name}:1.0.0@{image.digest}"
    assert crane("digest", f"{name}:1.0.0").strip() == image.digest
    assert crane("manifest", name + "@" + image.digest).encode() == image.manifest
    for blob in image.blobs:
        content = subprocess.run(
            ["crane", "blob", f"{name}@{blob.digest}"], capture_output=True, check=True
        ).stdout
        assert f"sha256:{hashlib.sha256(content).hexdigest()}" == blob.digest


@pytest.mark.skopeo
def test_skopeo_copies_what_was_pushed(plain_registry: RunningRegistry, tmp_path: Path) -> None:
    name = plain_registry.new_name()
    image = make_image(tmp_path)
    push(image, name, "1.0.0")
    copy = ["skopeo", "copy", "--src-tls-verify=false", f"docker://{name}:1.0.0"]
    subprocess.run([*copy, f"dir:{tmp_path}/copy"], check=True, capture_output=True)
    assert (tmp_path / "copy/manifest.json").read_bytes() == image.manifest


def test_an_image_is_fetched_as_it_was_pushed(
    plain_registry: RunningRegistry, tmp_path: Path
) -> None:
    image = make_image(tmp_path, size=300_000)
    name = plain_registry.new_name()
    push(image, name, "1.0.0")
    for text in (f"{name}:1.0.0", f"{name}@{image.digest}"):
        fetched = fetch_image(reference(text), RegistryOptions(env={}))
        assert fetched.manifest == image.manifest
        assert fetched.media_type == image.media_type
        assert fetched.digest == image.digest
        for blob in image.blobs:
            with fetched.open_blob(blob.digest, blob.size) as stream, blob.open() as ours:
                assert stream.read() == ours.read()


def test_progress_adds_up_to_the_image(plain_registry: RunningRegistry, tmp_path: Path) -> None:
    image = make_image(tmp_path, size=100_000)
    name = plain_registry.new_name()
    for again in range(2):
        advanced: list[int] = []
        assert push(image, name, "1.0.0", advanced=advanced).pushed is (again == 0)
        assert sum(advanced) == image.size


def test_what_is_there_is_not_sent_again(plain_registry: RunningRegistry, tmp_path: Path) -> None:
    image = make_image(tmp_path)
    name = plain_registry.new_name()
    push(image, name, "1.0.0")
    before = len(plain_registry.requests(name.partition("/")[2]))
    assert push(image, name, "1.0.0").pushed is False
    requests = plain_registry.requests(name.partition("/")[2])[before:]
    assert {method for method, _, _ in requests} == {"HEAD", "GET"}


def test_a_push_takes_no_more_requests_than_the_protocol_needs(
    plain_registry: RunningRegistry, tmp_path: Path
) -> None:
    """POST and PUT of each blob; HEAD, PUT and GET of the manifest; nothing twice."""
    image = make_image(tmp_path)
    name = plain_registry.new_name()
    push(image, name, "1.0.0")
    requests = plain_registry.requests(name.partition("/")[2])
    methods = sorted(method for method, _, _ in requests)
    assert methods == sorted(["POST", "PUT"] * len(image.blobs) + ["HEAD", "PUT", "GET"])


def test_only_the_blobs_that_are_missing_are_sent(
    plain_registry: RunningRegistry, tmp_path: Path
) -> None:
    image = make_image(tmp_path)
    name = plain_registry.new_name()
    push(image, name, "1.0.0")
    before = len(plain_registry.requests(name.partition("/")[2]))
    assert push(image, name, "1.0.1").pushed is True
    later = plain_registry.requests(name.partition("/")[2])[before:]
    assert [path.split("/")[-2] for method, path, _ in later if method == "PUT"] == ["manifests"]


def test_a_large_blob_is_asked_for_before_it_is_sent(
    plain_registry: RunningRegistry, tmp_path: Path
) -> None:
    """And not sent where it is there: no upload is begun for it."""
    image = make_image(tmp_path, size=5_000_000)
    name = plain_registry.new_name()
    advanced: list[int] = []
    push(image, name, "1.0.0")
    before = len(plain_registry.requests(name.partition("/")[2]))
    assert push(image, name, "1.0.1", advanced=advanced).pushed is True
    assert sum(advanced) == image.size
    later = plain_registry.requests(name.partition("/")[2])[before:]
    asked = [(method, path) for method, path, _ in later if image.layers[0].digest in path]
    assert [method for method, _ in asked] == ["HEAD"]


def test_a_registry_that_never_heard_of_mounting(
    faulty_registry: FaultyRegistry, tmp_path: Path
) -> None:
    faulty_registry.fault("POST .*mount=", answering(400, "what?"))
    assert push(make_image(tmp_path), faulty_registry.new_name(), "1.0.0").pushed is True


def test_a_registry_that_mounts_nothing_gets_the_blob_again(
    faulty_registry: FaultyRegistry, tmp_path: Path
) -> None:
    def ignore_the_query(handler: FaultHandler) -> None:
        handler.path = handler.path.partition("?")[0]
        handler.pass_on()

    faulty_registry.fault("POST .*mount=", ignore_the_query)
    image, name = make_image(tmp_path), faulty_registry.new_name()
    for tag in ("1.0.0", "1.0.1"):
        assert push(image, name, tag).pushed is True
    assert faulty_registry.count("PUT .*/blobs/") == 2 * len(image.blobs)


def test_all_tags_get_the_image(plain_registry: RunningRegistry, tmp_path: Path) -> None:
    image = make_image(tmp_path)
    name = plain_registry.new_name()
    tags = ["1.0.0", "1.0", "latest", "stable", "a", "b", "c"]
    pushed = push(image, name, *tags)
    assert pushed.reference.tag == "1.0.0"
    for tag in tags:
        assert fetch_image(reference(f"{name}:{tag}"), RegistryOptions(env={})).digest == (
            image.digest
        )


def test_a_push_without_tags_is_reachable_by_its_digest(
    plain_registry: RunningRegistry, tmp_path: Path
) -> None:
    image = make_image(tmp_path)
    name = plain_registry.new_name()
    pushed = push(image, name)
    assert str(pushed.reference) == f"{name}@{image.digest}"
    found = fetch_image(reference(f"{name}@{image.digest}"), RegistryOptions(env={}))
    assert found.manifest == image.manifest


@pytest.mark.parametrize("tag", ["1.0.0", "v1.2", "2026.11.21", "1.0.0-rc.1"])
def test_a_version_is_not_taken_from_another_image(
    plain_registry: RunningRegistry, tmp_path: Path, tag: str
) -> None:
    first, second = make_image(tmp_path), make_image(tmp_path)
    name = plain_registry.new_name()
    push(first, name, tag)
    before = len(plain_registry.requests(name.partition("/")[2]))
    with pytest.raises(Refused) as caught:
        push(second, name, "latest", tag)
    assert caught.value.code == "tag-exists"
    assert first.digest in caught.value.message
    assert second.digest in caught.value.message
    assert "--move-tag" in str(caught.value.hint)
    requests = plain_registry.requests(name.partition("/")[2])[before:]
    assert {method for method, _, _ in requests} == {"HEAD"}, "nothing may be sent"


def test_a_version_is_moved_when_asked(plain_registry: RunningRegistry, tmp_path: Path) -> None:
    first, second = make_image(tmp_path), make_image(tmp_path)
    name = plain_registry.new_name()
    push(first, name, "1.0.0")
    assert push(second, name, "1.0.0", move_tag=True).pushed is True
    found = fetch_image(reference(f"{name}:1.0.0"), RegistryOptions(env={}))
    assert found.digest == second.digest


@pytest.mark.parametrize("tag", ["latest", "main", "v1", "pr-12"])
def test_a_name_moves_freely(plain_registry: RunningRegistry, tmp_path: Path, tag: str) -> None:
    name = plain_registry.new_name()
    push(make_image(tmp_path), name, tag)
    assert push(make_image(tmp_path), name, tag).pushed is True


def test_a_first_part_with_a_dot_is_no_host(
    plain_registry: RunningRegistry, tmp_path: Path
) -> None:
    """`HOST/my.team/x`: a part of the path may look like a host."""
    image = make_image(tmp_path)
    name = f"{plain_registry.host}/my.team/{plain_registry.new_name().rpartition('/')[2]}"
    push(image, name, "1.0.0")
    assert fetch_image(reference(f"{name}:1.0.0"), RegistryOptions(env={})).digest == image.digest


def test_localhost_by_its_name(plain_registry: RunningRegistry, tmp_path: Path) -> None:
    image = make_image(tmp_path)
    name = plain_registry.new_name().replace("127.0.0.1", "localhost")
    assert push(image, name, "1.0.0").reference.registry.startswith("localhost:")


def test_an_image_that_is_not_there(plain_registry: RunningRegistry) -> None:
    with pytest.raises(RegistryError) as caught:
        fetch_image(reference(f"{plain_registry.new_name()}:1.0.0"), RegistryOptions(env={}))
    assert caught.value.code == "image-not-found"


def test_a_blob_that_is_cut_is_taken_up_where_it_ended(
    faulty_registry: FaultyRegistry, tmp_path: Path
) -> None:
    image = make_image(tmp_path, size=500_000)
    name = faulty_registry.new_name()
    push(image, name, "1.0.0")
    layer = image.layers[0]
    faulty_registry.fault(f"GET .*{layer.digest}", cutting_answer(after=100_000), times=1)
    fetched = fetch_image(reference(f"{name}:1.0.0"), RegistryOptions(env={}))
    with fetched.open_blob(layer.digest, layer.size) as stream, layer.open() as ours:
        assert stream.read() == ours.read()
    ranges = [seen.headers.get("Range") for seen in faulty_registry.seen if "Range" in seen.headers]
    assert ranges == ["bytes=100000-"]


def test_what_is_fetched_is_what_the_digest_says(
    faulty_registry: FaultyRegistry, tmp_path: Path
) -> None:
    from wasmctl.errors import Unreadable

    image = make_image(tmp_path)
    name = faulty_registry.new_name()
    push(image, name, "1.0.0")
    other = json.dumps({"schemaVersion": 2}).encode()
    faulty_registry.fault(
        "GET .*/manifests/", lambda handler: handler.answer(200, {}, other), times=1
    )
    with pytest.raises(Unreadable) as caught:
        fetch_image(reference(f"{name}@{image.digest}"), RegistryOptions(env={}))
    assert caught.value.code == "digest-mismatch"
