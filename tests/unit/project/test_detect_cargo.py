"""Finding plug-ins among Cargo packages and workspaces, from their files alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.project.files import write_files
from wasmctl.errors import UsageError
from wasmctl.project.detect import Found, find_projects

PLUGIN = """
    [package]
    name = "{name}"
    version = "1.2.3"
    description = "says no"
    [lib]
    crate-type = ["cdylib"]
    [dependencies]
    proxy-wasm = "0.2"
"""
SERVER = "[package]\nname = 'server'\nversion = '9.0.0'\n"


def plugin(name: str, *, dependencies: str = 'proxy-wasm = "0.2"', kind: str = "crate-type") -> str:
    text = PLUGIN.format(name=name).replace('proxy-wasm = "0.2"', dependencies)
    return text.replace("crate-type", kind)


def folders(root: Path, **options: str) -> list[str]:
    return [str(item.folder.relative_to(root)) for item in find_projects(root, **options)]  # type: ignore[arg-type]


def test_a_package_tells_all_of_itself(tmp_path: Path) -> None:
    folder = write_files(tmp_path / "odd näme [x]", {"Cargo.toml": plugin("header-auth")})
    assert find_projects(folder) == (
        Found(
            folder=folder,
            toolchain="cargo",
            why="its Cargo.toml",
            name="header-auth",
            version="1.2.3",
            package="header-auth",
            description="says no",
        ),
    )


def test_a_package_that_is_no_plugin_is_for_the_build_to_refuse(tmp_path: Path) -> None:
    write_files(tmp_path, {"Cargo.toml": SERVER})
    assert [item.name for item in find_projects(tmp_path)] == ["server"]


@pytest.mark.parametrize("virtual", [True, False])
def test_a_workspaces_plugins_are_all_found_and_nothing_else(tmp_path: Path, virtual: bool) -> None:
    write_files(
        tmp_path,
        {
            "Cargo.toml": ("" if virtual else SERVER)
            + "[workspace]\nmembers = ['plugins/*', 'tool', 'nowhere']\n",
            "plugins/b/Cargo.toml": plugin("b"),
            "plugins/a/Cargo.toml": plugin("a", kind="crate_type"),
            "plugins/README.md": "no package",
            "plugins/empty/x": "",
            "tool/Cargo.toml": SERVER.replace("server", "tool"),
            "elsewhere/Cargo.toml": plugin("no-member"),
        },
    )
    assert folders(tmp_path) == ["plugins/a", "plugins/b"]


def test_a_workspaces_root_may_be_a_plugin_itself(tmp_path: Path) -> None:
    write_files(
        tmp_path,
        {
            "Cargo.toml": plugin("root") + "[workspace]\nmembers = ['.', 'other']\n",
            "other/Cargo.toml": plugin("other"),
        },
    )
    assert folders(tmp_path) == [".", "other"]


@pytest.mark.parametrize(
    "dependencies",
    [
        'proxy-wasm = "0.2"',
        'proxy-wasm = {version = "0.2", optional = true}',
        'sdk = {package = "proxy-wasm", version = "0.2"}',
        "proxy-wasm.workspace = true",
        "sdk = {workspace = true}",
        '[target.\'cfg(target_arch = "wasm32")\'.dependencies]\nproxy-wasm = "0.2"',
        'common = {path = "../common"}',
        "common-of-all.workspace = true",
    ],
)
def test_the_sdk_is_known_in_every_spelling(tmp_path: Path, dependencies: str) -> None:
    write_files(
        tmp_path,
        {
            "Cargo.toml": """
                [workspace]
                members = ["a", "b"]
                [workspace.dependencies]
                proxy-wasm = "0.2"
                sdk = {package = "proxy-wasm", version = "0.2"}
                common-of-all = {package = "common", path = "common"}
            """,
            "a/Cargo.toml": plugin("a", dependencies="\n    ".join(dependencies.split("\n"))),
            "b/Cargo.toml": plugin("b", dependencies='wasm-bindgen = "0.2"\nb = {path = "."}'),
            "common/Cargo.toml": "[package]\nname='common'\n[dependencies]\nproxy-wasm='0.2'\n",
        },
    )
    assert folders(tmp_path) == ["a"]


def test_a_name_like_the_sdks_is_not_the_sdk(tmp_path: Path) -> None:
    write_files(
        tmp_path,
        {
            "Cargo.toml": "[workspace]\nmembers = ['a']\n",
            "a/Cargo.toml": plugin("a", dependencies='proxy-wasm = {package = "x", version = "1"}'),
        },
    )
    with pytest.raises(UsageError, match="has a cdylib and depends on proxy-wasm") as caught:
        find_projects(tmp_path)
    assert caught.value.hint is not None
    assert '[lib] crate-type = ["cdylib"]' in caught.value.hint


def test_excluded_packages_are_left_out_unless_named(tmp_path: Path) -> None:
    names = ("a", "b", "b/inner", "bc")
    write_files(
        tmp_path,
        {
            "Cargo.toml": "[workspace]\nmembers = ['**/*', 'b/inner']\nexclude = ['b']\n",
            **{f"{name}/Cargo.toml": plugin(name.replace("/", "-")) for name in names},
        },
    )
    assert folders(tmp_path) == ["a", "b/inner", "bc"]


def test_members_that_the_machine_does_not_compile_by_default_count_too(tmp_path: Path) -> None:
    write_files(
        tmp_path,
        {
            "Cargo.toml": "[workspace]\nmembers = ['s', 'p']\ndefault-members = ['s']\n",
            "s/Cargo.toml": SERVER,
            "p/Cargo.toml": plugin("p"),
        },
    )
    assert folders(tmp_path) == ["p"]


def test_a_workspace_within_is_another_one(tmp_path: Path) -> None:
    write_files(
        tmp_path,
        {
            "Cargo.toml": "[workspace]\nmembers = ['*']\n",
            "a/Cargo.toml": plugin("a"),
            "b/Cargo.toml": plugin("b") + "[workspace]\n",
        },
    )
    assert folders(tmp_path) == ["a"]
    assert folders(tmp_path / "b") == ["."]


@pytest.mark.parametrize("start", [".", "a", "server"])
def test_a_package_is_found_by_name_from_anywhere_in_its_workspace(
    tmp_path: Path, start: str
) -> None:
    write_files(
        tmp_path,
        {
            "Cargo.toml": "[workspace]\nmembers = ['*']\n",
            "a/Cargo.toml": plugin("plug-a"),
            "b/Cargo.toml": plugin("plug-b"),
            "server/Cargo.toml": SERVER,
        },
    )
    (found,) = find_projects(tmp_path / start, package="plug-b")
    assert (found.folder, found.package) == (tmp_path / "b", "plug-b")
    with pytest.raises(UsageError, match=f"no package `x` in `{tmp_path}`") as caught:
        find_projects(tmp_path / start, package="x")
    assert caught.value.hint == "plug-ins here: `plug-a`, `plug-b`"


def test_a_package_alone_is_found_by_its_name(tmp_path: Path) -> None:
    write_files(tmp_path, {"Cargo.toml": plugin("alone")})
    assert folders(tmp_path, package="alone") == ["."]
    with pytest.raises(UsageError, match="no package `other`"):
        find_projects(tmp_path, package="other")


def test_a_package_takes_cargo(tmp_path: Path) -> None:
    write_files(tmp_path, {"go.mod": "module x\n", "main.go": "package main\n"})
    with pytest.raises(UsageError, match=r"has no Cargo.toml to look for the package `x` in"):
        find_projects(tmp_path, package="x")


@pytest.mark.parametrize("where", ["above", "named"])
def test_version_and_description_are_inherited(tmp_path: Path, where: str) -> None:
    member = "deep/er/member" if where == "above" else "beside/member"
    text = """
        [package]
        name = "m"
        version.workspace = true
        description = {workspace = true}
    """
    write_files(
        tmp_path,
        {
            "root/Cargo.toml": """
                [workspace]
                members = []
                [workspace.package]
                version = "4.5.6"
                description = "for all"
            """,
            f"root/{member}/Cargo.toml": text
            + ("        workspace = '../../../root'" if where == "named" else ""),
        },
    )
    (found,) = find_projects(tmp_path / "root" / member)
    assert (found.version, found.description) == ("4.5.6", "for all")


def test_what_is_inherited_from_nowhere_is_not_there(tmp_path: Path) -> None:
    write_files(tmp_path, {"Cargo.toml": "[package]\nname = 'm'\nversion.workspace = true\n"})
    (found,) = find_projects(tmp_path)
    assert (found.version, found.description) == (None, None)


@pytest.mark.parametrize(
    "text",
    [
        "package = 3",
        "[package]\nname = 3\nversion = 4\n",
        "lib = []\ndependencies = 1\ntarget = 'x'\n[workspace]\nmembers = 'x'\nexclude = {}",
        "[workspace]\nmembers = [1, 'x']\ndependencies = 3",
    ],
)
def test_a_manifest_with_odd_values_is_for_cargo_to_refuse(tmp_path: Path, text: str) -> None:
    write_files(tmp_path, {"Cargo.toml": text, "x/Cargo.toml": text})
    if "[workspace]" in text:
        with pytest.raises(UsageError, match="has a cdylib and depends on proxy-wasm"):
            find_projects(tmp_path)
    else:
        assert [item.toolchain for item in find_projects(tmp_path)] == ["cargo"]


def test_a_broken_manifest_is_shown_with_its_line(tmp_path: Path) -> None:
    write_files(tmp_path, {"Cargo.toml": "[package]\nname = \n"})
    with pytest.raises(UsageError, match=r"/Cargo.toml`, line 2: invalid value") as caught:
        find_projects(tmp_path)
    assert caught.value.exit_code == 2


def test_a_manifest_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "Cargo.toml").mkdir()
    with pytest.raises(UsageError, match=r"/Cargo.toml` cannot be read: is a directory"):
        find_projects(tmp_path)


def test_a_cargo_toml_that_says_nothing_is_told(tmp_path: Path) -> None:
    write_files(tmp_path, {"Cargo.toml": "[dependencies]\n"})
    with pytest.raises(UsageError, match=r"/Cargo.toml` has neither `\[package\]` nor") as caught:
        find_projects(tmp_path)
    assert caught.value.hint == "change to a plug-in's folder, or start one: `wasmctl init NAME`"
