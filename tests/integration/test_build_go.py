"""Builds with the standard Go toolchain. Real compilers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.builds import Builder, scaffold, small_go, write
from wasmctl.errors import ToolFailed, ToolMissing, UsageError
from wasmctl.project.record import read_record
from wasmctl.project.settings import BuildSettings
from wasmctl.toolchain.module import BuildRequest

pytestmark = pytest.mark.go

# Fetched by go like any other module; the suite's TinyGo needs it, too.
OLD_GO = "go1.22.12"


@pytest.fixture
def build(user_env: dict[str, str]) -> Builder:
    return Builder(user_env)


def test_a_scaffolded_plug_in_is_built_recorded_and_then_fresh(
    build: Builder, tmp_path: Path
) -> None:
    project = scaffold(tmp_path / "auth", "go")
    first = build(project, "go", BuildRequest(locked=True))
    assert (first.target, first.fresh) == ("wasip1", False)
    assert b"proxy_on_request_headers" in first.path.read_bytes()
    module = read_record(project / "dist")["module"]
    assert isinstance(module, dict)
    assert (module["sha256"], module["tools"]) == (first.sha256, dict(first.tools))
    assert first.tools["go"].startswith("1.")
    written = first.path.stat().st_mtime_ns

    second = build(project, "go")
    assert (second.fresh, second.sha256) == (True, first.sha256)
    assert second.path.stat().st_mtime_ns == written

    source = project / "main.go"
    source.write_text(source.read_text().replace("Forbidden", "Go away"))
    third = build(project, "go")
    assert not third.fresh
    assert b"Go away by" in third.path.read_bytes()


def test_a_module_that_was_tampered_with_is_not_taken_for_fresh(
    build: Builder, tmp_path: Path
) -> None:
    """Go looks at the build ID alone, which stands at the start of the file."""
    project = small_go(tmp_path / "small")
    module = build(project, "go")
    module.path.write_bytes(module.path.read_bytes() + b"\0\3\1xy")
    again = build(project, "go")
    assert (again.fresh, again.sha256) == (False, module.sha256)


def test_a_module_that_is_gone_is_made_again(build: Builder, tmp_path: Path) -> None:
    project = small_go(tmp_path / "small")
    sha256 = build(project, "go").sha256
    shutil.rmtree(project / "dist")
    assert build(project, "go").sha256 == sha256


def test_v_shows_a_command_that_can_be_typed(build: Builder, tmp_path: Path) -> None:
    project = small_go(tmp_path / "small")
    build(project, "go")
    command = next(line for line in build.talk.splitlines() if line.startswith("$ "))
    assert command.startswith("$ GOOS=wasip1 GOARCH=wasm ")
    assert " build -buildmode=c-shared -trimpath -buildvcs=false -o " in command


def test_flags_of_the_user_hold(build: Builder, tmp_path: Path) -> None:
    project = small_go(
        tmp_path / "small", code='\nvar stamp = "plain"\n\nfunc init() { println(stamp) }\n'
    )
    build.env["GOFLAGS"] = "-trimpath=false -buildvcs=auto"
    settings = BuildSettings(args=("-ldflags", "-X main.stamp=stamped-text"))
    module = build(project, "go", build=settings)
    assert b"stamped-text" in module.path.read_bytes()
    assert str(project).encode() in module.path.read_bytes()
    assert "-trimpath" not in build.talk


def test_a_go_work_above_and_a_replaced_module(build: Builder, tmp_path: Path) -> None:
    lib = 'package lib\n\nconst Text = "%s"\n'
    code = "\nfunc init() { println(lib.Text, other.Text) }\n"
    root = write(
        tmp_path / "work",
        {
            "go.work": "go 1.24\n\nuse (\n\t./plug-in\n\t./lib\n)\n",
            "lib/go.mod": "module example.com/lib\n\ngo 1.24\n",
            "lib/lib.go": lib % "from the workspace",
            "other/go.mod": "module example.com/other\n\ngo 1.24\n",
            "other/other.go": (lib % "from the replacement").replace(
                "package lib", "package other"
            ),
        },
    )
    project = small_go(root / "plug-in", code=code)
    requires = "\nrequire example.com/other v0.0.0\n\nreplace example.com/other => ../other\n"
    (project / "go.mod").write_text((project / "go.mod").read_text() + requires)
    source = (project / "main.go").read_text()
    imports = 'package main\n\nimport (\n\t"example.com/lib"\n\t"example.com/other"\n)\n'
    (project / "main.go").write_text(source.replace("package main\n", imports, 1))
    module = build(project, "go").path.read_bytes()
    assert b"from the workspace" in module
    assert b"from the replacement" in module
    (root / "lib/lib.go").write_text(lib % "changed meanwhile!")
    assert b"changed meanwhile!" in build(project, "go").path.read_bytes()


def test_vendored_modules(build: Builder, tmp_path: Path) -> None:
    project = scaffold(tmp_path / "auth", "go")
    subprocess.run(["go", "mod", "vendor"], cwd=project, env=build.env, check=True)
    build.env["GOPROXY"] = "off"
    assert not build(project, "go", BuildRequest(locked=True)).fresh


@pytest.mark.parametrize("name", ["with space", "quote'\"s", "$(touch x)ü;&", "-dash"])
def test_odd_folder_names(build: Builder, tmp_path: Path, name: str) -> None:
    project = small_go(tmp_path / name)
    assert build(project, "go").path == project / "dist/plugin.wasm"
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("target", ["wasip1", "wasm32-wasip1"])
def test_the_names_of_its_target(build: Builder, tmp_path: Path, target: str) -> None:
    assert build(small_go(tmp_path / "s"), "go", BuildRequest(target=target)).target == "wasip1"


def test_another_target_is_refused(build: Builder, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="`wasip1`, not `wasm32-unknown-unknown`"):
        build(small_go(tmp_path / "s"), "go", BuildRequest(target="wasm32-unknown-unknown"))


def test_no_go(build: Builder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wasmctl.toolchain.tools._INSTALLERS_FOLDERS", {"go": ()})
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setattr(sys, "path", [])
    build.env["PATH"] = str(tmp_path)
    with pytest.raises(ToolMissing) as caught:
        build(small_go(tmp_path / "small"), "go")
    assert caught.value.code == "no-go"
    assert 'pip install "wasmctl[go]"' in (caught.value.hint or "")


def test_too_old_a_go(build: Builder, tmp_path: Path) -> None:
    build.env["GOTOOLCHAIN"] = OLD_GO
    with pytest.raises(ToolMissing, match=r"Go 1\.22\.12 .* is too old") as caught:
        build(small_go(tmp_path / "small", go="1.22"), "go")
    assert caught.value.code == "go-too-old"
    assert "unset `GOTOOLCHAIN`" in (caught.value.hint or "")
    assert 'pip install "wasmctl[go]"' in (caught.value.hint or "")


def test_the_go_that_the_module_asks_for_counts(build: Builder, tmp_path: Path) -> None:
    """Here the one to start with is too old, and the module's own choice is not."""
    build.env["GOTOOLCHAIN"] = f"{OLD_GO}+auto"
    assert build(small_go(tmp_path / "small", go="1.25.5"), "go").tools == {"go": "1.25.5"}


