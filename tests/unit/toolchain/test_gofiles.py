"""What is read of Go files without a go."""

from __future__ import annotations

from pathlib import Path

import pytest

from wasmctl.errors import UsageError
from wasmctl.toolchain.gofiles import (
    MainUse,
    has_main_body,
    imports,
    local_modules,
    look_at_main,
    module_file,
    read_go_mod,
    require_main_package,
    require_sdk,
    source_files,
)

GO_MOD = """\
// a comment
module "example.com/plug-in"

go 1.24.1 // or newer

require github.com/a/one v1.2.3

require (
	github.com/b/two v0.0.0-20250212164326-ab4161dcf924
	github.com/c/three v0.1.0 // indirect
)

replace github.com/a/one => ../one

replace (
	github.com/b/two v0.0.0 => ./inner/two
	github.com/c/three => github.com/d/three v0.2.0
)
"""


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.go").write_text(text)
    return folder


def test_a_go_mod_is_read(tmp_path: Path) -> None:
    path = tmp_path / "go.mod"
    path.write_text(GO_MOD)
    found = read_go_mod(path)
    assert found.go == "1.24.1"
    assert found.requires["github.com/b/two"] == "v0.0.0-20250212164326-ab4161dcf924"
    assert found.direct == {"github.com/a/one", "github.com/b/two"}
    assert found.replaced == {"github.com/a/one", "github.com/b/two", "github.com/c/three"}
    assert [*local_modules(path)] == [tmp_path / "../one", tmp_path / "./inner/two"]


def test_the_modules_of_a_go_work_are_read(tmp_path: Path) -> None:
    path = tmp_path / "go.work"
    path.write_text("go 1.24\n\nuse ./plug-in\nuse (\n\t./lib // ours\n\t`./odd name`\n)\n")
    assert [place.name for place in local_modules(path)][:2] == ["plug-in", "lib"]


def test_a_module_file_is_found_upwards(tmp_path: Path) -> None:
    inner = tmp_path / "a/b"
    inner.mkdir(parents=True)
    (tmp_path / "go.mod").touch()
    assert module_file(inner) == tmp_path / "go.mod"
    (inner / "go.mod").touch()
    assert module_file(inner) == inner / "go.mod"


def test_tests_and_ignored_files_are_no_sources(tmp_path: Path) -> None:
    write(tmp_path, main="package main", main_test="package main", _old="package old")
    (tmp_path / ".#main.go").symlink_to("nowhere")
    assert [path.name for path in source_files(tmp_path)] == ["main.go"]


def test_another_package_than_main_is_refused(tmp_path: Path) -> None:
    write(tmp_path, filter="// package main\npackage filter\n")
    with pytest.raises(UsageError, match="holds the Go package `filter`") as caught:
        require_main_package(tmp_path)
    assert caught.value.code == "not-main"


def test_a_generator_beside_main_does_not_matter(tmp_path: Path) -> None:
    write(tmp_path, main="package main", gen="//go:build ignore\n\npackage gen\n")
    require_main_package(tmp_path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("package main\n\nfunc main() {}\n", False),
        ("package main\n\nfunc main() {\n\t// nothing: init does it\n}\n", False),
        ("package main\n\nfunc main() { set() }\n", True),
        ("package main\n\n/*\nfunc main() { set() }\n*/\nfunc main() {\n}\n", False),
        ('package main\n\nvar s = "func main() {}"\n\nfunc main() {\n\tset()\n}\n', True),
        ("package main\n\nfunc (p plug) main() { set() }\n\nfunc main() {}\n", False),
        ("package main\n", False),
    ],
)
def test_whether_main_does_anything(tmp_path: Path, text: str, expected: bool) -> None:
    assert has_main_body(write(tmp_path, main=text)) is expected


