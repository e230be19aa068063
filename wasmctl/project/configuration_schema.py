"""The JSON Schema of a plug-in's configuration, and whether a configuration fits it.

The only module that knows jsonschema, which takes a tenth of a second to import: a project without
a schema does without. What is said is in our words, as jsonschema's repeat the values, and those
may be secrets.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from wasmctl.errors import UsageError

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

    from wasmctl.project.settings import PluginSettings

__all__ = ["ConfigurationSchema", "check_configuration", "read_schema", "schema_file"]

_FILE_NAME: Final = "config.schema.json"
# How many problems one error tells.
_MOST: Final = 5
_KINDS: Final[Mapping[str, str]] = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "a whole number",
    "null": "null",
    "number": "a number",
    "object": "a table",
    "string": "text",
}
# Keyword of a schema → what a value that breaks it must be: JSON Schema 2020-12, validation.
_RULES: Final[Mapping[str, str]] = {
    "const": "must be `{0}`",
    "exclusiveMaximum": "must be less than {0}",
    "exclusiveMinimum": "must be more than {0}",
    "maxItems": "must have at most {0} items",
    "maxLength": "must have at most {0} characters",
    "maxProperties": "must have at most {0} keys",
    "maximum": "must be at most {0}",
    "minItems": "must have at least {0} items",
    "minLength": "must have at least {0} characters",
    "minProperties": "must have at least {0} keys",
    "minimum": "must be at least {0}",
    "multipleOf": "must be a multiple of {0}",
    "pattern": "must match `{0}`",
    "uniqueItems": "must not have an item twice",
}


class ConfigurationSchema:
    """A schema that is at hand.

    Args:
        name: how errors call it.
        document: the schema; anything that JSON can say.

    Raises:
        UsageError: it is no JSON Schema.
    """

    def __init__(self, name: str, document: Any) -> None:
        from jsonschema import Draft202012Validator, SchemaError
        from jsonschema.validators import validator_for
        from jsonschema_specifications import REGISTRY

        self.name = name
        kind = validator_for(document, default=Draft202012Validator)
        try:
            kind.check_schema(document)
        except SchemaError as error:
            where = ".".join(map(str, error.absolute_path)) or "its top"
            raise _bad_schema(name, f"`{where}` breaks the rules of JSON Schema") from None
        # With a registry of its own a validator fetches nothing from anywhere.
        self._validator = kind(document, registry=REGISTRY)
        self.problems = cache(self._problems)

    def check(self, text: str | None, *, place: str) -> None:
        """Refuse a configuration that does not fit.

        Args:
            text: the configuration as the proxy hands it over; None: there is none.
            place: where it stands, for people: "`--config`".

        Raises:
            UsageError: it does not fit, with all places.
        """
        problems = self.problems(text)
        if not problems:
            return
        told = f" {problems[0]}"
        if len(problems) > 1:
            told = "".join(f"\n  {line}" for line in problems)
        message = f"{place} does not fit `{self.name}`:{told}"
        hint = f"mend it, or the schema; `[plugin] config-schema` is `{self.name}`"
        raise UsageError("bad-configuration", message, hint=hint)

    def _problems(self, text: str | None) -> tuple[str, ...]:
        """Return what is wrong with a configuration; none at all counts as one without keys."""
        try:
            document = json.loads(text or "{}", parse_constant=_refuse_constant)
        except ValueError as error:
            return (f"it is not JSON: {str(error).lower()}",)
        from referencing.exceptions import Unresolvable

        try:
            errors = self._validator.iter_errors(document)
            told = sorted(line for error in errors for line in _told(error))
        except Unresolvable as error:
            raise _bad_schema(self.name, f"there is no `{error.ref}`") from None
        except RecursionError:
            raise _bad_schema(self.name, "it refers to itself without end") from None
        more = len(told) - _MOST
        return (*told[:_MOST], *([f"and {more} more"] if more > 0 else []))


def check_configuration(
    plugin: PluginSettings, folder: Path, text: str | None, *, place: str
) -> None:
    """Refuse a configuration that the plug-in's schema does not take; without one take all.

    Args:
        plugin: the settings, which may name the schema.
        folder: the project's absolute folder.
        text: the configuration as the proxy hands it over; None: there is none.
        place: where it stands, for people: "`[deploy] config`".

    Raises:
        UsageError: it does not fit, or the schema cannot be read.
    """
    schema = read_schema(plugin, folder)
    if schema is not None:
        schema.check(text, place=place)


def schema_file(plugin: PluginSettings, folder: Path) -> Path | None:
    """Return the absolute file of the schema, where the project has one or names one."""
    named = plugin.config_schema
    if named is not None:
        return folder / named if named else None
    usual = folder / _FILE_NAME
    return usual if usual.is_file() else None


def read_schema(plugin: PluginSettings, folder: Path) -> ConfigurationSchema | None:
    """Return the schema of the project's configuration; None where it has none.

    Raises:
        UsageError: it cannot be read, or is no JSON Schema.
    """
    path = schema_file(plugin, folder)
    if path is None:
        return None
    name = plugin.config_schema or _FILE_NAME
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise _bad_schema(name, (error.strerror or str(error)).lower()) from None
    except UnicodeDecodeError:
        raise _bad_schema(name, "it is not UTF-8 text") from None
    try:
        document = json.loads(text)
    except ValueError as error:
        raise _bad_schema(name, f"it is not JSON: {str(error).lower()}") from None
    return ConfigurationSchema(name, document)


def _bad_schema(name: str, why: str) -> UsageError:
    message = f"the schema of the configuration, `{name}`, cannot be used: {why}"
    return UsageError("bad-schema", message, hint="see `[plugin] config-schema` in wasmctl.toml")


def _refuse_constant(name: str) -> object:
    raise ValueError(f"`{name}` is no number of JSON")


def _told(error: ValidationError) -> Iterator[str]:
    """Yield what an error comes to: the place in the configuration, and what has to be there."""
    from jsonschema.exceptions import best_match

    # Of several alternatives that all fail, the one that came nearest.
    error = best_match([error]) or error
    value: Any = error.instance
    rule: Any = error.validator_value
    place = _place(error)
    match error.validator:
        case "required":
            yield from (f"{_inside(error, key)} is missing" for key in rule if key not in value)
        case "additionalProperties" | "unevaluatedProperties" if rule is False:
            yield from (_unknown(error, key) for key in _surplus(error))
        case "type":
            kinds = [rule] if isinstance(rule, str) else rule
            wanted = " or ".join(_KINDS.get(kind, kind) for kind in kinds)
            yield f"{place} must be {wanted}, not {_shown(value)}"
        case "enum":
            yield f"{place} must be one of {', '.join(f'`{json.dumps(item)}`' for item in rule)}"
        case "minLength" if rule == 1:
            yield f"{place} must not be empty"
        case None:  # a schema that is `false`
            yield f"{place} is not allowed"
        case keyword if keyword in _RULES:
            yield f"{place} {_RULES[str(keyword)].format(rule)}"
        case keyword:
            yield f"{place} breaks `{keyword}`"


def _place(error: ValidationError) -> str:
    parts = [f"[{key}]" if isinstance(key, int) else f".{key}" for key in error.absolute_path]
    place = f"`{''.join(parts).lstrip('.')}`" if parts else "it"
    if "propertyNames" in error.absolute_schema_path:
        return f"the key `{error.instance}` in {place}" if parts else f"the key `{error.instance}`"
    return place


def _inside(error: ValidationError, key: str) -> str:
    return f"{_place(error)[:-1]}.{key}`" if error.absolute_path else f"`{key}`"


def _unknown(error: ValidationError, key: str) -> str:
    schema: Any = error.schema
    near = get_close_matches(key, schema.get("properties", {}), n=1, cutoff=0.6)
    meant = f"; did you mean `{near[0]}`?" if near else ""
    return f"{_inside(error, key)} is not known{meant}"


def _surplus(error: ValidationError) -> list[str]:
    """Return the keys that the schema does not name."""
    import re

    schema: Any = error.schema
    instance: Any = error.instance
    named = schema.get("properties", {})
    patterns = schema.get("patternProperties", {})
    return [
        key
        for key in instance
        if key not in named and not any(re.search(pattern, key) for pattern in patterns)
    ]


def _shown(value: object) -> str:
    match value:
        case bool() | int() | float() | None:
            return f"`{json.dumps(value)}`"
        case str():
            return "text"
        case list():
            return "a list"
        case _:
            return "a table"
