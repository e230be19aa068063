"""`wasmctl manifest --kind pull-secret`: the Secret by which a mesh pulls, used as one does."""

from __future__ import annotations

import base64
import json
import os
import stat
import subprocess
from pathlib import Path
from typing import Any

import pexpect
import pytest
import yaml

from tests.conftest import ROOT, WASMCTL, CommandLine
from tests.integration.apiservers import ApiServer
from tests.integration.registries import (
    PASSWORD,
    ROBOT,
    USER,
    DockerConfig,
    RunningRegistry,
    encoded,
)

SECRET = ["manifest", "--kind", "pull-secret", "--name", "pull"]
GHCR = [*SECRET, "--image", "ghcr.io/acme/x"]


def config_of(secret: dict[str, Any]) -> dict[str, Any]:
    """Return the docker configuration in a Secret."""
    config: dict[str, Any] = json.loads(base64.b64decode(secret["data"][".dockerconfigjson"]))
    return config


@pytest.fixture
def env(docker_config: DockerConfig, tmp_path: Path) -> dict[str, str | None]:
    return {
        **docker_config.env,
        "PATH": f"{ROOT}/tests/fakes:{os.environ['PATH']}",
        "CREDENTIALS_FILE": str(tmp_path / "kept.json"),
    }


@pytest.mark.apiserver
@pytest.mark.registry
@pytest.mark.crane
@pytest.mark.parametrize("user", [USER, ROBOT])
def test_the_server_takes_it_and_the_registry_lets_its_holder_in(
    api_server: ApiServer,
    password_registry: RunningRegistry,
    docker_config: DockerConfig,
    wasmctl: CommandLine,
    env: dict[str, str | None],
    tmp_path: Path,
    user: str,
) -> None:
    """As a mesh does it: read back from the cluster, used at the registry."""
    namespace = api_server.new_namespace()
    name = password_registry.new_name()
    login = {"auths": {password_registry.host: {"auth": encoded(user, PASSWORD)}}}
    docker_config.write(**login, detachKeys="ctrl-e,e")
    said = wasmctl(
        *SECRET, "--namespace", namespace, "--image", f"{name}:1.0", "-v", cwd=tmp_path, env=env
    )
    assert said.code == 0, said.err
    assert PASSWORD not in said.err
    assert encoded(user, PASSWORD) not in said.err
    document = yaml.safe_load(said.out)
    assert api_server.apply(document)[0] == 201
    kept = api_server.read(document)
    assert kept == document
    assert list(config_of(kept)["auths"]) == [password_registry.host]
    mesh = tmp_path / "mesh"
    mesh.mkdir()
    (mesh / "config.json").write_text(json.dumps(config_of(kept)))
    argv = ["crane", "catalog", password_registry.host]
    crane_env = {**os.environ, "DOCKER_CONFIG": str(mesh)}
    done = subprocess.run(argv, env=crane_env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (mesh / "config.json").write_text("{}")
    refused = subprocess.run(argv, env=crane_env, capture_output=True, text=True, check=False)
    assert (refused.returncode, "UNAUTHORIZED" in refused.stderr) == (1, True)


@pytest.mark.apiserver
@pytest.mark.parametrize("registry", ["registry.example.com:5000", "https://index.docker.io/v1/"])
def test_it_is_what_kubectl_makes(
    api_server: ApiServer,
    wasmctl: CommandLine,
    env: dict[str, str | None],
    tmp_path: Path,
    registry: str,
) -> None:
    host = "docker.io" if "docker.io" in registry else registry
    said = wasmctl(
        *SECRET, "--image", f"{host}/acme/x", "-u", ROBOT, "--password-stdin",
        cwd=tmp_path, env=env, stdin=f"{PASSWORD}\n",
    )  # fmt: skip
    assert said.code == 0, said.err
    ours = yaml.safe_load(said.out)
    made = api_server.kubectl(
        "create", "secret", "docker-registry", "pull", "-n", "istio-system",
        f"--docker-server={registry}", f"--docker-username={ROBOT}",
        f"--docker-password={PASSWORD}", "--dry-run=client", "-o", "json",
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    theirs = json.loads(made.stdout)
    assert config_of(ours) == config_of(theirs)
    assert {key: ours[key] for key in ("apiVersion", "kind", "type")} == {
        key: theirs[key] for key in ("apiVersion", "kind", "type")
    }
    assert ours["metadata"] == {"name": "pull", "namespace": "istio-system"}
    assert theirs["metadata"]["namespace"] == "istio-system"


@pytest.mark.apiserver
def test_a_secret_of_a_name_that_is_none(
    api_server: ApiServer, wasmctl: CommandLine, tmp_path: Path
) -> None:
    said = wasmctl(
        "manifest", "--kind", "pull-secret", "--name", "Pull_Me", "--image", "ghcr.io/acme/x",
        cwd=tmp_path,
    )  # fmt: skip
    assert said.code == 2
    assert "`--name`: `deploy.name` must be a name that Kubernetes takes" in said.err
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "Pull_Me"}}
    path = f"/api/v1/namespaces/{api_server.new_namespace()}/secrets"
    status, answer = api_server.ask("POST", path, body)
    assert (status, "metadata.name" in answer["message"]) == (422, True)


