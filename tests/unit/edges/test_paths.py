"""Our own folders, and files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from wasmctl.paths import cache_folder, config_file, replacing, state_folder, toolchain_folder


@pytest.fixture
def umask() -> Iterator[Callable[[int], int]]:
    before = os.umask(0o022)
    yield os.umask
    os.umask(before)


def write(path: Path, content: bytes, *, mode: int | None = None) -> None:
    with replacing(path, mode=mode) as stream:
        stream.write(content)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def bits(path: Path) -> int:
    return path.stat().st_mode & 0o7777


def test_the_base_directories_are_those_of_the_specification() -> None:
    env = {"HOME": "/home/me", "XDG_CACHE_HOME": "/caches", "XDG_DATA_HOME": "relative"}
    assert config_file(env) == Path("/home/me/.config/wasmctl/config.toml")
    assert cache_folder(env) == Path("/caches/wasmctl")
    assert state_folder(env) == Path("/home/me/.local/state/wasmctl")
    assert toolchain_folder(env) == Path("/home/me/.local/share/wasmctl/toolchains")


def test_a_file_takes_its_place_only_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with replacing(path) as stream:
        stream.write(b"new")
        stream.flush()
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("failure", [KeyboardInterrupt, ValueError, OSError("of another kind")])
def test_a_failure_in_the_middle_leaves_the_old_file_alone(
    tmp_path: Path, failure: type[BaseException] | OSError
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with contextlib.suppress(KeyboardInterrupt, ValueError, OSError), replacing(path) as stream:
        stream.write(b"half")
        raise failure
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["file"]


def test_a_failure_in_the_middle_leaves_no_new_file(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), replacing(tmp_path / "file"):
        raise KeyboardInterrupt
    assert names(tmp_path) == []


def test_a_failure_of_another_file_keeps_its_name(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught, replacing(tmp_path / "file"):
        (tmp_path / "other").read_bytes()
    assert caught.value.filename == str(tmp_path / "other")


@pytest.mark.parametrize(("mask", "expected"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_a_new_file_has_what_the_umask_leaves(
    tmp_path: Path, umask: Callable[[int], int], mask: int, expected: int
) -> None:
    umask(mask)
    write(tmp_path / "file", b"")
    assert bits(tmp_path / "file") == expected


@pytest.mark.parametrize("earlier", [0o600, 0o640, 0o755, 0o444])
def test_a_replaced_file_keeps_its_permissions(tmp_path: Path, earlier: int) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "file").chmod(earlier)
    write(tmp_path / "file", b"new")
    assert bits(tmp_path / "file") == earlier


@pytest.mark.parametrize("mask", [0o022, 0o777])
def test_a_given_mode_holds_whatever_was_there(
    tmp_path: Path, umask: Callable[[int], int], mask: int
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "file").chmod(0o644)
    umask(mask)
    with replacing(tmp_path / "file", mode=0o600) as stream:
        # Nobody else may read it while it is written, either.
        temporary = next(path for path in tmp_path.iterdir() if path.name != "file")
        assert bits(temporary) == 0o600
        stream.write(b"secret")
    assert bits(tmp_path / "file") == 0o600


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "dotfiles").mkdir()
    target = tmp_path / "dotfiles/config.json"
    target.write_bytes(b"old")
    (tmp_path / "config.json").symlink_to("dotfiles/config.json")
    write(tmp_path / "config.json", b"new")
    assert (tmp_path / "config.json").is_symlink()
    assert target.read_bytes() == b"new"
    assert names(tmp_path / "dotfiles") == ["config.json"]


def test_a_link_to_nothing_makes_what_it_points_at(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "target")
    write(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_bytes() == b"new"


def test_a_device_is_written_and_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "null").symlink_to("/dev/null")
    write(tmp_path / "null", b"gone")
    write(Path("/dev/null"), b"gone")
    assert Path("/dev/null").is_char_device()
    assert Path("/dev/null").read_bytes() == b""


def test_a_pipe_is_written_and_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(path.read_bytes()))
    reader.start()
    write(path, b"through")
    reader.join()
    assert (got, path.is_fifo()) == ([b"through"], True)


def test_a_name_of_the_greatest_length_is_no_problem(tmp_path: Path) -> None:
    write(tmp_path / ("ä" * 127), b"")
    assert names(tmp_path) == ["ä" * 127]


@pytest.mark.parametrize("name", ["missing/file", "file/below", "folder"])
def test_a_failure_names_the_file_that_was_meant(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match=f"'{tmp_path / name}'$"):
        write(tmp_path / name, b"")
    assert names(tmp_path) == ["file", "folder"]
