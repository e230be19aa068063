"""How a registry lets us in, as a consumer meets it; and registries that would never end."""

from __future__ import annotations

import gzip
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest

from tests.integration.faults import FaultHandler, FaultyRegistry, dripping
from tests.integration.images import make_image
from tests.integration.layouts import LAYOUTS, OCI, layout, put
from tests.integration.registries import PASSWORD, USER, RunningRegistry
from tests.integration.tokens import TokenServer
from wasmctl.consumers.examine import Examined, examine_image
from wasmctl.errors import RegistryError, WasmctlError
from wasmctl.oci import pace
from wasmctl.oci.options import RegistryOptions
from wasmctl.oci.push import push_image
from wasmctl.oci.reference import parse_reference

pytestmark = pytest.mark.registry


def examine(ref: str, folder: Path, options: RegistryOptions | None = None) -> Examined:
    scratch = folder / "scratch"
    scratch.mkdir(exist_ok=True)
    options = options or RegistryOptions(env={"HOME": str(folder)})
    return examine_image(ref, folder=folder, options=options, scratch=scratch)


def push(registry: RunningRegistry, folder: Path, options: RegistryOptions) -> str:
    name = registry.new_name()
    push_image(
        make_image(folder / "made"),
        parse_reference(name, require_registry=True),
        tags=["1.0"],
        move_tag=False,
        options=options,
        advance=lambda _count: None,
    )
    return f"{name}:1.0"


def ids(examined: Examined) -> set[str]:
    return {finding.id for finding in examined.report.findings}


def verdict(examined: Examined, name: str) -> tuple[str, str]:
    (found,) = [it for it in examined.report.verdicts if it.target == name]
    return found.outcome.value, found.words


def test_nobody_asks_on_a_plain_registry(plain_registry: RunningRegistry, tmp_path: Path) -> None:
    examined = examine(push(plain_registry, tmp_path, RegistryOptions(env={})), tmp_path)
    access = examined.view.access
    assert access is not None
    assert (access.plain_http, access.challenge, access.signed_in) == (True, "", False)
    assert examined.module is not None
    assert verdict(examined, "istio") == ("accepts", "")


@pytest.mark.usefixtures("tokens")
def test_the_realm_of_a_token_server_inside_is_refused_by_istio_alone(
    token_registry: RunningRegistry, tokens: TokenServer, tmp_path: Path
) -> None:
    options = RegistryOptions(env={}, username=USER, password=PASSWORD)
    examined = examine(push(token_registry, tmp_path, options), tmp_path, options)
    access = examined.view.access
    assert access is not None
    assert access.signed_in
    assert f'realm="{tokens.url}/token"' in access.challenge
    assert verdict(examined, "istio")[0] == "refuses"
    assert verdict(examined, "istio")[1].endswith(
        "rejected unsafe bearer realm: realm targets private/loopback/link-local IP"
    )
    assert verdict(examined, "envoy-gateway")[0] == "accepts"
    assert "image-realm-refused" in ids(examined)


def test_without_credentials_the_registry_s_no_is_an_error(
    password_registry: RunningRegistry, tmp_path: Path
) -> None:
    name = push(
        password_registry, tmp_path, RegistryOptions(env={}, username=USER, password=PASSWORD)
    )
    with pytest.raises(RegistryError) as caught:
        examine(name, tmp_path)
    assert caught.value.code == "unauthorized"


def test_a_certificate_of_our_own_trust_is_warned_of(
    tls_registry: RunningRegistry, tmp_path: Path
) -> None:
    options = RegistryOptions(env={}, ca_file=tls_registry.ca_file)
    examined = examine(push(tls_registry, tmp_path, options), tmp_path, options)
    assert "image-registry-of-own-ca" in ids(examined)
    assert verdict(examined, "istio")[0] == "accepts"


def test_a_manifest_of_ten_megabytes_is_an_error(
    faulty_registry: FaultyRegistry, tmp_path: Path
) -> None:
    def large(handler: FaultHandler) -> None:
        handler.answer(200, {"Content-Type": "application/json"}, b'{"x": "' + b"x" * 10_000_000)

    name = put(faulty_registry.new_name(), "1.0", LAYOUTS["oci"])
    faulty_registry.fault("GET .*/manifests/", large)
    with pytest.raises(RegistryError, match="more than 4194304 bytes"):
        examine(name, tmp_path)


def test_a_layer_that_drips_is_an_error(
    faulty_registry: FaultyRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "_GRACE", 1.0)
    name = put(faulty_registry.new_name(), "1.0", LAYOUTS["oci"])
    faulty_registry.fault("GET .*/blobs/", dripping)
    started = time.monotonic()
    with pytest.raises(WasmctlError, match="too slowly"):
        examine(name, tmp_path)
    assert time.monotonic() - started < 10


_BOMB = """
import sys
from pathlib import Path
from wasmctl.consumers.examine import examine_image
from wasmctl.oci.options import RegistryOptions

folder = Path(sys.argv[2])
examined = examine_image(
    sys.argv[1], folder=folder, options=RegistryOptions(env={}), scratch=folder
)
print([verdict.outcome.value for verdict in examined.report.verdicts][0], end=" ")
print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
"""


def peak(ref: str, folder: Path) -> tuple[str, int]:
    """Return Istio's verdict, and the peak memory of a process that examines an image, in KiB."""
    folder.mkdir()
    argv = [sys.executable, "-c", _BOMB, ref, str(folder)]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=120)
    outcome, memory = done.stdout.split()
    return outcome, int(memory)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_layer_bombs_take_no_memory(plain_registry: RunningRegistry, tmp_path: Path) -> None:
    """Three layers that unpack to 300 MiB each, more than anybody follows."""
    info = tarfile.TarInfo("x")
    info.size = 300 * 1024 * 1024 + 1
    bomb = gzip.compress(info.tobuf(tarfile.USTAR_FORMAT) + bytes(300 * 1024 * 1024), 1)
    given = layout((OCI, bomb), (OCI, bomb[:-1]), (OCI, bomb))
    bombs = put(plain_registry.new_name(), "1.0", given)
    small = put(plain_registry.new_name(), "1.0", LAYOUTS["oci"])
    outcome, memory = peak(bombs, tmp_path / "bombs")
    assert outcome == "refuses"
    assert memory - peak(small, tmp_path / "small")[1] <= 30_000
