"""wasmctl.toml, the user file, the environment and flags as layers, merged by precedence.

Flag, environment, project file, user file, default: the first that says something wins, key by
key. A document's keys are spelt-with-hyphens, the values' attributes with underscores.
"""

from __future__ import annotations

import difflib
import types
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, is_dataclass
from pathlib import Path
from typing import Annotated, Final, Literal, Union, get_args, get_origin, get_type_hints

from wasmctl.envvars import VARIABLES
from wasmctl.errors import UsageError
from wasmctl.paths import config_file
from wasmctl.project.checks import Complaint, complain
from wasmctl.project.settings import Settings
from wasmctl.project.toml import TomlFile, read_toml

__all__ = [
    "FILE_NAME",
    "SECTIONS",
    "Layer",
    "Layers",
    "environment_layer",
    "file_layer",
    "flag_layer",
    "merge",
    "setting_place",
    "unknown_variables",
    "user_layer",
]

FILE_NAME: Final = "wasmctl.toml"
# Longer values are not repeated whole in an error.
_SHOWN: Final = 40

_HINTS: Final[Mapping[str, object]] = get_type_hints(Settings)
SECTIONS: Final[Mapping[str, type]] = {
    name: kind for name, kind in _HINTS.items() if isinstance(kind, type) and is_dataclass(kind)
}
# What each setting takes, by its dotted name.
_KINDS: Final[Mapping[str, object]] = {
    **{name: kind for name, kind in _HINTS.items() if name not in SECTIONS},
    **{
        f"{section}.{name}": kind
        for section, table in SECTIONS.items()
        for name, kind in get_type_hints(table, include_extras=True).items()
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """Settings from one place.

    Args:
        origin: the place, for people: `flag`, a variable, a file's path.
        values: values by dotted name: `build.target`, `required_version`; all of the right kind.
    """

    origin: str
    values: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layers:
    """The merged settings, and where each that is no default came from."""

    settings: Settings
    origins: Mapping[str, str]


def merge(layers: Iterable[Layer]) -> Layers:
    """Merge layers, the strongest first."""
    values: dict[str, object] = {}
    origins: dict[str, str] = {}
    for layer in layers:
        for name, value in layer.values.items():
            values.setdefault(name, value)
            origins.setdefault(name, layer.origin)
    tables: dict[str, dict[str, object]] = {section: {} for section in SECTIONS}
    top = {}
    for name, value in values.items():
        section, _, key = name.rpartition(".")
        frozen = tuple(value) if isinstance(value, list) else value
        if section:
            tables[section][key] = frozen
        else:
            top[key] = frozen
    sections = {section: kind(**tables[section]) for section, kind in SECTIONS.items()}
    return Layers(settings=Settings(**top, **sections), origins=origins)  # type: ignore[arg-type]


def file_layer(path: Path) -> Layer:
    """Read a settings file; an absent one has no values.

    Raises:
        UsageError: broken TOML, an unknown key, a value of the wrong kind; with the line.
    """
    file = read_toml(path)
    values = {} if file is None else dict(_values(file))
    return Layer(origin=str(path), values=values)


def user_layer(env: Mapping[str, str]) -> Layer:
    """Read the user file.

    Raises:
        UsageError: as of `file_layer`.
    """
    return file_layer(config_file(env))


def environment_layer(env: Mapping[str, str]) -> tuple[Layer, ...]:
    """Return a layer for each variable `WASMCTL_<SECTION>_<KEY>` that is set and not empty.

    Raises:
        UsageError: a value is of the wrong kind.
    """
    layers = []
    for variable, name in _variables().items():
        if text := env.get(variable):
            value = _from_text(text, _KINDS[name])
            if found := complain(value, _KINDS[name]):
                raise _wrong(f"`{variable}`", name, found)
            layers.append(Layer(origin=variable, values={name: value}))
    return tuple(layers)


def flag_layer(flags: Mapping[str, object]) -> Layer:
    """Return the layer of what flags gave; None means not given.

    Raises:
        UsageError: a value is of the wrong kind.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    for name, value in given.items():
        if found := complain(value, _KINDS[name]):
            raise _wrong(f"`{_flag(name)}`", name, found)
    return Layer(origin="flag", values=given)


def setting_place(name: str, *, flags: Container[str]) -> str:
    """Return how a person gives a setting: `--phase`, where it is in `flags`, or `[deploy] phase`.

    Args:
        name: its dotted name.
        flags: the names of the settings that were given by flags.
    """
    section, _, key = name.rpartition(".")
    return f"`{_flag(name)}`" if name in flags else f"`[{section}] {_spelt(key)}`"


def unknown_variables(env: Mapping[str, str]) -> Iterator[str]:
    """Yield a warning for each `WASMCTL_…` variable that means nothing."""
    known = [*_variables(), *VARIABLES]
    for variable in sorted(env):
        if variable.startswith("WASMCTL_") and variable not in known:
            close = difflib.get_close_matches(variable, known, n=1, cutoff=0.75)
            # Variables of wrappers and test suites are none of our business.
            if close:
                yield f"`{variable}` is not a variable of wasmctl; did you mean `{close[0]}`?"


def _variables() -> dict[str, str]:
    """Return the settings' names by the variables that set them."""
    return {
        f"WASMCTL_{name.replace('.', '_')}".upper(): name
        for name, kind in _KINDS.items()
        if "." in name and _from_text("", kind) is not None
    }


def _from_text(text: str, kind: object) -> object:
    """Return what a variable's text says for a setting of `kind`; None where no text can."""
    if get_origin(kind) in {Union, types.UnionType}:
        values = [_from_text(text, option) for option in get_args(kind)]
        return next((value for value in values if value is not None), None)
    if get_origin(kind) is Annotated:
        return _from_text(text, get_args(kind)[0])
    if kind is str or get_origin(kind) is Literal:
        return text
    if kind is bool:
        return {"true": True, "false": False}.get(text.lower(), text)
    if kind is int:
        return int(text) if text.isascii() and text.removeprefix("-").isdigit() else text
    if get_origin(kind) is tuple and isinstance(_from_text("", get_args(kind)[0]), str):
        return [part.strip() for part in text.split(",") if part.strip()]
    return None


def _values(file: TomlFile) -> Iterator[tuple[str, object]]:
    """Yield a file's settings by their dotted names."""
    for key, value in file.document.items():
        name = _attribute(key)
        if name in SECTIONS:
            if not isinstance(value, dict):
                message = f"{file.place(key)}: `{key}` must be a table, not {_shown(value)}"
                raise UsageError("bad-config", message, hint=f"begin it with `[{key}]`")
            for inner, item in value.items():
                yield _setting(file, (key, inner), item)
        else:
            yield _setting(file, (key,), value)


def _setting(file: TomlFile, keys: tuple[str, ...], value: object) -> tuple[str, object]:
    name = ".".join(_attribute(key) for key in keys)
    if name not in _KINDS or "." in keys[-1]:
        raise _unknown(file, keys)
    if found := complain(value, _KINDS[name]):
        raise _wrong(file.place(*keys, *found.keys), name, found)
    return name, value


def _attribute(key: str) -> str:
    # With an underscore a key is spelt wrong, though Python would not mind.
    return key.replace("_", "\0").replace("-", "_")


def _flag(name: str) -> str:
    """Return the flag that gives a setting: of those with lists it takes one at a time."""
    key = _spelt(name.rpartition(".")[2])
    return f"--{key.removesuffix('s')}" if get_origin(_KINDS[name]) is tuple else f"--{key}"


def _spelt(name: str) -> str:
    return name.replace("_", "-")


def _wrong(place: str, name: str, found: Complaint) -> UsageError:
    setting = f"{_spelt(name)}{found.place}"
    message = f"{place}: `{setting}` must be {found.wanted}, not {_shown(found.value)}"
    return UsageError("bad-config", message, hint=found.hint)


def _shown(value: object) -> str:
    match value:
        case bool():
            return f"`{str(value).lower()}`"
        case str() if len(value) <= _SHOWN and "@" not in value:  # before an `@` is a password
            return f'`"{value}"`'
        case str():
            return "this text"
        case list() | tuple():
            return "a list"
        case dict():
            return "a table"
        case _:
            return f"`{value}`"


def _unknown(file: TomlFile, keys: tuple[str, ...]) -> UsageError:
    *section, key = keys
    before = "".join(f"{part}." for part in section)
    spelt = [_spelt(name) for name in _KINDS]
    here = [name.removeprefix(before) for name in spelt if name.startswith(before)]
    if not section:
        here = [*SECTIONS, "required-version"]
    elsewhere = [name.split(".")[0] for name in spelt if name.endswith(f".{key}")]
    if close := difflib.get_close_matches(key.replace("_", "-"), here, n=1, cutoff=0.6):
        hint = f"did you mean `{close[0]}`?"
    elif elsewhere:
        hint = f"`{key}` belongs to {' or '.join(f'`[{name}]`' for name in elsewhere)}"
    else:
        hint = f"known here: {', '.join(sorted(here))}"
    place = file.place(*keys)
    where = f" in `[{section[0]}]`" if section else ""
    return UsageError("unknown-key", f"{place}: unknown key `{key[:_SHOWN]}`{where}", hint=hint)
