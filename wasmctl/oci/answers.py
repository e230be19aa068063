"""What registries answer when they refuse, and what helps.

One table of what the registries of this world really say, each line with its source, and the one
function that turns an answer into an error. Sends nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from wasmctl.errors import RegistryError, Unreadable, WasmctlError
from wasmctl.oci.credentials import Credentials
from wasmctl.oci.transport import Answer

__all__ = ["HINTS", "Asked", "Hint", "explain_answer"]

_ECR: Final = r"\.dkr\.ecr(-fips)?\.[a-z0-9-]+\.amazonaws\.com(\.cn)?$"
_GHCR: Final = r"^ghcr\.io$"
_GAR: Final = r"(\.pkg\.dev|(^|\.)gcr\.io)$"
_ACR: Final = r"\.azurecr\.(io|cn|us)$"
_HUB: Final = r"(^|\.)docker\.io$"
_QUAY: Final = r"(^|\.)quay\.io$"
_ANY: Final = r""
_WORDS_LENGTH: Final = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """One thing that registries say, and what helps.

    Args:
        host: a regular expression that finds itself in the registry's host.
        words: one that finds itself in the registry's codes and words.
        hint: what to do; `{registry}`, `{repository}` and `{owner}` are filled in.
        source: where the words are from.
        statuses: the HTTP statuses it may come with; any, when empty.
        code: our own name for the failure; that of the status, when empty.
    """

    host: str
    words: str
    hint: str
    source: str
    statuses: tuple[int, ...] = ()
    code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What was asked of a registry.

    Args:
        registry: its host as the person writes it.
        repository: the path below it.
        doing: what for.
        credentials: what was shown, if anything.
        image: the tag or digest, where one was asked for.
    """

    registry: str
    repository: str
    doing: Literal["push", "pull", "login"]
    credentials: Credentials | None
    image: str = ""


_IMMUTABLE = (
    "push under another tag; the registry keeps tags from being moved, also with `--move-tag`"
)

