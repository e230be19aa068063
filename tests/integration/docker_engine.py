"""A Docker engine of the tests' own: on a socket in a temporary folder, gone afterwards."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

_START_SECONDS = 60


@dataclass(frozen=True)
class Engine:
    """A running dockerd.

    `host` is its socket, `tls_host` the same engine behind TLS with the client's certificates in
    `certificates` (ca.pem, cert.pem, key.pem, as docker names them).
    """

    host: str
    tls_host: str
    certificates: Path

    def docker(self, *arguments: str) -> str:
        """Run docker's own command line against the engine; return what it printed."""
        env = {**os.environ, "DOCKER_HOST": self.host}
        done = subprocess.run(
            ["docker", *arguments], env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="session")
def docker_engine() -> Iterator[Engine]:
    """A Docker engine that pushes and never reaches out for images; needs the `docker` marker."""
    # A socket's path has at most 107 bytes, pytest's temporary folders are deeper than that.
    folder = Path(tempfile.mkdtemp(prefix="wasmctl-dockerd-", dir="/tmp"))
    certificates = folder / "certificates"
    _make_certificates(certificates)
    (folder / "daemon.json").write_text("{}")  # and not the machine's
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    engine = Engine(
        host=f"unix://{folder}/docker.sock",
        tls_host=f"tcp://127.0.0.1:{port}",
        certificates=certificates,
    )
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(_argv(folder, engine), stdout=log, stderr=log)
    try:
        _wait(process, folder, engine)
        yield engine
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        # What containers with the host's network leave behind; a mount point cannot be removed.
        subprocess.run(["umount", f"{folder}/exec/netns/default"], capture_output=True, check=False)
        shutil.rmtree(folder, ignore_errors=True)


def _argv(folder: Path, engine: Engine) -> list[str]:
    server = engine.certificates / "server"
    return [
        "dockerd",
        "--iptables=false",
        "--bridge=none",
        f"--data-root={folder}/data",
        f"--exec-root={folder}/exec",
        f"--pidfile={folder}/pid",
        f"--config-file={folder}/daemon.json",
        f"--host={engine.host}",
        f"--host={engine.tls_host}",
        "--tlsverify",
        f"--tlscacert={engine.certificates}/ca.pem",
        f"--tlscert={server}/cert.pem",
        f"--tlskey={server}/key.pem",
    ]


def _wait(process: subprocess.Popen[bytes], folder: Path, engine: Engine) -> None:
    deadline = time.monotonic() + _START_SECONDS
    path = engine.host.removeprefix("unix://")
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(2)
            try:
                client.connect(path)
                client.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
                if b" 200 " in client.recv(64):
                    return
            except OSError:
                pass
        time.sleep(0.1)
    pytest.fail(f"dockerd did not start:\n{(folder / 'log').read_text(errors='replace')[-3000:]}")


def _make_certificates(folder: Path) -> None:
    """Make an authority (ca.pem), a client's certificate beside it, and server/ for the engine."""
    (folder / "server").mkdir(parents=True)
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    _openssl(
        "req", "-x509", *key, "-subj", "/CN=test engine CA",
        "-keyout", folder / "ca-key.pem", "-out", folder / "ca.pem",
    )  # fmt: skip
    for place, usage in ((folder, "clientAuth"), (folder / "server", "serverAuth")):
        _openssl(
            "req", "-x509", *key, "-subj", "/CN=127.0.0.1",
            "-CA", folder / "ca.pem", "-CAkey", folder / "ca-key.pem",
            "-addext", "basicConstraints=critical,CA:FALSE",
            "-addext", "subjectAltName=IP:127.0.0.1", "-addext", f"extendedKeyUsage={usage}",
            "-keyout", place / "key.pem", "-out", place / "cert.pem",
        )  # fmt: skip


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)
