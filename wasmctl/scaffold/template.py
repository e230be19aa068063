"""Templates: what one offers, and which of its shapes a toolchain takes.

A template is a folder. With a template.toml it has shapes, one a toolchain, each put together
from folders beside that file, its layers. Without one the folder itself is the only shape, and
what it makes is its own affair.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, get_args

from wasmctl.errors import UsageError
from wasmctl.project.settings import ToolchainName

__all__ = [
    "DEFAULT_TEMPLATE",
    "EXAMPLE_CONFIG",
    "LANGUAGES",
    "Language",
    "Shape",
    "Template",
    "bundled_templates",
    "choose_shape",
    "choose_toolchain",
    "find_bundled",
    "language_of",
    "read_template",
    "shared_layer",
    "templates_folder",
    "toolchains_for",
]

Language = Literal["rust", "go"]
SharedLayer = Literal["settings", "project", "adopted", "cases", "cargo", "go"]
LANGUAGES: Final[tuple[Language, ...]] = get_args(Language)
# A language's first toolchain is its default.
_TOOLCHAINS: Final[Mapping[Language, tuple[ToolchainName, ...]]] = {
    "rust": ("cargo",),
    "go": ("go", "tinygo"),
}
_NAMES: Final[tuple[ToolchainName, ...]] = get_args(ToolchainName)
_SHARED: Final[tuple[SharedLayer, ...]] = get_args(SharedLayer)
DEFAULT_TEMPLATE: Final = "header-auth"
EXAMPLE_CONFIG: Final = '{ header = "allow" }'
_FILE_NAME: Final = "template.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One toolchain's variant of a template.

    Args:
        toolchain: what compiles it.
        layers: its folders below the template's, the later over the earlier.
        shared: layers of all templates that it takes, below its own.
        needs: what has to be there to build it, for people.
        tinygo_below: the TinyGo release from which on it no longer works.
    """

    toolchain: ToolchainName
    layers: tuple[str, ...]
    shared: tuple[SharedLayer, ...] = ()
    needs: str = ""
    tinygo_below: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A template at hand.

    Args:
        name: how it was asked for.
        folder: where it lies.
        description: one line.
        config: what its configuration looks like in wasmctl.toml, as an example.
        shapes: its variants; none where it is a plain folder.
    """

    name: str
    folder: Path
    description: str
    config: str = EXAMPLE_CONFIG
    shapes: tuple[Shape, ...] = ()

    @property
    def languages(self) -> tuple[Language, ...]:
        """The languages it is there for."""
        return tuple(item for item in LANGUAGES if toolchains_for(self, item))


def templates_folder() -> Path:
    """Return the folder of the bundled templates.

    A wheel carries them inside the package; a checkout, also an editable install of one, has
    them beside it.
    """
    package = Path(__file__).resolve().parents[1]
    inside = package / "_templates"
    return inside if inside.is_dir() else package.parent / "templates"


def shared_layer(name: SharedLayer) -> Path:
    """Return a folder of files that are the same for all templates.

    Args:
        name: `settings`: wasmctl.toml; `project`: what a new project gets beside it; `adopted`:
            what an existing one gets; `cases`: what lies beside a first case file, for editors;
            `cargo`, `go`: the dependencies of the bundled templates.
    """
    return templates_folder() / "_shared" / name


def bundled_templates() -> tuple[Template, ...]:
    """Return the templates that come with wasmctl, by name."""
    folders = sorted(templates_folder().iterdir())
    return tuple(
        read_template(folder, name=folder.name)
        for folder in folders
        if (folder / _FILE_NAME).is_file()
    )


def find_bundled(name: str) -> Template:
    """Return the bundled template of this name.

    Raises:
        UsageError: there is none.
    """
    known = {template.name: template for template in bundled_templates()}
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, n=1)
    meant = f"did you mean `{near[0]}`? " if near else ""
    raise UsageError(
        "unknown-template",
        f"no template `{name}`",
        hint=f"{meant}`wasmctl init --list` shows them; a folder is given as `./{name}`",
    )


def read_template(folder: Path, *, name: str) -> Template:
    """Read a template's folder.

    Raises:
        UsageError: its template.toml is wrong.
    """
    path = folder / _FILE_NAME
    if not path.is_file():
        return Template(name=name, folder=folder, description="")
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        shapes = tuple(_read_shape(folder, shape) for shape in document["shape"])
        _check_bounds(shapes)
        description = str(document["description"])
        config = str(document.get("config", EXAMPLE_CONFIG))
    except (ValueError, KeyError, TypeError) as error:
        reason = f"no `{error.args[0]}`" if isinstance(error, KeyError) else str(error)
        raise UsageError(
            "bad-template",
            f"the template's `{_FILE_NAME}` is wrong: {reason}",
            hint="it needs a `description` and a `[[shape]]` with `toolchain` and `layers` each",
        ) from None
    return Template(name=name, folder=folder, description=description, config=config, shapes=shapes)


def _check_bounds(shapes: Sequence[Shape]) -> None:
    for toolchain in {shape.toolchain for shape in shapes}:
        bounds = [shape.tinygo_below for shape in shapes if shape.toolchain == toolchain]
        if None not in bounds:
            raise ValueError(f"no shape for the newest `{toolchain}`")


def _read_shape(folder: Path, shape: Mapping[str, object]) -> Shape:
    layers = shape["layers"]
    toolchain = next((name for name in _NAMES if name == shape["toolchain"]), None)
    if toolchain is None:
        raise ValueError(f"no toolchain `{shape['toolchain']}`")
    if not isinstance(layers, Sequence) or not layers:
        raise ValueError("`layers` is a list of folders")
    for layer in layers:
        inside = (folder / str(layer)).resolve()
        if not inside.is_dir() or not inside.is_relative_to(folder.resolve()):
            raise ValueError(f"no folder `{layer}` in it")
    shared = shape.get("shared", [])
    if not isinstance(shared, Sequence) or not set(shared) <= set(_SHARED):
        raise ValueError(f"`shared` is a list of {', '.join(f'`{name}`' for name in _SHARED)}")
    below = shape.get("tinygo-below")
    if below is not None:
        _release(str(below))
    return Shape(
        toolchain=toolchain,
        layers=tuple(str(layer) for layer in layers),
        shared=tuple(name for name in _SHARED if name in shared),
        needs=str(shape.get("needs", "")),
        tinygo_below=None if below is None else str(below),
    )


def toolchains_for(template: Template, language: Language) -> tuple[ToolchainName, ...]:
    """Return the toolchains a template has for a language, the default first."""
    offered = {shape.toolchain for shape in template.shapes}
    return tuple(name for name in _TOOLCHAINS[language] if name in offered)


def language_of(toolchain: ToolchainName) -> Language:
    """Return the language a toolchain compiles."""
    return next(language for language, names in _TOOLCHAINS.items() if toolchain in names)


def choose_toolchain(
    template: Template, *, language: Language | None, toolchain: ToolchainName | None
) -> ToolchainName:
    """Return the toolchain that was asked for, or the default of the language, or of the only one.

    Raises:
        UsageError: neither was given, the two contradict each other, or the template has no such
            variant.
    """
    if toolchain is not None and language not in {None, language_of(toolchain)}:
        raise UsageError(
            "toolchain-for-other-language",
            f"the toolchain `{toolchain}` does not compile {language}",
            hint=f"leave out `--language`: `--toolchain {toolchain}` says it",
        )
    if toolchain is None and language is None and len(template.languages) == 1:
        language = template.languages[0]
    if toolchain is None and language is None:
        choices = " or ".join(f"`--language {item}`" for item in template.languages)
        raise UsageError("no-language", "which language is not said", hint=f"add {choices}")
    if language is not None and toolchain is None:
        toolchain = next(iter(toolchains_for(template, language)), None)
    offered = {shape.toolchain for shape in template.shapes}
    if toolchain is None or toolchain not in offered:
        asked = f"--toolchain {toolchain}" if toolchain else f"--language {language}"
        raise UsageError(
            "not-offered",
            f"the template `{template.name}` has no variant for `{asked}`",
            hint=f"it is there for {', '.join(f'`{name}`' for name in sorted(offered))}",
        )
    return toolchain


def choose_shape(template: Template, toolchain: ToolchainName, tinygo: str | None) -> Shape:
    """Return the variant for a toolchain.

    Args:
        template: one that has shapes.
        toolchain: one of those it offers.
        tinygo: the release of the TinyGo at hand; without one, the newest's variant.
    """
    shapes = [shape for shape in template.shapes if shape.toolchain == toolchain]
    bounded = [
        shape
        for shape in shapes
        if tinygo and shape.tinygo_below and _release(tinygo) < _release(shape.tinygo_below)
    ]
    newest = next(shape for shape in shapes if shape.tinygo_below is None)
    return min(bounded, key=lambda shape: _release(shape.tinygo_below or ""), default=newest)


def _release(text: str) -> tuple[int, ...]:
    """Return the numbers of a release; `0.40.0-dev` counts as 0.40."""
    numbers = text.partition("-")[0].split(".")
    return tuple(int(number) for number in numbers[:2])
