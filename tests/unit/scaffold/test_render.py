"""Rendering: a folder and answers become files; nothing in it is run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.scaffold.trees import contents, write_tree
from wasmctl.errors import UsageError
from wasmctl.scaffold.render import render_layers


def test_only_files_that_end_in_jinja_are_rendered(tmp_path: Path) -> None:
    write_tree(
        tmp_path,
        {"a/go.mod.jinja": "module {{ name }}\n", "a/main.go": "{{ name }}\n", "a/.x.jinja": "1"},
    )
    files = contents(render_layers([tmp_path / "a"], {"name": "n"}))
    assert files == {"go.mod": "module n\n", "main.go": "{{ name }}\n", ".x": "1"}


def test_a_later_layer_lies_over_an_earlier(tmp_path: Path) -> None:
    write_tree(tmp_path, {"a/x": "1", "a/d/y": "1", "b/x.jinja": "{{ name }}"})
    files = contents(render_layers([tmp_path / "a", tmp_path / "b"], {"name": "n"}))
    assert files == {"x": "n", "d/y": "1"}


def test_what_may_be_run_stays_so(tmp_path: Path) -> None:
    write_tree(tmp_path, {"a/run.sh.jinja": "{{ name }}", "a/text": ""})
    (tmp_path / "a/run.sh.jinja").chmod(0o755)
    modes = {str(f.path): f.executable for f in render_layers([tmp_path / "a"], {"name": "n"})}
    assert modes == {"run.sh": True, "text": False}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{{ nmae }}", "'nmae' is undefined"),
        ("a\n{% if %}", "`f`, line 2"),
        ("{{ 1 // 0 }}", "by zero"),
        ("{{ ''.__class__.__mro__ }}", "unsafe"),
        ("{% include '/etc/passwd' %}", "no loader"),
    ],
)
def test_a_layer_that_cannot_be_rendered_is_told(tmp_path: Path, text: str, said: str) -> None:
    write_tree(tmp_path, {"a/f.jinja": text})
    with pytest.raises(UsageError) as caught:
        render_layers([tmp_path / "a"], {})
    assert caught.value.code == "bad-template"
    assert said.replace("`f`", "`f.jinja`") in caught.value.message


def test_a_link_in_a_layer_is_refused(tmp_path: Path) -> None:
    write_tree(tmp_path, {"a/x": "", "secret": "s"})
    (tmp_path / "a/y").symlink_to(tmp_path / "secret")
    with pytest.raises(UsageError) as caught:
        render_layers([tmp_path / "a"], {})
    assert caught.value.code == "unsafe-template"
