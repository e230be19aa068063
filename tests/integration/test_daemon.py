"""The Docker engine builds and pushes; others find what it pushed."""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.integration.docker_engine import Engine
from tests.integration.images import make_image
from tests.integration.registries import PASSWORD, USER, DockerConfig, RunningRegistry, encoded
from tests.unit.oci.test_docker_endpoint import add_context
from wasmctl.errors import Refused, RegistryError, ToolMissing, Unreadable
from wasmctl.oci.daemon import build_and_push
from wasmctl.oci.image import Format
from wasmctl.oci.options import RegistryOptions
from wasmctl.oci.push import push_image
from wasmctl.oci.reference import parse_reference

pytestmark = [pytest.mark.docker, pytest.mark.registry]

HEADER = b"\0asm\1\0\0\0"


@pytest.fixture
def module(tmp_path: Path) -> Path:
    path = tmp_path / "some name.wasm"
    path.write_bytes(HEADER + os.urandom(3_000_000))
    return path


def push(
    module: Path,
    name: str,
    *tags: str,
    env: Mapping[str, str],
    move_tag: bool = False,
    username: str | None = None,
    password: str | None = None,
    advanced: list[int] | None = None,
) -> str:
    return build_and_push(
        module,
        parse_reference(name, require_registry=True),
        tags=tags,
        annotations={"org.opencontainers.image.title": 'it\'s "quoted" $HOME'},
        options=RegistryOptions(env=env, username=username, password=password),
        advance=(advanced if advanced is not None else []).append,
        move_tag=move_tag,
    )


def skopeo(*arguments: str) -> bytes:
    argv = ["skopeo", arguments[0], "--tls-verify=false", *arguments[1:]]
    return subprocess.run(argv, capture_output=True, check=True).stdout


@pytest.fixture
def env(docker_engine: Engine, docker_config: DockerConfig) -> dict[str, str]:
    return {**docker_config.env, "DOCKER_HOST": docker_engine.host}


@pytest.mark.skopeo
@pytest.mark.crane
def test_others_find_one_layer_with_one_file_under_every_tag(
    module: Path, plain_registry: RunningRegistry, env: dict[str, str]
) -> None:
    name = plain_registry.new_name()
    digest = push(module, name, "1.0.0", "latest", env=env)
    for tag in ("1.0.0", "latest"):
        said = json.loads(skopeo("inspect", f"docker://{name}:{tag}"))
        assert (said["Digest"], said["Architecture"], said["Os"]) == (digest, "amd64", "linux")
        assert said["Labels"] == {"org.opencontainers.image.title": 'it\'s "quoted" $HOME'}
    manifest = json.loads(skopeo("inspect", "--raw", f"docker://{name}@{digest}"))
    assert manifest["mediaType"] == "application/vnd.docker.distribution.manifest.v2+json"
    assert len(manifest["layers"]) == 1
    exported = subprocess.run(["crane", "export", name, "-"], capture_output=True, check=True)
    with tarfile.open(fileobj=io.BytesIO(exported.stdout)) as archive:
        (entry,) = archive.getmembers()
        content = archive.extractfile(entry)
        assert content is not None
        assert content.read() == module.read_bytes()
        assert (entry.name, entry.mode & 0o777) == ("plugin.wasm", 0o644)


def test_the_same_module_again_keeps_its_digest(
    module: Path, plain_registry: RunningRegistry, env: dict[str, str]
) -> None:
    name = plain_registry.new_name()
    assert push(module, name, "1.0.0", env=env) == push(module, name, "1.0.0", env=env)


def test_a_versions_tag_is_not_moved_unasked(
    module: Path, plain_registry: RunningRegistry, env: dict[str, str]
) -> None:
    name = plain_registry.new_name()
    first = push(module, name, "1.0.0", "latest", env=env)
    module.write_bytes(HEADER + b"\0\2\1x")
    with pytest.raises(Refused, match=first) as caught:
        push(module, name, "1.0.0", env=env)
    assert "--move-tag" in str(caught.value.hint)
    second = push(module, name, "latest", env=env)
    assert second == push(module, name, "1.0.0", env=env, move_tag=True) != first


