"""What is read of Go files without a go."""

from __future__ import annotations

from pathlib import Path

import pytest

from wasmctl.errors import UsageError
from wasmctl.toolchain.gofiles import (
    has_main_body,
    imports,
    local_modules,
    module_file,
    read_go_mod,
    require_main_package,
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


@pytest.mark.parametrize(
    "line", ['import _ "x.org/gc"', 'import (\n\t"fmt"\n\t_ "x.org/gc"\n)', 'import gc "x.org/gc"']
)
def test_an_import_is_seen(tmp_path: Path, line: str) -> None:
    assert imports(write(tmp_path, gc=f"package main\n\n{line}\n"), "x.org/gc")


def test_a_mention_is_no_import(tmp_path: Path) -> None:
    write(tmp_path, main='package main\n\n// import _ "x.org/gc"\nvar s = "x.org/gc"\n')
    assert not imports(tmp_path, "x.org/gc")
