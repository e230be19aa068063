"""A push that is interrupted while a credential helper still thinks."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from tests.conftest import WASMCTL
from tests.integration.registries import RunningRegistry

MODULE = b"\0asm\1\0\0\0"


@pytest.mark.registry
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_credential_helper_is_not_left_behind(
    number: signal.Signals,
    user_env: dict[str, str],
    tmp_path: Path,
    password_registry: RunningRegistry,
) -> None:
    (tmp_path / "go.mod").write_text("module x\n\ngo 1.24\n")
    (tmp_path / "main.go").write_text("package main\n\nfunc main() {}\n")
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist/plugin.wasm").write_bytes(MODULE)
    helper = tmp_path / "bin/docker-credential-slow"
    helper.parent.mkdir()
    helper.write_text("#!/bin/sh\nexec sleep 98765\n")
    helper.chmod(0o755)
    (tmp_path / "docker").mkdir()
    (tmp_path / "docker/config.json").write_text(json.dumps({"credsStore": "slow"}))
    env = {
        **user_env,
        "DOCKER_CONFIG": str(tmp_path / "docker"),
        "PATH": f"{helper.parent}:{user_env['PATH']}",
    }

    def sleepers() -> list[psutil.Process]:
        return [
            process
            for process in psutil.process_iter(["cmdline"])
            if process.info["cmdline"] == ["sleep", "98765"]
            and process.status() != psutil.STATUS_ZOMBIE
        ]

    argv: list[str | Path] = [WASMCTL, "push", "--no-build", f"{password_registry.host}/a/b:1"]
    child = subprocess.Popen(argv, cwd=tmp_path, env=env, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 20
    while not sleepers() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert sleepers(), "the helper was never asked"
    child.send_signal(number)
    _, talk = child.communicate(timeout=20)
    assert child.returncode == 130, talk
    assert talk.splitlines()[-1] == "error: interrupted"
    assert not sleepers()
