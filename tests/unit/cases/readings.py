"""Case files in a string, read as from a file; and as an editor sees them."""

from __future__ import annotations

import json
from pathlib import Path

from wasmctl.cases.json_values import JSON_TEXT
from wasmctl.cases.load import read_cases
from wasmctl.cases.model import Case, Plugin
from wasmctl.cases.problems import Problem, ProblemsError
from wasmctl.cases.yaml import parse_yaml

__all__ = ["case", "cases", "json_of", "problems"]

NOWHERE = Path("/nowhere")


def cases(text: str, *, folder: Path = NOWHERE, plugin: Plugin | None = None) -> tuple[Case, ...]:
    """Return the cases of a file that says `text`."""
    return read_cases(text.encode(), folder, plugin or Plugin())


def case(text: str, *, before: str = "", folder: Path = NOWHERE) -> Case:
    """Return the case whose keys, besides its name, are `text`, each line of it a line."""
    lines = "".join(f"  {line}\n" for line in text.splitlines())
    (only,) = cases(f"{before}cases:\n- name: it\n{lines}", folder=folder)
    return only


def problems(raw: bytes | str) -> tuple[Problem, ...]:
    """Return what is wrong in a file; nothing where it is right."""
    try:
        read_cases(raw.encode() if isinstance(raw, str) else raw, NOWHERE, Plugin())
    except ProblemsError as error:
        return error.problems
    return ()


def json_of(raw: bytes) -> object:
    """Return a file as YAML 1.2 understands it, which is what a schema is held against."""
    node = parse_yaml(raw)
    assert node is not None
    return json.loads(JSON_TEXT.read(node, NOWHERE))
