"""Finding plug-ins among Go packages, and what compiles them, from their files alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.project.files import write_files
from wasmctl.errors import UsageError
from wasmctl.project.detect import Found, find_projects, nearest_project
from wasmctl.project.go_files import go_package

NEW_SDK = "github.com/proxy-wasm/proxy-wasm-go-sdk"
OLD_SDK = "github.com/tetratelabs/proxy-wasm-go-sdk"
NOTTINYGC = "github.com/wasilibs/nottinygc"
MAIN = "package main\n\nfunc main() {}\n"


def go_mod(*required: str) -> str:
    lines = "\n".join(f"\t{line}" for line in required)
    return f"module example.com/acme/header-auth\n\ngo 1.24\n\nrequire (\n{lines}\n)\n"


def found_in(folder: Path, mod: str) -> Found:
    write_files(folder, {"go.mod": mod, "main.go": MAIN})
    (found,) = find_projects(folder)
    return found


def test_a_main_package_with_its_module(tmp_path: Path) -> None:
    assert found_in(tmp_path, go_mod(f"{NEW_SDK} v0.0.1")) == Found(
        folder=tmp_path, toolchain="go", why=f"`{NEW_SDK}` in go.mod", name="header-auth"
    )


def test_a_main_package_below_its_module_is_called_as_its_folder(tmp_path: Path) -> None:
    write_files(tmp_path, {"go.mod": go_mod(f"{OLD_SDK} v0.24.0"), "cmd/odd näme/main.go": MAIN})
    (found,) = find_projects(tmp_path / "cmd/odd näme")
    assert (found.name, found.toolchain) == ("odd näme", "tinygo")


def test_a_go_work_above_changes_nothing(tmp_path: Path) -> None:
    write_files(tmp_path, {"go.work": "go 1.24\nuse ./a\n"})
    assert found_in(tmp_path / "a", go_mod(f"{NEW_SDK} v0.0.1")).name == "header-auth"


WORK = """
    go 1.24
    use ./b // the second
    use (
        ./tools
        "./a"
        lib
        ./gone
        ./a
    )
    replace example.com/x => ./elsewhere
