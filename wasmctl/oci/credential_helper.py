"""Credential helpers: programs that keep registry credentials for docker.

The protocol is that of https://github.com/docker/docker-credential-helpers: the verb is the
argument, the rest goes over stdin and stdout, so that no secret is ever an argument.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Final

from wasmctl.errors import RegistryError, ToolFailed, UsageError
from wasmctl.process import Completed, capture
from wasmctl.programs import find_program

__all__ = ["erase", "get", "store"]

# A helper may have to wake a key ring, or ask a cloud for a token.
_TIMEOUT: Final = 30.0
# credentials/error.go: what a helper says when it has nothing for a server, on stdout.
_NOTHING: Final = ("credentials not found in native keychain", "no credentials server url")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


def get(helper: str, server: str, env: Mapping[str, str]) -> tuple[str, str] | None:
    """Return the name and the secret that a helper keeps for `server`, or None.

    Raises:
        RegistryError: the helper is missing, failed or does not speak the protocol.
    """
    completed = _run(helper, "get", server, env)
    if completed.exit_code != 0:
        said = f"{completed.stdout} {completed.stderr}".lower()
        if any(words in said for words in _NOTHING):
            return None
        raise _failed(helper, completed, secret="")
    try:
        answer = json.loads(completed.stdout)
        username, secret = str(answer["Username"]), str(answer["Secret"])
    except (ValueError, KeyError, TypeError):
        # Not chained: the exception would carry what the helper said, which may be a secret.
        raise RegistryError(
            "credential-helper-failed",
            f"`docker-credential-{helper}` answered `get` with something that is no credentials",
            hint=f"try `echo {server} | docker-credential-{helper} get`",
        ) from None
    return (username, secret) if secret else None


def store(helper: str, server: str, *, username: str, secret: str, env: Mapping[str, str]) -> None:
    """Have a helper keep a name and a secret for `server`.

    Raises:
        RegistryError: the helper is missing or failed.
    """
    document = {"ServerURL": server, "Username": username, "Secret": secret}
    completed = _run(helper, "store", json.dumps(document), env)
    if completed.exit_code != 0:
        raise _failed(helper, completed, secret=secret)


def erase(helper: str, server: str, env: Mapping[str, str]) -> None:
    """Have a helper forget `server`.

    Raises:
        RegistryError: the helper is missing or failed.
    """
    completed = _run(helper, "erase", server, env)
    if completed.exit_code != 0:
        raise _failed(helper, completed, secret="")


def _run(helper: str, verb: str, text: str, env: Mapping[str, str]) -> Completed:
    name = f"docker-credential-{helper}"
    if not _NAME.fullmatch(helper):
        raise UsageError(
            "bad-credential-helper",
            f"docker's configuration names a credential helper `{helper}`, which is no name",
            hint="mend `credsStore` or `credHelpers` there",
        )
    program = find_program(name, env)
    if program is None:
        raise RegistryError(
            "credential-helper-missing",
            f"the credentials are kept by `{name}`, which is not on the PATH",
            hint=f"install `{name}`, or take `{helper}` out of `credsStore` and `credHelpers` in"
            " docker's config.json and log in again",
        )
    try:
        return capture([program, verb], env=env, stdin=text.encode(), timeout=_TIMEOUT)
    except ToolFailed:
        raise RegistryError(
            "credential-helper-failed",
            f"`{name} {verb}` did not answer within {_TIMEOUT:.0f} s",
            hint="unlock the key ring it uses, then try again",
        ) from None


def _failed(helper: str, completed: Completed, *, secret: str) -> RegistryError:
    said = (completed.stdout.strip() or completed.stderr.strip()).partition("\n")[0][:200]
    if secret:
        said = said.replace(secret, "***").replace(json.dumps(secret)[1:-1], "***")
    words = f": {said}" if said else f" with exit code {completed.exit_code}"
    verb = completed.argv[-1]
    return RegistryError(
        "credential-helper-failed",
        f"`docker-credential-{helper} {verb}` failed{words}",
        hint=f"the helper must work first: log in to what `docker-credential-{helper}` uses",
    )
