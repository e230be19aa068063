"""wasmctl.toml, the user file, the environment and flags as layers, merged by precedence.

Flag, environment, project file, user file, default: the first that says something wins, key by
key. A document's keys are spelt-with-hyphens, the values' attributes with underscores.
"""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Final, get_type_hints

from wasmctl.envvars import VARIABLES
from wasmctl.errors import UsageError
from wasmctl.paths import config_file
from wasmctl.project.settings import Settings

__all__ = [
    "FILE_NAME",
    "Layer",
    "Layers",
    "environment_layer",
    "file_layer",
    "merge",
    "unknown_variables",
    "user_layer",
]

FILE_NAME: Final = "wasmctl.toml"

_HINTS = get_type_hints(Settings)
SECTIONS: Final[Mapping[str, type]] = {
    name: kind for name, kind in _HINTS.items() if is_dataclass(kind) and isinstance(kind, type)
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """Settings from one place.

    Args:
        origin: the place, for people: a flag, a variable's prefix, a file's path.
        values: values by dotted name: `build.target`, `required_version`.
    """

    origin: str
    values: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layers:
    """The merged settings, and where each that is no default came from."""

    settings: Settings
    origins: Mapping[str, str]


def merge(layers: tuple[Layer, ...]) -> Layers:
    """Merge layers, the strongest first.

    Raises:
        UsageError: a value is of the wrong type.
    """
    values: dict[str, object] = {}
    origins: dict[str, str] = {}
    for layer in reversed(layers):
        for name, value in layer.values.items():
            values[name] = value
            origins[name] = layer.origin
    return Layers(settings=_settings(values), origins=origins)


def file_layer(path: Path) -> Layer:
    """Read a settings file; an absent one has no values.

    Raises:
        UsageError: broken TOML, an unknown key, a value of the wrong type; with the line.
    """
    try:
        text = path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return Layer(origin=str(path), values={})
    except UnicodeDecodeError as error:
        raise UsageError("bad-config", f"`{path}` is not UTF-8: {error.reason}") from None
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(
            "bad-toml", f"`{path}` is not TOML: {error}{_quoted(text, str(error))}"
        ) from None
    values = dict(_flatten(document, path, text))
    _settings(values, lambda name: f"`{path}`{_line(text, name)}: ")
    return Layer(origin=str(path), values=values)


def environment_layer(env: Mapping[str, str]) -> tuple[Layer, ...]:
    """Return a layer for each variable `WASMCTL_<SECTION>_<KEY>` that is set."""
    layers = []
    for variable, (name, kind) in _setting_variables().items():
        if (text := env.get(variable)) is not None:
            layers.append(Layer(origin=variable, values={name: _from_text(text, kind, variable)}))
    return tuple(layers)


def user_layer(env: Mapping[str, str]) -> Layer:
    """Read the user file."""
    return file_layer(config_file(env))


def unknown_variables(env: Mapping[str, str]) -> Iterator[str]:
    """Yield a warning for each `WASMCTL_…` variable that means nothing."""
    known = [*_setting_variables(), *VARIABLES]
    for variable in sorted(env):
        if variable.startswith("WASMCTL_") and variable not in known:
            close = difflib.get_close_matches(variable, known, n=1, cutoff=0.75)
            # Variables of wrappers and test suites are none of our business.
            if close:
                yield f"`{variable}` is not a variable of wasmctl; did you mean `{close[0]}`?"


def _setting_variables() -> dict[str, tuple[str, str]]:
    found = {}
    for section, kind in SECTIONS.items():
        for item in fields(kind):
            if "dict" not in str(item.type) or "str |" in str(item.type):
                name = f"{section}.{item.name}"
                found[f"WASMCTL_{section}_{item.name}".upper()] = (name, str(item.type))
    return found


def _from_text(text: str, kind: str, variable: str) -> object:
    if kind.startswith("tuple"):
        return tuple(part.strip() for part in text.split(",") if part.strip())
    if kind.startswith("int"):
        try:
            return int(text)
        except ValueError:
            raise UsageError("bad-config", f"`{variable}` must be a number: `{text}`") from None
    return text


def _flatten(document: Mapping[str, object], path: Path, text: str) -> Iterator[tuple[str, object]]:
    sections = [name.replace("_", "-") for name in SECTIONS]
    for key, value in document.items():
        if key in sections:
            if not isinstance(value, dict):
                message = f"`{path}`{_line(text, key)}: `{key}` must be a table: `[{key}]`"
                raise UsageError("bad-config", message)
            known = [item.name.replace("_", "-") for item in fields(SECTIONS[key])]
            for inner, item in value.items():
                if inner not in known:
                    raise _unknown(inner, known, path, text, f"{key}.{inner}")
                yield f"{key}.{inner.replace('-', '_')}", item
        elif key == "required-version":
            yield "required_version", value
        else:
            raise _unknown(key, [*sections, "required-version"], path, text, key)


def _unknown(key: str, known: list[str], path: Path, text: str, name: str) -> UsageError:
    close = difflib.get_close_matches(key.replace("_", "-"), known, n=1, cutoff=0.6)
    hint = f"did you mean `{close[0]}`?" if close else f"known here: {', '.join(sorted(known))}"
    where = f"`{path}`{_line(text, name)}"
    return UsageError("unknown-key", f"{where}: unknown key `{key}`", hint=hint)


def _line(text: str, name: str) -> str:
    """Return `, line N`: where the dotted `name` stands in a TOML text, as far as can be seen."""
    section, _, key = name.rpartition(".")
    current = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[\s*([^\]]+?)\s*\]", line):
            current = header[1]
            if not section and current.split(".")[0] == key:
                return f", line {number}"
        elif found := re.match(r"\s*([\w.\"'-]+)\s*=", line):
            spelt = f"{current}.{found[1]}" if current else found[1]
            if spelt.replace("_", "-") == name.replace("_", "-"):
                return f", line {number}"
    return _line(text, section) if "." in section else ""


def _quoted(text: str, message: str) -> str:
    found = re.search(r"at line (\d+)", message)
    lines = text.splitlines()
    if found is None or int(found[1]) > len(lines):
        return ""
    return f"\n  {found[1]} | {lines[int(found[1]) - 1]}"


def _settings(
    values: Mapping[str, object], where: Callable[[str], str] = lambda _name: ""
) -> Settings:
    if not values:
        return Settings()
    from pydantic import TypeAdapter, ValidationError

    nested: dict[str, object] = {}
    for name, value in values.items():
        section, _, key = name.rpartition(".")
        table = nested.setdefault(section, {}) if section else nested
        assert isinstance(table, dict)
        table[key] = value
    try:
        # As JSON: strict about scalars, yet tables become dataclasses and lists tuples.
        return TypeAdapter(Settings).validate_json(json.dumps(nested, default=str))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        parts = [str(part) for part in first["loc"]]
        spelt = ".".join(part.replace("_", "-") for part in parts)
        message = f"{where('.'.join(parts))}`{spelt}`: {first['msg'].lower()}"
        raise UsageError("bad-config", f"{message}, got {first['input']!r}") from None
