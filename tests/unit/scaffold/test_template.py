"""Templates: reading one, and choosing its shape."""

from __future__ import annotations

from pathlib import Path

import pytest

from wasmctl.errors import UsageError
from wasmctl.scaffold.template import (
    DEFAULT_TEMPLATE,
    Template,
    bundled_templates,
    choose_shape,
    choose_toolchain,
    find_bundled,
    read_template,
    toolchains_for,
)

SHAPES = """
description = "does nothing"

[[shape]]
toolchain = "go"
layers = ["go"]

[[shape]]
toolchain = "tinygo"
layers = ["new"]

[[shape]]
toolchain = "tinygo"
tinygo-below = "0.32"
layers = ["old"]

[[shape]]
toolchain = "tinygo"
tinygo-below = "0.28"
layers = ["oldest"]
"""


def template_of(folder: Path, text: str, *layers: str) -> Template:
    for layer in layers:
        (folder / layer).mkdir()
    (folder / "template.toml").write_text(text)
    return read_template(folder, name="mine")


@pytest.fixture
def template(tmp_path: Path) -> Template:
    return template_of(tmp_path, SHAPES, "go", "new", "old", "oldest")


@pytest.mark.parametrize(
    ("release", "layer"),
    [
        ("0.27.0", "oldest"),
        ("0.28.1", "old"),
        ("0.31.2", "old"),
        ("0.32.0", "new"),
        ("0.39.0", "new"),
        ("0.40.0-dev", "new"),
        ("1.0.0", "new"),
        (None, "new"),
    ],
)
def test_the_shape_fits_the_tinygo_at_hand(
    template: Template, release: str | None, layer: str
) -> None:
    assert choose_shape(template, "tinygo", release).layers == (layer,)


def test_a_languages_default_toolchain_comes_first(template: Template) -> None:
    assert toolchains_for(template, "go") == ("go", "tinygo")
    assert choose_toolchain(template, language="go", toolchain=None) == "go"
    assert choose_toolchain(template, language=None, toolchain="tinygo") == "tinygo"
    assert template.languages == ("go",)


def test_what_a_template_does_not_offer_is_refused(template: Template) -> None:
    with pytest.raises(UsageError, match="no variant for `--language rust`"):
        choose_toolchain(template, language="rust", toolchain=None)
    with pytest.raises(UsageError, match="does not compile rust"):
        choose_toolchain(template, language="rust", toolchain="go")


def test_the_only_language_need_not_be_said(template: Template, tmp_path: Path) -> None:
    assert choose_toolchain(template, language=None, toolchain=None) == "go"
    rust = '[[shape]]\ntoolchain = "cargo"\nlayers = ["rust"]\n'
    (tmp_path / "two").mkdir()
    two = template_of(tmp_path / "two", SHAPES + rust, "go", "new", "old", "oldest", "rust")
    with pytest.raises(UsageError) as caught:
        choose_toolchain(two, language=None, toolchain=None)
    hint = "add `--language rust` or `--language go`"
    assert (caught.value.code, caught.value.hint) == ("no-language", hint)


def test_layers_of_all_templates_are_taken_where_a_shape_names_them(tmp_path: Path) -> None:
    text = "description = 'x'\n[[shape]]\ntoolchain = 'go'\nlayers = ['go']\nshared = ['go']"
    assert template_of(tmp_path, text, "go").shapes[0].shared == ("go",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("description = 1 2", "line 1"),
        ("shape = []", "no `description`"),
        ("description = 'x'", "no `shape`"),
        ("description = 'x'\nshape = 3", "not iterable"),
        ("description = 'x'\n[[shape]]\ntoolchain = 'cargo'", "layers"),
        ("description = 'x'\n[[shape]]\ntoolchain = 'make'\nlayers = ['go']", "`make`"),
        ("description = 'x'\n[[shape]]\ntoolchain = 'go'\nlayers = ['..']", "`..`"),
        ("description = 'x'\n[[shape]]\ntoolchain = 'go'\nlayers = ['nope']", "`nope`"),
        (
            "description = 'x'\n[[shape]]\ntoolchain = 'go'\nlayers = ['go']\nshared = ['nope']",
            "`shared` is a list of",
        ),
        (
            "description = 'x'\n[[shape]]\ntoolchain = 'tinygo'\nlayers = ['go']\n"
            "tinygo-below = '0.30'",
            "newest `tinygo`",
        ),
    ],
)
def test_a_wrong_template_toml_is_told(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        template_of(tmp_path, text, "go")
    assert caught.value.code == "bad-template"
    assert said in caught.value.message


def test_a_folder_without_template_toml_is_a_template_without_shapes(tmp_path: Path) -> None:
    assert read_template(tmp_path, name="mine").shapes == ()


def test_the_bundled_templates_are_listed() -> None:
    names = [template.name for template in bundled_templates()]
    assert DEFAULT_TEMPLATE in names
    for template in bundled_templates():
        assert template.description
        assert template.languages
        assert all(shape.needs for shape in template.shapes)


def test_an_unknown_template_comes_with_a_guess() -> None:
    with pytest.raises(UsageError) as caught:
        find_bundled("heder-auth")
    assert caught.value.code == "unknown-template"
    assert "did you mean `header-auth`?" in (caught.value.hint or "")
