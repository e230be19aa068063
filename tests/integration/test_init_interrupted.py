"""`wasmctl init` stopped at any moment: a whole project, or none."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.conftest import WASMCTL
from tests.unit.scaffold.trees import read_tree, write_tree

MINE = {"README.md": "mine", "LICENSE": "mine"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("mine", [{}, MINE], ids=["new", "existing"])
def test_a_stopped_init_leaves_a_whole_project_or_none(
    user_env: dict[str, str], tmp_path: Path, number: signal.Signals, mine: dict[str, str]
) -> None:
    argv = [str(WASMCTL), "init", "--language", "rust", "--force", "hello"]
    started = time.monotonic()
    (tmp_path / "whole").mkdir()
    write_tree(tmp_path / "whole/hello", mine)
    subprocess.run(argv, cwd=tmp_path / "whole", env=user_env, check=True, capture_output=True)
    seconds = time.monotonic() - started
    whole = read_tree(tmp_path / "whole")
    nothing = {f"hello/{name}": text for name, text in mine.items()}
    # More often towards the end, where it writes.
    moments = [0.4, *(0.7 + step * 0.05 for step in range(7))]
    for step, moment in enumerate(moments):
        place = tmp_path / str(step)
        place.mkdir()
        if mine:
            write_tree(place / "hello", mine)
        child = subprocess.Popen(
            argv, cwd=place, env=user_env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        time.sleep(seconds * moment)
        child.send_signal(number)
        talk = child.communicate(timeout=20)[1]
        if child.returncode >= 0:  # else it was stopped before Python had come up
            assert child.returncode in {0, 130}, talk
            assert b"Traceback" not in talk
        assert read_tree(place) in (whole, nothing), f"half a project after {moment:.2f}"


def test_killed_outright_a_new_project_is_whole_or_not_there(
    user_env: dict[str, str], tmp_path: Path
) -> None:
    argv = [str(WASMCTL), "init", "--language", "rust", "hello"]
    started = time.monotonic()
    subprocess.run(argv, cwd=tmp_path, env=user_env, check=True, capture_output=True)
    seconds = time.monotonic() - started
    whole = read_tree(tmp_path / "hello")
    for step in range(6):
        place = tmp_path / str(step)
        place.mkdir()
        child = subprocess.Popen(argv, cwd=place, env=user_env, stdout=subprocess.DEVNULL)
        time.sleep(seconds * (0.75 + step * 0.05))
        child.kill()
        child.wait()
        assert not (place / "hello").exists() or read_tree(place / "hello") == whole
