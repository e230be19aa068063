"""Real registries of the tests' own: docker-registry on loopback in its several set-ups.

A test that uses one is marked `registry`. Repositories are the test's to name: take a new one.
"""

from __future__ import annotations

import base64
import http.client
import json
import re
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.integration.faults import FaultyRegistry
from tests.integration.tokens import TokenServer

_START_SECONDS = 20

USER = "alice"
# What a shell, a URL or a naive template would trip over.
PASSWORD = "pa$$:w@rd/%20ü"
ROBOT = "robot$acme+ci"


@dataclass(frozen=True)
class RunningRegistry:
    """A docker-registry that serves.

    `host` is its host and port, `log` what it wrote, `ca_file` the authority of its certificate,
    `tokens` its token server.
    """

    host: str
    log: Path
    ca_file: Path | None = None
    tokens: TokenServer | None = None

    def new_name(self) -> str:
        """Return `HOST/REPOSITORY` of a repository that nobody else uses."""
        return f"{self.host}/acme/{uuid.uuid4().hex[:12]}"

    def requests(self, repository: str) -> list[tuple[str, str, int]]:
        """Return (method, path, status) of every request for a repository so far."""
        found = re.findall(r'"([A-Z]+) (/v2/\S*) HTTP/1\.\d" (\d+)', self.log.read_text())
        return [
            (method, path, int(status))
            for method, path, status in found
            if path.startswith(f"/v2/{repository}/")
        ]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _serve(folder: Path, **sections: object) -> Iterator[RunningRegistry]:
    """Run a docker-registry; `sections` are those of its configuration (YAML takes JSON)."""
    folder.mkdir(parents=True, exist_ok=True)
    host = f"127.0.0.1:{free_port()}"
    http_section = sections.pop("http", {})
    assert isinstance(http_section, Mapping)
    document = {
        "version": 0.1,
        "log": {"accesslog": {"disabled": False}, "level": "error"},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
        "http": {"addr": host, **http_section},
        **sections,
    }
    config = folder / "config.yml"
    config.write_text(json.dumps(document))
    log = folder / "log"
    with log.open("wb") as sink:
        process = subprocess.Popen(
            ["docker-registry", "serve", str(config)], stdout=sink, stderr=sink
        )
    try:
        _wait(process, host, log)
        yield RunningRegistry(host=host, log=log)
    finally:
        process.terminate()
        process.wait(10)


def _wait(process: subprocess.Popen[bytes], host: str, log: Path) -> None:
    name, _, port = host.partition(":")
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection((name, int(port)), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    pytest.fail(f"docker-registry did not start:\n{log.read_text()[-2000:]}")


@pytest.fixture(scope="session")
def plain_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRegistry]:
    """A registry that speaks plain HTTP and asks nobody who they are."""
    yield from _serve(tmp_path_factory.mktemp("plain-registry"))


@pytest.fixture(scope="session")
def password_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRegistry]:
    """A plain registry that wants `USER` or `ROBOT` with `PASSWORD`, by Basic."""
    folder = tmp_path_factory.mktemp("password-registry")
    lines = [
        subprocess.run(
            ["htpasswd", "-niB", "-C", "4", user],
            input=PASSWORD.encode(),
            capture_output=True,
            check=True,
        ).stdout.decode()
        for user in (USER, ROBOT)
    ]
    (folder / "htpasswd").write_text("".join(line.strip() + "\n" for line in lines))
    auth = {"htpasswd": {"realm": "test realm, with a comma", "path": str(folder / "htpasswd")}}
    yield from _serve(folder, auth=auth)


@pytest.fixture(scope="session")
def tls_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRegistry]:
    """A registry that speaks TLS with a certificate of an authority nobody knows."""
    folder = tmp_path_factory.mktemp("tls-registry")
    make_certificate(folder, name="127.0.0.1")
    tls = {"certificate": str(folder / "cert.pem"), "key": str(folder / "key.pem")}
    for running in _serve(folder, http={"tls": tls}):
        yield RunningRegistry(host=running.host, log=running.log, ca_file=folder / "ca.pem")


@pytest.fixture(scope="session")
def token_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRegistry]:
    """A plain registry that wants a bearer token of a token server beside it."""
    folder = tmp_path_factory.mktemp("token-registry")
    make_certificate(folder, name="tokens")
    with TokenServer(folder, users={USER: PASSWORD, ROBOT: PASSWORD}) as tokens:
        auth = {
            "token": {
                "realm": f"{tokens.url}/token",
                "service": tokens.service,
                "issuer": tokens.issuer,
                "rootcertbundle": str(folder / "ca.pem"),
            }
        }
        for running in _serve(folder, auth=auth):
            yield RunningRegistry(host=running.host, log=running.log, tokens=tokens)


@pytest.fixture
def tokens(token_registry: RunningRegistry) -> Iterator[TokenServer]:
    """The token server of `token_registry`, its settings back to the usual afterwards."""
    assert token_registry.tokens is not None
    token_registry.tokens.reset()
    yield token_registry.tokens
    token_registry.tokens.reset()


@pytest.fixture
def faulty_registry(plain_registry: RunningRegistry) -> Iterator[FaultyRegistry]:
    """`plain_registry`, reached through something that misbehaves as it is told."""
    with FaultyRegistry(plain_registry.host) as faulty:
        yield faulty


def make_certificate(folder: Path, *, name: str, days: int = 2) -> None:
    """Make an authority (ca.pem) and a certificate of `name` (cert.pem, key.pem)."""
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    kind = "IP" if re.fullmatch(r"[\d.]+", name) else "DNS"
    _openssl(
        "req", "-x509", *key, "-subj", "/CN=wasmctl test CA", "-days", "2",
        "-keyout", folder / "ca-key.pem", "-out", folder / "ca.pem",
    )  # fmt: skip
    _openssl(
        "req", *key, "-subj", f"/CN={name}",
        "-addext", "basicConstraints=critical,CA:FALSE", "-addext", f"subjectAltName={kind}:{name}",
        "-keyout", folder / "key.pem", "-out", folder / "request.pem",
    )  # fmt: skip
    _openssl(
        "x509", "-req", "-in", folder / "request.pem", "-days", str(days),
        "-CA", folder / "ca.pem", "-CAkey", folder / "ca-key.pem", "-copy_extensions", "copy",
        "-out", folder / "cert.pem",
    )  # fmt: skip


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


@dataclass
class DockerConfig:
    """A docker configuration folder of a test's own."""

    folder: Path
    env: dict[str, str] = field(default_factory=dict)

    def write(self, **config: object) -> Path:
        path = self.folder / "config.json"
        path.write_text(json.dumps(config))
        return path

    def read(self) -> dict[str, object]:
        document: dict[str, object] = json.loads((self.folder / "config.json").read_text())
        return document


def encoded(username: str, password: str) -> str:
    """Return the `auth` of docker's configuration."""
    return base64.b64encode(f"{username}:{password}".encode()).decode()


@pytest.fixture
def docker_config(tmp_path: Path) -> DockerConfig:
    """An empty docker configuration, and an environment that leads to it alone."""
    folder = tmp_path / "docker"
    folder.mkdir()
    return DockerConfig(folder, {"HOME": str(tmp_path), "DOCKER_CONFIG": str(folder)})


def ask(host: str, method: str, path: str) -> int:
    """Return the status of one bare request."""
    connection = http.client.HTTPConnection(host, timeout=10)
    try:
        connection.request(method, path)
        return connection.getresponse().status
    finally:
        connection.close()
