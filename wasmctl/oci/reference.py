"""Image references: what a person types for an image, and what it means. Pure.

The grammar is that of distribution/reference (https://github.com/distribution/reference,
`reference.go` and `normalize.go`), which docker, crane and the meshes' fetchers share. Two things
are stricter: a digest is a sha256, and a name that no registry of its reading could hold is refused
instead of being asked for.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field, replace
from typing import Final

from wasmctl.errors import UsageError

__all__ = [
    "DOCKER_HUB",
    "Reference",
    "check_tag",
    "parse_reference",
    "reads_as_version",
    "split_user",
]

DOCKER_HUB: Final = "docker.io"
_DOCKER_HUB_HOSTS: Final = frozenset({DOCKER_HUB, "index.docker.io", "registry-1.docker.io"})
# normalize.go: an official image, `docker pull nginx`.
_DOCKER_HUB_LIBRARY: Final = "library"

_HOST_PART = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_REGISTRY = re.compile(
    rf"(?P<host>{_HOST_PART}(?:\.{_HOST_PART})*|\[[0-9a-fA-F:.]+\])(?::(?P<port>[0-9]+))?"
)
_REPOSITORY_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_REPOSITORY_PART}(?:/{_REPOSITORY_PART})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
# RFC 3986's user information, which no reference has, before a host; `x:1@sha256:…` has none.
_USER = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)?[^/@:\[]*(?P<password>:(?!\d+/).*)?"
    r"@(?!(?i:sha)\d+:)(?P<rest>.+)",
    re.DOTALL,
)
# `1.2`, `v1.2.3`, `2024.05.01`, `1.2.3-rc.1`: what a reader takes for something that stays.
# A single number does not: `v1` usually follows the newest `v1.x`.
_VERSION = re.compile(r"[vV]?\d+(\.\d+)+([-_.+][0-9A-Za-z][0-9A-Za-z_.+-]*)?")
# reference.go, RepositoryNameTotalLengthMax.
_REPOSITORY_LENGTH = 255
_TAG_LENGTH = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """An image, or a repository of images, in a registry.

    Args:
        registry: host, with its port when one was given; `docker.io` for Docker Hub.
        repository: the path below it.
        tag: a name that may move.
        digest: `sha256:` and 64 hexadecimal digits: the manifest itself.
        read_as: a sentence on how the text was read, where more was read than was written.
    """

    registry: str
    repository: str
    tag: str | None = None
    digest: str | None = None
    read_as: str = field(default="", compare=False)

    def __str__(self) -> str:
        tag = "" if self.tag is None else f":{self.tag}"
        digest = "" if self.digest is None else f"@{self.digest}"
        return f"{self.name}{tag}{digest}"

    @property
    def name(self) -> str:
        """Registry and repository, without tag and digest."""
        return f"{self.registry}/{self.repository}"

    @property
    def api_host(self) -> str:
        """The host, and port, that answers the registry's API."""
        return "registry-1.docker.io" if self.registry == DOCKER_HUB else self.registry

    def with_tag(self, tag: str) -> Reference:
        """Return the reference of another tag, whose digest is not known."""
        return replace(self, tag=check_tag(tag), digest=None)

    def with_digest(self, digest: str) -> Reference:
        """Return the reference pinned to `digest`; the tag stays for people to read."""
        return replace(self, digest=_check_digest(digest, digest))


def parse_reference(text: str, *, require_registry: bool) -> Reference:
    """Return what `text` means.

    Without a host the name is Docker Hub's, as docker reads it: `acme/x` is `docker.io/acme/x`.

    Args:
        text: as typed; an `oci://` before it is tolerated.
        require_registry: whether a bare `x` is refused: nobody but Docker pushes to
            `docker.io/library/x`.

    Raises:
        UsageError: `bad-reference`.
    """
    if found := split_user(text):
        masked, bare = found
        hint = f"write `{bare}`, and give the user with `-u USER --password-stdin`"
        raise _bad(masked, "it has a user or password in it", hint)
    rest = _without_scheme(text)
    rest, _, digest = rest.partition("@")
    registry, path = _split_registry(text, rest)
    repository, colon, tag = path.partition(":")
    if ("@" in text and not digest) or (colon and not tag):
        raise _bad(text, "it ends where a tag or digest should follow")
    if registry is None:
        repository = _docker_hub_repository(text, repository, require_registry=require_registry)
    _check_repository(text, registry, repository, path)
    reference = Reference(
        registry=_check_registry(text, registry or DOCKER_HUB),
        repository=repository,
        tag=check_tag(tag) if tag else None,
        digest=_check_digest(text, digest) if digest else None,
    )
    if registry is not None:
        return reference
    return replace(
        reference, read_as=f"`{text}` names no registry and is read as Docker Hub's `{reference}`"
    )


def split_user(text: str) -> tuple[str, str] | None:
    """Return `text` with the user and password in it masked, and what follows them, if any do.

    Whatever shows a text that may be an address, masks it with this.
    """
    found = _USER.fullmatch(text)
    if found is None or (found["password"] is None and "/" not in found["rest"]):
        return None
    return f"{found['scheme'] or ''}***@{found['rest']}", found["rest"]


