"""The JSON Schema of wasmctl.toml, for editors; generated from the settings."""

from __future__ import annotations

import json

from wasmctl.project.settings import Settings

__all__ = ["settings_schema"]


def settings_schema() -> str:
    """Return the schema as indented JSON (draft 2020-12)."""
    from pydantic import TypeAdapter

    schema = TypeAdapter(Settings).json_schema()
    _finish(schema)
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "wasmctl.toml",
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _finish(node: object) -> None:
    """Spell keys with hyphens, and refuse those that break a rule, as the files' reader does."""
    if isinstance(node, dict):
        if isinstance(properties := node.get("properties"), dict):
            node["properties"] = {key.replace("_", "-"): item for key, item in properties.items()}
        if "patternProperties" in node:
            node["additionalProperties"] = False
        for item in node.values():
            _finish(item)
