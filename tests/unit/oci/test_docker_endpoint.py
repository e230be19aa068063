"""Which engine docker's own command line would talk to."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from wasmctl.errors import UsageError
from wasmctl.oci.docker_endpoint import Endpoint, find_endpoint


def add_context(folder: Path, name: str, endpoint: Mapping[str, object], *, tls: bool) -> Path:
    """Write a context as docker does; return the folder of its certificates."""
    identity = hashlib.sha256(name.encode()).hexdigest()
    meta = folder / "contexts" / "meta" / identity
    meta.mkdir(parents=True)
    document = {"Name": name, "Metadata": {}, "Endpoints": {"docker": endpoint}}
    (meta / "meta.json").write_text(json.dumps(document))
    certificates = folder / "contexts" / "tls" / identity / "docker"
    if tls:
        certificates.mkdir(parents=True)
    return certificates


def test_the_usual_socket_when_nothing_is_said(tmp_path: Path) -> None:
    expected = Endpoint(host="unix:///var/run/docker.sock", origin="the default")
    assert expected == find_endpoint({"HOME": str(tmp_path)})


def test_docker_host_comes_first(tmp_path: Path) -> None:
    env = {"DOCKER_HOST": "tcp://10.0.0.1:2375", "DOCKER_CONTEXT": "x", "HOME": str(tmp_path)}
    assert find_endpoint(env) == Endpoint(host="tcp://10.0.0.1:2375", origin="DOCKER_HOST")


def test_tls_as_the_environment_wants_it(tmp_path: Path) -> None:
    env = {"DOCKER_HOST": "tcp://h:2376", "DOCKER_TLS_VERIFY": "1", "HOME": str(tmp_path)}
    endpoint = find_endpoint(env)
    assert (endpoint.certificates, endpoint.verify) == (tmp_path / ".docker", True)
    unverified = {**env, "DOCKER_TLS_VERIFY": "", "DOCKER_TLS": "1", "DOCKER_CERT_PATH": "/certs"}
    endpoint = find_endpoint(unverified)
    assert (endpoint.certificates, endpoint.verify) == (Path("/certs"), False)


def test_the_context_of_the_environment(tmp_path: Path) -> None:
    add_context(tmp_path, "far", {"Host": "ssh://me@far"}, tls=False)
    env = {"DOCKER_CONFIG": str(tmp_path), "DOCKER_CONTEXT": "far"}
    assert find_endpoint(env) == Endpoint(host="ssh://me@far", origin="docker's context `far`")


def test_the_context_that_was_chosen_with_its_certificates(tmp_path: Path) -> None:
    endpoint = {"Host": "tcp://far:2376", "SkipTLSVerify": True}
    certificates = add_context(tmp_path / ".docker", "far", endpoint, tls=True)
    (tmp_path / ".docker" / "config.json").write_text('{"currentContext": "far"}')
    found = find_endpoint({"HOME": str(tmp_path)})
    assert (found.host, found.certificates, found.verify) == ("tcp://far:2376", certificates, False)


def test_the_context_called_default_is_no_file(tmp_path: Path) -> None:
    env = {"DOCKER_CONTEXT": "default", "HOME": str(tmp_path)}
    assert find_endpoint(env).host == "unix:///var/run/docker.sock"


@pytest.mark.parametrize("text", [None, "", "[]", '{"Endpoints": {}}', '{"Endpoints": null}'])
def test_a_context_that_cannot_be_read(text: str | None, tmp_path: Path) -> None:
    if text is not None:
        add_context(tmp_path, "gone", {}, tls=False)
        (meta,) = tmp_path.glob("contexts/meta/*/meta.json")
        meta.write_text(text)
    env = {"DOCKER_CONFIG": str(tmp_path), "DOCKER_CONTEXT": "gone"}
    with pytest.raises(UsageError, match="`gone`, named by DOCKER_CONTEXT") as caught:
        find_endpoint(env)
    assert "docker context ls" in str(caught.value.hint)


@pytest.mark.parametrize("text", ["", "[]", '{"currentContext": 7}'])
def test_a_configuration_that_cannot_be_read_names_no_context(text: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(text)
    assert find_endpoint({"DOCKER_CONFIG": str(tmp_path)}).origin == "the default"