HINTS: Final[tuple[Hint, ...]] = (
    Hint(
        host=_ECR,
        words=r"tag.*already exists.*immutable|ImageTagAlreadyExists",
        hint=_IMMUTABLE,
        source="https://github.com/moby/buildkit/issues/3776",
        code="tag-immutable",
    ),
    Hint(
        host=_ANY,
        words=r"configured as immutable",
        hint=_IMMUTABLE,
        source="goharbor/harbor, src/pkg/immutable: ErrImmutable",
        code="tag-immutable",
    ),
    Hint(
        host=_ANY,
        words=r"immutab",
        hint=_IMMUTABLE,
        source="https://cloud.google.com/artifact-registry/docs/repositories/create-repos"
        " (immutable image tags), https://github.com/docker/hub-feedback/issues/2466",
        code="tag-immutable",
    ),
    Hint(
        host=_ECR,
        words=r"NAME_UNKNOWN|name unknown|RepositoryNotFound|does not exist",
        hint="ECR makes no repository by itself:"
        " `aws ecr create-repository --repository-name {repository}`",
        source="https://github.com/plexsystems/sinker/issues/55",
        statuses=(404,),
        code="repository-not-found",
    ),
    Hint(
        host=_ECR,
        words=r"",
        hint="ECR's passwords last twelve hours: `aws ecr get-login-password"
        " | wasmctl login {registry} -u AWS --password-stdin`, or install"
        " `docker-credential-ecr-login`",
        source="https://docs.aws.amazon.com/AmazonECR/latest/userguide/registry_auth.html",
        statuses=(401, 403),
    ),
    Hint(
        host=_GHCR,
        words=r"does not match expected scopes",
        hint="the token needs the scope `write:packages` (a classic personal access token;"
        " `gh auth refresh -s write:packages`), or `permissions: packages: write` in the workflow",
        source="https://docs.github.com/en/packages/working-with-a-github-packages-registry/"
        "working-with-the-container-registry",
    ),
    Hint(
        host=_GHCR,
        words=r"write_package|installation not allowed",
        hint="a workflow needs `permissions: packages: write`, and a package that was first pushed"
        " by hand must list the repository under its settings, Manage Actions access",
        source="https://github.com/danger/danger-js/issues/1414,"
        " https://github.com/bachp/git-mirror/pull/516",
    ),
    Hint(
        host=_GHCR,
        words=r"",
        hint="log in with a token that has `write:packages`"
        " (`wasmctl login ghcr.io -u USER --password-stdin`) and check that `{owner}` is your user"
        " or an organisation that lets you create packages",
        source="https://docs.github.com/en/packages/working-with-a-github-packages-registry/"
        "working-with-the-container-registry",
        statuses=(401, 403),
    ),
    Hint(
        host=_HUB,
        words=r"toomanyrequests|rate limit",
        hint="`wasmctl login docker.io` raises the limit",
        source="https://docs.docker.com/docker-hub/usage/pulls/",
        statuses=(429,),
    ),
    Hint(
        host=_HUB,
        words=r"",
        hint="`wasmctl login docker.io` with an access token that may write, and check that"
        " `{owner}` is your user or an organisation of yours",
        source="https://docs.docker.com/security/access-tokens/",
        statuses=(401, 403),
    ),
    Hint(
        host=_GAR,
        words=r"Repository .* not found|NAME_UNKNOWN|name unknown",
        hint="Artifact Registry makes no repository by itself: `gcloud artifacts repositories"
        " create {second} --repository-format=docker`; names are HOST/PROJECT/REPOSITORY/IMAGE",
        source="https://cloud.google.com/artifact-registry/docs/docker/troubleshoot",
        statuses=(404,),
        code="repository-not-found",
    ),
    Hint(
        host=_GAR,
        words=r"",
        hint="`gcloud auth configure-docker {registry}`, and give the account the role"
        " `roles/artifactregistry.writer`",
        source="https://cloud.google.com/artifact-registry/docs/docker/troubleshoot",
        statuses=(401, 403),
    ),
    Hint(
        host=_ACR,
        words=r"",
        hint="`az acr login --name {label}` (its token lasts three hours), and give the account the"
        " role `AcrPush`",
        source="https://learn.microsoft.com/azure/container-registry/container-registry-authentication",
        statuses=(401, 403),
    ),
    Hint(
        host=_QUAY,
        words=r"",
        hint="quay.io knows `{repository}` not, or your account (a robot: `{owner}+NAME`) may not"
        " write to it: create it and grant Write under its settings",
        source="https://github.com/operator-framework/operator-sdk/issues/1337",
        statuses=(401, 403),
    ),
    Hint(
        host=_ANY,
        words=r"project .* not found",
        hint="create the project `{owner}` in Harbor first",
        source="goharbor/harbor, src/pkg/project: `project %s not found`",
        statuses=(404,),
        code="repository-not-found",
    ),
    Hint(
        host=_ANY,
        words=r"unauthorized to access repository",
        hint="in Harbor the account (a robot: `robot$PROJECT+NAME`) needs push and pull on project"
        " `{owner}`",
        source="https://github.com/goharbor/harbor/issues/13988,"
        " https://github.com/goharbor/harbor/issues/13973",
        statuses=(401, 403),
    ),
    Hint(
        host=_ANY,
        words=r"HTTP request to an HTTPS server",
        hint="the registry speaks TLS: give `--https`",
        source="Go, net/http/server.go",
        statuses=(400,),
        code="tls-needed",
    ),
)


def explain_answer(answer: Answer, asked: Asked) -> WasmctlError:
    """Return the error that a refusing answer means.

    Args:
        answer: what the registry, or its token server, said.
        asked: what had been asked.
    """
    said = list(_said(answer))
    words = _shown(said, asked.credentials)
    known = _find_hint(answer, asked, " ".join(text for pair in said for text in pair))
    code, message, hint = _usual(answer, asked)
    if "DIGEST_INVALID" in {code for code, _ in said}:
        return Unreadable(
            "digest-mismatch",
            f"`{answer.host}` received other bytes than were announced{words}",
            hint="something between here and the registry changes what is sent, or the file changed"
            " meanwhile: try again",
        )
    if known is not None:
        code, hint = known.code or code, _filled(known.hint, asked)
    return RegistryError(code, f"{message}{words}", hint=hint)


