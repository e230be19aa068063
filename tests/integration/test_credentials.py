"""Credentials reach the registry that asks for them, wherever they are kept, and nobody else."""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.integration.faults import FaultHandler, FaultyRegistry, answering
from tests.integration.images import make_image
from tests.integration.registries import (
    PASSWORD,
    ROBOT,
    USER,
    DockerConfig,
    RunningRegistry,
    encoded,
)
from tests.integration.tokens import TokenServer
from wasmctl.errors import RegistryError
from wasmctl.oci.image import Image
from wasmctl.oci.options import RegistryOptions
from wasmctl.oci.push import Pushed, push_image
from wasmctl.oci.reference import parse_reference
from wasmctl.oci.registry import fetch_image

pytestmark = pytest.mark.registry


def push(image: Image, name: str, options: RegistryOptions) -> Pushed:
    reference = parse_reference(name, require_registry=True)
    return push_image(
        image,
        reference,
        tags=["1.0.0"],
        move_tag=False,
        options=options,
        advance=lambda _count: None,
    )


@pytest.fixture
def helper_env(docker_config: DockerConfig, tmp_path: Path) -> dict[str, str]:
    """An environment with a credential helper on its PATH, `memory`."""
    return {
        **docker_config.env,
        "PATH": f"{ROOT}/tests/fakes:{os.environ['PATH']}",
        "CREDENTIALS_FILE": str(tmp_path / "kept.json"),
    }


def test_credentials_by_hand(password_registry: RunningRegistry, tmp_path: Path) -> None:
    options = RegistryOptions(env={"HOME": str(tmp_path)}, username=USER, password=PASSWORD)
    assert push(make_image(tmp_path), password_registry.new_name(), options).pushed


@pytest.mark.parametrize("user", [USER, ROBOT])
def test_credentials_of_the_docker_configuration(
    password_registry: RunningRegistry, docker_config: DockerConfig, tmp_path: Path, user: str
) -> None:
    docker_config.write(auths={password_registry.host: {"auth": encoded(user, PASSWORD)}})
    options = RegistryOptions(env=docker_config.env)
    assert push(make_image(tmp_path), password_registry.new_name(), options).pushed


def test_credentials_below_home(password_registry: RunningRegistry, tmp_path: Path) -> None:
    (tmp_path / ".docker").mkdir()
    auths = {password_registry.host: {"auth": encoded(USER, PASSWORD)}}
    (tmp_path / ".docker/config.json").write_text(json.dumps({"auths": auths}))
    options = RegistryOptions(env={"HOME": str(tmp_path)})
    assert push(make_image(tmp_path), password_registry.new_name(), options).pushed


@pytest.mark.parametrize(
    ("variable", "file"),
    [
        ("REGISTRY_AUTH_FILE", "auth.json"),
        ("XDG_RUNTIME_DIR", "containers/auth.json"),
        ("XDG_CONFIG_HOME", "containers/auth.json"),
    ],
)
def test_credentials_of_podman(
    password_registry: RunningRegistry, tmp_path: Path, variable: str, file: str
) -> None:
    """Kept for one path below the registry, as `podman login` can."""
    path = tmp_path / "podman" / file
    path.parent.mkdir(parents=True)
    auths = {
        password_registry.host: {"auth": encoded("nobody", "nothing")},
        f"{password_registry.host}/acme": {"auth": encoded(USER, PASSWORD)},
    }
    path.write_text(json.dumps({"auths": auths}))
    value = path if variable == "REGISTRY_AUTH_FILE" else tmp_path / "podman"
    options = RegistryOptions(env={"HOME": str(tmp_path), variable: str(value)})
    assert push(make_image(tmp_path), password_registry.new_name(), options).pushed


