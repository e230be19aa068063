"""`wasmctl login` and `logout`: credentials where docker, crane and podman look for them."""

from __future__ import annotations

from typing import Annotated

import typer

from wasmctl.cli.options import CaFile, Insecure, PasswordStdin, PlainHttp, Username
from wasmctl.errors import UsageError
from wasmctl.results import Result
from wasmctl.session import Session

__all__ = ["register"]

_Registry = Annotated[
    str,
    typer.Argument(metavar="REGISTRY", help="Host, with its port if it has one; or docker.io."),
]


def register(app: typer.Typer) -> None:
    """Add `login` and `logout`."""

    @app.command()
    def login(
        ctx: typer.Context,
        registry: _Registry,
        username: Username = None,
        password_stdin: PasswordStdin = False,
        plain_http: PlainHttp = None,
        ca_file: CaFile = None,
        insecure: Insecure = False,
    ) -> Result:
        """Log in to a registry; verified before it is stored."""
        from wasmctl.cli.registry import registry_options
        from wasmctl.oci.credentials import store_credentials
        from wasmctl.oci.registry import check_login

        session: Session = ctx.obj
        host = _host(registry)
        options = registry_options(
            session,
            username=username or _ask_user(session, host),
            password_stdin=password_stdin,
            plain_http=plain_http,
            ca_file=ca_file,
            insecure=insecure,
        )
        user, password = str(options.username), str(options.password)
        looked = check_login(host, user, password, options)
        if not looked:
            session.console.warn(f"`{host}` asks nobody who they are: nothing was verified")
        stored = store_credentials(host, user, password, session.env)
        if not stored.encrypted:
            session.console.warn(
                f"the password is kept unencrypted in {stored.where};"
                " a credential helper (`credsStore`) would keep it better"
            )
        return Result(
            data={
                "registry": host,
                "username": user,
                "verified": looked,
                "stored": stored.where.strip("`"),
                "encrypted": stored.encrypted,
            },
            lines=(f"logged in to {host} as {user}",),
        )

    @app.command()
    def logout(ctx: typer.Context, registry: _Registry) -> Result:
        """Forget a registry's credentials."""
        from wasmctl.oci.credentials import erase_credentials

        session: Session = ctx.obj
        host = _host(registry)
        where = erase_credentials(host, session.env)
        done = f"logged out of {host}" if where else f"was not logged in to {host}"
        return Result(
            data={"registry": host, "erased": [place.strip("`") for place in where]},
            lines=(done,),
        )


def _host(text: str) -> str:
    """Return the registry that a person means: its host alone, however it was copied."""
    from wasmctl.oci.reference import parse_reference, split_user

    if found := split_user(text):
        masked, rest = found
        raise UsageError(
            "bad-registry",
            f"`{masked}` is no registry: it has a user or password in it",
            hint=f"`wasmctl login {rest.partition('/')[0]} -u USER --password-stdin`",
        )
    bare = text.removeprefix("oci://").removeprefix("https://").removeprefix("http://").rstrip("/")
    # The path is what docker's configuration calls Docker Hub by.
    host, slash, _path = bare.removesuffix("/v1").partition("/")
    if slash or not (host == "localhost" or set(".:") & set(host)):
        raise UsageError(
            "bad-registry",
            f"`{text}` is no registry: credentials are for a host",
            hint=f"`wasmctl login {host}`" if slash and host else "write it like `ghcr.io`",
        )
    return parse_reference(f"{host}/name", require_registry=True).registry


def _ask_user(session: Session, host: str) -> str:
    if not session.prompts:
        raise UsageError(
            "no-user",
            f"no user for `{host}`, and nobody to ask",
            hint=f"`wasmctl login {host} -u USER --password-stdin`",
        )
    return str(typer.prompt(f"User of {host}", err=True))
