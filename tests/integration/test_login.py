"""`login` and `logout` at real registries, with docker's file and with a real helper program."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pexpect
import pytest

from tests.conftest import ROOT, WASMCTL, CommandLine
from tests.integration.registries import (
    PASSWORD,
    ROBOT,
    USER,
    DockerConfig,
    RunningRegistry,
    encoded,
)
from tests.integration.tokens import TokenServer

pytestmark = pytest.mark.registry


@pytest.fixture
def env(docker_config: DockerConfig, tmp_path: Path) -> dict[str, str | None]:
    return {
        **docker_config.env,
        "PATH": f"{ROOT}/tests/fakes:{os.environ['PATH']}",
        "CREDENTIALS_FILE": str(tmp_path / "kept.json"),
    }


@pytest.mark.parametrize("user", [USER, ROBOT])
def test_login_is_verified_and_kept_in_docker_s_file(
    wasmctl: CommandLine,
    password_registry: RunningRegistry,
    docker_config: DockerConfig,
    env: dict[str, str | None],
    tmp_path: Path,
    user: str,
) -> None:
    host = password_registry.host
    docker_config.write(auths={"ghcr.io": {"auth": "eDp5"}}, detachKeys="ctrl-e,e")
    said = wasmctl(
        "login", host, "-u", user, "--password-stdin", cwd=tmp_path, env=env, stdin=f"{PASSWORD}\n"
    )
    assert (said.code, said.out) == (0, f"logged in to {host} as {user}\n")
    assert "unencrypted" in said.err
    config = docker_config.read()
    assert config["auths"] == {
        "ghcr.io": {"auth": "eDp5"},
        host: {"auth": encoded(user, PASSWORD)},
    }
    assert config["detachKeys"] == "ctrl-e,e"
    mode = (docker_config.folder / "config.json").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600
    assert PASSWORD not in said.out + said.err


def test_login_makes_the_file_where_there_is_none(
    wasmctl: CommandLine, password_registry: RunningRegistry, tmp_path: Path
) -> None:
    home = tmp_path / "new home"
    said = wasmctl(
        "login", password_registry.host, "-u", USER, "--password-stdin",
        cwd=tmp_path, env={"HOME": str(home)}, stdin=PASSWORD,
    )  # fmt: skip
    assert said.code == 0, said.err
    assert (home / ".docker/config.json").exists()
    assert stat.S_IMODE((home / ".docker").stat().st_mode) == 0o700


def test_login_writes_through_a_link(
    wasmctl: CommandLine,
    password_registry: RunningRegistry,
    docker_config: DockerConfig,
    env: dict[str, str | None],
    tmp_path: Path,
) -> None:
    (tmp_path / "dotfiles.json").write_text("{}")
    (docker_config.folder / "config.json").symlink_to(tmp_path / "dotfiles.json")
    said = wasmctl(
        "login", password_registry.host, "-u", USER, "--password-stdin",
        cwd=tmp_path, env=env, stdin=PASSWORD,
    )  # fmt: skip
    assert said.code == 0, said.err
    assert (docker_config.folder / "config.json").is_symlink()
    assert password_registry.host in (tmp_path / "dotfiles.json").read_text()


def test_login_uses_the_configured_helper(
    wasmctl: CommandLine,
    password_registry: RunningRegistry,
    docker_config: DockerConfig,
    env: dict[str, str | None],
    tmp_path: Path,
) -> None:
    host = password_registry.host
    docker_config.write(credsStore="memory")
    said = wasmctl(
        "login", host, "-u", USER, "--password-stdin", "--json",
        cwd=tmp_path, env=env, stdin=PASSWORD,
    )  # fmt: skip
    assert said.code == 0, said.err
    data = json.loads(said.out)["data"]
    assert data == {
        "registry": host,
        "username": USER,
        "verified": True,
        "stored": "docker-credential-memory",
        "encrypted": True,
    }
    assert "unencrypted" not in said.err
    kept = json.loads(Path(str(env["CREDENTIALS_FILE"])).read_text())
    assert kept == {host: {"Username": USER, "Secret": PASSWORD}}
    assert docker_config.read() == {"credsStore": "memory"}


def test_logout_forgets(
    wasmctl: CommandLine,
    docker_config: DockerConfig,
    env: dict[str, str | None],
    tmp_path: Path,
) -> None:
    Path(str(env["CREDENTIALS_FILE"])).write_text(
        json.dumps({"ghcr.io": {"Username": "x", "Secret": "y"}})
    )
    docker_config.write(
        auths={"https://ghcr.io/v1/": {"auth": "eDp5"}, "quay.io": {"auth": "eDp5"}},
        credHelpers={"ghcr.io": "memory"},
    )
    said = wasmctl("logout", "ghcr.io", cwd=tmp_path, env=env)
    assert (said.code, said.out) == (0, "logged out of ghcr.io\n")
    assert docker_config.read()["auths"] == {"quay.io": {"auth": "eDp5"}}
    assert json.loads(Path(str(env["CREDENTIALS_FILE"])).read_text()) == {}
    again = wasmctl("logout", "ghcr.io", cwd=tmp_path, env=env)
    assert (again.code, again.out) == (0, "was not logged in to ghcr.io\n")


def test_a_wrong_password_is_not_kept(
    wasmctl: CommandLine,
    password_registry: RunningRegistry,
    docker_config: DockerConfig,
    env: dict[str, str | None],
    tmp_path: Path,
) -> None:
    said = wasmctl(
        "login", password_registry.host, "-u", USER, "--password-stdin",
        cwd=tmp_path, env=env, stdin="hunter2",
    )  # fmt: skip
    assert said.code == 6
    assert f"refused the password of `{USER}`" in said.err
    assert "hint:" in said.err
    assert "hunter2" not in said.err
    assert not (docker_config.folder / "config.json").exists()


@pytest.mark.parametrize(("password", "code"), [(PASSWORD, 0), ("hunter2", 6)])
def test_login_at_a_registry_with_tokens(
    wasmctl: CommandLine,
    token_registry: RunningRegistry,
    tokens: TokenServer,
    env: dict[str, str | None],
    tmp_path: Path,
    password: str,
    code: int,
) -> None:
    said = wasmctl(
        "login", token_registry.host, "-u", USER, "--password-stdin",
        cwd=tmp_path, env=env, stdin=password,
    )  # fmt: skip
    assert said.code == code, said.err
    assert tokens.asked


def test_a_registry_that_asks_nobody(
    wasmctl: CommandLine,
    plain_registry: RunningRegistry,
    env: dict[str, str | None],
    tmp_path: Path,
) -> None:
    said = wasmctl(
        "login", plain_registry.host, "-u", USER, "--password-stdin",
        cwd=tmp_path, env=env, stdin=PASSWORD,
    )  # fmt: skip
    assert said.code == 0
    assert "nothing was verified" in said.err


def test_login_over_tls(
    wasmctl: CommandLine,
    tls_registry: RunningRegistry,
    env: dict[str, str | None],
    tmp_path: Path,
) -> None:
    said = wasmctl(
        "login", tls_registry.host, "-u", USER, "--password-stdin",
        "--ca-file", str(tls_registry.ca_file), cwd=tmp_path, env=env, stdin=PASSWORD,
    )  # fmt: skip
    assert said.code == 0, said.err


@pytest.mark.parametrize(
    ("arguments", "stdin", "words"),
    [
        (["127.0.0.1:1"], "", "no user"),
        (["127.0.0.1:1", "-u", "x"], "", "no password"),
        (["127.0.0.1:1", "-u", "x", "--password-stdin"], "", "empty"),
        (["ghcr.io/acme", "-u", "x", "--password-stdin"], "y", "wasmctl login ghcr.io`"),
        (["ghcr", "-u", "x", "--password-stdin"], "y", "is no registry"),
        (["alice:SECRET@ghcr.io"], "y", "wasmctl login ghcr.io -u USER --password-stdin`"),
        (["https://alice:SECRET@ghcr.io/v2/"], "y", "`https://***@ghcr.io/v2/` is no registry"),
    ],
)
def test_usage(
    wasmctl: CommandLine, tmp_path: Path, arguments: list[str], stdin: str, words: str
) -> None:
    said = wasmctl("login", *arguments, cwd=tmp_path, stdin=stdin)
    assert said.code == 2
    assert words in said.err
    assert "SECRET" not in said.err


def test_the_password_is_asked_for_and_not_shown(
    password_registry: RunningRegistry, docker_config: DockerConfig, tmp_path: Path
) -> None:
    child = pexpect.spawn(
        str(WASMCTL),
        ["login", password_registry.host],
        env={**os.environ, **docker_config.env},
        cwd=str(tmp_path),
        encoding="utf-8",
        timeout=20,
    )
    child.expect("User of .*: ")
    child.sendline(USER)
    child.expect(f"Password of {USER}: ")
    child.sendline(PASSWORD)
    child.expect("logged in to")
    before = child.before
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    assert PASSWORD not in f"{before}{child.before}"
    assert password_registry.host in docker_config.read()["auths"]  # type: ignore[operator]


def test_a_folder_that_cannot_be_written(
    wasmctl: CommandLine,
    plain_registry: RunningRegistry,
    env: dict[str, str | None],
    tmp_path: Path,
) -> None:
    """A file where docker's folder should be: root may write anywhere else."""
    (tmp_path / "blocked").write_text("")
    said = wasmctl(
        "login", plain_registry.host, "-u", USER, "--password-stdin",
        cwd=tmp_path, env={**env, "DOCKER_CONFIG": str(tmp_path / "blocked")}, stdin=PASSWORD,
    )  # fmt: skip
    assert said.code == 2
    assert "blocked" in said.err
    assert "Traceback" not in said.err
