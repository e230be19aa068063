"""Words of the command line → values, without pydantic.

Typer converts every parameter with a pydantic adapter. Importing pydantic and building the adapters
takes longer than all the rest of a command's start, for a handful of plain types. They are
converted here; any other type is left to typer, and so is everything should a later typer no longer
ask `get_runtime_param`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Final, get_args, get_origin

import typer
from typer.core import TyperArgument, TyperOption

__all__ = ["convert_without_pydantic"]

_KINDS: Final = (TyperOption, TyperArgument)
_PLAIN: Final = (bool, int, str, Path)


@dataclass(frozen=True, slots=True)
class _Conversion:
    """Converts one value, or each of several; in the place of typer's runtime parameter."""

    kind: type

    def coerce(self, value: Any, param: Any, ctx: typer.Context) -> Any:
        """Return the value of what was typed, or of a default.

        Raises:
            typer.BadParameter: it is none.
        """
        if value is None:
            return None
        if param.multiple or param.nargs == -1:
            return [self._one(item, param, ctx) for item in value]
        return self._one(value, param, ctx)

    def _one(self, value: Any, param: Any, ctx: typer.Context) -> Any:
        if isinstance(value, self.kind):
            return value
        try:
            made = self.kind(value)
        except ValueError:
            wanted = "a whole number"
            if issubclass(self.kind, Enum):
                wanted = f"one of {', '.join(f'`{item.value}`' for item in self.kind)}"
            message = f"`{value}` is not {wanted}"
            raise typer.BadParameter(message, ctx=ctx, param=param) from None
        if self.kind is int:
            _check_range(made, param, ctx)
        return made


def _check_range(number: int, param: Any, ctx: typer.Context) -> None:
    low, high = getattr(param, "min", None), getattr(param, "max", None)
    if (low is None or number >= low) and (high is None or number <= high):
        return
    wanted = f"at least {low}" if high is None else f"between {low} and {high}"
    raise typer.BadParameter(f"{number} is not {wanted}", ctx=ctx, param=param)


def convert_without_pydantic() -> None:
    """Have typer convert the plain types by this module."""
    for kind in _KINDS:
        original = kind.get_runtime_param
        if original.__module__ != __name__:
            kind.get_runtime_param = _light(original)  # type: ignore[assignment, method-assign]


def _light(original: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def get_runtime_param(param: Any) -> Any:
        annotation = param.type_descriptor.annotation
        kind = get_args(annotation)[0] if get_origin(annotation) is list else annotation
        if kind in _PLAIN or (isinstance(kind, type) and issubclass(kind, Enum)):
            return _Conversion(kind)
        return original(param)

    return get_runtime_param