@pytest.mark.parametrize("form", ["store", "helper"])
def test_credentials_of_a_helper(
    password_registry: RunningRegistry,
    docker_config: DockerConfig,
    helper_env: dict[str, str],
    tmp_path: Path,
    form: str,
) -> None:
    host = password_registry.host
    if form == "store":
        docker_config.write(credsStore="memory", auths={host: {}})
    else:
        docker_config.write(credHelpers={host: "memory"})
    kept = {host: {"Username": ROBOT, "Secret": PASSWORD}}
    Path(helper_env["CREDENTIALS_FILE"]).write_text(json.dumps(kept))
    options = RegistryOptions(env=helper_env)
    assert push(make_image(tmp_path), password_registry.new_name(), options).pushed


def test_a_helper_that_is_missing_is_named(
    password_registry: RunningRegistry, docker_config: DockerConfig, tmp_path: Path
) -> None:
    docker_config.write(credsStore="desktop.exe")
    with pytest.raises(RegistryError) as caught:
        push(
            make_image(tmp_path),
            password_registry.new_name(),
            RegistryOptions(env={**docker_config.env, "PATH": str(tmp_path)}),
        )
    assert caught.value.code == "credential-helper-missing"
    assert "docker-credential-desktop.exe" in caught.value.message
    assert "credsStore" in str(caught.value.hint)


