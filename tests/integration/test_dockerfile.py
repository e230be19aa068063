"""The Dockerfile: built on a bare Debian, run as somebody else than root."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.integration.docker_engine import Engine

pytestmark = [pytest.mark.docker, pytest.mark.base_image, pytest.mark.timeout(900)]

CACHE = Path(
    os.environ.get("WASMCTL_TEST_CACHE")
    or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wasmctl-tests"
)


@pytest.fixture(scope="module")
def image(docker_engine: Engine) -> Iterator[str]:
    """The image's name in the engine."""
    docker_engine.docker("import", str(CACHE / "base-image.tar"), "wasmctl-test-base")
    env = {**os.environ, "DOCKER_HOST": docker_engine.host, "DOCKER_BUILDKIT": "0"}
    argv = ["docker", "build", "--network=host", "--build-arg=BASE=wasmctl-test-base"]
    done = subprocess.run(
        [*argv, "--tag=wasmctl-test", str(ROOT)],
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    yield "wasmctl-test"
    docker_engine.docker("image", "rm", "--force", "wasmctl-test", "wasmctl-test-base")


def test_it_runs_as_nobody_special(image: str, docker_engine: Engine) -> None:
    said = docker_engine.docker("run", "--rm", "--entrypoint=id", image, "-u")
    assert said.strip() == "10001"


def test_the_go_road_runs_in_it_and_the_files_stay_the_users_own(
    image: str, docker_engine: Engine, tmp_path: Path
) -> None:
    tmp_path.chmod(0o755)
    os.chown(tmp_path, 4242, 4242)
    said = docker_engine.docker(
        "run", "--rm", "--network=host", "--user=4242:4242", f"--volume={tmp_path}:/work",
        image, "quickstart", "hello", "--json",
    )  # fmt: skip
    assert json.loads(said)["status"] == "success"
    module = tmp_path / "hello/dist/plugin.wasm"
    assert module.read_bytes()[:4] == b"\0asm"
    assert module.stat().st_uid == 4242
