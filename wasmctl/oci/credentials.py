"""Where a registry's credentials are kept: docker's and podman's files and their helpers.

Reads what `docker login` and `podman login` wrote, and writes what `docker` reads. Talks to no
registry. A secret leaves this module only inside `Credentials`, whose text does not show it.

Sources: docker's `cli/config/configfile` and `cli/config/credentials`, go-containerregistry's
`pkg/authn/keychain.go`, containers-auth.json(5).
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from wasmctl.errors import RegistryError, UsageError
from wasmctl.oci import credential_helper
from wasmctl.paths import replacing

__all__ = [
    "Credentials",
    "Stored",
    "config_key",
    "erase_credentials",
    "find_credentials",
    "store_credentials",
]

_DOCKER_HUB: Final = "docker.io"
# docker's registry.IndexServer: what `docker login` without a host stores its credentials under.
_DOCKER_HUB_KEY: Final = "https://index.docker.io/v1/"
_DOCKER_HUB_HOSTS: Final = frozenset({_DOCKER_HUB, "index.docker.io", "registry-1.docker.io"})
# ACR's and docker's placeholder for the name of whoever holds an identity token.
_TOKEN_USER: Final = "<token>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Who we are to a registry: name and password, or one of two kinds of token.

    Args:
        username: the name; empty with a token.
        password: the password.
        identity_token: an OAuth 2 refresh token, to be changed for an access token.
        registry_token: an access token, sent as it is.
        origin: where they were found, for people.
        helper: the credential helper that answered; empty where they stood in a file.
    """

    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)
    registry_token: str = field(default="", repr=False)
    origin: str
    helper: str = ""

    def __str__(self) -> str:
        who = f"of `{self.username}` " if self.username else ""
        return f"{who}from {self.origin}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """Where credentials were put.

    Args:
        where: the file or the helper, for people.
        encrypted: whether a helper keeps them, and not a readable file.
    """

    where: str
    encrypted: bool


def find_credentials(
    registry: str, env: Mapping[str, str], *, repository: str = ""
) -> Credentials | None:
    """Return the stored credentials of a registry, or None.

    The order is crane's: docker's configuration, REGISTRY_AUTH_FILE, podman's files below
    XDG_RUNTIME_DIR and XDG_CONFIG_HOME; unlike there, a file without an answer does not end it.

    Args:
        registry: host and port; `docker.io` for Docker Hub.
        env: the environment.
        repository: the path below it: podman's files may hold credentials of one path.

    Raises:
        RegistryError: a helper is missing or failed.
        UsageError: a file cannot be read or is not JSON.
    """
    for path in _files(env):
        config = _read(path)
        found = _from_helper(config, registry, env, path) or _from_file(
            config, registry, repository, path
        )
        if found is not None:
            return found
    return None


def store_credentials(
    registry: str, username: str, password: str, env: Mapping[str, str]
) -> Stored:
    """Keep credentials as `docker login` does: in the configured helper, else in docker's file.

    Raises:
        RegistryError: the helper is missing or failed.
        UsageError: the file cannot be read or written, or is not JSON.
    """
    path = _docker_config(env)
    config = _read(path)
    key = config_key(registry)
    helper = _helper(config, key)
    if helper is not None:
        credential_helper.store(helper, key, username=username, secret=password, env=env)
        return Stored(where=f"`docker-credential-{helper}`", encrypted=True)
    auths = dict(_section(config, "auths"))
    for old in _keys(auths, registry):
        del auths[old]
    pair = f"{username}:{password}".encode()
    auths[key] = {"auth": base64.b64encode(pair).decode("ascii")}
    _write(path, {**config, "auths": auths})
    return Stored(where=f"`{path}`", encrypted=False)


def erase_credentials(registry: str, env: Mapping[str, str]) -> tuple[str, ...]:
    """Forget a registry's credentials in docker's helper and file; return where they were.

    Raises:
        RegistryError: the helper is missing or failed.
        UsageError: the file cannot be read or written, or is not JSON.
    """
    path = _docker_config(env)
    config = _read(path)
    key = config_key(registry)
    where = []
    helper = _helper(config, key)
    if helper is not None and credential_helper.get(helper, key, env) is not None:
        credential_helper.erase(helper, key, env)
        where.append(f"`docker-credential-{helper}`")
    auths = dict(_section(config, "auths"))
    old = list(_keys(auths, registry))
    if old:
        # docker leaves an empty entry beside a helper: no credentials were in the file.
        if any(auths[name] for name in old):
            where.append(f"`{path}`")
        for name in old:
            del auths[name]
        _write(path, {**config, "auths": auths})
    return tuple(where)


def _docker_config(env: Mapping[str, str]) -> Path:
    folder = env.get("DOCKER_CONFIG")
    return (Path(folder) if folder else _home(env) / ".docker") / "config.json"


def _home(env: Mapping[str, str]) -> Path:
    home = env.get("HOME")
    return Path(home) if home else Path.home()


def _files(env: Mapping[str, str]) -> Iterator[Path]:
    yield _docker_config(env)
    if named := env.get("REGISTRY_AUTH_FILE"):
        yield Path(named)
    if runtime := env.get("XDG_RUNTIME_DIR"):
        yield Path(runtime) / "containers" / "auth.json"
    config = env.get("XDG_CONFIG_HOME")
    yield (Path(config) if config else _home(env) / ".config") / "containers" / "auth.json"


def _read(path: Path) -> Mapping[str, object]:
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise UsageError(
            "bad-credentials-file",
            f"the credentials in `{path}` cannot be read: {reason}",
            hint="make the file readable, or take it away and log in again",
        ) from error
    try:
        config = json.loads(text) if text.strip() else {}
    except ValueError as error:
        where = f"line {error.lineno}" if isinstance(error, json.JSONDecodeError) else "somewhere"
        # Not chained: the decoder's own exception carries the file's whole text.
        raise UsageError(
            "bad-credentials-file",
            f"`{path}` is no JSON, at {where}",
            hint="mend it, or take it away and log in again",
        ) from None
    return config if isinstance(config, dict) else {}


def _write(path: Path, config: Mapping[str, object]) -> None:
    # Where the file is a link, what it points at is written: dotfiles are often kept elsewhere.
    path = path.resolve()
    content = json.dumps(config, indent="\t", ensure_ascii=False).encode() + b"\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with replacing(path, mode=0o600) as stream:
            stream.write(content)
    except OSError as error:
        raise UsageError(
            "cannot-write",
            f"the credentials in `{path}` cannot be written: {error.strerror}",
            hint="make its folder writable, or name another in DOCKER_CONFIG",
        ) from error


def _section(config: Mapping[str, object], name: str) -> Mapping[str, object]:
    value = config.get(name)
    return value if isinstance(value, dict) else {}


def config_key(registry: str) -> str:
    """Return what docker's configuration, and a Secret of its form, keeps a registry under."""
    return _DOCKER_HUB_KEY if registry in _DOCKER_HUB_HOSTS else registry


