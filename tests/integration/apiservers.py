"""A real Kubernetes API server over a real etcd, on loopback, with the CRDs of the meshes.

A test that uses it is marked `apiserver`. Namespaces are the test's to name: take a new one.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import ssl
import subprocess
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT

# Laid beside a checkout, in CI too; data of other projects, which the repository does not hold.
CRDS = ROOT.parent / "shared/crds"
_TOKEN = "test-token"
_START_SECONDS = 60
Json = dict[str, Any]


class ApiServer:
    """A running kube-apiserver; `kubeconfig` leads kubectl to it as an administrator."""

    def __init__(self, folder: Path, port: int) -> None:
        self.port = port
        self.certificate = folder / "certificates/apiserver.crt"
        self.kubeconfig = folder / "kubeconfig"
        self._connection: http.client.HTTPSConnection | None = None

    def ask(
        self, method: str, path: str, body: object = None, *, content: str = "application/json"
    ) -> tuple[int, Json]:
        """Return the status and the document of one request."""
        if self._connection is None:
            context = ssl.create_default_context(cafile=str(self.certificate))
            self._connection = http.client.HTTPSConnection(
                "127.0.0.1", self.port, timeout=30, context=context
            )
        headers = {"Authorization": f"Bearer {_TOKEN}", "Content-Type": content}
        raw = None if body is None else json.dumps(body, ensure_ascii=False).encode()
        try:
            self._connection.request(method, path, body=raw, headers=headers)
            answer = self._connection.getresponse()
            text = answer.read()
        except BaseException:
            self.close()
            raise
        try:
            return answer.status, json.loads(text)
        except ValueError:
            return answer.status, {"message": text.decode(errors="replace")}

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def new_namespace(self) -> str:
        """Make a namespace that nobody else uses; return its name."""
        name = f"ns-{uuid.uuid4().hex[:12]}"
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        status, answer = self.ask("POST", "/api/v1/namespaces", body)
        assert status == 201, answer
        return name

    def apply(self, document: Mapping[str, Any]) -> tuple[int, Json]:
        """Apply an object server-side, strictly; return the status and what the server says."""
        query = "fieldManager=test&fieldValidation=Strict"
        path = f"{self.path_of(document)}?{query}"
        return self.ask("PATCH", path, document, content="application/apply-patch+yaml")

    def read(self, document: Mapping[str, Any]) -> Json:
        """Return the object as the server keeps it, without what the server added."""
        status, found = self.ask("GET", self.path_of(document))
        assert status == 200, found
        found["metadata"] = {
            key: value
            for key, value in found["metadata"].items()
            if key in {"name", "namespace", "labels", "annotations"}
        }
        return found

    def path_of(self, document: Mapping[str, Any]) -> str:
        """Return where the server has an object."""
        version, kind = document["apiVersion"], document["kind"]
        metadata = document["metadata"]
        root = f"/api/{version}" if "/" not in version else f"/apis/{version}"
        plural = f"{kind.lower().removesuffix('y')}{'ies' if kind.endswith('y') else 's'}"
        return f"{root}/namespaces/{metadata['namespace']}/{plural}/{metadata['name']}"

    def kubectl(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run kubectl against the server."""
        return subprocess.run(
            ["kubectl", *arguments],
            env={**os.environ, "KUBECONFIG": str(self.kubeconfig)},
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture(scope="session")
def api_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """An API server that knows the meshes' kinds, and no mesh: no webhook of theirs is asked."""
    if not CRDS.is_dir():
        pytest.skip(f"no CRDs in {CRDS}")
    folder = tmp_path_factory.mktemp("apiserver")
    etcd_port, peer_port, port = _free_ports(3)
    services = [_start_etcd(folder, etcd_port, peer_port)]
    try:
        services.append(_start_api_server(folder, etcd_port, port))
        server = ApiServer(folder, port)
        _wait_until_ready(server, services, folder)
        _write_kubeconfig(server)
        _apply_crds(server)
        yield server
        server.close()
    finally:
        # Nothing of theirs is kept, and a server takes its time to end well.
        for service in services:
            service.kill()
            service.wait()


def _free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def _start(folder: Path, argv: list[str]) -> subprocess.Popen[bytes]:
    with (folder / f"{argv[0]}.log").open("wb") as log:
        return subprocess.Popen(argv, stdout=log, stderr=log)


def _start_etcd(folder: Path, port: int, peer_port: int) -> subprocess.Popen[bytes]:
    url, peer_url = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{peer_port}"
    argv = [
        "etcd",
        f"--data-dir={folder}/etcd",
        f"--listen-client-urls={url}",
        f"--advertise-client-urls={url}",
        f"--listen-peer-urls={peer_url}",
        f"--initial-advertise-peer-urls={peer_url}",
        f"--initial-cluster=default={peer_url}",
    ]
    return _start(folder, argv)


def _start_api_server(folder: Path, etcd_port: int, port: int) -> subprocess.Popen[bytes]:
    key = folder / "service-accounts.pem"
    subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
    tokens = folder / "tokens.csv"
    tokens.write_text(f'{_TOKEN},admin,1,"system:masters"\n')
    argv = [
        "kube-apiserver",
        f"--etcd-servers=http://127.0.0.1:{etcd_port}",
        f"--secure-port={port}",
        "--bind-address=127.0.0.1",
        f"--service-account-key-file={key}",
        f"--service-account-signing-key-file={key}",
        "--service-account-issuer=https://kubernetes.default.svc",
        "--service-cluster-ip-range=10.0.0.0/24",
        f"--token-auth-file={tokens}",
        "--authorization-mode=RBAC",
        f"--cert-dir={folder}/certificates",
        "--disable-admission-plugins=ServiceAccount",
    ]
    return _start(folder, argv)


def _wait_until_ready(
    server: ApiServer, services: list[subprocess.Popen[bytes]], folder: Path
) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and all(service.poll() is None for service in services):
        try:
            if server.ask("GET", "/readyz")[0] == 200:
                return
        except OSError:
            pass
        time.sleep(0.05)
    logs = [path.read_text(errors="replace")[-1500:] for path in sorted(folder.glob("*.log"))]
    pytest.fail("the API server did not start:\n" + "\n".join(logs))


def _write_kubeconfig(server: ApiServer) -> None:
    cluster = {
        "server": f"https://127.0.0.1:{server.port}",
        "certificate-authority": str(server.certificate),
    }
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": cluster}],
        "users": [{"name": "admin", "user": {"token": _TOKEN}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}],
        "current-context": "test",
    }
    server.kubeconfig.write_text(json.dumps(document))


def _apply_crds(server: ApiServer) -> None:
    """Apply the CRDs and wait until their kinds are served."""
    definitions: list[Json] = [
        document
        for path in sorted(CRDS.glob("*.yaml"))
        for document in yaml.load_all(path.read_text(encoding="utf-8"), _Loader)
        if document is not None
    ]
    place = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    for definition in definitions:
        path = f"{place}/{definition['metadata']['name']}?fieldManager=test"
        status, answer = server.ask(
            "PATCH", path, definition, content="application/apply-patch+yaml"
        )
        assert status in {200, 201}, answer
    deadline = time.monotonic() + _START_SECONDS
    while definitions and time.monotonic() < deadline:
        spec = definitions[-1]["spec"]
        version = next(item["name"] for item in spec["versions"] if item["served"])
        path = f"/apis/{spec['group']}/{version}/{spec['names']['plural']}"
        if server.ask("GET", path)[0] == 200:
            definitions.pop()
        else:
            time.sleep(0.02)
    assert not definitions, "the API server does not serve the CRDs' kinds"


# libyaml's reads the long schemas in a tenth of the time.
_Loader = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
