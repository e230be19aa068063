"""An Envoy out of an image, in a real Docker engine."""

from __future__ import annotations

import asyncio
import io
import json
import re
import subprocess
import sys
import tarfile
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.integration.docker_engine import Engine
from wasmctl.console import Console
from wasmctl.envoy.barrier import barrier_module
from wasmctl.envoy.bootstrap import Listener, WasmPlugin
from wasmctl.envoy.envoy import Envoy
from wasmctl.envoy.find import find_envoy
from wasmctl.envoy.proxy import Loaded, Rejected, running
from wasmctl.errors import ProxyError
from wasmctl.process import serving
from wasmctl.session import Session
from wasmctl.wire.client import exchange
from wasmctl.wire.messages import Request

pytestmark = [pytest.mark.docker, pytest.mark.envoy]

IMAGE = "envoy-of-tests:1"
ADMIN = {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}}}
# What a wasmctl that is killed had been doing.
SERVE = """
import json, os, sys, time
from pathlib import Path
from wasmctl.process import serving

folder = Path(sys.argv[1])
with serving(json.loads(sys.argv[2]), env=dict(os.environ), cwd=folder, output=folder / "log"):
    time.sleep(60)
"""


def session(env: Mapping[str, str]) -> Session:
    console = Console(out=io.StringIO(), err=io.StringIO())
    return Session(env=env, cwd=ROOT, console=console)


