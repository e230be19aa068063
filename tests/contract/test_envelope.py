"""The JSON document, the exit codes and the form of errors, on every command."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.conftest import WASMCTL, CommandLine
from wasmctl.errors import ExitCode

VERBS = [
    "init",
    "build",
    "test",
    "package",
    "push",
    "pull",
    "login",
    "logout",
    "manifest",
    "quickstart",
]
KEYS = ["schema", "command", "status", "exit_code", "data", "errors"]


@pytest.mark.parametrize("verb", VERBS)
def test_a_usage_error_is_one_document_and_exit_2(
    verb: str, wasmctl: CommandLine, tmp_path: Path
) -> None:
    said = wasmctl(verb, "--no-such-option", "--json", cwd=tmp_path)
    document = json.loads(said.out)
    assert list(document) == KEYS
    assert (said.code, document["exit_code"], document["status"]) == (2, 2, "error")
    assert (document["schema"], document["command"]) == ("wasmctl/1", verb)
    assert document["errors"][0]["code"] == "usage"
    assert "no-such-option" in document["errors"][0]["message"]
    assert document["errors"][0]["hint"] == f"see `wasmctl {verb} --help`"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("test", "--jobs", "0"), "invalid value for `--jobs`: 0 is not at least 1"),
        (("test", "--jobs", "x"), "invalid value for `--jobs`: `x` is not a whole number"),
        (("run", "--port", "-1"), "invalid value for `--port`: -1 is not between 0 and 65535"),
        (
            ("run", "--port", "65536"),
            "invalid value for `--port`: 65536 is not between 0 and 65535",
        ),
    ],
)
def test_a_number_out_of_its_range_is_exit_2(
    words: tuple[str, ...], message: str, wasmctl: CommandLine, tmp_path: Path
) -> None:
    said = wasmctl(*words, cwd=tmp_path)
    assert (said.code, said.err.splitlines()[0]) == (2, f"error: {message}")


@pytest.mark.parametrize("verb", ["build", "package", "push"])
def test_a_folder_without_a_project_is_exit_2(
    verb: str, wasmctl: CommandLine, tmp_path: Path
) -> None:
    said = wasmctl("--json", verb, cwd=tmp_path)
    document = json.loads(said.out)
    assert (said.code, document["exit_code"]) == (2, 2)
    assert document["errors"][0]["code"] == "no-project"


def test_success_is_one_document(wasmctl: CommandLine, tmp_path: Path) -> None:
    said = wasmctl("config", "show", "--json", cwd=tmp_path)
    document = json.loads(said.out)
    assert list(document) == KEYS
    assert (said.code, document["status"], document["command"]) == (0, "success", "config show")
    assert document["errors"] == []


def test_an_error_says_what_and_last_what_to_do(wasmctl: CommandLine, tmp_path: Path) -> None:
    said = wasmctl("build", cwd=tmp_path)
    assert said.out == ""
    first, last = said.err.splitlines()
    assert first.startswith("error: no plug-in project in")
    assert last.startswith("hint: ")


def test_no_command_shows_the_help_and_is_exit_2(wasmctl: CommandLine, tmp_path: Path) -> None:
    said = wasmctl(cwd=tmp_path)
    assert said.code == ExitCode.USAGE
    assert said.out.startswith("Usage: wasmctl")


def test_a_near_command_is_suggested(wasmctl: CommandLine, tmp_path: Path) -> None:
    assert "Did you mean `build`" in wasmctl("bulid", cwd=tmp_path).err


def test_a_near_variable_is_suggested(wasmctl: CommandLine, tmp_path: Path) -> None:
    said = wasmctl("config", "show", cwd=tmp_path, env={"WASMCTL_IMAGE_TAGS": "1"})
    assert said.code == 0
    assert "did you mean `WASMCTL_IMAGE_TAG`" in said.err


def test_colour_only_where_it_is_wanted(wasmctl: CommandLine, tmp_path: Path) -> None:
    assert "\x1b[" not in wasmctl("build", cwd=tmp_path).err
    assert "\x1b[31" in wasmctl("build", cwd=tmp_path, env={"FORCE_COLOR": "1"}).err
    both = {"FORCE_COLOR": "1", "NO_COLOR": "1"}
    assert "\x1b[" not in wasmctl("build", cwd=tmp_path, env=both).err
    assert "\x1b[31" in wasmctl("build", "--color", cwd=tmp_path).err


def test_a_bug_saves_a_log_and_shows_no_traceback(wasmctl: CommandLine, tmp_path: Path) -> None:
    """A module of the project's own name in place of ours breaks the command for certain."""
    broken = tmp_path / "broken/wasmctl_break.py"
    broken.parent.mkdir()
    broken.write_text(
        "import wasmctl.project.load as load\n"
        "def explode(*_args, **_named): raise RuntimeError('boom')\n"
        "load.load_layers = explode\n"
    )
    (broken.parent / "sitecustomize.py").write_text("import wasmctl_break\n")
    said = wasmctl(
        "config",
        "show",
        "--json",
        cwd=tmp_path,
        env={"PYTHONPATH": str(broken.parent), "XDG_STATE_HOME": str(tmp_path / "state")},
    )
    document = json.loads(said.out)
    assert (said.code, document["errors"][0]["code"]) == (70, "internal")
    assert "Traceback" not in said.err
    log = next((tmp_path / "state/wasmctl").iterdir())
    assert str(log) in said.err
    assert "RuntimeError: boom" in log.read_text()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_is_130(
    number: signal.Signals, user_env: dict[str, str], tmp_path: Path
) -> None:
    """A cargo that never ends holds the command where it can be interrupted."""
    (tmp_path / "Cargo.toml").write_text(
        '[package]\nname = "x"\n[lib]\ncrate-type = ["cdylib"]\n'
        '[dependencies]\nproxy-wasm = "0.2"\n'
    )
    started, cargo = tmp_path / "started", tmp_path / "cargo"
    cargo.write_text(f"#!/bin/sh\n: > '{started}'\nexec sleep 60\n")
    cargo.chmod(0o755)
    child = subprocess.Popen(
        [WASMCTL, "build", "--json"],
        cwd=tmp_path,
        env={**user_env, "WASMCTL_CARGO": str(cargo)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not started.exists():
        assert child.poll() is None
        time.sleep(0.02)
    child.send_signal(number)
    out, err = child.communicate(timeout=10)
    assert child.returncode == 130
    assert json.loads(out)["errors"][0]["code"] == "interrupted"
    assert "Traceback" not in err
