"""A template and the answers → a project's files: planned as a value, then written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from wasmctl.project.schema import settings_schema
from wasmctl.scaffold.names import check_name
from wasmctl.scaffold.plan import ScaffoldPlan, compare
from wasmctl.scaffold.render import RenderedFile, render_folder, render_layers
from wasmctl.scaffold.template import (
    DEFAULT_TEMPLATE,
    EXAMPLE_CONFIG,
    Template,
    choose_shape,
    language_of,
    shared_layer,
)

if TYPE_CHECKING:
    from wasmctl.project.settings import ToolchainName

__all__ = ["Answers", "plan_adoption", "plan_scaffold"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What a template wants to know.

    Args:
        name: the plug-in's name.
        toolchain: what is to compile it; a template without shapes needs none.
        tinygo: the release of the TinyGo at hand, where TinyGo is the toolchain.
        data: further answers, by a template's own names.
    """

    name: str
    toolchain: ToolchainName | None = None
    tinygo: str | None = None
    data: Mapping[str, str] = field(default_factory=dict)


def plan_scaffold(
    template: Template, folder: Path, answers: Answers, *, force: bool = False, ask: bool = False
) -> ScaffoldPlan:
    """Return what the template would write into a folder.

    Args:
        template: one that is at hand.
        folder: the project's absolute folder, new or existing.
        answers: a toolchain that the template has, where it has shapes.
        force: whether files in the way may be overwritten.
        ask: whether a template with questions of its own may ask them on the terminal.

    Raises:
        UsageError: the name is none, the template is wrong or wants to run code, or files are in
            the way.
    """
    check_name(answers.name, fallback=DEFAULT_TEMPLATE)
    if answers.toolchain is None or not template.shapes:
        files = render_folder(
            template.folder, given=answers.data, defaults=_known(answers), ask=ask
        )
        return compare(folder, files, force=force)
    shape = choose_shape(template, answers.toolchain, answers.tinygo)
    layers = [shared_layer("settings"), shared_layer("project"), shared_layer("cases")]
    layers += [shared_layer(name) for name in shape.shared]
    layers += [template.folder / name for name in shape.layers]
    known = {
        **answers.data,
        **_known(answers),
        "needs": shape.needs,
        "newest": shape.tinygo_below is None,
        "config": template.config,
    }
    files = (*render_layers(layers, known), _schema_file())
    return compare(folder, files, force=force)


def plan_adoption(
    folder: Path, *, name: str, toolchain: ToolchainName, force: bool = False
) -> ScaffoldPlan:
    """Return wasmctl.toml and, where there is none, a first case file for an existing project.

    Raises:
        UsageError: files are in the way.
    """
    layers = [shared_layer("settings")]
    if not any(folder.glob("tests/*.cases.yaml")):
        layers += [shared_layer("adopted"), shared_layer("cases")]
    known = {**_known(Answers(name=name, toolchain=toolchain)), "adopted": True}
    return compare(folder, render_layers(layers, known), force=force)


def _known(answers: Answers) -> dict[str, object]:
    """Return the names that every template knows."""
    toolchain = answers.toolchain
    return {
        "name": answers.name,
        "crate": answers.name.replace("-", "_"),
        "language": language_of(toolchain) if toolchain else "",
        "toolchain": toolchain or "",
        "tinygo": answers.tinygo or "",
        "adopted": False,
        "newest": False,
        "config": EXAMPLE_CONFIG,
    }


def _schema_file() -> RenderedFile:
    """Return the schema that the first line of wasmctl.toml names, for editors."""
    return RenderedFile(
        path=PurePosixPath("wasmctl.schema.json"), content=settings_schema().encode()
    )
