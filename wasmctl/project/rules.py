"""What a setting's value has to be beyond its kind, said once for us and for the JSON Schema.

A rule is written in the schema's own words (JSON Schema 2020-12, validation) and stands in the
`Annotated` of a setting in project/settings.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

__all__ = [
    "ENV_NAME",
    "ENV_VALUE",
    "LABEL_KEY",
    "LABEL_VALUE",
    "NAME",
    "NAMESPACE",
    "OBJECT_NAME",
    "PLUGIN_NAME",
    "PORT",
    "PRIORITY",
    "REPOSITORY",
    "TAG",
    "VARIABLE",
    "VERSION",
    "Rule",
]

_TAG_PATTERN: Final = r"^[A-Za-z0-9_][A-Za-z0-9_.+-]{0,127}$"
# RFC 1123's label, as Kubernetes takes it: apimachinery's pkg/util/validation/validation.go, which
# the rules for names and labels below are from too.
_DNS_LABEL: Final = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_DNS_NAME: Final = rf"(?=[\s\S]{{1,253}}$){_DNS_LABEL}(\.{_DNS_LABEL})*"
_LABEL: Final = r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"


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
# An object's name (a DNS subdomain), as of WasmPlugins and Secrets.
OBJECT_NAME: Final = Rule(
    wanted="a name that Kubernetes takes: lower-case letters, digits, `-` and `.`",
    hint="write it like `header-auth`",
    pattern=f"^{_DNS_NAME}$",
)
NAMESPACE: Final = Rule(
    wanted="a namespace: at most 63 lower-case letters, digits and `-`",
    hint="write it like `istio-system`",
    pattern=f"^{_DNS_LABEL}$",
)
# The server would take others in a selector, wildcards excepted, and no pod has them.
LABEL_KEY: Final = Rule(
    wanted="a label's name, such as `app` or `app.kubernetes.io/name`",
    hint='write it like `selector = {app = "shop"}`',
    pattern=f"^({_DNS_NAME.replace('$', '/')}/)?{_LABEL}$",
)
LABEL_VALUE: Final = Rule(
    wanted="a label's value: at most 63 letters, digits, `-`, `_` and `.`; wildcards match nothing",
    hint='write it like `selector = {app = "shop"}`',
    pattern=f"^({_LABEL})?$",
)
# extensions/v1alpha1/wasm.proto of istio.io/api, for these four. Its webhook counts bytes.
PLUGIN_NAME: Final = Rule(
    wanted="1 to 256 printable ASCII characters",
    hint="leave it out where the module holds one plug-in",
    pattern=r"^[\x20-\x7e]{1,256}$",
)
PRIORITY: Final = Rule(
    wanted="a number of 32 bits, -2147483648 to 2147483647",
    hint="write it like `10`; higher comes first",
    between=(-(2**31), 2**31 - 1),
)
ENV_NAME: Final = Rule(
    wanted="a variable's name of 1 to 256 printable ASCII characters, without a `=`",
    hint='write it like `env = {NAME = "value"}`',
    pattern=r"^[\x21-\x3c\x3e-\x7e]{1,256}$",
)
ENV_VALUE: Final = Rule(
    wanted="a variable's value of at most 2048 characters",
    hint="hand over longer ones in the configuration",
    pattern=r"^[^\u0000]{0,2048}$",
)
