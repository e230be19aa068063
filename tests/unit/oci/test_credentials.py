"""Which credentials are found in which file, and how they are written."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from wasmctl.errors import RegistryError, UsageError
from wasmctl.oci.credentials import erase_credentials, find_credentials, store_credentials


def encoded(pair: str) -> str:
    return base64.b64encode(pair.encode()).decode()


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path), "DOCKER_CONFIG": str(tmp_path)}


def write(path: Path, **config: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(config))


def found(registry: str, env: dict[str, str], repository: str = "") -> str | None:
    credentials = find_credentials(registry, env, repository=repository)
    return None if credentials is None else f"{credentials.username}:{credentials.password}"


@pytest.mark.parametrize(
    "key",
    ["r.example.com", "https://r.example.com", "http://r.example.com/", "r.example.com/",
     "https://r.example.com/v1/", "https://r.example.com/v2/", "r.example.com/v1"],
)  # fmt: skip
def test_keys_of_all_times(tmp_path: Path, env: dict[str, str], key: str) -> None:
    write(tmp_path / "config.json", auths={key: {"auth": encoded("alice:secret")}})
    assert found("r.example.com", env) == "alice:secret"


@pytest.mark.parametrize(
    "key",
    ["https://index.docker.io/v1/", "https://index.docker.io/v1", "index.docker.io", "docker.io",
     "https://registry-1.docker.io/v2/"],
)  # fmt: skip
def test_keys_of_docker_hub(tmp_path: Path, env: dict[str, str], key: str) -> None:
    write(tmp_path / "config.json", auths={key: {"auth": encoded("alice:secret")}})
    assert found("docker.io", env, "acme/x") == "alice:secret"


def test_an_exact_key_goes_before_an_old_one(tmp_path: Path, env: dict[str, str]) -> None:
    auths = {
        "r.example.com": {"auth": encoded("new:1")},
        "https://r.example.com/v1/": {"auth": encoded("old:2")},
    }
    write(tmp_path / "config.json", auths=auths)
    assert found("r.example.com", env) == "new:1"


def test_another_port_is_another_registry(tmp_path: Path, env: dict[str, str]) -> None:
    write(tmp_path / "config.json", auths={"r.example.com": {"auth": encoded("alice:secret")}})
    assert found("r.example.com:5000", env) is None


@pytest.mark.parametrize(
    ("repository", "expected"),
    [("acme/x", "x:1"), ("acme/y", "acme:2"), ("other/x", "all:3"), ("acmeother/x", "all:3")],
)
def test_the_longest_path_wins(
    tmp_path: Path, env: dict[str, str], repository: str, expected: str
) -> None:
    auths = {
        "r.example.com": {"auth": encoded("all:3")},
        "r.example.com/acme": {"auth": encoded("acme:2")},
        "r.example.com/acme/x": {"auth": encoded("x:1")},
    }
    path = tmp_path / "auth.json"
    write(path, auths=auths)
    assert found("r.example.com", {**env, "REGISTRY_AUTH_FILE": str(path)}, repository) == expected


def test_the_order_of_the_files(tmp_path: Path) -> None:
    files = {
        "docker": tmp_path / "docker/config.json",
        "named": tmp_path / "named.json",
        "runtime": tmp_path / "run/containers/auth.json",
        "config": tmp_path / "config/containers/auth.json",
    }
    env = {
        "HOME": str(tmp_path),
        "DOCKER_CONFIG": str(tmp_path / "docker"),
        "REGISTRY_AUTH_FILE": str(files["named"]),
        "XDG_RUNTIME_DIR": str(tmp_path / "run"),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
    }
    for name, path in files.items():
        write(path, auths={"r.example.com": {"auth": encoded(f"{name}:1")}})
    for name, path in files.items():
        assert found("r.example.com", env) == f"{name}:1"
        # One that knows only others, or nothing, does not end the search.
        write(path, auths={"other.example.com": {"auth": encoded("other:1")}})
    assert found("r.example.com", env) is None


def test_podman_s_file_below_home(tmp_path: Path) -> None:
    auths = {"r.example.com": {"auth": encoded("a:b")}}
    write(tmp_path / ".config/containers/auth.json", auths=auths)
    assert found("r.example.com", {"HOME": str(tmp_path)}) == "a:b"


@pytest.mark.parametrize("pair", ["robot$acme+ci:p", "user:with:colons", "ü:ß", "AWS:x=="])
def test_odd_names_and_passwords(tmp_path: Path, env: dict[str, str], pair: str) -> None:
    write(tmp_path / "config.json", auths={"r.example.com": {"auth": encoded(pair)}})
    assert found("r.example.com", env) == pair


def test_zero_bytes_that_old_docker_padded_with(tmp_path: Path, env: dict[str, str]) -> None:
    write(tmp_path / "config.json", auths={"r.example.com": {"auth": encoded("a:b\0\0")}})
    assert found("r.example.com", env) == "a:b"


def test_name_and_password_in_clear(tmp_path: Path, env: dict[str, str]) -> None:
    auths = {"r.example.com": {"username": "a", "password": "b"}}
    write(tmp_path / "config.json", auths=auths)
    assert found("r.example.com", env) == "a:b"


def test_tokens(tmp_path: Path, env: dict[str, str]) -> None:
    entry = {"auth": encoded("0000:"), "identitytoken": "refresh"}
    auths = {"one.example.com": entry, "two.example.com": {"registrytoken": "access"}}
    write(tmp_path / "config.json", auths=auths)
    one = find_credentials("one.example.com", env)
    two = find_credentials("two.example.com", env)
    assert one is not None
    assert one.identity_token == "refresh"
    assert two is not None
    assert two.registry_token == "access"


@pytest.mark.parametrize("entry", [{}, {"auth": ""}, {"email": "x"}, None, "text"])
def test_an_entry_without_credentials_is_none(
    tmp_path: Path, env: dict[str, str], entry: object
) -> None:
    write(tmp_path / "config.json", auths={"r.example.com": entry})
    assert found("r.example.com", env) is None


@pytest.mark.parametrize("auth", ["!!!", encoded("no colon"), "w7w="])
def test_an_entry_that_cannot_be_read(tmp_path: Path, env: dict[str, str], auth: str) -> None:
    write(tmp_path / "config.json", auths={"r.example.com": {"auth": auth}})
    with pytest.raises(RegistryError) as caught:
        find_credentials("r.example.com", env)
    assert caught.value.code == "bad-credentials"
    assert auth not in caught.value.message


def test_a_file_that_is_no_json(tmp_path: Path, env: dict[str, str]) -> None:
    (tmp_path / "config.json").write_text('{"auths": {"r": {"auth": "hunter2"\n')
    with pytest.raises(UsageError) as caught:
        find_credentials("r.example.com", env)
    assert caught.value.code == "bad-credentials-file"
    assert "line 2" in caught.value.message
    assert caught.value.__cause__ is None, "the decoder's error carries the whole text"


def test_an_empty_file_and_none(tmp_path: Path, env: dict[str, str]) -> None:
    assert found("r.example.com", env) is None
    (tmp_path / "config.json").write_text("")
    assert found("r.example.com", env) is None


def test_credentials_do_not_show_their_secrets(tmp_path: Path, env: dict[str, str]) -> None:
    entry = {"auth": encoded("alice:hunter2"), "identitytoken": "hunter3", "registrytoken": "h4"}
    write(tmp_path / "config.json", auths={"r.example.com": entry})
    credentials = find_credentials("r.example.com", env)
    shown = f"{credentials} {credentials!r}"
    assert "alice" in shown
    assert str(tmp_path / "config.json") in shown
    assert not {"hunter2", "hunter3", "h4"} & set(shown.replace("'", " ").split())


def test_what_is_stored_is_found(tmp_path: Path, env: dict[str, str]) -> None:
    write(tmp_path / "config.json", auths={"https://r.example.com/v1/": {"auth": "x"}}, other=1)
    stored = store_credentials("r.example.com", "robot$x", "p:w", env)
    assert stored.encrypted is False
    assert found("r.example.com", env) == "robot$x:p:w"
    config = json.loads((tmp_path / "config.json").read_text())
    assert list(config["auths"]) == ["r.example.com"], "the old form is replaced"
    assert config["other"] == 1


def test_docker_hub_is_stored_where_docker_looks(tmp_path: Path, env: dict[str, str]) -> None:
    store_credentials("docker.io", "alice", "secret", env)
    config = json.loads((tmp_path / "config.json").read_text())
    assert list(config["auths"]) == ["https://index.docker.io/v1/"]
    assert erase_credentials("docker.io", env) == (f"`{tmp_path}/config.json`",)
    assert found("docker.io", env) is None


def test_nothing_is_written_where_nothing_was(tmp_path: Path, env: dict[str, str]) -> None:
    assert erase_credentials("r.example.com", env) == ()
    assert not (tmp_path / "config.json").exists()