def test_a_helper_s_credentials_are_taken(
    wasmctl: CommandLine,
    docker_config: DockerConfig,
    env: dict[str, str | None],
    tmp_path: Path,
) -> None:
    docker_config.write(credHelpers={"ghcr.io": "memory"})
    kept = {"ghcr.io": {"Username": "bob", "Secret": "ghp_stays"}}
    (tmp_path / "kept.json").write_text(json.dumps(kept))
    said = wasmctl(*GHCR, cwd=tmp_path, env=env)
    assert said.code == 0, said.err
    assert config_of(yaml.safe_load(said.out))["auths"] == {
        "ghcr.io": {
            "username": "bob",
            "password": "ghp_stays",
            "auth": encoded("bob", "ghp_stays"),
        }
    }
    assert "the credentials of `bob` from `docker-credential-memory`" in said.err
    assert "ghp_stays" not in said.err


ECR = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"


@pytest.mark.parametrize(
    ("host", "user", "secret", "why"),
    [
        (ECR, "AWS", "token", "a token of Amazon ECR, which ends after 12 hours"),
        ("eu-docker.pkg.dev", "_dcgcloud_token", "x", "an access token of Google, which ends"),
        ("x.azurecr.io", "<token>", "ey", "an identity token, which ends with the login"),
        ("ghcr.io", "bob", "ghs_x", "the token of a GitHub Actions job or app"),
    ],
)
def test_credentials_that_end_are_refused_unless_it_is_said(
    wasmctl: CommandLine,
    docker_config: DockerConfig,
    env: dict[str, str | None],
    tmp_path: Path,
    host: str,
    user: str,
    secret: str,
    why: str,
) -> None:
    docker_config.write(credsStore="memory")
    kept = {host: {"Username": user, "Secret": secret}}
    (tmp_path / "kept.json").write_text(json.dumps(kept))
    words = [*SECRET, "--image", f"{host}/acme/x"]
    said = wasmctl(*words, "--json", cwd=tmp_path, env=env)
    error = json.loads(said.out)["errors"][0]
    assert (said.code, error["code"]) == (2, "temporary-credentials")
    assert f"are {why}" in error["message"]
    assert error["hint"].endswith("; or `--allow-temporary`")
    allowed = wasmctl(*words, "--allow-temporary", cwd=tmp_path, env=env)
    assert allowed.code == 0, allowed.err
    assert f"warning: Secret pull: it holds {why}" in allowed.err
    assert list(config_of(yaml.safe_load(allowed.out))["auths"]) == [host]