SET = "\tproxywasm.SetVMContext(&vm{})\n"
MAIN_SETS = f"func main() {{\n\tif true {{\n\t}}\n{SET}}}\n"
INIT_SETS = f"func init() {{\n\tif true {{\n\t}}\n{SET}}}\n"
OUTSIDE = f"func set() {{\n{SET}}}\n"
BUSY = "func main() { println() }\n"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ([MAIN_SETS], MainUse.REGISTERS),
        ([f"func main() {{ set() }}\n{OUTSIDE}"], MainUse.REGISTERS),
        (["func main() { set() }\n", OUTSIDE], MainUse.REGISTERS),
        ([MAIN_SETS, "func init() { println() }\n"], MainUse.REGISTERS),
        ([f"func main() {{}}\n{INIT_SETS}"], MainUse.EMPTY),
        ([BUSY + INIT_SETS], MainUse.IDLE),
        ([BUSY, INIT_SETS], MainUse.IDLE),
        ([MAIN_SETS, INIT_SETS], MainUse.IDLE),
        ([BUSY], MainUse.UNKNOWN),
        ([f"func main() {{ set() }}\n{OUTSIDE}", "func init() { set() }\n"], MainUse.UNKNOWN),
        ([f"func main() {{}}\n{OUTSIDE}", ""], MainUse.EMPTY),
    ],
)
def test_what_main_is_there_for(tmp_path: Path, files: list[str], expected: MainUse) -> None:
    codes = {f"file{index}": f"package main\n\n{code}" for index, code in enumerate(files)}
    assert look_at_main(write(tmp_path, **codes)) is expected


@pytest.mark.parametrize("line", ["//go:build ignore", "//go:build !wasip1", "//go:build !wasm"])
def test_the_main_of_another_build_does_not_matter(tmp_path: Path, line: str) -> None:
    main = f"package main\n\n{MAIN_SETS}"
    write(tmp_path, main=f"package main\n\nfunc main() {{}}\n{INIT_SETS}", main_linux=main)
    write(tmp_path, other=f"{line}\n\n{main}")
    assert look_at_main(tmp_path) is MainUse.EMPTY


def without_sdk(folder: Path) -> Path:
    (folder / "go.mod").write_text("module x\n\ngo 1.24\n\nrequire example.com/a v1.0.0\n")
    return write(folder, main="package main\n\nfunc main() {}\n")


def test_a_package_that_nothing_links_to_a_proxy_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="asks for no Proxy-Wasm SDK") as caught:
        require_sdk(without_sdk(tmp_path), "add it")
    assert (caught.value.code, caught.value.hint) == ("no-sdk", "add it")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("go.mod", "\nrequire example.com/fork/proxy-wasm-sdk v1.0.0 // indirect\n"),
        ("go.mod", "\nreplace example.com/a => ../a\n"),
        ("go.work", "go 1.24\n"),
        ("main.go", "\n//go:wasmexport proxy_abi_version_0_2_1\nfunc abi() {}\n"),
        ("inner/abi.go", "package inner\n\n//export proxy_abi_version_0_2_0\nfunc abi() {}\n"),
    ],
)
def test_one_that_may_be_a_plug_in_is_compiled(tmp_path: Path, name: str, text: str) -> None:
    path = without_sdk(tmp_path) / name
    path.parent.mkdir(exist_ok=True)
    path.write_text((path.read_text() if path.exists() else "") + text)
    require_sdk(tmp_path, "add it")


@pytest.mark.parametrize(
    "line", ['import _ "x.org/gc"', 'import (\n\t"fmt"\n\t_ "x.org/gc"\n)', 'import gc "x.org/gc"']
)
def test_an_import_is_seen(tmp_path: Path, line: str) -> None:
    assert imports(write(tmp_path, gc=f"package main\n\n{line}\n"), "x.org/gc")


def test_a_mention_is_no_import(tmp_path: Path) -> None:
    write(tmp_path, main='package main\n\n// import _ "x.org/gc"\nvar s = "x.org/gc"\n')
    assert not imports(tmp_path, "x.org/gc")