def test_progress_sums_up_to_the_layer(
    module: Path, plain_registry: RunningRegistry, env: dict[str, str]
) -> None:
    advanced: list[int] = []
    push(module, plain_registry.new_name(), "a", "b", env=env, advanced=advanced)
    # The engine counts the bytes of the tar, header and padding included.
    assert 0 <= sum(advanced) - module.stat().st_size < 4096
    assert min(advanced) >= 0


def test_an_engine_behind_tls(
    module: Path,
    plain_registry: RunningRegistry,
    docker_engine: Engine,
    docker_config: DockerConfig,
) -> None:
    env = {
        **docker_config.env,
        "DOCKER_HOST": docker_engine.tls_host,
        "DOCKER_TLS_VERIFY": "1",
        "DOCKER_CERT_PATH": str(docker_engine.certificates),
    }
    assert push(module, plain_registry.new_name(), "1", env=env).startswith("sha256:")
    del env["DOCKER_CERT_PATH"]  # no certificate of ours: the engine hangs up
    with pytest.raises(ToolMissing):
        push(module, plain_registry.new_name(), "1", env=env)


@pytest.mark.parametrize("tls", [True, False])
def test_the_chosen_docker_context(
    tls: bool,
    module: Path,
    plain_registry: RunningRegistry,
    docker_engine: Engine,
    docker_config: DockerConfig,
) -> None:
    host = docker_engine.tls_host if tls else docker_engine.host
    place = add_context(docker_config.folder, "mine", {"Host": host}, tls=tls)
    if tls:
        for name in ("ca.pem", "cert.pem", "key.pem"):
            (place / name).write_bytes((docker_engine.certificates / name).read_bytes())
    docker_config.write(currentContext="mine")
    digest = push(module, plain_registry.new_name(), "1", env=docker_config.env)
    assert digest.startswith("sha256:")


