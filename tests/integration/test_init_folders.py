"""Template folders of others: what copier makes of them, and what it may not do."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.scaffold.trees import contents, write_tree
from wasmctl.errors import UsageError
from wasmctl.scaffold.render import render_folder

# copier leaves its walk through the folder open where it stops halfway.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


def render(folder: Path, **given: str) -> dict[str, str]:
    files = render_folder(folder, given=given, defaults={"name": "mine"}, ask=False)
    return contents(files)


def test_a_folder_without_questions_knows_the_usual_answers(tmp_path: Path) -> None:
    write_tree(tmp_path, {"x.jinja": "{{ name }} {{ more }}", "y": "{{ name }}"})
    assert render(tmp_path, more="m") == {"x": "mine m", "y": "{{ name }}"}


def test_a_copier_templates_questions_are_answered(tmp_path: Path) -> None:
    questions = "name: {type: str, default: none}\nport: {type: int}\n"
    write_tree(tmp_path, {"copier.yml": questions, "{{ name }}.txt.jinja": "{{ port + 1 }}"})
    assert render(tmp_path, port="80") == {"mine.txt": "81"}


def test_a_question_that_nobody_answers_is_named(tmp_path: Path) -> None:
    write_tree(tmp_path, {"copier.yml": "port: {type: int}\n", "x": ""})
    with pytest.raises(UsageError) as caught:
        render(tmp_path)
    assert caught.value.code == "answer-missing"
    assert caught.value.hint == "add `--data port=VALUE`"


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"copier.yml": "port: {a: ?}}"}, "(`copier.yml`): it is not YAML"),
        ({"copier.yml": "", "copier.yaml": ""}, "both copier.yml and copier.yaml"),
        ({"copier.yml": "port: {type: int, default: x}"}, "cannot be rendered"),
        ({"x.jinja": "a\n{% if %}"}, "(`x.jinja`, line 2)"),
    ],
)
def test_a_template_that_is_wrong_is_told(tmp_path: Path, files: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        render(write_tree(tmp_path, files))
    assert caught.value.code == "bad-template"
    assert said in caught.value.message
    assert "/tmp" not in caught.value.message


@pytest.mark.parametrize(
    "rules",
    [
        "_tasks: [touch ran]\n",
        "_jinja_extensions: [os]\n",
    ],
)
def test_a_template_that_wants_to_run_code_is_refused(
    tmp_path: Path, rules: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tmp_path / "settings.yml"
    settings.write_text("trust: ['/']\n")
    monkeypatch.setenv("COPIER_SETTINGS_PATH", str(settings))
    template = write_tree(tmp_path / "template", {"copier.yml": rules, "x": ""})
    with pytest.raises(UsageError) as caught:
        render(template)
    assert caught.value.code == "unsafe-template"
    assert not list(tmp_path.rglob("ran"))


def test_a_link_out_of_the_template_is_refused(tmp_path: Path) -> None:
    secret = write_tree(tmp_path, {"secret": "s"}) / "secret"
    template = write_tree(tmp_path / "template", {"a/x": ""})
    for place in ("y", "a/y"):
        (template / place).symlink_to(secret)
        with pytest.raises(UsageError) as caught:
            render(template)
        assert caught.value.code == "unsafe-template"
        (template / "copier.yml").write_text("_preserve_symlinks: true\n")
        with pytest.raises(UsageError, match="is a link"):
            render(template)
        (template / "copier.yml").unlink()


def test_a_repository_is_taken_as_it_stands(tmp_path: Path) -> None:
    write_tree(tmp_path, {".git/config": "", "x": "not committed"})
    assert render(tmp_path) == {"x": "not committed"}


def test_a_name_that_leaves_the_project_is_refused(tmp_path: Path) -> None:
    write_tree(tmp_path / "t", {"copier.yml": "up: {type: str}\n", "{{ up }}.jinja": "x"})
    with pytest.raises(UsageError) as caught:
        render(tmp_path / "t", up="../../../evil")
    assert caught.value.code in {"unsafe-template", "bad-template"}
    assert not list(tmp_path.parent.rglob("evil*"))
