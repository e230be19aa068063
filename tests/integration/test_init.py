"""`wasmctl init` as a user runs it."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import WASMCTL, CommandLine
from tests.integration.disks import mounted_disk
from tests.unit.scaffold.trees import read_tree, write_tree

RUST = ("init", "--language", "rust")


def git(*arguments: str, cwd: Path) -> str:
    settings = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main")
    done = subprocess.run(
        ["git", *settings, *arguments], cwd=cwd, capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.mark.parametrize(
    ("flags", "toolchain", "language"),
    [
        (("--language", "rust"), "cargo", "rust"),
        (("--language", "go"), "go", "go"),
        (("--toolchain", "go"), "go", "go"),
        (("--toolchain", "cargo"), "cargo", "rust"),
        (("--language", "go", "--toolchain", "tinygo"), "tinygo", "go"),
    ],
)
def test_a_new_project_is_listed_on_stdout_and_the_next_step_on_stderr(
    wasmctl: CommandLine, tmp_path: Path, flags: tuple[str, ...], toolchain: str, language: str
) -> None:
    plan = json.loads(wasmctl("init", "hello", *flags, "--dry-run", "--json", cwd=tmp_path).out)
    assert not (tmp_path / "hello").exists()
    said = wasmctl("init", "hello", *flags, cwd=tmp_path)
    assert said.code == 0
    assert "next: `cd hello && wasmctl build`" in said.err
    listed = said.out.splitlines()
    assert listed == sorted(listed)
    assert set(listed) == {f"hello/{name}" for name in read_tree(tmp_path / "hello")}
    assert plan["data"] == {
        "folder": str(tmp_path / "hello"),
        "files": [name.removeprefix("hello/") for name in listed],
        "template": "header-auth",
        "language": language,
        "toolchain": toolchain,
        "name": "hello",
        "dry_run": True,
    }


def test_without_a_folder_the_current_one_is_filled(wasmctl: CommandLine, tmp_path: Path) -> None:
    folder = tmp_path / "Tea Pot"
    folder.mkdir()
    said = wasmctl(*RUST, cwd=folder)
    assert said.code == 0
    assert "src/lib.rs" in said.out.splitlines()
    assert 'name = "tea-pot"' in (folder / "Cargo.toml").read_text()
    assert "next: `wasmctl build`" in said.err


@pytest.mark.parametrize(
    "name",
    ["with space", "größe", "日本", "a'b\"c", "-x", "a\nb", "{{ name }}", "$(touch x)", "~"],
)
def test_odd_folder_names_are_taken_as_they_are(
    wasmctl: CommandLine, tmp_path: Path, name: str
) -> None:
    said = wasmctl(*RUST, "--", name, cwd=tmp_path)
    assert said.code == 0, said.err
    assert [path.name for path in tmp_path.iterdir()] == [name]
    found = re.search(r'^name = "(.*)"', (tmp_path / name / "Cargo.toml").read_text(), re.MULTILINE)
    assert found is not None
    assert re.fullmatch(r"[a-z][a-z0-9-]*", found[1])


def test_a_folder_name_that_is_no_text_is_taken_too(
    user_env: dict[str, str], tmp_path: Path
) -> None:
    name = b"odd\xff"
    argv = [os.fsencode(WASMCTL), b"init", b"--language", b"rust", name]
    done = subprocess.run(argv, cwd=tmp_path, env=user_env, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [os.fsencode(path.name) for path in tmp_path.iterdir()] == [name]


def test_the_tinygo_at_hand_decides_and_is_recorded(wasmctl: CommandLine, tmp_path: Path) -> None:
    sdks = {
        "0.31.2": "tetratelabs/proxy-wasm-go-sdk v0.23",
        "0.39.0": "proxy-wasm/proxy-wasm-go-sdk v",
    }
    for release, sdk in sdks.items():
        tinygo = tmp_path / f"tinygo-{release}"
        tinygo.write_text(f"#!/bin/sh\necho tinygo version {release} linux/amd64 using go 1.22\n")
        tinygo.chmod(0o755)
        said = wasmctl(
            "init", release, "--toolchain", "tinygo", cwd=tmp_path,
            env={"WASMCTL_TINYGO": str(tinygo)},
        )  # fmt: skip
        assert said.code == 0
        assert f"github.com/{sdk}" in (tmp_path / release / "go.mod").read_text()
        assert f"TinyGo {release}" in (tmp_path / release / "wasmctl.toml").read_text()


def test_without_a_tinygo_the_newest_is_assumed_and_said(
    wasmctl: CommandLine, tmp_path: Path
) -> None:
    env = {"WASMCTL_TINYGO": str(tmp_path / "none")}
    said = wasmctl("init", "x", "--toolchain", "tinygo", cwd=tmp_path, env=env)
    assert said.code == 0
    assert "no TinyGo at hand: the project is written for the newest" in said.err
    assert "/proxy-wasm/proxy-wasm-go-sdk v" in (tmp_path / "x/go.mod").read_text()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((), "no-language", "add `--language rust` or `--language go`"),
        (("--no-input",), "no-language", "add `--language rust` or `--language go`"),
        (("--language", "python"), "usage", "`python` is not one of `rust`, `go`"),
        (("--toolchain", "make"), "usage", "`make` is not one of"),
        (
            ("--language", "rust", "--toolchain", "tinygo"),
            "toolchain-for-other-language",
            "`tinygo` does not compile rust",
        ),
        (("--language", "go", "--name", "Header_Auth!"), "bad-name", "--name header-auth"),
        (("--language", "go", "--template", "heder-auth"), "unknown-template", "`header-auth`?"),
        (("--language", "go", "--template", "./no"), "unknown-template", "`./no` does not exist"),
        (("--language", "go", "--data", "x"), "usage", "KEY=VALUE"),
        (("--adopt",), "no-folder", "to adopt"),
        (("--adopt", "--name", "x"), "usage", "`--adopt`"),
    ],
)
def test_a_wrong_command_line_is_told_and_writes_nothing(
    wasmctl: CommandLine, tmp_path: Path, arguments: tuple[str, ...], code: str, said: str
) -> None:
    told = wasmctl("init", "hello", *arguments, "--json", cwd=tmp_path)
    assert told.code == 2
    document = json.loads(told.out)
    assert [error["code"] for error in document["errors"]] == [code]
    assert said in told.err
    assert not [*tmp_path.iterdir()]


def test_the_templates_are_listed(wasmctl: CommandLine, tmp_path: Path) -> None:
    said = wasmctl("init", "--list", cwd=tmp_path)
    assert said.code == 0
    assert re.search(r"^header-auth +rust, go +\w+", said.out, re.MULTILINE)
    templates = json.loads(wasmctl("init", "--list", "--json", cwd=tmp_path).out)["data"]
    assert [item["name"] for item in templates["templates"]] == [
        line.split()[0] for line in said.out.splitlines()
    ]


class TestAFreshClone:
    @pytest.fixture
    def clone(self, tmp_path: Path) -> Path:
        write_tree(tmp_path / "origin", {"LICENSE": "mine", "README.md": "# mine\n"})
        for command in (("init", "-q"), ("add", "."), ("commit", "-qm", "x")):
            git(*command, cwd=tmp_path / "origin")
        git("clone", "-q", "origin", "hello", cwd=tmp_path)
        return tmp_path / "hello"

    def test_only_what_would_change_is_in_the_way(self, wasmctl: CommandLine, clone: Path) -> None:
        before = read_tree(clone)
        said = wasmctl(*RUST, cwd=clone)
        assert said.code == 2
        assert "files are in the way: `README.md`\n" in said.err
        assert said.err.endswith(
            "hint: `--force` overwrites them and no others; nothing was touched\n"
        )
        assert read_tree(clone) == before

    def test_force_overwrites_that_alone(self, wasmctl: CommandLine, clone: Path) -> None:
        assert wasmctl(*RUST, "--force", cwd=clone).code == 0
        changed = git("status", "--short", "--untracked-files=all", cwd=clone).splitlines()
        assert " M README.md" in changed
        assert [line for line in changed if not line.startswith("??")] == [" M README.md"]
        assert (clone / "LICENSE").read_text() == "mine"

    def test_without_the_readme_nothing_is(self, wasmctl: CommandLine, clone: Path) -> None:
        (clone / "README.md").unlink()
        assert wasmctl(*RUST, cwd=clone).code == 0

    def test_doing_it_again_changes_nothing(self, wasmctl: CommandLine, clone: Path) -> None:
        assert wasmctl(*RUST, "--force", cwd=clone).code == 0
        before = read_tree(clone)
        said = wasmctl(*RUST, cwd=clone)
        assert (said.code, said.out) == (0, "")
        assert "everything is there already" in said.err
        assert read_tree(clone) == before


class TestAdoption:
    @pytest.fixture
    def project(self, wasmctl: CommandLine, tmp_path: Path) -> Path:
        folder = tmp_path / "hello"
        assert wasmctl("init", folder, "--toolchain", "tinygo", cwd=tmp_path).code == 0
        # Of this SDK only TinyGo makes anything.
        sdk = (
            "module hello\n\ngo 1.21\n\nrequire github.com/tetratelabs/proxy-wasm-go-sdk v0.24.0\n"
        )
        (folder / "go.mod").write_text(sdk)
        for name in ("wasmctl.toml", "wasmctl.schema.json"):
            (folder / name).unlink()
        for path in (folder / "tests").iterdir():
            path.unlink()
        return folder

    def test_it_adds_settings_and_a_case_file_and_nothing_else(
        self, wasmctl: CommandLine, project: Path
    ) -> None:
        before = read_tree(project)
        said = wasmctl("init", "--adopt", cwd=project)
        assert (said.code, said.out) == (
            0,
            "tests/first.cases.yaml\ntests/wasmctl-cases.schema.json\nwasmctl.toml\n",
        )
        after = read_tree(project)
        added = set(after) - set(before)
        assert added == {
            "tests/first.cases.yaml",
            "tests/wasmctl-cases.schema.json",
            "wasmctl.toml",
        }
        assert {name: after[name] for name in before if name != "tests/"} == {
            name: text for name, text in before.items() if name != "tests/"
        }
        assert 'toolchain = "tinygo"' in after["wasmctl.toml"]
        shown = wasmctl("config", "show", cwd=project)
        assert 'build.toolchain = "tinygo"' in shown.out

    def test_settings_of_ones_own_are_in_the_way(self, wasmctl: CommandLine, project: Path) -> None:
        (project / "wasmctl.toml").write_text("")
        before = read_tree(project)
        said = wasmctl("init", "--adopt", cwd=project)
        assert said.code == 2
        assert "`wasmctl.toml`" in said.err
        assert read_tree(project) == before

    def test_another_language_is_refused(self, wasmctl: CommandLine, project: Path) -> None:
        said = wasmctl("init", "--adopt", "--toolchain", "cargo", "--json", cwd=project)
        assert said.code == 2
        assert json.loads(said.out)["errors"][0]["code"] == "other-project"

    def test_of_several_plug_ins_each_is_adopted_by_itself(
        self, wasmctl: CommandLine, tmp_path: Path
    ) -> None:
        for name in ("one", "two"):
            assert wasmctl(*RUST, name, cwd=tmp_path).code == 0
        write_tree(tmp_path, {"Cargo.toml": '[workspace]\nmembers = ["one", "two"]\n'})
        before = read_tree(tmp_path)
        said = wasmctl("init", "--adopt", cwd=tmp_path)
        assert said.code == 2
        assert f"`{tmp_path}/one`, `{tmp_path}/two`" in said.err
        assert read_tree(tmp_path) == before

    def test_a_folder_without_a_project_is_refused(
        self, wasmctl: CommandLine, tmp_path: Path
    ) -> None:
        said = wasmctl("init", "--adopt", "--json", cwd=tmp_path)
        assert said.code == 2
        assert json.loads(said.out)["errors"][0]["code"] == "no-project"
        assert not [*tmp_path.iterdir()]


def test_two_at_once_make_one_whole_project(user_env: dict[str, str], tmp_path: Path) -> None:
    argv = [str(WASMCTL), "init", "hello", "--language", "rust"]
    for step in range(3):
        place = tmp_path / str(step)
        place.mkdir()
        both = [
            subprocess.Popen(
                argv, cwd=place, env=user_env, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
            for _ in range(2)
        ]
        talk = [child.communicate(timeout=60) for child in both]
        codes = sorted(child.returncode for child in both)
        # The later one finds everything there already, or is overtaken while at work.
        assert codes in ([0, 0], [0, 2]), talk
        assert [path.name for path in place.iterdir()] == ["hello"]
        assert subprocess.run(argv, cwd=place, env=user_env, capture_output=True).stdout == b""  # noqa: PLW1510


@pytest.mark.root
class TestAPlaceThatTakesNothing:
    @pytest.fixture
    def read_only(self, tmp_path: Path) -> Iterator[Path]:
        with mounted_disk(tmp_path / "disk") as disk:
            write_tree(disk, {"existing/README.md": "mine"})
            subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
            yield disk

    @pytest.mark.parametrize("folder", ["new", "a/b", "existing"])
    def test_a_read_only_folder_is_named(
        self, wasmctl: CommandLine, read_only: Path, folder: str
    ) -> None:
        said = wasmctl(*RUST, read_only / folder, "--force", cwd=read_only)
        assert said.code == 2
        assert f"`{read_only / folder}`: read-only file system" in said.err
        assert read_tree(read_only) == {"existing/README.md": "mine"}

    @pytest.mark.parametrize("folder", ["new", "existing"])
    def test_a_full_disk_leaves_nothing(
        self, wasmctl: CommandLine, tmp_path: Path, folder: str
    ) -> None:
        with mounted_disk(tmp_path / "disk", size=16384) as disk:
            write_tree(disk, {"existing/README.md": "mine"})
            said = wasmctl(*RUST, disk / folder, "--force", cwd=tmp_path)
            assert said.code == 2
            assert f"`{disk / folder}`: no space left on device" in said.err
            assert read_tree(disk) == {"existing/README.md": "mine"}


@pytest.mark.root
def test_it_needs_no_network(user_env: dict[str, str], tmp_path: Path) -> None:
    for toolchain in ("cargo", "go", "tinygo"):
        argv = ["unshare", "--net", str(WASMCTL), "init", toolchain, "--toolchain", toolchain]
        done = subprocess.run(
            argv, cwd=tmp_path, env=user_env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
