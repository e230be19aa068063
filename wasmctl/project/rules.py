"""What a setting's value has to be beyond its kind, said once for us and for the JSON Schema.

A rule is written in the schema's own words (JSON Schema 2020-12, validation) and stands in the
`Annotated` of a setting in project/settings.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

__all__ = ["NAME", "PORT", "REPOSITORY", "TAG", "VARIABLE", "VERSION", "Rule"]

_TAG_PATTERN: Final = r"^[A-Za-z0-9_][A-Za-z0-9_.+-]{0,127}$"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rule:
    """A rule for a value of a known kind.

    Args:
        wanted: what the value must be, for people.
        hint: how to mend it.
        pattern: what text must match, in the syntax that Python and ECMA-262 share.
        between: the least and the greatest number.
    """

    wanted: str
    hint: str
    pattern: str | None = None
    between: tuple[int, int] | None = None

    def allows(self, value: str | int) -> bool:
        """Return whether the value keeps the rule."""
        if isinstance(value, str):
            return self.pattern is None or re.fullmatch(self.pattern, value) is not None
        return self.between is None or self.between[0] <= value <= self.between[1]

    def __get_pydantic_json_schema__(
        self, core: object, derive: Callable[[object], dict[str, object]]
    ) -> Mapping[str, object]:
        """Add the rule to what pydantic derives from the kind."""
        schema = derive(core)
        if self.pattern is not None:
            schema["pattern"] = self.pattern
        if self.between is not None:
            schema["minimum"], schema["maximum"] = self.between
        return schema


# What Cargo and Go allow, and an image's title and tag can hold.
NAME: Final = Rule(
    wanted="a name of letters, digits, `-`, `_` and `.`",
    hint="write it like `header-auth`",
    pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$",
)
# OCI distribution-spec 1.1, "Pulling manifests"; the `+` of a semantic version becomes a `_`.
TAG: Final = Rule(
    wanted="a tag of letters, digits, `_`, `.` and `-`",
    hint="write it like `1.0.0`",
    pattern=_TAG_PATTERN,
)
VERSION: Final = Rule(
    wanted="a version that can be an image's tag",
    hint="write it like `1.0.0` or `1.0.0-rc.1`",
    pattern=_TAG_PATTERN,
)
REPOSITORY: Final = Rule(
    wanted="a repository, in which nothing but `{name}` and `{version}` is filled in",
    hint="write it like `ghcr.io/acme/{name}`, without `https://`, user and password",
    pattern=r"^(oci://)?(?!.*://)([A-Za-z0-9_.:/\[\]-]|\{name\}|\{version\})+$",
)
PORT: Final = Rule(wanted="a port, 1 to 65535", hint="`18000` is the usual", between=(1, 65535))
# POSIX.1-2024, 8.1: what `NAME=VALUE` can hold.
VARIABLE: Final = Rule(
    wanted="the name of a variable",
    hint='write it like `env = {NAME = "value"}`',
    pattern=r"^[^=\u0000]+$",
)
