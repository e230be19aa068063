"""From a folder to resolved projects: files, environment and flags together."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from tests.unit.project.files import write_files
from wasmctl import __version__
from wasmctl.console import Console
from wasmctl.errors import UsageError
from wasmctl.project.load import load_projects, project_folder
from wasmctl.session import Session

CARGO = """
    [package]
    name = "header-auth"
    version = "1.2.3"
    description = "says no"
    [lib]
    crate-type = ["cdylib"]
    [dependencies]
    proxy-wasm = "0.2"
"""


def session_in(folder: Path, **env: str) -> Session:
    console = Console(out=io.StringIO(), err=io.StringIO(), verbosity=1)
    return Session(env={"HOME": "/nowhere", **env}, cwd=folder, console=console)


def said(session: Session) -> str:
    stream = session.console._err
    assert isinstance(stream, io.StringIO)
    return stream.getvalue()


def test_files_alone_make_a_project(tmp_path: Path) -> None:
    write_files(tmp_path, {"Cargo.toml": CARGO})
    session = session_in(tmp_path)
    (project,) = load_projects(None, session)
    assert (project.name, project.version, project.description) == (
        "header-auth",
        "1.2.3",
        "says no",
    )
    assert (project.package, project.adopted) == ("header-auth", False)
    assert project.module == tmp_path / "dist/plugin.wasm"
    assert said(session) == f"{tmp_path}: cargo, by its Cargo.toml\n"


def test_settings_win_over_files_and_the_environment_over_settings(tmp_path: Path) -> None:
    write_files(
        tmp_path,
        {
            "Cargo.toml": CARGO,
            "wasmctl.toml": "[plugin]\nname = 'mine'\nversion = '2'\ndescription = 'd'\n",
        },
    )
    (project,) = load_projects(None, session_in(tmp_path, WASMCTL_PLUGIN_VERSION="3"))
    assert (project.name, project.version, project.description) == ("mine", "3", "d")
    assert (project.package, project.adopted) == ("header-auth", True)


def test_the_members_of_a_workspace_have_their_own_settings(tmp_path: Path) -> None:
    write_files(
        tmp_path,
        {
            "Cargo.toml": "[workspace]\nmembers = ['*']\n",
            "wasmctl.toml": "[workspace]\nmembers = ['a']\n[image]\ntag = 'of-the-root'\n",
            "a/Cargo.toml": CARGO,
            "a/wasmctl.toml": "image.tag = 'of-a'",
            "b/Cargo.toml": CARGO.replace("header-auth", "b"),
        },
    )
    projects = load_projects(None, session_in(tmp_path))
    assert [(item.name, item.settings.image.tag) for item in projects] == [
        ("header-auth", "of-a"),
        ("b", None),
    ]


def test_what_is_taken_from_above_is_said(tmp_path: Path) -> None:
    write_files(tmp_path, {"Cargo.toml": CARGO, "src/deep/x.rs": ""})
    session = session_in(tmp_path / "src/deep")
    assert load_projects(None, session)[0].folder == tmp_path
    assert f"taking the project `{tmp_path}`, above the current folder\n" in said(session)


@pytest.mark.parametrize(
    ("toolchain", "why"), [("tinygo", "wasmctl.toml"), ("cargo", None), ("go", "wasmctl.toml")]
)
def test_the_toolchain_of_the_settings_wins_where_it_can(
    tmp_path: Path, toolchain: str, why: str | None
) -> None:
    write_files(
        tmp_path,
        {
            "go.mod": "module x\n",
            "main.go": "package main\n",
            "wasmctl.toml": f"build.toolchain = '{toolchain}'",
        },
    )
    session = session_in(tmp_path)
    if why is None:
        with pytest.raises(UsageError, match=r"`cargo` cannot compile .*, a project for go"):
            load_projects(None, session)
    else:
        assert load_projects(None, session)[0].toolchain == toolchain
        assert said(session) == f"{tmp_path}: {toolchain}, by {tmp_path / why}\n"


def test_a_cargo_package_is_not_for_go(tmp_path: Path) -> None:
    write_files(tmp_path, {"Cargo.toml": CARGO, "wasmctl.toml": "build.toolchain = 'go'"})
    with pytest.raises(UsageError, match=r"`go` cannot compile .*, a project for cargo"):
        load_projects(None, session_in(tmp_path))


@pytest.mark.parametrize("name", ["odd näme [x]", "with space", "-dash", "$(x)", "new\nline"])
def test_a_folder_may_be_called_anything(tmp_path: Path, name: str) -> None:
    write_files(tmp_path / name, {"Cargo.toml": CARGO})
    assert load_projects(Path(name), session_in(tmp_path))[0].folder == tmp_path / name


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("gone", "`gone` does not exist"),
        ("file", "`file` is a file, not a folder"),
        ("loop", "`lo"),
    ],
)
def test_an_argument_that_is_no_folder_is_told(tmp_path: Path, argument: str, said: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(UsageError, match=said):
        project_folder(Path(argument), session_in(tmp_path))


def test_a_link_to_a_folder_is_the_folder(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert project_folder(Path("link"), session_in(tmp_path)) == tmp_path / "real"


@pytest.mark.parametrize("wanted", [">=0", f"=={__version__}"])
def test_the_right_version_of_wasmctl_goes_on(tmp_path: Path, wanted: str) -> None:
    write_files(tmp_path, {"Cargo.toml": CARGO, "wasmctl.toml": f'required-version = "{wanted}"'})
    assert load_projects(None, session_in(tmp_path))


def test_another_version_of_wasmctl_is_refused(tmp_path: Path) -> None:
    write_files(tmp_path, {"Cargo.toml": CARGO, "wasmctl.toml": 'required-version = ">=99"'})
    with pytest.raises(UsageError, match="needs wasmctl >=99; this is") as caught:
        load_projects(None, session_in(tmp_path))
    assert caught.value.hint == 'install it: `pip install "wasmctl>=99"`'


def test_a_version_that_is_none_is_told(tmp_path: Path) -> None:
    write_files(tmp_path, {"Cargo.toml": CARGO, "wasmctl.toml": 'required-version = "new"'})
    with pytest.raises(UsageError, match="is not a version specifier: `new`"):
        load_projects(None, session_in(tmp_path))


def test_a_variable_that_was_meant_otherwise_is_warned_of_once(tmp_path: Path) -> None:
    write_files(
        tmp_path,
        {
            "Cargo.toml": "[workspace]\nmembers = ['*']\n",
            "a/Cargo.toml": CARGO,
            "b/Cargo.toml": CARGO.replace("header-auth", "b"),
        },
    )
    session = session_in(tmp_path, WASMCTL_IMAGE_TAGS="x")
    assert len(load_projects(None, session)) == 2
    assert said(session).count("did you mean `WASMCTL_IMAGE_TAG`?") == 1
