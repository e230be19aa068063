"""docs/reference.md from the code: `python -m tests.contract.reference` writes it anew."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from dataclasses import MISSING, fields
from typing import cast

import typer

from tests.conftest import ROOT
from wasmctl.cases.schema import cases_schema
from wasmctl.cli.app import make_app
from wasmctl.console import Console
from wasmctl.envvars import VARIABLES
from wasmctl.errors import ExitCode
from wasmctl.project.layers import SECTIONS
from wasmctl.project.schema import settings_schema
from wasmctl.project.settings import Settings

PAGE = ROOT / "docs/reference.md"
SCHEMA = ROOT / "docs/wasmctl.schema.json"
CASES_SCHEMA = ROOT / "docs/wasmctl-cases.schema.json"
# What `init` puts beside case files, which scaffold/ cannot make: cases/ is to its right.
BUNDLED_CASES_SCHEMA = ROOT / "templates/_shared/cases/tests/wasmctl-cases.schema.json"


def render() -> str:
    """Return the page."""
    parts = [
        "# Reference",
        "Generated from the code by `python -m tests.contract.reference`; a test holds it to it.",
        "## Commands",
        "\n\n".join(_commands()),
        "## Exit codes",
        "Of several projects the highest counts.",
        _table(("code", "meaning"), [(str(code.value), code.meaning) for code in ExitCode]),
        "## The JSON document",
        "With `--json`, before or after the verb, every command prints one document on stdout, "
        "also when it fails:",
        '```json\n{"schema": "wasmctl/1", "command": "build", "status": "error", "exit_code": 2,\n'
        ' "data": {}, "errors": [{"code": "kebab-case", "message": "…", "hint": "…"}]}\n```',
        "## wasmctl.toml",
        "Every key is optional. A flag wins over the environment, that over wasmctl.toml, that "
        "over the user file (`$XDG_CONFIG_HOME/wasmctl/config.toml`). Each value that is text, a "
        "number or a list of text also has a variable, `WASMCTL_<SECTION>_<KEY>`, a list's items "
        "separated by commas.",
        _settings(),
        "## Environment",
        _table(("variable", "meaning"), [(f"`{key}`", text) for key, text in VARIABLES.items()]),
    ]
    return "\n\n".join(parts) + "\n"


def _commands() -> Iterator[str]:
    os.environ["COLUMNS"] = "90"
    console = Console(out=io.StringIO(), err=io.StringIO())
    tree = typer.main.get_command(make_app(console))
    root = tree.make_context("wasmctl", [], resilient_parsing=True)
    yield from _helps(tree, cast("typer.Context", root), "wasmctl")


def _helps(command: object, context: typer.Context, name: str) -> Iterator[str]:
    yield f"### {name}\n\n```text\n{context.get_help().rstrip()}\n```"
    inner = getattr(command, "commands", {})
    for verb, item in inner.items():
        below = item.make_context(verb, [], parent=context, resilient_parsing=True)
        yield from _helps(item, below, f"{name} {verb}")


def _settings() -> str:
    import json

    described = json.loads(settings_schema())["$defs"]
    rows = []
    for section, kind in SECTIONS.items():
        properties = described[kind.__name__]["properties"]
        for item in fields(kind):
            key = item.name.replace("_", "-")
            default = "" if item.default in (None, MISSING, ()) else f"`{item.default}`"
            rows.append((f"`{section}.{key}`", properties[key]["description"], default))
    top = json.loads(settings_schema())["properties"]["required-version"]["description"]
    assert "required_version" in {item.name for item in fields(Settings)}
    return _table(("key", "meaning", "default"), [("`required-version`", top, ""), *rows])


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    escaped = (" | ".join(cell.replace("|", "\\|") for cell in line) for line in lines)
    return "\n".join(f"| {line} |" for line in escaped)


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
    SCHEMA.write_text(settings_schema(), encoding="utf-8")
    for path in (CASES_SCHEMA, BUNDLED_CASES_SCHEMA):
        path.write_text(cases_schema(), encoding="utf-8")
