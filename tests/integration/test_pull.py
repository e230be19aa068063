"""`wasmctl pull`: what is in a registry comes out as a module, or not at all."""

from __future__ import annotations

import hashlib
import http.client
import json
from pathlib import Path

import pytest

from tests.conftest import CommandLine
from tests.integration.disks import mounted_disk
from tests.integration.faults import FaultHandler, FaultyRegistry, cutting_answer
from tests.integration.images import make_image
from tests.integration.registries import PASSWORD, USER, RunningRegistry
from tests.unit.oci.sources import MODULE, MemoryImage, descriptor, image, index, packed, special
from wasmctl.oci.image import Format, Image, MediaType, digest_of
from wasmctl.oci.layout import write_layout
from wasmctl.oci.options import RegistryOptions
from wasmctl.oci.push import push_image
from wasmctl.oci.reference import parse_reference

pytestmark = pytest.mark.registry


@pytest.fixture
def pushed(plain_registry: RunningRegistry, tmp_path: Path) -> tuple[str, Image, bytes]:
    """An image in a registry: its name with the tag, itself, and its module."""
    return push(plain_registry.new_name(), tmp_path / "made")


def push(
    name: str, folder: Path, form: Format = Format.OCI, size: int = 100_000
) -> tuple[str, Image, bytes]:
    made = make_image(folder, format=form, size=size)
    push_image(
        made,
        parse_reference(name, require_registry=True),
        tags=["1.0"],
        move_tag=False,
        options=RegistryOptions(env={}),
        advance=lambda _count: None,
    )
    (module,) = folder.glob("*.wasm")
    return f"{name}:1.0", made, module.read_bytes()


def put(name: str, tag: str, source: MemoryImage) -> None:
    """Put an image into a plain registry as it stands."""
    host, _, repository = name.partition("/")
    connection = http.client.HTTPConnection(host, timeout=20)

    def ask(method: str, path: str, body: bytes = b"", media_type: str = "") -> str:
        connection.request(method, path, body, {"Content-Type": media_type})
        response = connection.getresponse()
        said = response.read()
        assert response.status < 300, said
        return response.getheader("Location", "")

    for content in [*source.blobs.values(), b"{}"]:
        place = ask("POST", f"/v2/{repository}/blobs/uploads/").partition(host)[2]
        kind = "application/octet-stream"
        ask("PUT", f"{place}&digest={digest_of(content)}", content, kind)
    ask("PUT", f"/v2/{repository}/manifests/{tag}", source.manifest, source.media_type)
    connection.close()


@pytest.mark.parametrize("form", Format)
def test_every_format_comes_back(
    form: Format, plain_registry: RunningRegistry, wasmctl: CommandLine, tmp_path: Path
) -> None:
    # Large enough for several gzip members.
    name, made, module = push(plain_registry.new_name(), tmp_path / "made", form, size=5_000_000)
    said = wasmctl("pull", name, "--json", cwd=tmp_path)
    assert said.code == 0, said.err
    assert json.loads(said.out)["data"] == {
        "reference": f"{name}@{made.digest}",
        "digest": made.digest,
        "image_digest": made.digest,
        "path": str(tmp_path / "plugin.wasm"),
        "sha256": hashlib.sha256(module).hexdigest(),
        "size": len(module),
        "format": form.value,
    }
    assert (tmp_path / "plugin.wasm").read_bytes() == module


def test_the_path_is_all_of_stdout(
    pushed: tuple[str, Image, bytes], wasmctl: CommandLine, tmp_path: Path
) -> None:
    said = wasmctl("pull", pushed[0], "--output", "my plug-in.wasm", cwd=tmp_path)
    assert (said.code, said.out) == (0, "my plug-in.wasm\n")
    assert (tmp_path / "my plug-in.wasm").read_bytes() == pushed[2]
    elsewhere = tmp_path / "else"
    elsewhere.mkdir()
    said = wasmctl("pull", pushed[0], "-o", elsewhere, cwd=tmp_path)
    assert said.out == "else/plugin.wasm\n"


def test_a_digest_names_the_image_whatever_the_tag(
    pushed: tuple[str, Image, bytes], wasmctl: CommandLine, tmp_path: Path
) -> None:
    name, made, module = pushed
    said = wasmctl("pull", f"{name.rpartition(':')[0]}@{made.digest}", cwd=tmp_path)
    assert said.code == 0, said.err
    assert (tmp_path / "plugin.wasm").read_bytes() == module


