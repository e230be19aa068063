"""What the verbs that speak to a registry take from the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from wasmctl.errors import UsageError
from wasmctl.session import Session

if TYPE_CHECKING:
    from wasmctl.oci.options import RegistryOptions

__all__ = ["read_password", "registry_options"]


def registry_options(
    session: Session,
    *,
    username: str | None = None,
    password_stdin: bool = False,
    plain_http: bool | None = None,
    ca_file: Path | None = None,
    insecure: bool = False,
) -> RegistryOptions:
    """Return how a registry is spoken to; asks for the password where a user is given.

    Raises:
        UsageError: a user without a password, or the other way round.
    """
    from wasmctl.oci.options import RegistryOptions

    if password_stdin and username is None:
        raise UsageError("usage", "`--password-stdin` without a user", hint="add `-u USER`")
    password = None
    if username is not None:
        password = read_password(session, username, from_stdin=password_stdin)
    return RegistryOptions(
        plain_http=plain_http,
        ca_file=None if ca_file is None else Path(session.cwd, ca_file),
        insecure_skip_tls_verify=insecure,
        username=username,
        password=password,
        env=session.env,
    )


def read_password(session: Session, username: str, *, from_stdin: bool) -> str:
    """Return the password: from stdin, or asked for without showing it.

    Raises:
        UsageError: it is empty, or nobody can be asked.
    """
    if from_stdin:
        password = _piped(session)
    elif session.prompts:
        password = typer.prompt(f"Password of {username}", hide_input=True, err=True)
    else:
        message = f"no password for `{username}`, and nobody to ask"
        raise UsageError("no-password", message, hint="pipe it in with `--password-stdin`")
    if not password:
        raise UsageError("no-password", "the password is empty", hint="check what is piped in")
    return str(password)


def _piped(session: Session) -> str:
    if session.stdin is None:
        return ""
    try:
        # What cannot be decoded has become what cannot be encoded again, or fails right here.
        password = session.stdin.read().rstrip("\r\n")
        password.encode()
    except UnicodeError:
        raise UsageError(
            "no-password", "the password is not UTF-8", hint="check what is piped in"
        ) from None
    return password
