"""Whether TinyGo has to compile again: a wrong "fresh" is the worst that a build can say.

One plug-in with all that Go allows (a workspace, a replaced module, embedded files) is compiled
once; then each edit must be seen, and after it is undone the module must be up to date again.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.integration.builds import Builder, project_at, write
from wasmctl.project.record import read_record, write_record
from wasmctl.project.settings import BuildSettings, Settings
from wasmctl.toolchain.job import Job
from wasmctl.toolchain.module import BuildRequest
from wasmctl.toolchain.tinygo import look_for_changes

pytestmark = pytest.mark.tinygo

NEW = "/opt/tinygo-0.39.0/bin/tinygo"
MAIN = """\
package main

import (
	"embed"

	"example.com/inner"
	"example.com/lib"
	"example.com/other"
)

//go:embed static/*.txt
var files embed.FS

//go:embed single.json
var single string

//export proxy_abi_version_0_2_0
func abi() {}

func main() {}

func init() {
	names, _ := files.ReadDir("static")
	println(len(names), single, lib.Text, other.Text, inner.Text)
}
"""


def lib(name: str, text: str) -> str:
    return f'package {name}\n\nconst Text = "{text}"\n'


def make(root: Path) -> Path:
    """Make a workspace of two modules, one of which replaces a third; return the plug-in."""
    write(
        root,
        {
            "go.work": "go 1.22\n\nuse (\n\t./plug-in\n\t./lib\n)\n",
            "lib/go.mod": "module example.com/lib\n\ngo 1.22\n",
            "lib/lib.go": lib("lib", "workspace"),
            "other/go.mod": "module example.com/other\n\ngo 1.22\n",
            "other/other.go": lib("other", "replaced"),
            "other/more.go": "package other\n",
            "plug-in/go.mod": "module example.com/plug-in\n\ngo 1.22\n\n"
            "require (\n\texample.com/other v0.0.0\n\texample.com/inner v0.0.0\n)\n\n"
            "replace example.com/other => ../other\n\nreplace example.com/inner => ./inner\n",
            "plug-in/inner/go.mod": "module example.com/inner\n\ngo 1.22\n",
            "plug-in/inner/inner.go": lib("inner", "inner"),
            "plug-in/main.go": MAIN,
            "plug-in/more.go": "package main\n",
            "plug-in/main_test.go": "package main\n",
            "plug-in/single.json": "{}",
            "plug-in/static/a.txt": "a",
            "plug-in/README.md": "read me",
        },
    )
    return root / "plug-in"


class World:
    """The compiled plug-in, and how it is looked at again."""

    def __init__(self, build: Builder, root: Path) -> None:
        self.build = build
        self.root = root
        self.project = root / "plug-in"
        self.settings = BuildSettings()
        self.request = BuildRequest()

    def change(self) -> str | None:
        """Return why the module would be compiled again; None: it is fresh."""
        project = project_at(self.project, "tinygo", Settings(build=self.settings))
        job = Job(
            project=project,
            session=self.build.session(self.project, io.StringIO()),
            request=self.request,
            place=project.module,
            scratch=self.root,
            record=read_record(project.dist),
        )
        return look_for_changes(job).change


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> World:
    root = tmp_path_factory.mktemp("fresh") / "work"
    env = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    build = Builder({**env, "WASMCTL_TINYGO": NEW, "GOENV": str(root / "go.env")})
    module = build(make(root), "tinygo")
    assert not module.fresh
    world = World(build, root)
    assert world.change() is None
    assert build(world.project, "tinygo").fresh
    return world


@pytest.fixture
def world(compiled: World) -> Iterator[World]:
    """The compiled plug-in; what a test does to it is undone."""
    kept = compiled.root.with_name("kept")
    shutil.copytree(compiled.root, kept, symlinks=True)
    env, settings, request = dict(compiled.build.env), compiled.settings, compiled.request
    yield compiled
    shutil.rmtree(compiled.root)
    kept.rename(compiled.root)
    compiled.build.env = env
    compiled.settings, compiled.request = settings, request
    assert compiled.change() is None, "undone, it is up to date again"


Edit = Callable[["World"], object]


def append(*names: str) -> Edit:
    def edit(world: World) -> None:
        for name in names:
            path = world.root / name
            path.write_text((path.read_text() if path.exists() else "") + "\n")

    return edit


def put(name: str, text: str) -> Edit:
    return lambda world: write(world.root, {name: text})


def remove(name: str) -> Edit:
    return lambda world: (world.root / name).unlink()


def rename(name: str, other: str) -> Edit:
    return lambda world: (world.root / name).rename(world.root / other)


def environment(**variables: str) -> Edit:
    return lambda world: world.build.env.update(variables)


def settings(**changes: object) -> Edit:
    def edit(world: World) -> None:
        world.settings = replace(world.settings, **changes)  # type: ignore[arg-type]

    return edit


def request(**changes: object) -> Edit:
    def edit(world: World) -> None:
        world.request = replace(world.request, **changes)  # type: ignore[arg-type]

    return edit


def another_tinygo(world: World) -> None:
    world.build.env["WASMCTL_TINYGO"] = "/opt/tinygo-0.31.2/bin/tinygo"


def the_same_tinygo_from_elsewhere(world: World) -> None:
    (world.root / "bin").mkdir()
    shutil.copy2(NEW, world.root / "bin/tinygo")
    world.build.env |= {
        "WASMCTL_TINYGO": str(world.root / "bin/tinygo"),
        "TINYGOROOT": "/opt/tinygo-0.39.0",
    }


def another_name(world: World) -> None:
    (world.root / "tinygo").symlink_to(NEW)
    world.build.env["WASMCTL_TINYGO"] = str(world.root / "tinygo")


def another_go(world: World) -> None:
    (world.root / "bin").mkdir()
    shutil.copy2(shutil.which("go") or "go", world.root / "bin/go")
    world.build.env["WASMCTL_GO"] = str(world.root / "bin/go")


def a_go_that_may_be_any(world: World) -> None:
    (world.root / "bin").mkdir()
    path = write(world.root / "bin", {"go": f'#!/bin/sh\nexec {shutil.which("go")} "$@"\n'}) / "go"
    path.chmod(0o755)
    world.build.env["WASMCTL_GO"] = str(path)


def touched_back_in_time(world: World) -> None:
    path = world.project / "inner/inner.go"
    before = path.stat()
    path.write_text(lib("inner", "INNER"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    assert path.stat().st_mtime_ns == before.st_mtime_ns


def replaced_by_an_older_file(world: World) -> None:
    older = write(world.root / "old", {"inner.go": lib("inner", "older")}) / "inner.go"
    os.utime(older, (1, 1))
    older.replace(world.project / "inner/inner.go")


SEEN: dict[str, Edit] = {
    "the main file": append("plug-in/main.go"),
    "a package of the plug-in's folder": append("plug-in/inner/inner.go"),
    "a module of the workspace": append("lib/lib.go"),
    "a replaced module": append("other/other.go"),
    "a source that is ignored today": put("plug-in/main_windows.go", "package main\n"),
    "a new file": put("plug-in/new.go", "package main\n"),
    "a new file in a replaced module": put("other/new.go", "package other\n"),
    "a removed file": remove("plug-in/more.go"),
    "a removed file in a replaced module": remove("other/more.go"),
    "a renamed file": rename("plug-in/more.go", "plug-in/less.go"),
    "touched back in time, of the same size": touched_back_in_time,
    "replaced by an older file": replaced_by_an_older_file,
    "an embedded file": append("plug-in/single.json"),
    "an embedded file of a pattern": append("plug-in/static/a.txt"),
    "a new embedded file": put("plug-in/static/b.txt", "b"),
    "a renamed embedded file": rename("plug-in/static/a.txt", "plug-in/static/c.txt"),
    "go.mod": append("plug-in/go.mod"),
    "a new go.sum": put("plug-in/go.sum", "x"),
    "a replaced module's go.mod": append("other/go.mod"),
    "a workspace module's go.mod": append("lib/go.mod"),
    "go.work": append("go.work"),
    "a removed go.work": remove("go.work"),
    "a new go.work.sum": put("go.work.sum", "x"),
    "a nearer go.work": put("plug-in/go.work", "go 1.22\n\nuse .\n"),
    "a vendor folder": put("plug-in/vendor/modules.txt", "x"),
    "go env -w": put("go.env", "GOFLAGS=-tags=x\n"),
    "GOFLAGS": environment(GOFLAGS="-tags=x"),
    "GOWORK": environment(GOWORK="off"),
    "GOTOOLCHAIN": environment(GOTOOLCHAIN="go1.24.4"),
    "TINYGOROOT": environment(TINYGOROOT="/opt/tinygo-0.39.0/"),
    "WASMOPT": environment(WASMOPT="/bin/true"),
    "no wasm-opt on PATH": environment(PATH="/usr/local/go/bin:/bin-of-nobody"),
    "arguments": request(args=("-opt=1",)),
    "the settings' arguments": settings(args=("-opt=1",)),
    "the target": request(target="wasi"),
    "the settings' environment": settings(env={"GOFLAGS": "-tags=x"}),
    "locked": request(locked=True),
    "another TinyGo": another_tinygo,
    "another TinyGo of the same version": the_same_tinygo_from_elsewhere,
    "another Go": another_go,
    "a Go that may be any": a_go_that_may_be_any,
}

IRRELEVANT: dict[str, Edit] = {
    "nothing": lambda _world: None,
    "a test": append("plug-in/main_test.go"),
    "a text": append("plug-in/README.md"),
    "a file that no pattern stands for": put("plug-in/static/notes.md", "x"),
    "a package that nobody imports": put("lib/more/more.go", "package more\n"),
    "new times": lambda world: os.utime(world.project / "main.go", (1, 1)),
    "the same text again": lambda world: (world.project / "main.go").write_text(MAIN) and None,
    "variables of others": environment(EDITOR="vi", GITHUB_TOKEN="x", GOPROXY="off", LANG="C"),
    "another name for the program": another_name,
}


@pytest.mark.parametrize("edit", SEEN)
def test_what_matters_is_seen(world: World, edit: str) -> None:
    SEEN[edit](world)
    assert world.change() is not None


@pytest.mark.parametrize("edit", IRRELEVANT)
def test_what_does_not_matter_is_not(world: World, edit: str) -> None:
    IRRELEVANT[edit](world)
    assert world.change() is None


def test_a_link_that_points_elsewhere_is_seen(world: World) -> None:
    write(world.root, {"one.txt": "1", "two.txt": "2"})
    link = world.project / "static/a.txt"
    link.unlink()
    link.symlink_to(world.root / "one.txt")
    assert world.change() is not None


def test_the_change_is_named_and_the_new_module_is_another(world: World) -> None:
    first = (world.project / "dist/plugin.wasm").read_bytes()
    (world.root / "other/other.go").write_text(lib("other", "edited text"))
    module = world.build(world.project, "tinygo")
    assert f"compiling: `{world.root}/other/other.go` has changed" in world.build.talk
    assert not module.fresh
    assert module.path.read_bytes() != first
    assert b"edited text" in module.path.read_bytes()
    assert world.build(world.project, "tinygo").fresh


def test_a_module_that_was_tampered_with_is_made_again(world: World) -> None:
    path = world.project / "dist/plugin.wasm"
    good = path.read_bytes()
    path.write_bytes(good + b"\0\3\1xy")
    module = world.build(world.project, "tinygo")
    assert not module.fresh
    assert path.read_bytes() == good


@pytest.mark.parametrize("damage", ["gone", "no JSON", "no inputs", "odd inputs"])
def test_without_its_record_a_module_is_made_again(world: World, damage: str) -> None:
    dist = world.project / "dist"
    if damage == "gone":
        (dist / "plugin.json").unlink()
    elif damage == "no JSON":
        (dist / "plugin.json").write_text("{")
    else:
        write_record(dist, {"inputs": None if damage == "no inputs" else {"key": 1}})
    assert world.change() is not None


def test_a_file_that_is_edited_while_tinygo_compiles_is_not_taken_for_compiled(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from wasmctl import process
    from wasmctl.toolchain import tinygo_build

    run = process.follow

    def edited_meanwhile(*args: object, **kwargs: object) -> object:
        with contextlib.ExitStack() as stack:
            path = world.project / "more.go"
            stack.callback(os.utime, path, (1, 1))
            stack.callback(path.write_text, "package main\n\n// edited\n")
            return run(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(tinygo_build, "follow", edited_meanwhile)
    (world.project / "main.go").write_text(MAIN + "\n// a reason to compile\n")
    assert not world.build(world.project, "tinygo").fresh
    monkeypatch.undo()
    assert world.change() == "nothing is remembered of the last build"


def test_another_file_than_dist_is_always_compiled(world: World, tmp_path: Path) -> None:
    output = tmp_path / "there/plugin.wasm"
    module = world.build(world.project, "tinygo", BuildRequest(output=output))
    assert (module.fresh, module.path) == (False, output)
    assert output.read_bytes() == (world.project / "dist/plugin.wasm").read_bytes()


def test_a_copy_of_a_project_is_not_fresh_by_the_original(
    user_env: dict[str, str], tmp_path: Path
) -> None:
    """Its record came along, and names the files of the folder that it was copied from."""
    build = Builder(user_env)
    original, copy = tmp_path / "original", tmp_path / "copy"
    marker = "//export proxy_abi_version_0_2_0\nfunc abi() {}\n"
    main = f"package main\n\n{marker}\nfunc main() {{}}\n\nfunc init() {{ println(1) }}\n"
    write(original, {"go.mod": "module example.com/p\n\ngo 1.22\n", "main.go": main})
    build.env["WASMCTL_TINYGO"] = NEW
    build(original, "tinygo")
    assert build(original, "tinygo").fresh
    shutil.copytree(original, copy)
    write(copy, {"main.go": main.replace("1", "2")})
    module = build(copy, "tinygo")
    assert not module.fresh
    assert module.path.read_bytes() != (original / "dist/plugin.wasm").read_bytes()