def test_an_index_is_followed_to_the_image_that_meshes_take(
    plain_registry: RunningRegistry, wasmctl: CommandLine, tmp_path: Path
) -> None:
    name = plain_registry.new_name()
    entries = []
    for architecture in ("arm64", "amd64"):
        child = image(
            (MediaType.OCI_LAYER, packed(("plugin.wasm", MODULE + architecture.encode())))
        )
        put(name, architecture, child)
        platform = {"os": "linux", "architecture": architecture}
        entries.append({**descriptor(child.media_type, child.manifest), "platform": platform})
    both = index(entries)
    put(name, "both", MemoryImage(both, MediaType.OCI_INDEX))
    said = wasmctl("pull", f"{name}:both", "--json", cwd=tmp_path)
    assert said.code == 0, said.err
    data = json.loads(said.out)["data"]
    assert data["reference"] == f"{name}:both@{digest_of(both)}"
    assert (data["digest"], data["image_digest"]) == (digest_of(both), entries[1]["digest"])
    assert (
        f"of the index `{data['reference']}`: `{entries[1]['digest']}` for linux/amd64" in said.err
    )
    assert (tmp_path / "plugin.wasm").read_bytes() == MODULE + b"amd64"
    put(name, "arm", MemoryImage(index(entries[:1]), MediaType.OCI_INDEX))
    said = wasmctl("pull", f"{name}:arm", cwd=tmp_path)
    assert said.code == 0
    assert "linux/arm64 only: Istio and Envoy Gateway look for linux/amd64" in said.err


def test_the_cncfs_artifact_is_read(
    plain_registry: RunningRegistry, wasmctl: CommandLine, tmp_path: Path
) -> None:
    name = plain_registry.new_name()
    put(name, "1", image((MediaType.CNCF_MODULE, MODULE)))
    said = wasmctl("pull", f"{name}:1", "--json", cwd=tmp_path)
    assert json.loads(said.out)["data"]["format"] == "cncf"
    assert (tmp_path / "plugin.wasm").read_bytes() == MODULE


def test_what_is_no_plug_in_is_exit_5_and_writes_nothing(
    plain_registry: RunningRegistry, wasmctl: CommandLine, tmp_path: Path
) -> None:
    name = plain_registry.new_name()
    put(name, "sh", image((MediaType.OCI_LAYER, packed(("bin/sh", b"elf")))))
    put(
        name,
        "link",
        image((MediaType.OCI_LAYER, packed(special("plugin.wasm", b"2", "/etc/passwd")))),
    )
    put(name, "up", image((MediaType.OCI_LAYER, packed(("../../plugin.wasm", MODULE)))))
    for tag, code in (
        ("sh", "no-module-in-image"),
        ("link", "unsafe-entry"),
        ("up", "unsafe-entry"),
    ):
        said = wasmctl("pull", f"{name}:{tag}", "--json", cwd=tmp_path)
        assert said.code == 5
        (error,) = json.loads(said.out)["errors"]
        assert error["code"] == code
        assert error["hint"]
    assert list(tmp_path.iterdir()) == []


def test_an_image_that_is_not_there_is_exit_6(
    plain_registry: RunningRegistry, wasmctl: CommandLine, tmp_path: Path
) -> None:
    name = plain_registry.new_name()
    for missing in (f"{name}:nope", f"{name}@sha256:{'0' * 64}"):
        said = wasmctl("pull", missing, cwd=tmp_path)
        assert said.code == 6
        assert said.err.startswith(f"error: `{missing}` is not there: ")


def test_without_a_tag_it_is_latest_and_said(
    plain_registry: RunningRegistry, wasmctl: CommandLine, tmp_path: Path
) -> None:
    name = plain_registry.new_name()
    put(name, "latest", image((MediaType.OCI_LAYER, packed(("plugin.wasm", MODULE)))))
    said = wasmctl("pull", name, cwd=tmp_path)
    assert said.code == 0, said.err
    assert f"{name}:latest" in said.err


def test_a_blob_that_is_not_its_digest_is_exit_5(
    pushed: tuple[str, Image, bytes],
    plain_registry: RunningRegistry,
    faulty_registry: FaultyRegistry,
    wasmctl: CommandLine,
    tmp_path: Path,
) -> None:
    def lie(handler: FaultHandler) -> None:
        handler.pass_on(lambda _response, content: ({}, content[:-1] + b"!"))

    faulty_registry.fault(r"GET .*/blobs/", lie)
    name = pushed[0].replace(plain_registry.host, faulty_registry.host)
    before = sorted(tmp_path.iterdir())
    said = wasmctl("pull", name, cwd=tmp_path)
    assert said.code == 5
    assert "are not those of that digest" in said.err
    assert before == sorted(tmp_path.iterdir())