"""


def test_the_root_of_a_go_work_stands_for_its_plug_ins(tmp_path: Path) -> None:
    write_files(
        tmp_path,
        {
            "go.work": WORK,
            "a/go.mod": go_mod(f"{NEW_SDK} v0.0.1"),
            "a/main.go": MAIN,
            "b/go.mod": go_mod(f"{OLD_SDK} v0.24.0"),
            "b/main.go": MAIN,
            "tools/go.mod": go_mod(),
            "tools/main.go": MAIN,
            "lib/go.mod": go_mod(f"{NEW_SDK} v0.0.1"),
            "lib/lib.go": "package lib\n",
            "elsewhere/go.mod": go_mod(f"{NEW_SDK} v0.0.1"),
            "elsewhere/main.go": MAIN,
            "docs/x.txt": "",
        },
    )
    found = find_projects(tmp_path)
    assert [(item.folder.name, item.toolchain) for item in found] == [("b", "tinygo"), ("a", "go")]
    assert nearest_project(tmp_path / "docs") == tmp_path


def test_a_go_work_that_uses_no_plug_in_names_the_folders(tmp_path: Path) -> None:
    write_files(tmp_path, {"go.work": WORK, "tools/go.mod": go_mod(), "tools/main.go": MAIN})
    with pytest.raises(UsageError, match="no plug-in project in") as caught:
        find_projects(tmp_path)
    assert caught.value.hint == "name the plug-in's folder; there are `tools`"


def test_go_files_beside_a_go_work_are_the_project(tmp_path: Path) -> None:
    write_files(tmp_path, {"go.work": "use .\nuse ./a\n", "a/go.mod": "module a\n"})
    assert found_in(tmp_path, go_mod(f"{NEW_SDK} v0.0.1")).folder == tmp_path


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("example.com/acme/filter/v2", "filter"),
        ('"example.com/quoted"', "quoted"),
        ("plain // comment", "plain"),
        ("v2", "v2"),
    ],
)
def test_a_module_is_called_by_the_last_part_of_its_path(
    tmp_path: Path, path: str, name: str
) -> None:
    assert found_in(tmp_path, f"// module no\nmodule {path}\n").name == name


@pytest.mark.parametrize(
    ("required", "toolchain"),
    [
        ((f"{NEW_SDK} v0.0.1",), "go"),
        ((f"{OLD_SDK} v0.24.0",), "tinygo"),
        ((f"{OLD_SDK} v0.24.0 // indirect",), "tinygo"),
        ((f'"{OLD_SDK}" v0.24.0',), "tinygo"),
        ((f"{NEW_SDK} v0.0.1", f"{OLD_SDK} v0.24.0 // indirect"), "go"),
        ((f"{NEW_SDK} v0.0.1", f"{NOTTINYGC} v0.7.1 // indirect"), "go"),
        ((f"{NEW_SDK} v0.0.1", f"{NOTTINYGC} v0.7.1"), "tinygo"),
        (("github.com/acme/fork v1.0.0", f"{NOTTINYGC} v0.7.1 //indirect"), "tinygo"),
        (("github.com/acme/fork v1.0.0",), "go"),
        ((f"// {OLD_SDK} v0.24.0",), "go"),
        ((f"{OLD_SDK}-fork v0.24.0",), "go"),
        ((), "go"),
    ],
)
def test_the_sdk_tells_what_compiles(
    tmp_path: Path, required: tuple[str, ...], toolchain: str
) -> None:
    assert found_in(tmp_path, go_mod(*required)).toolchain == toolchain


def test_a_requirement_may_stand_on_a_line_of_its_own(tmp_path: Path) -> None:
    assert found_in(tmp_path, f"module x\nrequire {OLD_SDK} v0.24.0\n").toolchain == "tinygo"


def test_a_replacement_is_no_requirement(tmp_path: Path) -> None:
    mod = f"module x\nreplace (\n\t{OLD_SDK} => ../sdk\n)\nexclude {OLD_SDK} v0.1.0\n"
    assert found_in(tmp_path, mod).toolchain == "go"


@pytest.mark.parametrize(
    ("files", "name"),
    [
        ({"a.go": "package main\n"}, "main"),
        ({"a.go": 'package main; import "fmt"\n'}, "main"),
        (
            {"a.go": "\ufeff// Copyright\n\n/* package no\n\npackage no\n*/ package\tmain\r\n"},
            "main",
        ),
        ({"a.go": "//go:build tinygo.wasm || wasip1\n// +build x\n\npackage main\n"}, "main"),
        ({"a.go": "/**/package main"}, "main"),
        ({"a.go": "package library\n", "b.go": "package main\n"}, "main"),
        ({"a.go": "package library\n"}, "library"),
        ({"a.go": "package library\n", "gen.go": "//go:build ignore\n\npackage main\n"}, "library"),
        ({"a.go": "package library\n", "gen.go": "// +build ignore\n\npackage main\n"}, "library"),
        ({"a.go": "package library\n", "_x.go": MAIN, ".y.go": MAIN, "z_test.go": MAIN}, "library"),
        ({"main_test.go": "package main\n"}, None),
        ({"a.go": "// package main\n"}, None),
        ({"a.go": "/* package main"}, None),
        ({"a.go": ""}, None),
        ({"a.txt": "package main\n"}, None),
        ({"sub/a.go": "package main\n"}, None),
    ],
)
def test_a_package_clause_is_found_where_go_would_see_it(
    tmp_path: Path, files: dict[str, str], name: str | None
) -> None:
    assert go_package(write_files(tmp_path, files)) == name


def test_a_long_licence_takes_no_time(tmp_path: Path) -> None:
    comments = "/* * */ // x\n" * 20_000
    write_files(tmp_path, {"a.go": f"{comments}package main\n", "b.go": f"{comments}/* open"})
    assert go_package(tmp_path) == "main"


def test_a_library_is_for_the_build_to_refuse(tmp_path: Path) -> None:
    write_files(tmp_path, {"go.mod": go_mod(), "a.go": "package library\n"})
    assert [item.toolchain for item in find_projects(tmp_path)] == ["go"]


def test_go_files_without_a_module_are_refused_with_the_remedy(tmp_path: Path) -> None:
    write_files(tmp_path, {"main.go": MAIN})
    with pytest.raises(UsageError, match=r"has Go files, but no go.mod there or above") as caught:
        find_projects(tmp_path)
    assert caught.value.hint == "make it a module: `go mod init NAME`"


def test_no_project_is_refused_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no plug-in project in") as caught:
        find_projects(tmp_path)
    assert caught.value.hint == "change to a plug-in's folder, or start one: `wasmctl init NAME`"


def test_projects_right_below_are_named(tmp_path: Path) -> None:
    write_files(
        tmp_path,
        {
            "go.mod": go_mod(),
            "cmd/b/main.go": MAIN,
            "cmd/lib/lib.go": "package lib\n",
            "a/main.go": MAIN,
            "vendor/x/main.go": MAIN,
            ".hidden/main.go": MAIN,
        },
    )
    with pytest.raises(UsageError) as caught:
        find_projects(tmp_path)
    assert caught.value.hint is not None
    assert caught.value.hint == "name the plug-in's folder; there are `a`, `cmd/b`"


def test_of_very_many_folders_only_some_are_looked_into(tmp_path: Path) -> None:
    for number in range(3000):
        (tmp_path / f"folder{number}").mkdir()
    with pytest.raises(UsageError, match="no plug-in project"):
        find_projects(tmp_path)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    write_files(tmp_path, {"go.mod": go_mod()})
    (tmp_path / "main.go").symlink_to("/proc/self/mem")
    with pytest.raises(UsageError, match=r"/main.go` cannot be read: input/output error"):
        find_projects(tmp_path)


def test_settings_decide_between_go_and_cargo(tmp_path: Path) -> None:
    write_files(
        tmp_path,
        {"go.mod": go_mod(), "main.go": MAIN, "Cargo.toml": "[package]\nname = 'both'\n"},
    )
    assert [item.toolchain for item in find_projects(tmp_path)] == ["cargo"]
    assert [item.toolchain for item in find_projects(tmp_path, toolchain="tinygo")] == ["go"]


@pytest.mark.parametrize(
    ("start", "nearest"),
    [
        ("repo/rust/src", "repo/rust"),
        ("repo/go/internal/lib", "repo/go"),
        ("repo/go/cmd/x/data", "repo/go/cmd/x"),
        ("repo/settings/deep/er", "repo/settings"),
        ("repo/docs", "repo/docs"),
        ("home/docs/deep", "home/docs/deep"),
        ("home", "home"),
    ],
)
def test_the_nearest_project_is_taken_within_the_repository_and_below_home(
    tmp_path: Path, start: str, nearest: str
) -> None:
    write_files(
        tmp_path,
        {
            "Cargo.toml": "",
            "repo/.git/HEAD": "",
            "repo/rust/Cargo.toml": "",
            "repo/rust/src/lib.rs": "",
            "repo/go/go.mod": "module x\n",
            "repo/go/main.go": MAIN,
            "repo/go/internal/lib/lib.go": "package lib\n",
            "repo/go/cmd/x/main.go": MAIN,
            "repo/settings/wasmctl.toml": "",
            "home/Cargo.toml": "",
        },
    )
    (tmp_path / start).mkdir(parents=True, exist_ok=True)
    found = nearest_project(tmp_path / start, home=tmp_path / "home")
    assert found == tmp_path / nearest
