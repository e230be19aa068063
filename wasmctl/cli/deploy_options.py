"""Options that say how a plug-in is deployed: each is a setting of `[deploy]`."""

from __future__ import annotations

from typing import Annotated

import typer

from wasmctl.errors import UsageError

__all__ = [
    "Environment",
    "FailStrategy",
    "HostEnvironment",
    "Match",
    "Name",
    "Namespace",
    "Phase",
    "PluginName",
    "PluginType",
    "Priority",
    "PullPolicy",
    "PullSecret",
    "Selector",
    "Sha256",
    "TargetRef",
    "read_matches",
    "read_pairs",
    "read_target_refs",
]

Name = Annotated[
    str | None,
    typer.Option("--name", metavar="NAME", help="The object's name; else the plug-in's."),
]
Namespace = Annotated[
    str | None,
    typer.Option("--namespace", metavar="NAME", help="Its namespace; else istio-system."),
]
Selector = Annotated[
    list[str] | None,
    typer.Option("--selector", metavar="KEY=VALUE", help="A label of the workloads; several: and."),
]
TargetRef = Annotated[
    list[str] | None,
    typer.Option(
        "--target-ref",
        metavar="KIND/NAME",
        help="A Gateway, GatewayClass, Service or ServiceEntry, instead of a selector.",
    ),
]
Phase = Annotated[
    str | None, typer.Option("--phase", metavar="PHASE", help="AUTHN, AUTHZ or STATS.")
]
Priority = Annotated[
    int | None,
    typer.Option("--priority", metavar="NUMBER", help="Order in the phase; higher first."),
]
Match = Annotated[
    list[str] | None,
    typer.Option(
        "--match",
        metavar="MODE:PORT,…",
        help="Traffic that it sees: CLIENT, SERVER or CLIENT_AND_SERVER, ports, or both.",
    ),
]
FailStrategy = Annotated[
    str | None,
    typer.Option(
        "--fail-strategy", metavar="STRATEGY", help="FAIL_CLOSE, FAIL_OPEN or FAIL_RELOAD."
    ),
]
PluginType = Annotated[
    str | None, typer.Option("--type", metavar="TYPE", help="HTTP or NETWORK filter.")
]
PluginName = Annotated[
    str | None,
    typer.Option("--plugin-name", metavar="NAME", help="Which of the module's plug-ins: root id."),
]
Environment = Annotated[
    list[str] | None,
    typer.Option("--env", metavar="NAME=VALUE", help="A variable of its VM."),
]
HostEnvironment = Annotated[
    list[str] | None,
    typer.Option("--host-env", metavar="NAME", help="A variable of the proxy's own for its VM."),
]
PullPolicy = Annotated[
    str | None, typer.Option("--pull-policy", metavar="POLICY", help="IfNotPresent or Always.")
]
PullSecret = Annotated[
    str | None,
    typer.Option("--pull-secret", metavar="NAME", help="The Secret with the credentials."),
]
Sha256 = Annotated[
    bool | None,
    typer.Option("--sha256/--no-sha256", help="Tell the digest in a field of its own too."),
]


def read_pairs(flag: str, texts: list[str] | None) -> dict[str, str] | None:
    """Return what `KEY=VALUE` options say; None where none was given.

    Raises:
        UsageError: one is no pair, or says another value than one before it.
    """
    if texts is None:
        return None
    pairs: dict[str, str] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            message = f"`{flag} {text}` is no `KEY=VALUE`"
            raise UsageError("usage", message, hint=f"write it like `{flag} app=shop`")
        if pairs.setdefault(key, value) != value:
            message = f"`{flag}` gives `{key}` two values"
            raise UsageError("usage", message, hint="leave one of them out")
    return pairs


def read_target_refs(texts: list[str] | None) -> list[dict[str, str]] | None:
    """Return what `KIND/NAME` options say; None where none was given.

    Raises:
        UsageError: one is of another form.
    """
    if texts is None:
        return None
    refs = []
    for text in texts:
        kind, slash, name = text.partition("/")
        if not slash or not kind or not name or "/" in name:
            message = f"`--target-ref {text}` is no `KIND/NAME`"
            raise UsageError("usage", message, hint="write it like `--target-ref Gateway/front`")
        refs.append({"kind": kind, "name": name})
    return refs


def read_matches(texts: list[str] | None) -> list[dict[str, object]] | None:
    """Return what `MODE:PORT,PORT` options say, of which either half may be missing.

    Raises:
        UsageError: a port is no number.
    """
    if texts is None:
        return None
    matches: list[dict[str, object]] = []
    for text in texts:
        mode, colon, listed = text.partition(":")
        if colon and not listed:
            raise _bad_match(text)
        try:
            ports = [int(port) for port in listed.split(",") if colon]
        except ValueError:
            raise _bad_match(text) from None
        matches.append({**({"mode": mode} if mode else {}), **({"ports": ports} if ports else {})})
    return matches


def _bad_match(text: str) -> UsageError:
    hint = "write it like `--match SERVER`, `--match SERVER:8080,8443` or `--match :8080`"
    return UsageError("usage", f"`--match {text}` is no `MODE:PORT,PORT`", hint=hint)
