"""Where a module is put, what is in the way, and what an interruption leaves. Real compilers."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.conftest import WASMCTL
from tests.integration.builds import Builder, small_go, write
from tests.integration.disks import mounted_disk
from wasmctl.errors import ToolFailed, UsageError, WasmctlError
from wasmctl.project.record import read_record
from wasmctl.toolchain.module import BuildRequest, Module

pytestmark = pytest.mark.go


@pytest.fixture
def build(user_env: dict[str, str]) -> Builder:
    return Builder(user_env)


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Make a folder read-only for root, too."""
    subprocess.run(["mount", "--bind", folder, folder], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def leftovers(folder: Path) -> set[str]:
    names = {path.name for path in folder.iterdir()}
    return names - {"plugin.wasm", "plugin.json", ".gitignore", ".lock"}


def test_another_file_is_written_and_dist_left_alone(build: Builder, tmp_path: Path) -> None:
    project = small_go(tmp_path / "small")
    output = tmp_path / "new/folder/x.wasm"
    module = build(project, "go", BuildRequest(output=output))
    assert module.path == output
    assert output.read_bytes().startswith(b"\0asm")
    assert not (project / "dist").exists()


def test_a_folder_in_the_file_s_place(build: Builder, tmp_path: Path) -> None:
    (tmp_path / "x.wasm").mkdir()
    with pytest.raises(UsageError) as caught:
        build(small_go(tmp_path / "small"), "go", BuildRequest(output=tmp_path / "x.wasm"))
    assert caught.value.code == "cannot-write"


def test_a_file_in_dist_s_place(build: Builder, tmp_path: Path) -> None:
    project = write(small_go(tmp_path / "small"), {"dist": "mine"})
    with pytest.raises(UsageError) as caught:
        build(project, "go")
    assert caught.value.code == "cannot-write"
    assert (project / "dist").read_text() == "mine"


@pytest.mark.root
def test_a_read_only_folder(build: Builder, tmp_path: Path) -> None:
    project = small_go(tmp_path / "small")
    with read_only(project):
        with pytest.raises(UsageError, match="read-only file system") as caught:
            build(project, "go")
        assert "`wasmctl build -o FILE`" in str(caught.value.hint)
        assert "`--no-build`" in str(caught.value.hint)
        output = tmp_path / "x.wasm"
        assert build(project, "go", BuildRequest(output=output)).path == output


@pytest.mark.root
def test_a_full_disk_keeps_the_last_good_module(build: Builder, tmp_path: Path) -> None:
    with mounted_disk(tmp_path / "disk", size=7_000_000) as disk:
        project = small_go(disk / "small")
        good = build(project, "go")
        content = good.path.read_bytes()
        small_go(project, code='\nvar text = "another"\n\nfunc init() { println(text) }\n')
        room = os.statvfs(disk)
        (disk / "filler").write_bytes(b"x" * (room.f_bavail * room.f_frsize - 200_000))
        with pytest.raises(UsageError, match="no space left on device") as caught:
            build(project, "go")
        assert "make room" in (caught.value.hint or "")
        assert good.path.read_bytes() == content
        assert not leftovers(project / "dist")
        assert read_record(project / "dist")["module"]["sha256"] == good.sha256  # type: ignore[index,call-overload]
        (disk / "filler").unlink()
        assert build(project, "go").sha256 != good.sha256


@pytest.mark.root
def test_a_disk_that_is_full_for_the_compiler(build: Builder, tmp_path: Path) -> None:
    project = small_go(tmp_path / "small")
    good = build(project, "go").path.read_bytes()
    small_go(project, code='\nvar text = "another"\n\nfunc init() { println(text) }\n')
    with mounted_disk(tmp_path / "disk", size=2_100_000) as disk:
        build.env["TMPDIR"] = str(disk)
        with pytest.raises((ToolFailed, UsageError)) as caught:
            build(project, "go")
    assert (caught.value.hint or "").startswith("make room on")
    assert (project / "dist/plugin.wasm").read_bytes() == good


@pytest.mark.root
def test_a_module_that_the_compiler_cut_off_is_noticed(build: Builder, tmp_path: Path) -> None:
    """On a full disk go writes as much as there is room for, and says that all is well."""
    project = small_go(tmp_path / "small")
    with mounted_disk(tmp_path / "disk", size=100_000) as disk:
        build.env["TMPDIR"] = str(disk)
        with pytest.raises(ToolFailed, match="is cut off in") as caught:
            build(project, "go")
    assert caught.value.code == "incomplete-module"
    assert not (project / "dist/plugin.wasm").exists()


def test_the_second_of_two_builds_waits_and_says_so(build: Builder, tmp_path: Path) -> None:
    project = small_go(tmp_path / "small")
    sha256 = build(project, "go").sha256
    modules: list[Module] = []
    with (project / "dist/.lock").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        waiting = threading.Thread(target=lambda: modules.append(build(project, "go")))
        waiting.start()
        waiting.join(0.5)
        assert waiting.is_alive()
        assert not modules
    waiting.join(60)
    assert [(module.sha256, module.fresh) for module in modules] == [(sha256, True)]
    assert "another build of `small` is running; waiting for it" in build.talk


def test_an_interruption_ends_the_wait_of_builds_side_by_side(
    user_env: dict[str, str], tmp_path: Path
) -> None:
    projects = [small_go(tmp_path / name) for name in ("one", "two")]
    Builder(user_env)(projects[0], "go")
    argv: list[str | Path] = [WASMCTL, "build", *projects]
    with (projects[0] / "dist/.lock").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        child = subprocess.Popen(argv, env=user_env, stderr=subprocess.PIPE, text=True)
        assert child.stderr is not None
        while "waiting for it" not in child.stderr.readline():
            assert child.poll() is None
        child.send_signal(signal.SIGINT)
        child.communicate(timeout=10)
    assert child.returncode == 130


def test_many_builds_of_one_project_at_once(build: Builder, tmp_path: Path) -> None:
    project = small_go(tmp_path / "small")
    builders = [Builder(build.env) for _ in range(4)]
    modules: list[Module] = []
    threads = [
        threading.Thread(target=lambda one=one: modules.append(one(project, "go")))
        for one in builders
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert len({module.sha256 for module in modules}) == 1
    assert [module.fresh for module in modules].count(False) == 1
    assert not leftovers(project / "dist")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("moment", [0.1, 0.4, 1.0])
def test_an_interruption_leaves_the_last_good_module(
    user_env: dict[str, str], tmp_path: Path, number: int, moment: float
) -> None:
    """Whenever it comes: while go compiles (slowly, with a cold cache) or before."""
    project = small_go(tmp_path / "small")
    module = Builder(user_env)(project, "go")
    content, record = module.path.read_bytes(), (project / "dist/plugin.json").read_bytes()
    small_go(project, code='\nvar text = "another"\n\nfunc init() { println(text) }\n')
    env = {**user_env, "GOCACHE": str(tmp_path / "cold"), "TMPDIR": str(tmp_path)}
    child = subprocess.Popen(
        [WASMCTL, "build"], cwd=project, env=env, stderr=subprocess.PIPE, text=True
    )
    time.sleep(moment)
    child.send_signal(number)
    started = time.monotonic()
    _, talk = child.communicate(timeout=20)
    assert time.monotonic() - started < 3
    assert child.returncode in {130, -number}, talk
    assert module.path.read_bytes() == content
    assert (project / "dist/plugin.json").read_bytes() == record
    assert not leftovers(project / "dist")
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("wasmctl-")]
    running = [process.info["cmdline"] or () for process in psutil.process_iter(["cmdline"])]
    assert not [argv for argv in running if str(tmp_path) in " ".join(argv)]


def test_a_killed_build_does_not_stop_the_next(user_env: dict[str, str], tmp_path: Path) -> None:
    project = small_go(tmp_path / "small")
    env = {**user_env, "GOCACHE": str(tmp_path / "cold")}
    child = subprocess.Popen([WASMCTL, "build"], cwd=project, env=env, stderr=subprocess.DEVNULL)
    time.sleep(0.7)
    child.kill()
    child.wait()
    assert not Builder(user_env)(project, "go").fresh
    assert sys.platform == "win32" or not leftovers(project / "dist")


@pytest.mark.root
def test_a_full_temporary_folder_is_named(build: Builder, tmp_path: Path) -> None:
    project = small_go(tmp_path / "small")
    build(project, "go")
    with mounted_disk(tmp_path / "disk") as disk:
        build.env["TMPDIR"] = str(disk)
        with pytest.raises(WasmctlError) as caught:
            build(project, "go")
    assert str(disk) in caught.value.message + caught.value.output
    assert "make room" in (caught.value.hint or "")