def test_docker_itself_reads_the_context_alike(
    docker_engine: Engine, docker_config: DockerConfig
) -> None:
    add_context(docker_config.folder, "mine", {"Host": docker_engine.host}, tls=False)
    argv = ["docker", "context", "inspect", "mine", "--format", "{{.Endpoints.docker.Host}}"]
    done = subprocess.run(
        argv, env={**os.environ, **docker_config.env}, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == docker_engine.host


@pytest.mark.parametrize("host", ["unix:///nowhere/docker.sock", "tcp://127.0.0.1:1"])
def test_no_engine_is_an_error_that_names_the_other_way(
    host: str, module: Path, docker_config: DockerConfig
) -> None:
    with pytest.raises(ToolMissing, match=host) as caught:
        push(module, "ghcr.io/acme/x", "1", env={**docker_config.env, "DOCKER_HOST": host})
    assert caught.value.code == "docker-unavailable"
    assert "--via registry" in str(caught.value.hint)


def test_an_engine_of_somebody_elses(env: dict[str, str]) -> None:
    # Not pytest's own folder, which nobody else may enter.
    with tempfile.TemporaryDirectory() as folder:
        module = Path(folder) / "plugin.wasm"
        module.write_bytes(HEADER)
        module.parent.chmod(0o755)
        os.seteuid(65534)
        try:
            with pytest.raises(ToolMissing, match="not yours to use") as caught:
                push(
                    module,
                    "ghcr.io/acme/x",
                    "1",
                    env={**env, "DOCKER_CONFIG": folder, "HOME": folder},
                )
        finally:
            os.seteuid(0)
    assert caught.value.code == "docker-unavailable"
    assert "group `docker`" in str(caught.value.hint)


def test_what_is_no_module_never_reaches_the_engine(tmp_path: Path) -> None:
    module = tmp_path / "plugin.wasm"
    module.write_text("not wasm")
    with pytest.raises(Unreadable):
        push(module, "ghcr.io/acme/x", "1", env={"DOCKER_HOST": "unix:///nowhere"})


def test_credentials_of_dockers_configuration(
    module: Path,
    password_registry: RunningRegistry,
    env: dict[str, str],
    docker_config: DockerConfig,
) -> None:
    docker_config.write(auths={password_registry.host: {"auth": encoded(USER, PASSWORD)}})
    assert push(module, password_registry.new_name(), "1.0", env=env).startswith("sha256:")


def test_credentials_given_by_hand(
    module: Path, password_registry: RunningRegistry, env: dict[str, str]
) -> None:
    name = password_registry.new_name()
    digest = push(module, name, "1.0", env=env, username=USER, password=PASSWORD)
    assert digest.startswith("sha256:")
    # Also what the tag holds is asked with them.
    module.write_bytes(HEADER)
    with pytest.raises(Refused):
        push(module, name, "1.0", env=env, username=USER, password=PASSWORD)


@pytest.mark.parametrize("password", [None, "wrong secret"])
def test_a_registry_that_refuses_the_engine(
    password: str | None, module: Path, password_registry: RunningRegistry, env: dict[str, str]
) -> None:
    user = None if password is None else USER
    with pytest.raises(RegistryError) as caught:
        push(module, password_registry.new_name(), "1", env=env, username=user, password=password)
    assert caught.value.code == "unauthorized"
    assert f"wasmctl login {password_registry.host}" in str(caught.value.hint)
    assert "wrong secret" not in caught.value.message


def test_a_registry_that_is_not_there_is_no_fault_of_the_module(
    module: Path, env: dict[str, str]
) -> None:
    with pytest.raises(RegistryError, match="connection refused") as caught:
        push(module, "127.0.0.1:1/acme/x", "1", env=env)
    assert "--via registry" in str(caught.value.hint)


@pytest.fixture
def spied(docker_config: DockerConfig, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A credential helper for another registry; gives the file that appears when it is asked."""
    asked = docker_config.folder / "asked"
    helper = docker_config.folder / "docker-credential-spy"
    helper.write_text(f"#!/bin/sh\ntouch '{asked}'\necho '{{}}'\n")
    helper.chmod(0o755)
    docker_config.write(credHelpers={"other.example": "spy"})
    # docker-py reads the process's own environment.
    for name, value in docker_config.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PATH", f"{docker_config.folder}:{os.environ['PATH']}")
    return asked


def test_no_other_registrys_credentials_are_touched(
    module: Path, plain_registry: RunningRegistry, env: dict[str, str], spied: Path
) -> None:
    push(module, plain_registry.new_name(), "1", env=env)
    assert not spied.exists()


@pytest.mark.parametrize("form", [Format.OCI, Format.DOCKER])
def test_docker_reads_what_we_push_ourselves(
    form: Format, plain_registry: RunningRegistry, docker_engine: Engine, tmp_path: Path
) -> None:
    # Several gzip members, and dockerd compares what comes out with the diff_ids.
    made = make_image(tmp_path / "made", size=9 * 1024 * 1024, format=form)
    name = plain_registry.new_name()
    push_image(
        made,
        parse_reference(name, require_registry=True),
        tags=["1.0"],
        move_tag=False,
        options=RegistryOptions(env={}),
        advance=lambda _count: None,
    )
    docker_engine.docker("pull", f"{name}@{made.digest}")
    container = docker_engine.docker(
        "create", "--network=none", f"{name}@{made.digest}", "nothing"
    ).strip()
    docker_engine.docker("cp", f"{container}:/plugin.wasm", str(tmp_path / "back.wasm"))
    docker_engine.docker("rm", container)
    (module,) = (tmp_path / "made").glob("*.wasm")
    assert (tmp_path / "back.wasm").read_bytes() == module.read_bytes()
