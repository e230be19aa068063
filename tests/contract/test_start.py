"""What a start of the command line loads."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = frozenset(
    {"copier", "docker", "jinja2", "jsonschema", "oras", "pydantic", "questionary", "requests"}
    | {"rich", "tomlkit", "urllib3", "yaml", "http.client", "ssl", "asyncio"}
)


def loaded_by(arguments: list[str], env: dict[str, str]) -> set[str]:
    """Return the modules that are loaded when `wasmctl` with these arguments has ended."""
    program = (
        "import json, sys; from wasmctl.cli.app import run; code = run(sys.argv[1:]);"
        "sys.stderr.write('\\n' + json.dumps([code, *sys.modules]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    code, *modules = json.loads(done.stderr.rpartition("\n")[2])
    assert code == 0, done.stderr
    return set(modules)


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["--version"]]
    + [[verb, "--help"] for verb in ("build", "push", "init", "manifest")],
    ids=" ".join,
)
def test_help_loads_nothing_heavy(arguments: list[str], user_env: dict[str, str]) -> None:
    loaded = loaded_by(arguments, user_env)
    assert "typer" in loaded
    assert not loaded.intersection(HEAVY)


def test_completion_loads_nothing_heavy(user_env: dict[str, str]) -> None:
    completing = {
        "_WASMCTL_COMPLETE": "complete_bash",
        "COMP_WORDS": "wasmctl pu",
        "COMP_CWORD": "1",
    }
    program = (
        "import atexit, json, sys;"
        "atexit.register(lambda: sys.stderr.write(json.dumps(list(sys.modules))));"
        "from wasmctl.__main__ import main; sys.argv = ['wasmctl']; sys.exit(main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**user_env, **completing},
        capture_output=True,
        text=True,
        check=False,
    )
    assert {"push", "pull"} == set(done.stdout.split())
    assert not set(json.loads(done.stderr)).intersection(HEAVY)


@pytest.mark.parametrize(
    "arguments",
    [
        ["build", ".", "-o", "x.wasm", "--locked", "-v"],
        ["push", "a.io/b:1", "--tag", "x", "--via", "registry", "--format", "oci", "--no-build"],
        ["init", "x", "--language", "go", "--list", "--json"],
        ["manifest", "--image", "a.io/b:1@sha256:" + "a" * 64, "--priority", "1", "--sha256"],
        ["config", "show", "--origin"],
    ],
    ids=" ".join,
)
def test_parsing_a_verb_does_not_load_pydantic(
    arguments: list[str], user_env: dict[str, str], tmp_path: Path
) -> None:
    program = (
        "import atexit, json, sys;"
        "atexit.register(lambda: sys.stderr.write('\\n' + json.dumps(list(sys.modules))));"
        "from wasmctl.cli.app import run; run(sys.argv[1:])"
    )
    argv = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(
        argv, cwd=tmp_path, env=user_env, capture_output=True, text=True, check=False
    )
    loaded = set(json.loads(done.stderr.rpartition("\n")[2]))
    assert "typer" in loaded
    assert "pydantic" not in loaded
