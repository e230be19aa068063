"""What is looked at to tell whether a module is up to date."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from wasmctl.toolchain.golist import watch_packages
from wasmctl.toolchain.inputs import (
    Inputs,
    Watch,
    environment_part,
    key_of,
    load_inputs,
    tool_identity,
)


def write(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)


def watch(folder: Path, *patterns: str) -> Watch:
    return Watch(packages=(str(folder),), patterns={str(folder): patterns}, files=())


def test_what_was_kept_is_read_back(tmp_path: Path) -> None:
    write(tmp_path, "main.go", "static/a.txt")
    here = watch(tmp_path, "static/*")
    inputs = Inputs(key="k", watch=here, seen=here.look())
    assert load_inputs(json.loads(json.dumps(inputs.to_json()))) == inputs


@pytest.mark.parametrize("value", [None, 7, [], {}, {"key": 1}, {"key": "k", "seen": []}])
def test_what_is_not_ours_is_not_read(value: object) -> None:
    assert load_inputs(value) is None  # type: ignore[arg-type]


def test_a_name_that_is_no_text_is_not_remembered(tmp_path: Path) -> None:
    folder = os.fsdecode(os.fsencode(tmp_path) + b"/\xff")
    os.makedirs(folder)  # noqa: PTH103
    here = Watch(packages=(folder,), patterns={}, files=())
    assert Inputs(key="k", watch=here, seen=here.look()).to_json() is None


EDITS: dict[str, tuple[Callable[[Path], object], bool]] = {
    "a new source": (lambda folder: write(folder, "more.go"), True),
    "a new header": (lambda folder: write(folder, "more.h"), True),
    "a new test": (lambda folder: write(folder, "more_test.go"), False),
    "a new text": (lambda folder: write(folder, "more.txt"), False),
    "an editor's lock": (lambda folder: (folder / ".#main.go").symlink_to("nowhere"), False),
    "a removed source": (lambda folder: (folder / "other.go").unlink(), True),
    "a renamed source": (lambda folder: (folder / "other.go").rename(folder / "another.go"), True),
    "swapped sources": (
        lambda folder: (
            (folder / "main.go").replace(folder / "x"),
            (folder / "other.go").replace(folder / "main.go"),
            (folder / "x").replace(folder / "other.go"),
        ),
        True,
    ),
    "a new time": (lambda folder: os.utime(folder / "main.go", (0, 0)), False),
    "the same text again": (lambda folder: write(folder, "main.go"), False),
}


@pytest.mark.parametrize("edit", EDITS)
def test_edits_of_a_package(tmp_path: Path, edit: str) -> None:
    write(tmp_path, "main.go", "other.go", "main_test.go", "notes.txt")
    here = watch(tmp_path)
    inputs = Inputs(key="k", watch=here, seen=here.look())
    assert inputs.difference("k") is None
    change, matters = EDITS[edit]
    change(tmp_path)
    assert (inputs.difference("k") is not None) is matters


def test_an_edit_of_the_same_size_and_time_is_seen(tmp_path: Path) -> None:
    write(tmp_path, "main.go")
    here = watch(tmp_path)
    inputs = Inputs(key="k", watch=here, seen=here.look())
    before = (tmp_path / "main.go").stat()
    (tmp_path / "main.go").write_text("MAIN.GO")
    os.utime(tmp_path / "main.go", ns=(before.st_atime_ns, before.st_mtime_ns))
    after = (tmp_path / "main.go").stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert inputs.difference("k") == f"`{tmp_path}/main.go` has changed"


@pytest.mark.parametrize(
    ("pattern", "new", "matters"),
    [
        ("static", "static/deep/down/new.txt", True),
        ("all:static", "static/.new", True),
        ("static/*.txt", "static/new.txt", True),
        ("static/*/x.txt", "static/b/x.txt", True),
        ("static/[^b]*/x.txt", "static/c/x.txt", True),
        ("static/*.txt", "elsewhere/new.txt", False),
        ("static/a.txt", "static/new.txt", False),
    ],
)
def test_a_new_file_that_an_embed_could_stand_for(
    tmp_path: Path, pattern: str, new: str, matters: bool
) -> None:
    write(tmp_path, "main.go", "static/a.txt", "static/b/y.txt", "elsewhere/a.txt")
    here = watch(tmp_path, pattern)
    inputs = Inputs(key="k", watch=here, seen=here.look())
    write(tmp_path, new)
    assert (inputs.difference("k") is not None) is matters


def test_a_named_pipe_does_not_hold_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "odd.go")
    assert watch(tmp_path).look()[f"{tmp_path}/odd.go"] == "absent"


def test_a_change_after_a_moment_is_seen_whatever_the_times_say(tmp_path: Path) -> None:
    write(tmp_path, "main.go")
    time.sleep(0.05)
    moment = time.time_ns()
    assert not watch(tmp_path).changed_since(moment)
    time.sleep(0.05)
    write(tmp_path, "main.go")
    os.utime(tmp_path / "main.go", (0, 0))
    assert watch(tmp_path).changed_since(moment)


def test_keys_tell_values_apart() -> None:
    assert len({key_of("a", "b"), key_of("ab"), key_of(["a", "b"]), key_of("b", "a")}) == 4


def test_of_the_environment_what_compilers_read() -> None:
    read = {"GOFLAGS", "GOOS", "GOWORK", "GOTOOLCHAIN", "TINYGOROOT", "CGO_CFLAGS", "CC", "HOME"}
    ignored = {"GOPROXY", "GOCACHE", "GOOGLE_TOKEN", "PS1", "MYGOFLAGS", "XTINYGO"}
    assert {*environment_part(dict.fromkeys(read | ignored, "x"))} == read


def test_a_program_is_told_from_another_of_its_name(tmp_path: Path) -> None:
    path = tmp_path / "tinygo"
    path.write_bytes(b"\x7fELF 1")
    first = tool_identity(path, "tinygo")
    times = path.stat()
    (tmp_path / "new").write_bytes(b"\x7fELF 2")
    (tmp_path / "new").replace(path)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    second = tool_identity(path, "tinygo")
    assert first is not None
    assert second is not None
    assert second != first


@pytest.mark.parametrize(
    ("real", "content"), [("mise", b"\x7fELF"), ("go", b"#!/bin/sh\n"), ("goenv", b"\x7fELF")]
)
def test_what_may_start_any_go_is_none(tmp_path: Path, real: str, content: bytes) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / real).write_bytes(content)
    (tmp_path / "go").symlink_to(tmp_path / "real" / real)
    assert tool_identity(tmp_path / "go", "go") is None


@pytest.mark.parametrize("real", ["go", "go1.25.5", "go-1.22"])
def test_a_go_under_its_version_s_name_is_one(tmp_path: Path, real: str) -> None:
    (tmp_path / real).write_bytes(b"\x7fELF")
    assert tool_identity(tmp_path / real, "go") is not None


def package(folder: Path, **fields: object) -> str:
    return json.dumps({"Dir": str(folder), "Name": "main", **fields})


def test_the_module_cache_and_the_standard_library_are_not_watched(tmp_path: Path) -> None:
    pinned = {"Path": "x.org/sdk", "Version": "v1.0.0", "Dir": "/cache/x.org/sdk@v1.0.0"}
    listing = "\n".join(
        (
            package(Path("/go/src/fmt"), Standard=True),
            package(Path("/cache/x.org/sdk@v1.0.0/inner"), Module=pinned),
            package(
                tmp_path / "lib",
                Module={
                    "Path": "x.org/lib",
                    "Replace": {"Path": "./lib", "Dir": str(tmp_path / "lib")},
                },
            ),
            package(
                tmp_path / "vendor/x.org/other", Module={"Path": "x.org/other", "Version": "v1.0.0"}
            ),
            package(tmp_path, Module={"Path": "x.org/plug-in", "Main": True}),
        )
    )
    found = watch_packages(listing, tmp_path, {"GOENV": "off"})
    assert found is not None
    assert found.packages == tuple(
        map(str, (tmp_path / "lib", tmp_path / "vendor/x.org/other", tmp_path))
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"CgoFiles": ["c.go"]},
        {"CFiles": ["c.c"]},
        {"SFiles": ["a.s"]},
        {"Error": {"Err": "broken"}},
    ],
)
def test_what_may_read_files_from_anywhere_is_not_remembered(
    tmp_path: Path, fields: dict[str, object]
) -> None:
    assert watch_packages(package(tmp_path, **fields), tmp_path, {"GOENV": "off"}) is None


@pytest.mark.parametrize("flags", ["-overlay=o.json", "-modfile=other.mod"])
def test_neither_is_what_hides_files(tmp_path: Path, flags: str) -> None:
    env = {"GOENV": "off", "GOFLAGS": flags}
    assert watch_packages(package(tmp_path), tmp_path, env) is None
    (tmp_path / "env").write_text(f"GOFLAGS={flags}\n")
    assert watch_packages(package(tmp_path), tmp_path, {"GOENV": str(tmp_path / "env")}) is None


def test_files_that_could_newly_count_are_watched(tmp_path: Path) -> None:
    inner = tmp_path / "work/plug-in"
    inner.mkdir(parents=True)
    (inner / "go.mod").write_text("module x\n\nreplace y => ../../y\n")
    found = watch_packages(package(inner), inner, {"GOENV": "off"})
    assert found is not None
    expected = (
        "work/go.mod",
        "work/go.work",
        "work/plug-in/go.sum",
        "work/plug-in/vendor/modules.txt",
    )
    assert {*found.files} >= {str(tmp_path / name) for name in expected}
    assert any(os.path.realpath(name) == str(tmp_path / "y/go.mod") for name in found.files)
