"""`wasmctl config`: the resolved settings, where each came from, and the JSON Schemas."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wasmctl.results import JSONValue, Result
from wasmctl.session import Session

if TYPE_CHECKING:
    from wasmctl.project.layers import Layers

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add `config show` and `config schema`."""
    group = typer.Typer(help="Show the resolved settings, or a JSON Schema.")
    app.add_typer(group, name="config")

    @group.command()
    def show(
        ctx: typer.Context,
        folder: Annotated[
            Path | None, typer.Argument(metavar="DIR", help="The project's folder.")
        ] = None,
        origin: Annotated[
            bool, typer.Option("--origin", help="Say where each value came from.")
        ] = False,
    ) -> Result:
        """Print the settings of the project here, defaults included."""
        from wasmctl.project.load import load_layers, project_folder

        session: Session = ctx.obj
        layers = load_layers(project_folder(folder, session), session)
        rows = _rows(layers)
        lines = [f"{name} = {_toml(value)}" for name, value, _ in rows]
        if origin:
            width = max(len(line) for line in lines)
            lines = [f"{line:{width}}  # {rows[i][2]}" for i, line in enumerate(lines)]
        settings: dict[str, JSONValue] = {
            name: {"value": value, "origin": source} for name, value, source in rows
        }
        return Result(data={"settings": settings}, lines=tuple(lines))

    @group.command()
    def schema(
        ctx: typer.Context,
        cases: Annotated[
            bool, typer.Option("--cases", help="That of the case files instead.")
        ] = False,
    ) -> Result:
        """Print the JSON Schema of wasmctl.toml."""
        import json

        from wasmctl.cases.schema import cases_schema
        from wasmctl.project.schema import settings_schema

        del ctx
        text = cases_schema() if cases else settings_schema()
        return Result(data={"json_schema": json.loads(text)}, lines=(text.rstrip("\n"),))


def _rows(layers: Layers) -> list[tuple[str, JSONValue, str]]:
    rows: list[tuple[str, JSONValue, str]] = []
    for section, value in asdict(layers.settings).items():
        items = value.items() if isinstance(value, dict) else [("", value)]
        for key, item in items:
            name = f"{section}.{key}" if key else section
            source = layers.origins.get(name, "default")
            rows.append((name.replace("_", "-"), item, source))
    return rows


def _toml(value: JSONValue) -> str:
    import tomlkit

    if value is None:
        return "(none)"
    if isinstance(value, dict):
        table = tomlkit.inline_table()
        table.update(value)
        return table.as_string()
    return tomlkit.item(value).as_string()