def test_a_newer_go_than_there_is(build: Builder, tmp_path: Path) -> None:
    build.env["GOTOOLCHAIN"] = "local"
    with pytest.raises(
        ToolMissing, match=r"the module needs Go 1\.99, and this is Go 1\."
    ) as caught:
        build(small_go(tmp_path / "small", go="1.99"), "go")
    assert "unset `GOTOOLCHAIN`" in (caught.value.hint or "")


def test_a_compile_error_is_told_in_the_compiler_s_words(build: Builder, tmp_path: Path) -> None:
    project = small_go(tmp_path / "small")
    good = build(project, "go").path.read_bytes()
    small_go(project, code="\nvar x int = nothing\n")
    with pytest.raises(ToolFailed, match="go could not compile `small`") as caught:
        build(project, "go")
    assert "undefined: nothing" in caught.value.output
    assert (project / "dist/plugin.wasm").read_bytes() == good


def test_a_package_that_is_not_main(build: Builder, tmp_path: Path) -> None:
    project = write(
        tmp_path / "lib", {"go.mod": "module x\n\ngo 1.24\n", "lib.go": "package lib\n"}
    )
    with pytest.raises(UsageError, match="holds the Go package `lib`"):
        build(project, "go")


def test_a_go_mod_without_the_sdk(build: Builder, tmp_path: Path) -> None:
    project = scaffold(tmp_path / "auth", "go")
    (project / "go.mod").write_text("module example.com/auth\n\ngo 1.24\n")
    with pytest.raises(ToolFailed) as caught:
        build(project, "go")
    package = "github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm"
    assert caught.value.hint == f"`go get {package}` adds it to go.mod"


