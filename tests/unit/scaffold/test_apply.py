"""Planning and writing: what is in the way, and all or nothing."""

from __future__ import annotations

import errno
import os
import signal
import stat
import sys
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from types import FrameType
from typing import Any

import pytest

from tests.unit.scaffold.trees import read_tree, write_tree
from wasmctl.errors import UsageError
from wasmctl.scaffold import apply
from wasmctl.scaffold.apply import apply_scaffold
from wasmctl.scaffold.plan import ScaffoldPlan, compare
from wasmctl.scaffold.render import RenderedFile

FILES = {"README.md": "ours", "a/b/c.txt": "c", "a/d.txt": "d"}


def rendered(files: dict[str, str]) -> list[RenderedFile]:
    return [
        RenderedFile(path=PurePosixPath(name), content=text.encode())
        for name, text in files.items()
    ]


def plan_for(folder: Path, *, force: bool = False) -> ScaffoldPlan:
    return compare(folder, rendered(FILES), force=force)


def test_a_new_folder_is_made_with_those_above_it(tmp_path: Path) -> None:
    folder = tmp_path / "x/y/z"
    plan = plan_for(folder)
    apply_scaffold(plan)
    assert read_tree(folder) == FILES
    assert plan.paths == ("README.md", "a/b/c.txt", "a/d.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_a_way_back_in_the_name_is_followed(tmp_path: Path) -> None:
    apply_scaffold(plan_for(tmp_path / "not-there/../x"))
    assert [path.name for path in tmp_path.iterdir()] == ["x"]
    assert read_tree(tmp_path / "x") == FILES


def test_files_get_the_permissions_that_the_user_gives_files(tmp_path: Path) -> None:
    script = RenderedFile(path=PurePosixPath("run.sh"), content=b"", executable=True)
    before = os.umask(0o027)
    try:
        apply_scaffold(compare(tmp_path / "x", [script, *rendered(FILES)], force=False))
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*")}
    assert (modes["x"], modes["a"], modes["run.sh"], modes["d.txt"]) == (0o750, 0o750, 0o750, 0o640)


def test_an_existing_folder_stays_the_same_folder(tmp_path: Path) -> None:
    number = tmp_path.stat().st_ino
    apply_scaffold(plan_for(tmp_path))
    assert tmp_path.stat().st_ino == number
    assert read_tree(tmp_path) == FILES


def test_only_files_that_would_change_are_in_the_way(tmp_path: Path) -> None:
    mine = {"LICENSE": "mine", "README.md": "mine", "a/d.txt": "d", ".git/config": ""}
    write_tree(tmp_path, mine)
    with pytest.raises(UsageError) as caught:
        plan_for(tmp_path)
    assert caught.value.code == "files-in-the-way"
    assert caught.value.message.endswith(": `README.md`")
    assert "--force" in (caught.value.hint or "")
    assert read_tree(tmp_path) == mine


def test_force_overwrites_only_those(tmp_path: Path) -> None:
    write_tree(tmp_path, {"LICENSE": "mine", "README.md": "mine", "a/d.txt": "d"})
    plan = plan_for(tmp_path, force=True)
    assert plan.paths == ("README.md", "a/b/c.txt")
    untouched = (tmp_path / "a/d.txt").stat().st_mtime_ns
    apply_scaffold(plan)
    assert read_tree(tmp_path) == {**FILES, "LICENSE": "mine"}
    assert (tmp_path / "a/d.txt").stat().st_mtime_ns == untouched


def test_what_is_there_already_is_no_conflict(tmp_path: Path) -> None:
    write_tree(tmp_path, FILES)
    plan = plan_for(tmp_path)
    assert plan.paths == ()
    apply_scaffold(plan)
    assert read_tree(tmp_path) == FILES


@pytest.mark.parametrize("mine", ["a", "README.md/x", "a/b/c.txt/x"])
def test_force_does_not_turn_files_into_folders_or_back(tmp_path: Path, mine: str) -> None:
    write_tree(tmp_path, {mine: "mine"})
    with pytest.raises(UsageError) as caught:
        plan_for(tmp_path, force=True)
    assert caught.value.code == "files-in-the-way"
    assert "--force" not in (caught.value.hint or "")
    assert read_tree(tmp_path) == {mine: "mine"}


def test_a_link_is_replaced_and_what_it_leads_to_is_not(tmp_path: Path) -> None:
    project = write_tree(tmp_path / "p", {"x": ""})
    write_tree(tmp_path, {"elsewhere": "mine"})
    (project / "README.md").symlink_to(tmp_path / "elsewhere")
    (project / "a").mkdir()
    (project / "a/d.txt").symlink_to("nowhere")
    with pytest.raises(UsageError, match=r"`README.md`, `a/d.txt`"):
        plan_for(project)
    apply_scaffold(plan_for(project, force=True))
    assert read_tree(project) == {**FILES, "x": ""}
    assert (tmp_path / "elsewhere").read_text() == "mine"


def test_a_file_where_the_folder_should_be_is_told(tmp_path: Path) -> None:
    write_tree(tmp_path, {"x": ""})
    with pytest.raises(UsageError) as caught:
        plan_for(tmp_path / "x")
    assert caught.value.code == "not-a-folder"


def test_what_came_between_plan_and_writing_is_not_overwritten(tmp_path: Path) -> None:
    existing, new = plan_for(tmp_path), plan_for(tmp_path / "new")
    write_tree(tmp_path, {"a/d.txt": "theirs", "new/a/d.txt": "theirs"})
    before = read_tree(tmp_path)
    for plan in (existing, new):
        with pytest.raises(UsageError) as caught:
            apply_scaffold(plan)
        assert caught.value.code == "files-in-the-way"
        assert read_tree(tmp_path) == before


def test_a_failing_disk_names_the_projects_folder_and_leaves_everything_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tree(tmp_path, {"README.md": "mine"})
    writes = 0

    def full(path: Path, file: RenderedFile) -> None:
        nonlocal writes
        writes += 1
        path.write_bytes(file.content[:1])
        if writes == 3:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(apply, "_write", full)
    for folder in (tmp_path, tmp_path / "new/er"):
        writes = 0
        with pytest.raises(OSError, match="No space left") as caught:
            apply_scaffold(plan_for(folder, force=True))
        assert caught.value.filename == str(folder)
        assert read_tree(tmp_path) == {"README.md": "mine"}


class Interrupt:
    """Interrupts at the given step of the code in one file, as a signal would: when it may."""

    def __init__(self, filename: str, step: int) -> None:
        self.filename = filename
        self.left = step
        self.done = False

    def __call__(self, frame: FrameType, event: str, _argument: object) -> Any:
        if frame.f_code.co_filename != self.filename or self.done:
            return None
        if event in {"line", "return"}:
            self.left -= 1
            held = signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ())
            if self.left <= 0 and not held:
                self.done = True
                raise KeyboardInterrupt
        return self


def interrupted(step: int, work: Callable[[], None]) -> bool:
    """Return whether the work was interrupted at the step; False: it has not as many."""
    interrupt = Interrupt(apply.__file__, step)
    before = sys.gettrace()
    sys.settrace(interrupt)
    try:
        work()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    return interrupt.done


# A file that is interrupted between its opening and its closing is closed by Python, with a word.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("where", ["new", "existing"])
def test_interrupted_at_any_step_it_is_whole_or_not_there(tmp_path: Path, where: str) -> None:
    step, whole, nothing = 0, 0, 0
    while True:
        step += 1
        folder = tmp_path / str(step)
        mine = {} if where == "new" else {"README.md": "mine", "a/d.txt": "mine", "L": "mine"}
        write_tree(folder, mine)
        plan = plan_for(folder, force=True)
        if not interrupted(step, lambda plan=plan: apply_scaffold(plan)):  # type: ignore[misc]
            break
        tree = read_tree(folder)
        assert tree in (mine, {**mine, **FILES}), f"half a project at step {step}"
        assert folder.exists() == bool(tree)
        assert not list(tmp_path.glob(".wasmctl*"))
        whole, nothing = whole + (tree != mine), nothing + (tree == mine)
    assert nothing > 20
    assert whole > 0