def test_a_file_is_nobody_else_s(
    wasmctl: CommandLine, env: dict[str, str | None], tmp_path: Path
) -> None:
    path = tmp_path / "secret.yaml"
    path.write_text("older and open")
    path.chmod(0o644)
    with path.open() as earlier:
        said = wasmctl(
            *GHCR, "-u", "bob", "--password-stdin", "--output", "secret.yaml", "--json",
            cwd=tmp_path, env=env, stdin="ghp_x",
        )  # fmt: skip
        assert said.code == 0, said.err
        # Whoever had the open file open does not see the new one.
        assert earlier.read() == "older and open"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    document = yaml.safe_load(path.read_text())
    assert config_of(document)["auths"]["ghcr.io"]["password"] == "ghp_x"
    assert json.loads(said.out)["data"]["manifests"][0]["object"] is None
    for text in (said.out, said.err):
        assert "ghp_x" not in text
        assert encoded("bob", "ghp_x") not in text


@pytest.mark.parametrize("flags", [[], ["--json"]], ids=["", "json"])
def test_a_terminal_shows_none(
    env: dict[str, str | None],
    user_env: dict[str, str],
    docker_config: DockerConfig,
    tmp_path: Path,
    flags: list[str],
) -> None:
    docker_config.write(auths={"ghcr.io": {"auth": encoded("bob", "ghp_x")}})
    merged = {**user_env, **{key: value for key, value in env.items() if value is not None}}
    child = pexpect.spawn(
        str(WASMCTL), [*GHCR, *flags], env=merged, cwd=str(tmp_path), encoding="utf-8", timeout=20
    )
    child.expect(pexpect.EOF)
    child.close()
    said = str(child.before)
    assert child.exitstatus == 2
    assert "a Secret is not shown on a terminal" in said
    assert "kubectl apply -f -" in said
    assert encoded("bob", "ghp_x")[:8] not in said


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (GHCR, 6, "there are no credentials of `ghcr.io` to make a Secret of"),
        (
            ["manifest", "--kind", "pull-secret", "--image", "ghcr.io/acme/x"],
            2,
            "the Secret has no name\nhint: name it: `--name NAME`",
        ),
        (
            ["manifest", "--kind", "pull-secret", "--kind", "wasmplugin", "--name", "x", "--image",
             "ghcr.io/acme/x:1"],
            2,
            "the Secret has no name\nhint: name it: `--pull-secret NAME`",
        ),
        ([*GHCR, "-u", "bob"], 2, "no password for `bob`, and nobody to ask"),
        ([*GHCR, "-u", "bob", "--password-stdin"], 2, "the password is empty"),
        ([*GHCR, "--password-stdin"], 2, "`--password-stdin` without a user"),
        ([*GHCR, "--update", "f.yaml"], 2, "`--update` changes the image of an object"),
        (SECRET, 2, "no plug-in project"),
    ],
)  # fmt: skip
def test_a_secret_that_cannot_be(
    wasmctl: CommandLine,
    env: dict[str, str | None],
    tmp_path: Path,
    words: list[str],
    code: int,
    said: str,
) -> None:
    done = wasmctl(*words, cwd=tmp_path, env=env)
    assert (done.code, done.out) == (code, "")
    assert said in done.err
    assert "\nhint: " in done.err


def test_it_goes_where_its_plug_in_goes(
    wasmctl: CommandLine, env: dict[str, str | None], tmp_path: Path
) -> None:
    (tmp_path / "wasmctl.toml").write_text('[deploy]\nnamespace = "shop"\npull-secret = "pull"\n')
    image = "ghcr.io/acme/x:1@sha256:" + "a" * 64
    said = wasmctl(
        "manifest", "--kind", "wasmplugin", "--kind", "pull-secret", "--image", image,
        "-u", "bob", "--password-stdin", cwd=tmp_path, env=env, stdin="ghp_x",
    )  # fmt: skip
    assert said.code == 0, said.err
    secret, plugin = yaml.safe_load_all(said.out)
    assert secret["metadata"] == {"name": "pull", "namespace": "shop"}
    assert plugin["metadata"]["namespace"] == "shop"
    assert plugin["spec"]["imagePullSecret"] == "pull"