def test_a_go_mod_that_nothing_asks_an_sdk_of(build: Builder, tmp_path: Path) -> None:
    main = "package main\n\nfunc main() { println() }\n"
    files = {"go.mod": "module example.com/small\n\ngo 1.24\n", "main.go": main}
    with pytest.raises(UsageError) as caught:
        build(write(tmp_path / "small", files), "go")
    assert caught.value.code == "no-sdk"
    assert "`go get github.com/proxy-wasm/proxy-wasm-go-sdk@v0.0.0-" in (caught.value.hint or "")


def contexts_in_main(project: Path) -> Path:
    """Write a scaffolded plug-in as for a TinyGo that calls main."""
    source = project / "main.go"
    text = source.read_text().replace("func main() {}\n", "")
    source.write_text(text.replace("func init() {", "func main() {"))
    return source


def test_contexts_that_are_set_in_main_are_refused(build: Builder, tmp_path: Path) -> None:
    """Envoy loads such a module, and traps at the first request: nothing ever calls main."""
    project = scaffold(tmp_path / "auth", "go")
    source = contexts_in_main(project)
    with pytest.raises(UsageError) as caught:
        build(project, "go")
    assert caught.value.code == "main-not-called"
    assert "to `func init()`" in (caught.value.hint or "")
    # As the hint says, it works.
    source.write_text(source.read_text().replace("func main() {", "func init() {"))
    source.write_text(source.read_text() + "\nfunc main() {}\n")
    assert build(project, "go").path.is_file()


def test_a_main_beside_an_init_that_sets_the_contexts_is_harmless(
    build: Builder, tmp_path: Path
) -> None:
    project = scaffold(tmp_path / "auth", "go")
    source = project / "main.go"
    source.write_text(source.read_text().replace("func main() {}", "func main() { println() }"))
    build(project, "go")
    assert "warning" not in build.talk


def test_a_main_of_which_nobody_knows_is_warned_of(build: Builder, tmp_path: Path) -> None:
    project = small_go(tmp_path / "small")
    source = project / "main.go"
    source.write_text(source.read_text().replace("func main() {}", "func main() { println() }"))
    build(project, "go")
    assert "warning: proxies never call `func main()`" in build.talk


def test_a_go_sum_with_gaps(build: Builder, tmp_path: Path) -> None:
    project = scaffold(tmp_path / "auth", "go")
    (project / "go.sum").write_text("")
    with pytest.raises(ToolFailed) as caught:
        build(project, "go")
    assert caught.value.hint == "`go mod tidy`"
    assert (project / "go.sum").read_text() == ""


def test_a_module_that_the_go_work_above_does_not_list(build: Builder, tmp_path: Path) -> None:
    write(tmp_path, {"go.work": "go 1.24\n"})
    with pytest.raises(ToolFailed) as caught:
        build(small_go(tmp_path / "small"), "go")
    assert caught.value.hint == "`go work use .`"


def test_a_broken_go_mod(build: Builder, tmp_path: Path) -> None:
    project = write(small_go(tmp_path / "small"), {"go.mod": "modul x\n"})
    with pytest.raises(ToolFailed, match="go failed") as caught:
        build(project, "go")
    assert "go.mod:1: unknown directive: modul" in caught.value.output


def test_the_state_of_the_repository_does_not_matter(build: Builder, tmp_path: Path) -> None:
    project = small_go(tmp_path / "small")
    sha256 = build(project, "go").sha256
    subprocess.run(["git", "init", "-q"], cwd=project, env=build.env, check=True)
    (project / "main.go").touch()
    assert build(project, "go").sha256 == sha256
    # A repository that git refuses to speak of (`dubious ownership`) is no obstacle either.
    (project / ".git/HEAD").write_text("broken")
    os.utime(project / "main.go")
    assert build(project, "go").sha256 == sha256
