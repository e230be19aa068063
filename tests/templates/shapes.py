"""Every shape of every bundled template, and a project made of one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wasmctl.scaffold.apply import apply_scaffold
from wasmctl.scaffold.scaffold import Answers, plan_scaffold
from wasmctl.scaffold.template import bundled_templates, choose_shape

if TYPE_CHECKING:
    from wasmctl.project.settings import ToolchainName
    from wasmctl.scaffold.template import Template


@dataclass(frozen=True)
class Case:
    """A template's shape, chosen as a user's machine chooses it."""

    template: Template
    toolchain: ToolchainName
    tinygo: str | None

    def __str__(self) -> str:
        return f"{self.template.name}-{self.toolchain}{self.tinygo or ''}"

    @property
    def layers(self) -> tuple[str, ...]:
        """The template's folders that the project comes from."""
        return choose_shape(self.template, self.toolchain, self.tinygo).layers

    def make(self, folder: Path, name: str = "my-plug-in") -> Path:
        answers = Answers(name=name, toolchain=self.toolchain, tinygo=self.tinygo)
        apply_scaffold(plan_scaffold(self.template, folder, answers))
        return folder


def _cases() -> list[Case]:
    cases = []
    for template in bundled_templates():
        for shape in template.shapes:
            release = None
            if shape.toolchain == "tinygo":
                release = "0.39.0" if shape.tinygo_below is None else "0.31.2"
            cases.append(Case(template, shape.toolchain, release))
    return cases


CASES = _cases()
