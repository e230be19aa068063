"""The JSON Schema of case files, for editors; made from the same forms that read them."""

from __future__ import annotations

import json

from wasmctl.cases.forms import FILE
from wasmctl.cases.grammar import Definitions

__all__ = ["cases_schema"]


def cases_schema() -> str:
    """Return the schema as indented JSON (draft 2020-12)."""
    definitions: Definitions = {}
    root = FILE.schema(definitions)
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "wasmctl's case file",
        **root,
        "$defs": definitions,
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
