"""`wasmctl push --from`: an image that no mesh takes comes out as one that all take."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import CommandLine, Said
from tests.integration.faults import FaultyRegistry
from tests.integration.layouts import AMD64, ARM64, GOOD, LAYOUTS, OCI, index, layout, put
from tests.integration.registries import PASSWORD, USER, RunningRegistry
from tests.unit.oci.sources import MODULE
from wasmctl.oci.image import Format, package_image
from wasmctl.oci.layout import write_layout
from wasmctl.oci.options import RegistryOptions
from wasmctl.oci.reference import parse_reference
from wasmctl.oci.registry import fetch_image
from wasmctl.oci.unpack import unpack_module

pytestmark = pytest.mark.registry

_TITLE = "org.opencontainers.image.title"


def manifest_of(ref: str) -> Any:
    reference = parse_reference(ref, require_registry=True)
    return json.loads(fetch_image(reference, RegistryOptions(env={})).manifest)


def module_of(ref: str, folder: Path) -> bytes:
    reference = parse_reference(ref, require_registry=True)
    unpack_module(fetch_image(reference, RegistryOptions(env={})), folder / "back.wasm")
    return (folder / "back.wasm").read_bytes()


def pushed(said: Said) -> str:
    assert said.code == 0, said.err
    (line,) = said.out.splitlines()
    return line


@pytest.mark.parametrize(
    "what",
    ["docker, module in the first of two", "README last", "another name", "a file by oras",
     "artifact and README", "wasm-to-oci", "cncf", "index, arm64 alone"],
)  # fmt: skip
def test_what_meshes_refuse_comes_out_as_they_want_it(
    what: str, plain_registry: RunningRegistry, wasmctl: CommandLine, tmp_path: Path
) -> None:
    name = plain_registry.new_name()
    source = put(name, "1.0", LAYOUTS[what])
    reference = pushed(wasmctl("push", "--from", source, f"{name}:1.0-oci", cwd=tmp_path))
    document = manifest_of(reference)
    assert document["mediaType"] == "application/vnd.oci.image.manifest.v1+json"
    assert [layer["mediaType"] for layer in document["layers"]] == [OCI]
    assert document["annotations"][_TITLE] == name.rpartition("/")[2]
    assert module_of(reference, tmp_path) == MODULE


@pytest.mark.parametrize("form", Format)
def test_it_has_the_format_and_digest_of_any_other_push(
    form: Format, plain_registry: RunningRegistry, wasmctl: CommandLine, tmp_path: Path
) -> None:
    (tmp_path / "plugin.wasm").write_bytes(MODULE)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    name = plain_registry.new_name()
    annotations = {
        "module.wasm.runtime/type": "envoy_proxy",
        _TITLE: name.rpartition("/")[2],
    }
    image = package_image(
        tmp_path / "plugin.wasm",
        format=form,
        annotations=annotations,
        created=0,
        scratch=scratch,
    )
    said = wasmctl(
        "push", "--from", "plugin.wasm", f"{name}:2", "--format", form, "--json", cwd=tmp_path
    )
    assert said.code == 0, said.err
    data = json.loads(said.out)["data"]
    assert data == {
        "reference": f"{name}:2@{image.digest}",
        "digest": image.digest,
        "format": form.value,
        "size": image.size,
        "pushed": True,
    }


def test_what_the_image_says_of_itself_is_kept(
    plain_registry: RunningRegistry, wasmctl: CommandLine, tmp_path: Path
) -> None:
    name = plain_registry.new_name()
    labels = {"org.opencontainers.image.licenses": "MIT", "org.opencontainers.image.title": "old"}
    config = json.dumps({"config": {"Labels": labels}}).encode()
    annotations = {
        _TITLE: "waf",
        "org.opencontainers.image.version": "1.2.3",
        "org.opencontainers.image.created": "2026-01-01T00:00:00Z",
        "org.opencontainers.image.base.name": "scratch",
        "module.wasm.image/variant": "compat",
        "com.acme.team": "edge",
    }
    given = layout(
        (OCI, GOOD), config=("application/vnd.oci.image.config.v1+json", config),
        annotations=annotations,
    )  # fmt: skip
    source = put(name, "1.0", given)
    reference = pushed(wasmctl("push", "--from", source, "--tag", "again", cwd=tmp_path))
    assert reference.startswith(f"{name}:again@sha256:")
    assert manifest_of(reference)["annotations"] == {
        "com.acme.team": "edge",
        "module.wasm.image/variant": "compat",
        "module.wasm.runtime/type": "envoy_proxy",
        "org.opencontainers.image.licenses": "MIT",
        _TITLE: "waf",
        "org.opencontainers.image.version": "1.2.3",
    }


@pytest.mark.parametrize("form", ["out", "out.tar"])
def test_a_layout_is_packed_anew(
    form: str, plain_registry: RunningRegistry, wasmctl: CommandLine, tmp_path: Path
) -> None:
    (tmp_path / "plugin.wasm").write_bytes(MODULE)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    image = package_image(
        tmp_path / "plugin.wasm",
        format=Format.ARTIFACT,
        annotations={},
        created=0,
        scratch=scratch,
    )
    write_layout(image, tmp_path / form, name="1.0")
    name = plain_registry.new_name()
    said = wasmctl("push", "--from", form, f"{name}:1.0", cwd=tmp_path)
    assert "artifact" in said.err
    assert module_of(pushed(said), tmp_path) == MODULE


@pytest.mark.skopeo
def test_what_docker_saved_is_packed_anew(
    plain_registry: RunningRegistry, wasmctl: CommandLine, tmp_path: Path
) -> None:
    name = plain_registry.new_name()
    source = put(name, "1.0", LAYOUTS["docker"])
    argv = ["skopeo", "copy", "--src-tls-verify=false", f"docker://{source}"]
    saved = tmp_path / "saved.tar"
    subprocess.run([*argv, f"docker-archive:{saved}"], capture_output=True, check=True)
    said = wasmctl("push", "--from", "saved.tar", f"{name}:2", cwd=tmp_path)
    assert module_of(pushed(said), tmp_path) == MODULE


def test_the_same_again_sends_nothing_and_a_version_is_not_moved(
    plain_registry: RunningRegistry, wasmctl: CommandLine, tmp_path: Path
) -> None:
    name = plain_registry.new_name()
    source = put(name, "1.0.0", LAYOUTS["plain tar"])
    target = f"{name}:2.0.0"
    first = pushed(wasmctl("push", "--from", source, target, cwd=tmp_path))
    again = wasmctl("push", "--from", source, target, cwd=tmp_path)
    assert pushed(again) == first
    assert "there already, nothing sent" in again.err
    moved = wasmctl("push", "--from", source, f"{name}:1.0.0", cwd=tmp_path)
    assert (moved.code, moved.out) == (1, "")
    assert "--move-tag" in moved.err
    assert wasmctl("push", "--from", source, f"{name}:1.0.0", "--move-tag", cwd=tmp_path).code == 0


def test_without_a_tag_the_source_s_is_taken(
    plain_registry: RunningRegistry, wasmctl: CommandLine, tmp_path: Path
) -> None:
    source = put(plain_registry.new_name(), "1.0", LAYOUTS["plain tar"])
    name = plain_registry.new_name()
    reference = pushed(wasmctl("push", "--from", source, name, cwd=tmp_path))
    assert reference.startswith(f"{name}:1.0@")


def test_a_password_goes_to_the_registry_that_it_is_for_alone(
    password_registry: RunningRegistry,
    faulty_registry: FaultyRegistry,
    wasmctl: CommandLine,
    tmp_path: Path,
) -> None:
    source = put(faulty_registry.new_name(), "1.0", LAYOUTS["plain tar"])
    faulty_registry.fault(
        "GET .*/manifests/",
        lambda handler: handler.answer(401, {"WWW-Authenticate": 'Basic realm="x"'}),
        times=1,
    )
    faulty_registry.seen.clear()
    target = f"{password_registry.new_name()}:1.0"
    said = wasmctl(
        "push", "--from", source, target, "-u", USER, "--password-stdin",
        cwd=tmp_path, stdin=PASSWORD,
    )  # fmt: skip
    assert said.code == 6, said.err
    assert not [seen for seen in faulty_registry.seen if "Authorization" in seen.headers]
    said = wasmctl(
        "push", "--from", source, target, "-u", USER, "--password-stdin",
        cwd=tmp_path, stdin=PASSWORD,
    )  # fmt: skip
    assert pushed(said).startswith(target)
    assert not [seen for seen in faulty_registry.seen if "Authorization" in seen.headers]


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["plugin.wasm", "a.io/b/c:1", "--via", "docker"], 2, "leave `--via docker` out"),
        (["plugin.wasm", "a.io/b/c:1", "--no-build"], 2, "leave `--no-build` out"),
        (["plugin.wasm", "a.io/b/c:1", "-p", "x"], 2, "leave `--package` out"),
        (["plugin.wasm", "a.io/b/c:1", "--annotate-git"], 2, "leave `--annotate-git` out"),
        (["plugin.wasm", "a.io/b/c:1", "--require-tested"], 2, "leave `--require-tested` out"),
        (["plugin.wasm", "folder"], 2, "wasmctl push folder"),
        (["plugin.wasm", "./nowhere"], 2, "the folder `./nowhere`"),
        (["plugin.wasm", "a.io/b/c:1", "a.io/b/d:1"], 2, "several REFs"),
        (["plugin.wasm"], 2, "--from plugin.wasm HOST/REPOSITORY:TAG"),
        (["plugin.wasm", "--tag", "1"], 2, "HOST/REPOSITORY:TAG"),
        (["plugin.wasm", "a.io/b/c"], 2, "a.io/b/c:TAG"),
        (["plugin.wasm", "a.io/b/c:1@sha256:" + "0" * 64], 2, "a digest cannot be pushed to"),
        (["plugin.wasm", "a.io/b/C:1"], 2, "lower case"),
        (["folder", "a.io/b/c:1"], 2, "wasmctl push folder"),
        (["./nowhere", "a.io/b/c:1"], 2, "does not exist"),
        (["text.txt", "a.io/b/c:1"], 5, "no OCI layout"),
        (["no layout.tar", "a.io/b/c:1"], 5, "no OCI layout"),
        (["cut.wasm", "a.io/b/c:1"], 5, "cut.wasm"),
        (["", "a.io/b/c:1"], 2, "folder"),
        (["127.0.0.1:1/a:1", "a.io/b/c:1"], 6, "refused"),
    ],
)
def test_bad_input_is_told(
    arguments: list[str], code: int, told: str, wasmctl: CommandLine, tmp_path: Path
) -> None:
    (tmp_path / "plugin.wasm").write_bytes(MODULE[:8])
    (tmp_path / "cut.wasm").write_bytes(MODULE[:6])
    (tmp_path / "text.txt").write_text("hello")
    (tmp_path / "no layout.tar").write_bytes(bytes(10240))
    (tmp_path / "folder").mkdir()
    said = wasmctl("push", "--from", *arguments, cwd=tmp_path)
    assert (said.code, said.out) == (code, ""), said.err
    assert told in said.err
    assert "hint: " in said.err


def test_an_image_without_a_module_is_unreadable(
    plain_registry: RunningRegistry, wasmctl: CommandLine, tmp_path: Path
) -> None:
    name = plain_registry.new_name()
    for what in ("oci, no layers", "no wasm", "index, arm64 and s390x"):
        source = put(name, "1.0", LAYOUTS[what])
        said = wasmctl("push", "--from", source, f"{name}:2", cwd=tmp_path)
        assert (said.code, said.out) == (5, ""), what


def test_of_an_index_the_image_for_linux_amd64_is_taken(
    plain_registry: RunningRegistry, wasmctl: CommandLine, tmp_path: Path
) -> None:
    name = plain_registry.new_name()
    other = layout((OCI, b"never read"))
    source = put(name, "1.0", index((other, ARM64), (LAYOUTS["cncf"], AMD64)))
    reference = pushed(wasmctl("push", "--from", source, f"{name}:2", cwd=tmp_path))
    assert module_of(reference, tmp_path) == MODULE