def _usual(answer: Answer, asked: Asked) -> tuple[str, str, str]:
    """Return code, message and hint by the status alone."""
    host, status = answer.host, answer.status
    name = f"{asked.registry}/{asked.repository}" if asked.repository else asked.registry
    login = f"`wasmctl login {asked.registry}`"
    to = f"{asked.doing} `{name}`" if asked.repository else "log in"
    shown = asked.credentials
    match status:
        case 401 if shown is None:
            message = f"`{host}` asks for credentials to {to}, and none were found"
            return "unauthorized", message, f"{login} first"
        case 401 if asked.doing == "login" and shown is not None:
            message = f"`{host}` refused the password of `{shown.username}`"
            return (
                "unauthorized",
                message,
                "check both; many registries want an access token for it",
            )
        case 401:
            message = f"`{host}` refused the credentials {asked.credentials}"
            return "unauthorized", message, f"log in anew with {login}"
        case 403:
            who = f" with the credentials {asked.credentials}" if asked.credentials else ""
            hint = "ask whoever runs the registry for the right to" + f" {asked.doing}"
            return "denied", f"`{host}` forbids to {to}{who}", hint if who else f"{login} first"
        case 404 if asked.doing == "push":
            hint = "create the repository in the registry first, or check its name"
            return "repository-not-found", f"`{host}` has no place for `{name}`", hint
        case 404:
            hint = "check name and tag, and with which account you are logged in"
            joint = "@" if ":" in asked.image else ":"
            what = f"{name}{joint}{asked.image}" if asked.image else name
            return "image-not-found", f"`{what}` is not there", hint
        case 413:
            hint = "raise the limit of the proxy before the registry (nginx: client_max_body_size)"
            return "too-large", f"`{host}` does not take blobs of this size", hint
        case 429:
            again = answer.headers.get("Retry-After")
            hint = f"try again in {again} s" if again and again.isdigit() else "try again later"
            return "too-many-requests", f"`{host}` has had too many requests", hint
        case 301 | 302 | 303 | 307 | 308:
            target = answer.headers.get("Location", "nowhere").partition("?")[0]
            hint = "name the registry by the address it redirects to"
            if target.startswith(f"https://{host}/"):
                hint = "the registry speaks TLS: give `--https`"
            return "registry-redirects", f"`{host}` redirects to `{target}`", hint
        case _ if status >= 500:
            hint = "the fault is the registry's: try again later, or look at its log"
            return "registry-failed", f"`{host}` failed with status {status}", hint
        case 200:
            hint = "check that the address is a registry's, and that no log-in page stands before"
            return "registry-answer", f"`{host}` answered with what no registry says", hint
        case _:
            hint = "check that the address is a registry's"
            return "registry-answer", f"`{host}` answered with status {status}", hint


def _find_hint(answer: Answer, asked: Asked, said: str) -> Hint | None:
    for hint in HINTS:
        if (
            re.search(hint.host, asked.registry)
            and (not hint.statuses or answer.status in hint.statuses)
            and re.search(hint.words, said, re.IGNORECASE)
        ):
            return hint
    return None


def _filled(hint: str, asked: Asked) -> str:
    parts = [*asked.repository.split("/"), "REPOSITORY"]
    values = {
        "{registry}": asked.registry,
        "{repository}": asked.repository or "REPOSITORY",
        "{owner}": parts[0] or "OWNER",
        "{second}": parts[1],
        "{label}": asked.registry.partition(".")[0],
    }
    for name, value in values.items():
        hint = hint.replace(name, value)
    return hint


def _said(answer: Answer) -> Iterator[tuple[str, str]]:
    """Yield (code, words) of an answer, in the forms that registries and token servers use."""
    text = answer.body[:65536].decode("utf-8", errors="replace").strip()
    try:
        document = json.loads(text)
    except ValueError:
        # A page for browsers says nothing to a person at a terminal.
        if not text.startswith("<"):
            yield "", text.partition("\n")[0]
        return
    if not isinstance(document, dict):
        return
    errors = document.get("errors")
    for error in errors if isinstance(errors, list) else [document]:
        if isinstance(error, dict):
            words = error.get("message") or error.get("error_description") or error.get("details")
            code = error.get("code") or error.get("error") or ""
            yield str(code), str(words or "")


def _shown(said: list[tuple[str, str]], credentials: Credentials | None) -> str:
    words = "; ".join(text or code for code, text in said if text or code)
    for secret in _secrets(credentials):
        words = words.replace(secret, "***")
    words = "".join(letter if letter.isprintable() else " " for letter in words)[:_WORDS_LENGTH]
    return f": {words.rstrip('. ')}" if words else ""


def _secrets(credentials: Credentials | None) -> list[str]:
    if credentials is None:
        return []
    kept = (credentials.password, credentials.identity_token, credentials.registry_token)
    return [secret for secret in kept if secret]
