"""Options that several verbs share, declared once."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "AnnotateGit",
    "CaFile",
    "Folder",
    "FormatChoice",
    "FormatOption",
    "Insecure",
    "LogLevelChoice",
    "NoBuild",
    "Package",
    "PasswordStdin",
    "PlainHttp",
    "TargetNames",
    "Username",
]


class FormatChoice(StrEnum):
    """Formats of an image, as one types them."""

    OCI = "oci"
    DOCKER = "docker"
    ARTIFACT = "artifact"


class LogLevelChoice(StrEnum):
    """Levels of log lines, as one types them."""

    TRACE = "trace"
    DEBUG = "debug"
    INFO = "info"
    WARN = "warn"
    ERROR = "error"
    CRITICAL = "critical"


def _target_names() -> tuple[str, ...]:
    from wasmctl.hosts.targets import target_names

    return target_names()


Folder = Annotated[
    Path | None,
    typer.Argument(metavar="DIR", help="The plug-in's folder; else the one here or above."),
]
Package = Annotated[
    str | None, typer.Option("-p", "--package", metavar="NAME", help="One package of a workspace.")
]
FormatOption = Annotated[
    FormatChoice | None, typer.Option("--format", help="How the module is laid out in the image.")
]
AnnotateGit = Annotated[
    bool, typer.Option("--annotate-git", help="Tell the commit and its time in the image.")
]
NoBuild = Annotated[bool, typer.Option("--no-build", help="Take dist/plugin.wasm as it stands.")]
PlainHttp = Annotated[
    bool | None,
    typer.Option("--plain-http/--https", help="Speak HTTP; loopback registries: the default."),
]
CaFile = Annotated[
    Path | None, typer.Option("--ca-file", metavar="FILE", help="The registry's CA, as PEM.")
]
Insecure = Annotated[
    bool, typer.Option("--insecure-skip-tls-verify", help="Do not verify the registry's TLS.")
]
Username = Annotated[
    str | None, typer.Option("-u", "--username", metavar="USER", help="The registry's user.")
]
PasswordStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from stdin.")
]
TargetNames = Annotated[
    list[str] | None,
    typer.Option(
        "--target",
        metavar="NAME",
        autocompletion=_target_names,
        help="Who has to take it: envoy-1.36, istio-1.27, asm-1.25, envoy-gateway-1.5, higress-2.1,"
        " gcp, or a kind for all its releases; several times: each. Else [plugin] targets.",
    ),
]
