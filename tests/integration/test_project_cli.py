"""Projects and settings as the command line shows them: what was taken, and what is wrong."""

from __future__ import annotations

import json
import shlex
import subprocess
import time
from pathlib import Path

import pytest

from tests.conftest import WASMCTL, CommandLine

CARGO = """
[package]
name = "header-auth"
version = "1.2.3"
[lib]
crate-type = ["cdylib"]
[dependencies]
proxy-wasm = "0.2"
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "odd näme $(x) [y]"
    folder.mkdir()
    (folder / "Cargo.toml").write_text(CARGO)
    return folder


def origins(out: str) -> dict[str, tuple[str, str]]:
    """Return value and origin by key."""
    found = {}
    for line in out.splitlines():
        setting, _, origin = line.partition("  # ")
        key, _, value = setting.partition(" = ")
        found[key] = (value.strip(), origin.strip())
    return found


def test_every_setting_is_shown_with_where_it_comes_from(
    wasmctl: CommandLine, project: Path
) -> None:
    user_file = Path(wasmctl.env["HOME"]) / ".config/wasmctl/config.toml"
    user_file.parent.mkdir(parents=True)
    user_file.write_text("[image]\nformat = 'docker'\ntag = 'user'\n[run]\nport = 1\n")
    (project / "wasmctl.toml").write_text("image.tag = 'file'\nplugin.config = {a = [1]}\n")
    env = {"WASMCTL_RUN_PORT": "2", "WASMCTL_PLUGIN_TARGETS": "gcp,istio"}
    said = wasmctl("config", "show", "--origin", cwd=project, env=env)
    assert said.code == 0
    found = origins(said.out)
    assert found["image.tag"] == ('"file"', str(project / "wasmctl.toml"))
    assert found["plugin.config"] == ("{a = [1]}", str(project / "wasmctl.toml"))
    assert found["image.format"] == ('"docker"', str(user_file))
    assert found["run.port"] == ("2", "WASMCTL_RUN_PORT")
    assert found["plugin.targets"] == ('["gcp", "istio"]', "WASMCTL_PLUGIN_TARGETS")
    assert found["test.cases"] == ('"tests/*.cases.yaml"', "default")
    document = json.loads(wasmctl("config", "show", "--json", cwd=project, env=env).out)
    assert document["data"]["settings"]["run.port"] == {"value": 2, "origin": "WASMCTL_RUN_PORT"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "[image]\ntag = 1.0\n",
            ', line 2: `image.tag` must be text, not `1.0`\nhint: put it in quotes: `"1.0"`\n',
        ),
        (
            "[image]\ntags = 'x'\n",
            ", line 2: unknown key `tags` in `[image]`\nhint: did you mean `tag`?\n",
        ),
        (
            "[image]\ntag = \n",
            ", line 2: invalid value\n  2 | tag = \n    |       ^\n"
            "hint: https://toml.io shows how TOML is written\n",
        ),
    ],
)
@pytest.mark.parametrize("verb", [["config", "show"], ["build"], ["package"], ["push", "x/y:1"]])
def test_a_mistake_in_the_settings_is_told_by_every_verb(
    wasmctl: CommandLine, project: Path, verb: list[str], text: str, said: str
) -> None:
    (project / "wasmctl.toml").write_text(text)
    done = wasmctl(*verb, cwd=project)
    assert (done.code, done.out) == (2, "")
    assert done.err == f"error: `{project}/wasmctl.toml`{said}"


def test_a_mistake_in_the_user_file_is_told_of_the_user_file(
    wasmctl: CommandLine, project: Path
) -> None:
    user_file = Path(wasmctl.env["HOME"]) / ".config/wasmctl/config.toml"
    user_file.parent.mkdir(parents=True)
    user_file.write_text("nonsense = 1\n")
    done = wasmctl("config", "show", cwd=project)
    assert done.code == 2
    assert done.err.startswith(f"error: `{user_file}`, line 1: unknown key `nonsense`\n")


def test_a_mistake_in_a_variable_is_told_of_the_variable(
    wasmctl: CommandLine, project: Path
) -> None:
    done = wasmctl("config", "show", cwd=project, env={"WASMCTL_IMAGE_FORMAT": "oic"})
    assert (done.code, done.err) == (
        2,
        "error: `WASMCTL_IMAGE_FORMAT`: `image.format` must be one of `oci`, `docker` or "
        '`artifact`, not `"oic"`\nhint: did you mean `oci`?\n',
    )


def test_settings_from_above_are_taken_and_said(wasmctl: CommandLine, project: Path) -> None:
    (project / "wasmctl.toml").write_text("image.tag = 'above'\n")
    (project / "src/deep").mkdir(parents=True)
    done = wasmctl("config", "show", "-v", cwd=project / "src/deep")
    assert 'image.tag = "above"' in done.out
    assert done.err == f"taking the project `{project}`, above the current folder\n"
    assert wasmctl("config", "show", cwd=project / "src/deep").err == ""


def test_a_stray_file_in_the_home_folder_is_not_taken(wasmctl: CommandLine) -> None:
    home = Path(wasmctl.env["HOME"])
    (home / "Cargo.toml").write_text(CARGO)
    (home / "documents").mkdir()
    done = wasmctl("build", cwd=home / "documents")
    assert done.code == 2
    assert done.err.startswith(f"error: no plug-in project in `{home}/documents`")


def test_no_tree_is_walked(wasmctl: CommandLine) -> None:
    home = Path(wasmctl.env["HOME"])
    for first in range(30):
        for second in range(30):
            (home / f"{first}/{second}/a/b").mkdir(parents=True)
    plain = home / "0/0/a/b"
    wasmctl("build", cwd=plain)
    started = time.monotonic()
    wasmctl("build", cwd=plain)
    below = time.monotonic() - started
    started = time.monotonic()
    assert wasmctl("build", cwd=home).code == 2
    assert time.monotonic() - started < below + 1


def test_a_file_that_cannot_be_read_is_told_with_its_path(
    wasmctl: CommandLine, project: Path
) -> None:
    (project / "Cargo.toml").unlink()
    (project / "Cargo.toml").symlink_to("/proc/self/mem")  # not even root reads its beginning
    done = wasmctl("build", cwd=project)
    assert done.code == 2
    assert done.err.startswith(f"error: `{project}/Cargo.toml` cannot be read: ")


def test_a_folder_that_is_gone_is_told(wasmctl: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    script = f"cd {tmp_path}/gone && rmdir ../gone && exec {shlex.quote(str(WASMCTL))} build"
    done = subprocess.run(
        ["sh", "-c", script], env=wasmctl.env, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: the current folder is gone\nhint: change to one\n"