def check_tag(tag: str) -> str:
    """Return `tag` if it can be one.

    Raises:
        UsageError: `bad-tag`.
    """
    if _TAG.fullmatch(tag):
        return tag
    if len(tag) > _TAG_LENGTH:
        shorter = f"shorten it to {_TAG_LENGTH} characters"
        raise UsageError("bad-tag", f"the tag `{tag}` is {len(tag)} characters long", hint=shorter)
    # What helm does with the `+` of semantic versions.
    better = re.sub(r"[^A-Za-z0-9_.-]", "_", tag).lstrip(".-")
    raise UsageError(
        "bad-tag",
        f"`{tag}` cannot be a tag: letters, digits, `_`, `.` and `-` make one",
        hint=f"write `{better}`" if better else "give a tag such as `1.0.0`",
    )


def reads_as_version(tag: str) -> bool:
    """Return whether people would expect `tag` to mean the same image for ever."""
    return _VERSION.fullmatch(tag) is not None


def _without_scheme(text: str) -> str:
    rest = text.removeprefix("oci://")
    scheme, found, bare = rest.partition("://")
    if found:
        hint = f"write `{bare}`"
        if scheme == "http":
            hint += ", and `--plain-http` where the registry has no TLS"
        raise _bad(text, f"`{scheme}://` is no part of one", hint)
    if not rest:
        raise _bad(text, "it is empty")
    if (solid := "".join(rest.split())) != rest:
        raise _bad(text, "it has a space in it", f"write `{solid}`")
    return rest


def _split_registry(text: str, rest: str) -> tuple[str | None, str]:
    """Return (registry or None, what follows), by the rule of normalize.go's splitDockerDomain."""
    first, slash, path = rest.partition("/")
    if slash and (first == "localhost" or any(mark in first for mark in ".:[")):
        return (DOCKER_HUB if first.lower() in _DOCKER_HUB_HOSTS else first), path
    host, _, port = first.rpartition(":")
    if not slash and (host == "localhost" or "." in (host or first) or first == "localhost"):
        where = first if port.isdigit() or not host else host
        raise _bad(text, "it names a registry and no repository", f"write `{where}/NAME:TAG`")
    return None, rest


def _docker_hub_repository(text: str, repository: str, *, require_registry: bool) -> str:
    parts = repository.count("/") + 1
    if parts > 2:
        raise _bad(
            text,
            "it names no registry, and names on Docker Hub have two parts",
            f"put the registry's host before it, as in `ghcr.io/{repository.lower()}`",
        )
    if parts == 2:
        return repository
    if require_registry:
        raise _bad(
            text,
            "it names no registry",
            f"write `HOST/{repository.lower()}`, or `USER/{repository.lower()}` for Docker Hub",
        )
    return f"{_DOCKER_HUB_LIBRARY}/{repository}"


def _check_registry(text: str, registry: str) -> str:
    match = _REGISTRY.fullmatch(registry)
    if match is None:
        raise _bad(text, f"`{registry}` is no host", _bracket_hint(text, registry))
    host, port = match["host"], match["port"]
    if port is not None and not 0 < int(port) < 65536:
        raise _bad(text, f"`{port}` is no port: 1 to 65535 are")
    if host.startswith("["):
        try:
            ipaddress.IPv6Address(host[1:-1])
        except ValueError:
            raise _bad(text, f"`{host}` is no IPv6 address") from None
    # Host names know no case, credentials and comparisons do.
    return registry.lower()


def _bracket_hint(text: str, registry: str) -> str | None:
    try:
        address = ipaddress.IPv6Address(registry)
    except ValueError:
        return None
    return f"write `{text.replace(registry, f'[{address}]', 1)}`"


def _check_repository(text: str, registry: str | None, repository: str, path: str) -> None:
    if not repository:
        raise _bad(text, "it names a registry and no repository")
    if len(repository) > _REPOSITORY_LENGTH:
        raise _bad(
            text, f"its repository is {len(repository)} characters long: {_REPOSITORY_LENGTH} are"
            " the most"
        )  # fmt: skip
    if _REPOSITORY.fullmatch(repository):
        return
    before = "" if registry is None else f"{registry}/"
    lower = repository.lower()
    if lower != repository and _REPOSITORY.fullmatch(lower):
        better = f"{before}{path.replace(repository, lower, 1)}"
        raise _bad(text, "a repository is written in lower case", f"write `{better}`")
    raise _bad(
        text,
        f"`{repository}` is no repository: lower-case letters and digits, with single `.` `_` `-`"
        " or `__` between them, parts separated by `/`",
    )


def _check_digest(text: str, digest: str) -> str:
    if _DIGEST.fullmatch(digest):
        return digest
    raise _bad(text, f"`{digest}` is no digest: `sha256:` and 64 lower-case hexadecimal digits are")


def _bad(text: str, why: str, hint: str | None = None) -> UsageError:
    return UsageError(
        "bad-reference",
        f"`{text}` is no image reference: {why}",
        hint=hint or "write it as `HOST/REPOSITORY:TAG`, for example `ghcr.io/acme/plugin:1.0.0`",
    )