def test_a_connection_that_is_cut_is_taken_up_again(
    pushed: tuple[str, Image, bytes],
    plain_registry: RunningRegistry,
    faulty_registry: FaultyRegistry,
    wasmctl: CommandLine,
    tmp_path: Path,
) -> None:
    faulty_registry.fault(r"GET .*/blobs/", cutting_answer(after=50_000), times=1)
    name = pushed[0].replace(plain_registry.host, faulty_registry.host)
    said = wasmctl("pull", name, cwd=tmp_path)
    assert said.code == 0, said.err
    assert (tmp_path / "plugin.wasm").read_bytes() == pushed[2]


@pytest.mark.parametrize("heeds_ranges", [True, False])
def test_a_registry_that_cuts_every_answer_is_gone_on_with_as_long_as_more_comes(
    heeds_ranges: bool,
    plain_registry: RunningRegistry,
    faulty_registry: FaultyRegistry,
    wasmctl: CommandLine,
    tmp_path: Path,
) -> None:
    name, made, module = push(plain_registry.new_name(), tmp_path / "made", size=1_000_000)
    size = made.layers[0].size
    cuts = [size // 5] * 4 if heeds_ranges else [size // 5 * part for part in (1, 2, 3, 4)]

    def cut(handler: FaultHandler) -> None:
        if not heeds_ranges:
            del handler.headers["Range"]
        if cuts:
            cutting_answer(after=cuts.pop(0))(handler)
        else:
            handler.pass_on()

    faulty_registry.fault(r"GET .*/blobs/", cut)
    host = plain_registry.host
    said = wasmctl("pull", name.replace(host, faulty_registry.host), cwd=tmp_path)
    assert said.code == 0, said.err
    assert (tmp_path / "plugin.wasm").read_bytes() == module


def test_a_registry_that_always_cuts_at_the_same_byte_is_given_up(
    pushed: tuple[str, Image, bytes],
    plain_registry: RunningRegistry,
    faulty_registry: FaultyRegistry,
    wasmctl: CommandLine,
    tmp_path: Path,
) -> None:
    def cut(handler: FaultHandler) -> None:
        del handler.headers["Range"]
        cutting_answer(after=70_000)(handler)

    faulty_registry.fault(r"GET .*/blobs/", cut)
    name = pushed[0].replace(plain_registry.host, faulty_registry.host)
    said = wasmctl("pull", name, cwd=tmp_path)
    assert said.code == 6
    assert "cut the connection: its answer ended too early" in said.err
    assert faulty_registry.count("GET .*/blobs/") == 3


def test_a_manifest_that_is_cut_is_asked_for_again(
    pushed: tuple[str, Image, bytes],
    plain_registry: RunningRegistry,
    faulty_registry: FaultyRegistry,
    wasmctl: CommandLine,
    tmp_path: Path,
) -> None:
    faulty_registry.fault(r"GET .*/manifests/", cutting_answer(after=100), times=1)
    name = pushed[0].replace(plain_registry.host, faulty_registry.host)
    said = wasmctl("pull", name, cwd=tmp_path)
    assert said.code == 0, said.err


def test_credentials_are_taken_from_the_command_line(
    password_registry: RunningRegistry, wasmctl: CommandLine, tmp_path: Path
) -> None:
    name = f"{password_registry.new_name()}:1"
    said = wasmctl("pull", name, "-u", USER, "--password-stdin", stdin=PASSWORD, cwd=tmp_path)
    assert (said.code, "is not there" in said.err) == (6, True)
    said = wasmctl("pull", name, "-u", USER, "--password-stdin", stdin="wrong", cwd=tmp_path)
    assert (said.code, "is not there" in said.err) == (6, False)


def test_a_layout_is_read_as_well(wasmctl: CommandLine, tmp_path: Path) -> None:
    made = make_image(tmp_path / "made")
    write_layout(made, tmp_path / "image.tar", name="1.0")
    said = wasmctl("pull", "image.tar", "--json", cwd=tmp_path)
    assert said.code == 0, said.err
    assert json.loads(said.out)["data"]["reference"] == f"image.tar@{made.digest}"


@pytest.mark.root
def test_a_full_disk_leaves_the_file_that_was_there(
    plain_registry: RunningRegistry, wasmctl: CommandLine, tmp_path: Path
) -> None:
    name, _, _ = push(plain_registry.new_name(), tmp_path / "made", size=2_000_000)
    with mounted_disk(tmp_path / "disk") as disk:
        (disk / "plugin.wasm").write_bytes(b"before")
        said = wasmctl("pull", name, "-o", disk / "plugin.wasm", cwd=tmp_path)
        assert said.code == 2
        assert "No space left on device" in said.err
        assert [path.read_bytes() for path in disk.iterdir()] == [b"before"]


def test_a_bad_reference_is_exit_2(wasmctl: CommandLine, tmp_path: Path) -> None:
    said = wasmctl("pull", "https://ghcr.io/acme/x:1", cwd=tmp_path)
    assert said.code == 2
    assert "hint: write `ghcr.io/acme/x:1`" in said.err