@pytest.fixture(scope="module")
def image(docker_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An image with an Envoy and the libraries that it needs, and no shell: as the distroless."""
    console = Console(out=io.StringIO(), err=io.StringIO())
    folder = tmp_path_factory.mktemp("image")
    env = {"HOME": str(folder), "PATH": "/usr/bin:/bin"}
    (binary,) = find_envoy(Session(env=env, cwd=ROOT, console=console), None).command
    listed = subprocess.run(["ldd", binary], capture_output=True, text=True, check=True).stdout
    archive = folder / "image.tar"
    with tarfile.open(archive, "w", dereference=True) as files:
        files.add(binary, "usr/local/bin/envoy")
        for library in re.findall(r"(/\S+) \(0x", listed):
            files.add(library, library.lstrip("/"))
    docker_engine.docker("import", str(archive), IMAGE)
    return IMAGE


@pytest.fixture
def env(docker_engine: Engine, user_env: dict[str, str]) -> dict[str, str]:
    return {**user_env, "DOCKER_HOST": docker_engine.host, "SECRET": "of the user"}


@pytest.fixture
def envoy(image: str, env: dict[str, str]) -> Envoy:
    return find_envoy(session(env), f"docker:{image}")


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    folder.mkdir(mode=0o700)
    (folder / "bootstrap.json").write_text(json.dumps({"admin": ADMIN}))
    return folder


def argv(envoy: Envoy, folder: Path) -> tuple[str, ...]:
    address = str(folder / "admin.address")
    arguments = ["-c", str(folder / "bootstrap.json"), "--admin-address-path", address]
    return envoy.argv([*arguments, "--disable-hot-restart"], folder)


def containers(engine: Engine) -> list[str]:
    return engine.docker("ps", "--all", "--quiet").split()


def wait_for_address(folder: Path) -> str:
    deadline = time.monotonic() + 20
    path = folder / "admin.address"
    while not path.exists() or not path.read_text():
        assert time.monotonic() < deadline, (folder / "log").read_text()
        time.sleep(0.02)
    return path.read_text()


def test_it_serves_on_our_network_from_our_folder_and_ends_with_us(
    envoy: Envoy, env: dict[str, str], docker_engine: Engine, run_folder: Path
) -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", envoy.version)
    assert envoy.origin == f"docker:{IMAGE}"
    command = argv(envoy, run_folder)
    with serving(command, env=env, cwd=run_folder, output=run_folder / "log") as service:
        address = wait_for_address(run_folder)
        with urllib.request.urlopen(f"http://{address}/server_info") as answer:
            assert f"/{envoy.version}/" in json.load(answer)["version"]
        (container,) = containers(docker_engine)
        (told,) = json.loads(docker_engine.docker("inspect", container))
        assert not [entry for entry in told["Config"]["Env"] or [] if "SECRET" in entry]
        assert [mount["Source"] for mount in told["Mounts"]] == [str(run_folder)]
        started = time.monotonic()
        service.stop()
        assert time.monotonic() - started < 20
    wait_until_gone(docker_engine)


def test_a_plug_in_is_loaded_into_it(
    envoy: Envoy, env: dict[str, str], docker_engine: Engine, tmp_path: Path
) -> None:
    module = tmp_path / "plugin.wasm"
    module.write_bytes(barrier_module())
    listener = Listener(name="one", kind="http", plugins=(WasmPlugin(name="one", module=module),))

    async def load() -> tuple[Loaded | Rejected, int]:
        async with running(envoy, folder=tmp_path, env=env) as proxy:
            outcome = (await proxy.load([listener]))["one"]
            host, port = proxy.addresses["one"]
            answer = await exchange(host, port, Request(method="GET", path="/"), timeout=5)
            return outcome, answer.status

    outcome, status = asyncio.run(load())
    assert isinstance(outcome, Loaded), outcome
    assert status == 200
    wait_until_gone(docker_engine)


def wait_until_gone(engine: Engine) -> None:
    deadline = time.monotonic() + 10
    while containers(engine):
        assert time.monotonic() < deadline, "the container is still there"
        time.sleep(0.1)


def test_the_container_ends_with_a_wasmctl_that_is_killed(
    envoy: Envoy, env: dict[str, str], docker_engine: Engine, run_folder: Path
) -> None:
    command = json.dumps(argv(envoy, run_folder))
    child = subprocess.Popen(
        [sys.executable, "-c", SERVE, str(run_folder), command],
        env={**env, "PYTHONPATH": str(ROOT)},
    )
    wait_for_address(run_folder)
    assert containers(docker_engine)
    child.kill()
    child.wait()
    wait_until_gone(docker_engine)


def test_what_the_image_holds_is_asked_once(image: str, env: dict[str, str]) -> None:
    envoy = find_envoy(session(env), f"docker:{image}")
    file = Path(env["HOME"], ".cache/wasmctl/envoy/binaries.json")
    memory = file.read_text()
    assert memory.count(envoy.version) == 1
    file.write_text(memory.replace(envoy.version, "1.99.0"))
    # It is believed, and no container started.
    assert find_envoy(session(env), f"docker:{image}").version == "1.99.0"


def test_an_image_that_cannot_be_had_is_told_with_docker_s_words(env: dict[str, str]) -> None:
    with pytest.raises(ProxyError) as caught:
        find_envoy(session(env), "docker:127.0.0.1:9/no/such:1")
    assert caught.value.code == "no-such-envoy"
    assert "127.0.0.1:9" in caught.value.output
    assert "`--envoy 1.40`" in (caught.value.hint or "")


def test_an_image_without_envoy_is_told(
    docker_engine: Engine, env: dict[str, str], tmp_path: Path
) -> None:
    archive = tmp_path / "image.tar"
    with tarfile.open(archive, "w") as files:
        files.add(__file__, "readme")
    docker_engine.docker("import", str(archive), "nothing-in-it:1")
    with pytest.raises(ProxyError) as caught:
        find_envoy(session(env), "docker:nothing-in-it:1")
    assert caught.value.code == "envoy-not-runnable"
    assert "`nothing-in-it:1` does not run here, or is no Envoy" in caught.value.message


def test_without_an_engine_docker_s_words_are_shown(env: dict[str, str]) -> None:
    env["DOCKER_HOST"] = "unix:///nowhere/docker.sock"
    with pytest.raises(ProxyError) as caught:
        find_envoy(session(env), "docker:1.40")
    assert caught.value.exit_code == 7
    assert "/nowhere/docker.sock" in caught.value.output


def test_without_docker_a_release_is_offered(env: dict[str, str]) -> None:
    env["PATH"] = "/nowhere"
    with pytest.raises(ProxyError) as caught:
        find_envoy(session(env), "docker:1.40")
    assert caught.value.code == "no-docker"
