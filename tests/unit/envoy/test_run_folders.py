"""Run folders: made, kept, and removed."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from wasmctl.envoy.folders import make_run_folder, writing_to
from wasmctl.errors import UsageError


def ended_process() -> int:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def old_folders(runs: Path, *, of: int, count: int) -> list[Path]:
    made = []
    for number in range(count):
        folder = runs / f"20200101-000000-{of}-{number}"
        folder.mkdir(parents=True)
        (folder / "envoy.log").write_text("said")
        os.utime(folder, (number, number))
        made.append(folder)
    return made


def test_every_call_makes_a_new_folder_for_the_user_alone(tmp_path: Path) -> None:
    env = {"XDG_STATE_HOME": str(tmp_path)}
    first, second = make_run_folder(env), make_run_folder(env)
    assert first != second
    assert first.parent == second.parent == tmp_path / "wasmctl/runs"
    assert stat.S_IMODE(first.stat().st_mode) == 0o700


def test_the_newest_twenty_stay(tmp_path: Path) -> None:
    old = old_folders(tmp_path / "wasmctl/runs", of=ended_process(), count=25)
    made = make_run_folder({"XDG_STATE_HOME": str(tmp_path)})
    assert sorted(made.parent.iterdir()) == sorted([made, *old[-19:]])


def test_folders_of_a_running_process_stay(tmp_path: Path) -> None:
    old = old_folders(tmp_path / "wasmctl/runs", of=os.getppid(), count=25)
    made = make_run_folder({"XDG_STATE_HOME": str(tmp_path)})
    assert sorted(made.parent.iterdir()) == sorted([made, *old])


def test_a_state_folder_that_cannot_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "wasmctl").write_text("a file")
    with pytest.raises(UsageError) as caught:
        make_run_folder({"XDG_STATE_HOME": str(tmp_path)})
    assert caught.value.code == "no-run-folder"
    assert str(tmp_path / "wasmctl/runs") in caught.value.message


def test_a_full_disk_is_told_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught, writing_to(tmp_path):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert (
        caught.value.message == f"nothing can be written in `{tmp_path}`: no space left on device"
    )
    assert "XDG_STATE_HOME" in str(caught.value.hint)
