"""What others make of our images: skopeo, crane, tar and gzip, each its own implementation."""

from __future__ import annotations

import json
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.disks import mounted_disk
from tests.integration.images import make_image
from tests.integration.registries import RunningRegistry
from wasmctl.errors import UsageError
from wasmctl.oci.image import Format, Image
from wasmctl.oci.layout import write_layout

# Three members of gzip, which each reader must take for one stream.
LARGE = 9 * 1024 * 1024


def run(*argv: str | Path) -> str:
    done = subprocess.run([str(part) for part in argv], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def module_of(image: Image, folder: Path) -> bytes:
    """Return the module that `make_image` made in `folder`."""
    (module,) = folder.glob("*.wasm")
    assert image.size > 0
    return module.read_bytes()


@pytest.mark.skopeo
@pytest.mark.parametrize("name", ["out", "out.tar"])
def test_skopeo_reads_the_layout_by_its_tag(name: str, tmp_path: Path) -> None:
    image = make_image(tmp_path / "made", size=LARGE)
    write_layout(image, tmp_path / name, name="1.0")
    transport = "oci-archive" if name.endswith(".tar") else "oci"
    said = json.loads(run("skopeo", "inspect", f"{transport}:{tmp_path / name}:1.0"))
    assert (said["Digest"], said["Architecture"], said["Os"]) == (image.digest, "amd64", "linux")
    run("skopeo", "copy", f"{transport}:{tmp_path / name}:1.0", f"dir:{tmp_path / 'copy'}")
    assert (tmp_path / "copy" / "manifest.json").read_bytes() == image.manifest


@pytest.mark.skopeo
def test_skopeo_unpacks_the_layer_and_checks_its_diff_id(tmp_path: Path) -> None:
    image = make_image(tmp_path / "made", size=LARGE)
    write_layout(image, tmp_path / "out", name="1.0")
    # Decompressing a layer, skopeo compares what comes out with the configuration's diff_ids.
    run(
        "skopeo", "copy", f"oci:{tmp_path / 'out'}:1.0", f"docker-archive:{tmp_path / 'docker.tar'}"
    )
    with tarfile.open(tmp_path / "docker.tar") as archive:
        (layer,) = json.load(_file(archive, "manifest.json"))[0]["Layers"]
        with tarfile.open(fileobj=_file(archive, layer)) as inner:
            assert inner.getnames() == ["plugin.wasm"]
            assert _file(inner, "plugin.wasm").read() == module_of(image, tmp_path / "made")


def _file(archive: tarfile.TarFile, name: str) -> tarfile.ExFileObject:
    member = archive.extractfile(name)
    assert isinstance(member, tarfile.ExFileObject)
    return member


@pytest.mark.registry
@pytest.mark.crane
@pytest.mark.parametrize("form", Format)
def test_crane_pushes_the_layout_under_the_same_digest(
    form: Format, plain_registry: RunningRegistry, tmp_path: Path
) -> None:
    image = make_image(tmp_path / "made", size=LARGE, format=form)
    write_layout(image, tmp_path / "out", name="1.0")
    name = f"{plain_registry.new_name()}:1.0"
    run("crane", "push", tmp_path / "out", name)
    assert run("crane", "digest", name).strip() == image.digest
    assert run("crane", "manifest", name).encode() == image.manifest


@pytest.mark.registry
@pytest.mark.crane
@pytest.mark.parametrize("form", [Format.OCI, Format.DOCKER])
def test_crane_validates_and_exports_the_image(
    form: Format, plain_registry: RunningRegistry, tmp_path: Path
) -> None:
    image = make_image(tmp_path / "made", size=LARGE, format=form)
    write_layout(image, tmp_path / "out", name="1.0")
    name = f"{plain_registry.new_name()}:1.0"
    run("crane", "push", tmp_path / "out", name)
    assert "PASS" in run("crane", "validate", "--remote", name)
    run("crane", "export", name, tmp_path / "export.tar")
    with tarfile.open(tmp_path / "export.tar") as archive:
        assert archive.getnames() == ["plugin.wasm"]
        assert _file(archive, "plugin.wasm").read() == module_of(image, tmp_path / "made")


def test_tar_and_gzip_read_the_layer(tmp_path: Path) -> None:
    image = make_image(tmp_path / "made", size=LARGE)
    layer = image.layers[0].source
    assert isinstance(layer, Path)
    run("gzip", "--test", layer)
    run("tar", "--extract", "--gzip", "--file", layer, "--directory", tmp_path)
    assert (tmp_path / "plugin.wasm").read_bytes() == module_of(image, tmp_path / "made")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with mounted_disk(tmp_path / "disk") as folder:
        yield folder


@pytest.mark.root
@pytest.mark.parametrize("name", ["out", "out.tar"])
@pytest.mark.parametrize("existing", [True, False])
def test_a_full_disk_leaves_the_place_as_it_was(
    name: str, existing: bool, small_disk: Path, tmp_path: Path
) -> None:
    first = make_image(tmp_path / "first", size=100_000)
    if existing:
        write_layout(first, small_disk / name, name="1.0")
    before = _contents(small_disk)
    image = make_image(tmp_path / "made", size=2_000_000)
    with pytest.raises(UsageError, match="No space left on device") as caught:
        write_layout(image, small_disk / name, name="1.0")
    assert caught.value.code == "cannot-write"
    assert "--output" in str(caught.value.hint)
    assert before == _contents(small_disk)


def _contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b""
        for path in folder.rglob("*")
    }
