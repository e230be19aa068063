"""How a registry lets us in: challenge in, `Authorization` out.

Speaks Basic (RFC 7617) and the token protocol of the distribution project
(https://distribution.github.io/distribution/spec/auth/token/ and `oauth/`). Shows no secret to
anybody but whom it is for.
"""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode, urlsplit

from wasmctl.errors import RegistryError
from wasmctl.oci.credentials import Credentials
from wasmctl.oci.transport import Answer, Reply, Transport, check_redirect

__all__ = ["Authorizer", "Challenge", "parse_challenges"]

_CLIENT: Final = "wasmctl"
# RFC 9110, 11.6.1: a scheme, then parameters whose values may be quoted.
_CHALLENGE = re.compile(
    r"(?:^|,)\s*(?P<scheme>[A-Za-z][A-Za-z0-9-]*)(?=\s+[A-Za-z_]+\s*=|\s*(?:,|$))"
)
_PARAMETER = re.compile(
    r'(?P<name>[A-Za-z_]+)\s*=\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<bare>[^\s,"]+))'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """One way a server offers to be convinced.

    Args:
        scheme: `basic`, `bearer`, …, in lower case.
        parameters: its parameters, names in lower case.
    """

    scheme: str
    parameters: Mapping[str, str]


def parse_challenges(header: str) -> tuple[Challenge, ...]:
    """Return the challenges of a WWW-Authenticate header, or of several joined by commas."""
    # Quoted values are blanked out first: they may hold what looks like another scheme.
    blank = re.sub(r'"(?:[^"\\]|\\.)*"', lambda match: "_" * len(match[0]), header)
    starts = list(_CHALLENGE.finditer(blank))
    challenges = []
    for index, start in enumerate(starts):
        end = starts[index + 1].start() if index + 1 < len(starts) else len(header)
        parameters = {
            found["name"].lower(): _unquote(found["quoted"]) or found["bare"] or ""
            for found in _PARAMETER.finditer(header, start.end(), end)
        }
        challenges.append(Challenge(scheme=start["scheme"].lower(), parameters=parameters))
    return tuple(challenges)


def _unquote(text: str | None) -> str:
    return re.sub(r"\\(.)", r"\1", text or "")


class Authorizer:
    """Keeps the `Authorization` of one registry; threads that need a new one get the same.

    `challenge` is the first that came, as it came; empty while nobody has asked.

    Args:
        scope: what is to be allowed, as the token protocol writes it; empty for a log-in.
        find: looks the credentials up, when the registry first asks for some.
        transport: what token servers are asked through.
    """

    def __init__(
        self, *, scope: str, find: Callable[[], Credentials | None], transport: Transport
    ) -> None:
        self._scope = scope
        self._find = find
        self._transport = transport
        self._lock = threading.Lock()
        self._header: str | None = None
        self._looked = False
        self.credentials: Credentials | None = None
        self.was_asked = False
        self.challenge = ""
        self.refusal: Answer | None = None

    @property
    def header(self) -> dict[str, str]:
        """What to send along: nothing before the registry has asked."""
        return {} if self._header is None else {"Authorization": self._header}

    def renew(self, refused: Reply) -> bool:
        """Take a 401 in, and return whether there is any use in asking again.

        Raises:
            RegistryError: the token server cannot be reached, a credential helper fails. Where
                it refuses, its answer is in `refusal`.
        """
        tried = refused.sent.get("Authorization")
        challenge = refused.headers.get("WWW-Authenticate", "")
        challenges = parse_challenges(challenge)
        with self._lock:
            self.was_asked = True
            self.challenge = self.challenge or challenge
            if self.refusal is None and self._header in {None, tried}:
                self._header = self._answer(challenges, tried, refused.url)
            return self._header not in {None, tried}

    def _answer(
        self, challenges: tuple[Challenge, ...], tried: str | None, asked_by: str
    ) -> str | None:
        if not self._looked:
            self.credentials = self._find()
            self._looked = True
        offered = {challenge.scheme: challenge.parameters for challenge in challenges}
        found = self.credentials
        if "bearer" in offered:
            header: str | None
            if found is not None and found.registry_token:
                header = f"Bearer {found.registry_token}"
            else:
                token = self._token(offered["bearer"], asked_by=asked_by)
                header = None if token is None else f"Bearer {token}"
        elif "basic" in offered and found is not None and found.password:
            header = f"Basic {_basic(found)}"
        else:
            return tried
        return header

    def _token(self, parameters: Mapping[str, str], *, asked_by: str) -> str | None:
        realm = parameters.get("realm", "")
        if urlsplit(realm).scheme not in {"https", "http"}:
            raise RegistryError(
                "bad-challenge",
                f"`{urlsplit(asked_by).netloc}` names `{realm}` as where tokens are had, which is"
                " no address",
                hint="the registry's token settings (`realm`) must be mended",
            )
        check_redirect(asked_by, realm)
        query = [("service", parameters["service"])] if parameters.get("service") else []
        scopes = _scopes(self._scope, parameters.get("scope", ""))
        answer = self._transport.persist(lambda: self._ask(realm, query, scopes).read_all())
        if answer.status != 200:
            self.refusal = answer
            return None
        token = _find_token(answer.body)
        if token is None:
            raise RegistryError(
                "bad-token",
                f"`{answer.host}` answered without a token",
                hint="check the registry's address and its token settings",
            )
        return token

    def _ask(self, realm: str, query: list[tuple[str, str]], scopes: list[str]) -> Reply:
        found = self.credentials
        if found is not None and found.identity_token:
            form = [*query, ("grant_type", "refresh_token"), ("client_id", _CLIENT)]
            form += [("scope", " ".join(scopes)), ("refresh_token", found.identity_token)]
            return self._transport.send(
                "POST",
                realm,
                headers={"Content-Type": "application/x-www-form-urlencoded"},
                body=urlencode(form).encode(),
            )
        headers = {}
        if found is not None and found.password:
            headers["Authorization"] = f"Basic {_basic(found)}"
        asked = urlencode([*query, *(("scope", scope) for scope in scopes)])
        joint = "&" if "?" in realm else "?"
        return self._transport.send("GET", f"{realm}{joint}{asked}", headers=headers)


def _basic(credentials: Credentials) -> str:
    pair = f"{credentials.username}:{credentials.password}".encode()
    return base64.b64encode(pair).decode("ascii")


def _scopes(wanted: str, challenged: str) -> list[str]:
    """Return the scopes to ask for: all that we shall need at once, and what else was named.

    A registry that is asked for a manifest names `pull` alone; asking for `push` at once spares
    the second token. What it names for another repository (a mirror's own name) is asked for too.
    """
    scopes = [wanted] if wanted else []
    for scope in challenged.split():
        target, _, actions = scope.rpartition(":")
        ours, _, allowed = wanted.rpartition(":")
        if target != ours or not set(actions.split(",")) <= set(allowed.split(",")):
            scopes.append(scope)
    return scopes


def _find_token(body: bytes) -> str | None:
    try:
        document = json.loads(body)
    except ValueError:
        return None
    if not isinstance(document, dict):
        return None
    # Either name will do: the token specification's, or OAuth 2's.
    token = document.get("token") or document.get("access_token")
    return token if isinstance(token, str) else None
