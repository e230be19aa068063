"""What every test shares: where the tools are, and what becomes of a test whose tool is absent.

A test that needs a tool is marked with its name. Where the tool is absent the test is skipped with
the reason; `WASMCTL_REQUIRE=all` (as in CI) makes that a failure.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# The services that integration tests share.
pytest_plugins = [
    f"tests.integration.{name}"
    for name in (
        "docker_engine",
        "registries",
        "modules",
        "case_runs",
        "fetchers",
        "apiservers",
    )
    if (ROOT / f"tests/integration/{name}.py").exists()
]
WASMCTL = Path(sys.executable).parent / "wasmctl"


@cache
def _installed_targets(toolchain: str) -> frozenset[str]:
    rustc = shutil.which("rustc") or str(Path.home() / ".cargo/bin/rustc")
    argv = [rustc, *([f"+{toolchain}"] if toolchain else []), "--print", "sysroot"]
    try:
        said = subprocess.run(argv, capture_output=True, text=True, check=False)
    except OSError:
        return frozenset()
    library = Path(said.stdout.strip()) / "lib/rustlib"
    if said.returncode != 0 or not library.is_dir():
        return frozenset()
    return frozenset(path.name for path in library.iterdir() if (path / "lib").is_dir())


def _lacks_program(*names: str) -> Callable[[], str]:
    def lacks() -> str:
        missing = [name for name in names if shutil.which(name) is None]
        return f"no {', '.join(missing)} on PATH" if missing else ""

    return lacks


def _lacks_targets(toolchain: str, *wanted: str) -> Callable[[], str]:
    def lacks() -> str:
        missing = sorted(set(wanted) - _installed_targets(toolchain))
        return f"no Rust {toolchain or 'default'} with {', '.join(missing)}" if missing else ""

    return lacks


def _lacks_tinygo() -> str:
    missing = [
        version
        for version in ("0.31.2", "0.39.0")
        if not Path(f"/opt/tinygo-{version}/bin/tinygo").exists()
    ]
    return f"no TinyGo {', '.join(missing)} in /opt" if missing else ""


def _lacks_envoy() -> str:
    beside = Path(sys.executable).parent / "envoy"
    return "" if beside.exists() or shutil.which("envoy") else "no envoy"


def _lacks_engine() -> str:
    if os.geteuid() != 0:
        return "dockerd needs root"
    return _lacks_program("dockerd", "docker")()


def _lacks_root() -> str:
    return "" if os.geteuid() == 0 else "not root"


# Marker → what is missing for it; empty: nothing.
NEEDS: Mapping[str, Callable[[], str]] = {
    "cargo": _lacks_targets("", "wasm32-wasip1", "wasm32-unknown-unknown"),
    "old_rust": _lacks_targets("1.77.2", "wasm32-wasi"),
    "tinygo": _lacks_tinygo,
    "go": _lacks_program("go"),
    "registry": _lacks_program("docker-registry"),
    "docker": _lacks_engine,
    "compose": _lacks_program("docker-compose"),
    "base_image": _lacks_program("debootstrap"),
    "binaryen": _lacks_program("wasm-dis"),
    "crane": _lacks_program("crane"),
    "skopeo": _lacks_program("skopeo"),
    "apiserver": _lacks_program("kube-apiserver", "etcd", "kubectl"),
    "staticcheck": _lacks_program("staticcheck"),
    "envoy": _lacks_envoy,
    "root": _lacks_root,
}


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker, lacks in NEEDS.items():
        if item.get_closest_marker(marker) is None:
            continue
        if reason := lacks():
            message = f"needs {marker}: {reason}"
            if os.environ.get("WASMCTL_REQUIRE") == "all":
                pytest.fail(message, pytrace=False)
            pytest.skip(message)


@dataclass(frozen=True)
class Said:
    """What one run of the command line said."""

    code: int
    out: str
    err: str


class CommandLine:
    """Runs the installed `wasmctl` as a user would: in a folder, as a process of its own."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self.env = dict(env)

    def __call__(
        self,
        *arguments: str | Path,
        cwd: Path,
        env: Mapping[str, str | None] | None = None,
        stdin: str = "",
        timeout: float = 120,
    ) -> Said:
        merged = {**self.env, **(env or {})}
        done = subprocess.run(
            [str(WASMCTL), *map(str, arguments)],
            cwd=cwd,
            env={key: value for key, value in merged.items() if value is not None},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        return Said(code=done.returncode, out=done.stdout, err=done.stderr)


@pytest.fixture
def user_env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment as a user's, with folders of its own for wasmctl, docker and git.

    The compilers' own caches stay the machine's: nobody gains by compiling again.
    """
    home = tmp_path_factory.mktemp("home")
    env = dict(os.environ)
    for name in [*env]:
        if name.startswith(("WASMCTL_", "XDG_", "DOCKER_", "GIT_", "GITHUB_")) or name == "CI":
            del env[name]
    real_home = Path.home()
    env.setdefault("CARGO_HOME", str(real_home / ".cargo"))
    env.setdefault("RUSTUP_HOME", str(real_home / ".rustup"))
    env.setdefault("GOPATH", str(real_home / "go"))
    env.setdefault("GOCACHE", str(real_home / ".cache/go-build"))
    env.setdefault("GOENV", "off")
    env["HOME"] = str(home)
    return env


@pytest.fixture
def wasmctl(user_env: dict[str, str]) -> CommandLine:
    """The installed command line."""
    return CommandLine(user_env)


@pytest.fixture(autouse=True)
def _plain_output(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "CI"):
        monkeypatch.delenv(name, raising=False)