def _names(registry: str) -> frozenset[str]:
    return _DOCKER_HUB_HOSTS if registry in _DOCKER_HUB_HOSTS else frozenset({registry})


def _keys(auths: Mapping[str, object], registry: str) -> Iterator[str]:
    """Yield the keys that mean the whole registry, in any of the forms of the past."""
    for key in list(auths):
        if _plain(key) in _names(registry):
            yield key


def _plain(key: str) -> str:
    """Return a key without what old versions of docker put around it (ConvertToHostname)."""
    for scheme in ("https://", "http://"):
        if key.startswith(scheme):
            return key.removeprefix(scheme).partition("/")[0]
    return key.rstrip("/").removesuffix("/v1").removesuffix("/v2")


def _helper(config: Mapping[str, object], key: str) -> str | None:
    own = _section(config, "credHelpers")
    hosts = {_plain(name): value for name, value in own.items()}
    helper = own.get(key) or hosts.get(_plain(key)) or config.get("credsStore")
    return helper if isinstance(helper, str) and helper else None


def _from_helper(
    config: Mapping[str, object], registry: str, env: Mapping[str, str], path: Path
) -> Credentials | None:
    key = config_key(registry)
    helper = _helper(config, key)
    if helper is None:
        return None
    answer = credential_helper.get(helper, key, env)
    if answer is None:
        return None
    username, secret = answer
    origin = f"`docker-credential-{helper}` (named in `{path}`)"
    if username == _TOKEN_USER:
        return Credentials(identity_token=secret, origin=origin, helper=helper)
    return Credentials(username=username, password=secret, origin=origin, helper=helper)


def _from_file(
    config: Mapping[str, object], registry: str, repository: str, path: Path
) -> Credentials | None:
    auths = _section(config, "auths")
    plain = {_plain(key): value for key, value in auths.items()}
    # An exact key goes before one whose form is of the past.
    plain.update((key, value) for key, value in auths.items() if _plain(key) == key)
    for name in sorted(_names(registry)):
        for scope in _scopes(name, repository):
            entry = plain.get(scope)
            if isinstance(entry, dict):
                found = _decode(entry, scope, path)
                if found is not None:
                    return found
    return None


def _scopes(host: str, repository: str) -> Iterator[str]:
    """Yield `host/a/b`, `host/a`, `host`: the longest match wins (containers-auth.json(5))."""
    parts = [host, *repository.split("/")] if repository else [host]
    for end in range(len(parts), 0, -1):
        yield "/".join(parts[:end])


def _decode(entry: Mapping[str, object], scope: str, path: Path) -> Credentials | None:
    def text(name: str) -> str:
        value = entry.get(name)
        return value if isinstance(value, str) else ""

    username, password = text("username"), text("password")
    if auth := text("auth"):
        username, password = _split(auth, scope, path)
    found = Credentials(
        username=username,
        password=password,
        identity_token=text("identitytoken"),
        registry_token=text("registrytoken"),
        origin=f"`{path}`",
    )
    empty = not (found.password or found.identity_token or found.registry_token)
    return None if empty else found


def _split(auth: str, scope: str, path: Path) -> tuple[str, str]:
    with contextlib.suppress(binascii.Error, UnicodeDecodeError, ValueError):
        username, colon, password = base64.b64decode(auth, validate=True).decode().partition(":")
        if colon:
            return username, password.strip("\0")
    raise RegistryError(
        "bad-credentials",
        f"the credentials of `{scope}` in `{path}` are not the base64 form of `name:password`",
        hint=f"`wasmctl login {scope.partition('/')[0]}` writes them anew",
    )
