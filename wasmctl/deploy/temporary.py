"""Credentials that end by themselves: how they are told. Pure.

A Secret is read whenever a proxy starts. One made of such credentials works today, and refuses the
proxy that starts tomorrow.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from wasmctl.oci.credentials import Credentials

__all__ = ["Temporary", "why_temporary"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Temporary:
    """A kind of credentials that somebody issues for a while, told by any of its marks.

    Args:
        what: what they are, and how long they last.
        instead: what to do.
        helpers: credential helpers that hand out nothing else.
        users: a pattern of user names.
        registries: a pattern of the registries where these names mean that.
        passwords: how their passwords begin.
    """

    what: str
    instead: str
    helpers: tuple[str, ...] = ()
    users: str | None = None
    registries: str = ".*"
    passwords: tuple[str, ...] = ()

    def tells(self, registry: str, credentials: Credentials) -> bool:
        """Return whether these are of the kind."""
        named = self.users is not None and re.fullmatch(self.users, credentials.username)
        return (
            credentials.helper in self.helpers
            or (bool(named) and re.fullmatch(self.registries, registry) is not None)
            or (bool(self.passwords) and credentials.password.startswith(self.passwords))
        )


_STAYS: Final = "give a user and password that stay: `-u USER --password-stdin`"
_TABLE: Final = (
    # https://docs.aws.amazon.com/AmazonECR/latest/userguide/registry_auth.html
    Temporary(
        what="a token of Amazon ECR, which ends after 12 hours",
        instead="have something in the cluster renew the Secret (a CronJob, external-secrets)",
        helpers=("ecr-login",),
        users="AWS",
        registries=r"\d{12}\.dkr[.-]ecr(-fips)?\..+|public\.ecr\.aws",
    ),
    # https://cloud.google.com/artifact-registry/docs/docker/authentication
    Temporary(
        what="an access token of Google, which ends after an hour",
        instead="give a service account's key: `-u _json_key --password-stdin < key.json`",
        helpers=("gcloud", "gcr"),
        users=r"oauth2accesstoken|_dcgcloud_token|_dcgcr_\w*token",
        passwords=("ya29.",),
    ),
    # https://learn.microsoft.com/azure/container-registry/container-registry-authentication
    Temporary(
        what="a token of Azure Container Registry, which ends after 3 hours",
        instead="give a token of the repository, or a service principal: `-u ID --password-stdin`",
        helpers=("acr-env", "acr-linux", "acr-darwin", "acr-windows"),
        users="00000000-0000-0000-0000-000000000000",
    ),
    # GetAuthorizationToken of Alibaba Cloud's Container Registry
    Temporary(
        what="a temporary password of Alibaba Cloud's registry, which ends within hours",
        instead="give the registry's fixed password: `-u USER --password-stdin`",
        users="cr_temp_user",
    ),
    # https://github.blog/engineering/behind-githubs-new-authentication-token-formats/
    Temporary(
        what="the token of a GitHub Actions job or app, which ends with the job or within hours",
        instead="give a personal access token with `read:packages`: `-u USER --password-stdin`",
        passwords=("ghs_", "ghu_"),
    ),
    # https://docs.gitlab.com/ci/jobs/ci_job_token/
    Temporary(
        what="the token of a GitLab CI job, which ends with the job",
        instead="give a deploy token with `read_registry`: `-u USER --password-stdin`",
        users="gitlab-ci-token",
    ),
)
# OAuth 2's two kinds, whoever issues them: one is short-lived, the other is its holder's session.
_ACCESS: Final = Temporary(what="an access token, which ends within hours", instead=_STAYS)
_IDENTITY: Final = Temporary(
    what="an identity token, which ends with the login that it is from", instead=_STAYS
)


def why_temporary(registry: str, credentials: Credentials) -> Temporary | None:
    """Return the kind of credentials that end by themselves; None: these stay."""
    for kind in _TABLE:
        if kind.tells(registry, credentials):
            return kind
    if credentials.registry_token:
        return _ACCESS
    return _IDENTITY if credentials.identity_token else None