def test_a_helper_is_not_run_where_nobody_asks(
    plain_registry: RunningRegistry, docker_config: DockerConfig, tmp_path: Path
) -> None:
    docker_config.write(credsStore="desktop.exe")
    options = RegistryOptions(env={**docker_config.env, "PATH": str(tmp_path)})
    assert push(make_image(tmp_path), plain_registry.new_name(), options).pushed


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo the key ring is locked; exit 1", "the key ring is locked"),
        ("echo not json", "something that is no credentials"),
        ("exit 3", "exit code 3"),
    ],
)
def test_a_helper_that_fails_is_an_error_in_its_words(
    password_registry: RunningRegistry,
    docker_config: DockerConfig,
    tmp_path: Path,
    script: str,
    said: str,
) -> None:
    docker_config.write(credsStore="broken")
    program = tmp_path / "docker-credential-broken"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    env = {**docker_config.env, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    with pytest.raises(RegistryError) as caught:
        push(make_image(tmp_path), password_registry.new_name(), RegistryOptions(env=env))
    assert caught.value.code == "credential-helper-failed"
    assert said in caught.value.message


def test_a_token_by_password(
    token_registry: RunningRegistry,
    tokens: TokenServer,
    docker_config: DockerConfig,
    tmp_path: Path,
) -> None:
    """One token does for the whole push: `push` is asked for at once."""
    docker_config.write(auths={token_registry.host: {"auth": encoded(ROBOT, PASSWORD)}})
    name = token_registry.new_name()
    assert push(make_image(tmp_path), name, RegistryOptions(env=docker_config.env)).pushed
    assert [method for method, _, _ in tokens.asked] == ["GET"]
    repository = name.partition("/")[2]
    assert tokens.asked[0][1]["scope"] == [f"repository:{repository}:pull,push"]
    assert tokens.asked[0][1]["service"] == [tokens.service]


def test_a_token_by_identity_token(
    token_registry: RunningRegistry, tokens: TokenServer, helper_env: dict[str, str],
    docker_config: DockerConfig, tmp_path: Path,
) -> None:  # fmt: skip
    """As ACR's helper gives one: the user is `<token>`."""
    docker_config.write(credHelpers={token_registry.host: "memory"})
    kept = {token_registry.host: {"Username": "<token>", "Secret": tokens.refresh_token}}
    Path(helper_env["CREDENTIALS_FILE"]).write_text(json.dumps(kept))
    options = RegistryOptions(env=helper_env)
    assert push(make_image(tmp_path), token_registry.new_name(), options).pushed
    method, form, _ = tokens.asked[0]
    assert method == "POST"
    assert form["grant_type"] == ["refresh_token"]


def test_an_identity_token_of_the_configuration(
    token_registry: RunningRegistry,
    tokens: TokenServer,
    docker_config: DockerConfig,
    tmp_path: Path,
) -> None:
    entry = {"auth": encoded("0" * 8, ""), "identitytoken": tokens.refresh_token}
    docker_config.write(auths={token_registry.host: entry})
    options = RegistryOptions(env=docker_config.env)
    assert push(make_image(tmp_path), token_registry.new_name(), options).pushed


def test_an_access_token_of_the_configuration(
    token_registry: RunningRegistry,
    tokens: TokenServer,
    docker_config: DockerConfig,
    tmp_path: Path,
) -> None:
    name = token_registry.new_name()
    scope = f"repository:{name.partition('/')[2]}:pull,push"
    _, document = tokens.answer("GET", {"scope": [scope]}, encoded(USER, PASSWORD))
    assert isinstance(document, dict)
    docker_config.write(auths={token_registry.host: {"registrytoken": document["token"]}})
    assert push(make_image(tmp_path), name, RegistryOptions(env=docker_config.env)).pushed


def test_a_token_that_expires_while_pushing_is_renewed(
    token_registry: RunningRegistry,
    tokens: TokenServer,
    docker_config: DockerConfig,
    tmp_path: Path,
) -> None:
    """The token is good for the first looks and too old when the blobs are sent."""
    import time

    tokens.seconds = 1.5
    docker_config.write(auths={token_registry.host: {"auth": encoded(USER, PASSWORD)}})
    options = RegistryOptions(env=docker_config.env)
    name = token_registry.new_name()
    image = make_image(tmp_path)
    waited: list[int] = []

    def advance(count: int) -> None:
        if count and not waited:
            waited.append(count)
            time.sleep(3)
            tokens.seconds = 3600

    done = push_image(
        image,
        parse_reference(name, require_registry=True),
        tags=["1.0.0"],
        move_tag=False,
        options=options,
        advance=advance,
    )
    assert done.pushed
    statuses = [status for _, _, status in token_registry.requests(name.partition("/")[2])]
    assert 401 in statuses[len(image.blobs) + 1 :]
    assert len(tokens.asked) >= 2


def test_anonymous_reading_and_refused_writing(
    token_registry: RunningRegistry,
    tokens: TokenServer,
    docker_config: DockerConfig,
    tmp_path: Path,
) -> None:
    """Who shows no credentials may pull; a push says that none were found, and how to log in."""
    image, name = make_image(tmp_path), token_registry.new_name()
    push(image, name, RegistryOptions(env={"HOME": "/"}, username=USER, password=PASSWORD))
    anonymous = RegistryOptions(env=docker_config.env)
    reference = parse_reference(f"{name}:1.0.0", require_registry=True)
    assert fetch_image(reference, anonymous).digest == image.digest
    with pytest.raises(RegistryError) as caught:
        push(make_image(tmp_path), token_registry.new_name(), anonymous)
    assert caught.value.code == "unauthorized"
    assert "none were found" in caught.value.message
    assert f"wasmctl login {token_registry.host}" in str(caught.value.hint)
    assert tokens.asked


@pytest.mark.parametrize("kind", ["password", "token", "identity token"])
def test_wrong_credentials_are_told_apart_from_none(
    password_registry: RunningRegistry,
    token_registry: RunningRegistry,
    tokens: TokenServer,
    docker_config: DockerConfig,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    kind: str,
) -> None:
    """Whose they are and where from is said; the secret is nowhere."""
    caplog.set_level(logging.DEBUG)
    secret = "hunter2-is-secret"
    registry = password_registry if kind == "password" else token_registry
    entry = (
        {"identitytoken": secret} if kind == "identity token" else {"auth": encoded(USER, secret)}
    )
    path = docker_config.write(auths={registry.host: entry})
    tokens.asked.clear()
    with pytest.raises(RegistryError) as caught:
        push(make_image(tmp_path), registry.new_name(), RegistryOptions(env=docker_config.env))
    error = caught.value
    assert error.code == "unauthorized"
    assert str(path) in error.message
    if kind != "identity token":
        assert f"`{USER}`" in error.message
    assert f"wasmctl login {registry.host}" in str(error.hint)
    import traceback

    shown = "".join(traceback.format_exception(error)) + repr(error) + str(error.__dict__)
    assert secret not in shown
    assert secret not in caplog.text
    assert encoded(USER, secret) not in shown + caplog.text


def test_a_token_server_that_fails(
    token_registry: RunningRegistry,
    tokens: TokenServer,
    docker_config: DockerConfig,
    tmp_path: Path,
) -> None:
    tokens.status = 403
    docker_config.write(auths={token_registry.host: {"auth": encoded(USER, PASSWORD)}})
    with pytest.raises(RegistryError) as caught:
        push(
            make_image(tmp_path),
            token_registry.new_name(),
            RegistryOptions(env=docker_config.env),
        )
    assert "not today" in caught.value.message


def test_credentials_go_to_no_other_host(
    faulty_registry: FaultyRegistry, docker_config: DockerConfig, tmp_path: Path
) -> None:
    """An upload that is sent elsewhere, as to an object store, goes there without them."""
    with FaultyRegistry(faulty_registry.upstream) as store:
        wants: Callable[[FaultHandler], None] = answering(
            401, WWW_Authenticate='Basic realm="here"'
        )

        def ask_once(handler: FaultHandler) -> None:
            if "Authorization" in handler.headers:
                handler.pass_on()
            else:
                wants(handler)

        def send_elsewhere(handler: FaultHandler) -> None:
            handler.pass_on(
                lambda response, content: (
                    {
                        "Location": str(response.getheader("Location")).replace(
                            handler.headers["Host"], store.host
                        )
                    },
                    content,
                )
            )

        faulty_registry.fault("POST .*/blobs/uploads/", send_elsewhere)
        faulty_registry.fault(".", ask_once)
        docker_config.write(auths={faulty_registry.host: {"auth": encoded(USER, PASSWORD)}})
        options = RegistryOptions(env=docker_config.env)
        assert push(make_image(tmp_path), faulty_registry.new_name(), options).pushed
        assert [seen.method for seen in store.seen] == ["PUT", "PUT"]
        assert all("Authorization" not in seen.headers for seen in store.seen)
        assert any("Authorization" in seen.headers for seen in faulty_registry.seen)


def test_credentials_do_not_follow_a_redirect(
    faulty_registry: FaultyRegistry, docker_config: DockerConfig, tmp_path: Path
) -> None:
    image, name = make_image(tmp_path), faulty_registry.new_name()
    push(image, name, RegistryOptions(env={"HOME": "/"}))
    with FaultyRegistry(faulty_registry.upstream) as store:

        def redirect(handler: FaultHandler) -> None:
            if "Authorization" in handler.headers:
                handler.answer(307, {"Location": f"http://{store.host}{handler.path}"})
            else:
                handler.answer(401, {"WWW-Authenticate": 'Basic realm="here"'})

        faulty_registry.fault("GET .*/blobs/", redirect)
        docker_config.write(auths={faulty_registry.host: {"auth": encoded(USER, PASSWORD)}})
        reference = parse_reference(f"{name}:1.0.0", require_registry=True)
        fetched = fetch_image(reference, RegistryOptions(env=docker_config.env))
        layer = image.layers[0]
        with fetched.open_blob(layer.digest, layer.size) as stream:
            assert len(stream.read()) == layer.size
        assert store.seen
        assert all("Authorization" not in seen.headers for seen in store.seen)


def test_the_fake_helper_is_one(helper_env: dict[str, str]) -> None:
    """It is found and run as docker would: by its name, on the PATH, executable."""
    assert shutil.which("docker-credential-memory", path=helper_env["PATH"])
