"""HTTP that cannot hang, cannot be led astray and says what went wrong.

The only home of timeouts, retries, redirects, proxies and TLS trust. Knows nothing of registries'
API, of credentials but that they stay with their origin, or of oras.
"""

from __future__ import annotations

import email.utils
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final
from urllib.parse import urljoin, urlsplit

import certifi
import requests
import urllib3
from requests.adapters import HTTPAdapter

from wasmctl import __version__
from wasmctl.errors import RegistryError, UsageError
from wasmctl.oci.failures import Cut, explain_failure, resolve
from wasmctl.oci.options import RegistryOptions, find_proxy
from wasmctl.oci.parallel import THREADS

__all__ = [
    "Answer",
    "Transport",
    "Upload",
    "read_answer",
    "read_some",
    "refuse_downgrade",
    "same_origin",
]

# Seconds: to connect (each address of a host), and for a server to say something.
_CONNECT: Final = 5.0
_READ: Final = 30.0
_REDIRECTS: Final = 5
# Pauses before the second and the third attempt, and how long one transfer waits in all (seconds).
_PAUSES: Final = (0.2, 2.0)
_PATIENCE: Final = 30.0
_WORTH_ANOTHER: Final = frozenset({429, 500, 502, 503, 504})
# An answer that is no blob is a few kilobytes; manifests may have 4 MiB (OCI distribution-spec).
_SMALL: Final = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A small answer, read to its end.

    Args:
        host: who gave it.
        status: the HTTP status.
        headers: whose names know no case.
        body: all of it.
    """

    host: str
    status: int
    headers: Mapping[str, str]
    body: bytes


class Upload:
    """The body of a request: a blob read from its start, told to whoever watches.

    Args:
        open_stream: opens the bytes.
        size: how many there are.
        advance: called with the bytes sent since the last call; negative when sent again.
        stopped: set when the rest is not wanted any more.
    """

    def __init__(
        self,
        open_stream: Callable[[], BinaryIO],
        *,
        size: int,
        advance: Callable[[int], None],
        stopped: threading.Event,
    ) -> None:
        self._open = open_stream
        self._size = size
        self._advance = advance
        self._stopped = stopped
        self._sent = 0
        self._stream: BinaryIO | None = None

    def __len__(self) -> int:
        return self._size

    def __bool__(self) -> bool:
        return True

    def read(self, count: int = -1, /) -> bytes:
        if self._stopped.is_set():
            raise InterruptedError("another part of the transfer has failed")
        if self._stream is None:
            self._stream = self._open()
        chunk = self._stream.read(count)
        self._sent += len(chunk)
        self._advance(len(chunk))
        return chunk

    def rewind(self) -> None:
        """Start again."""
        self.close()
        if self._sent:
            self._advance(-self._sent)
        self._sent = 0

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None


class Transport:
    """Sends requests through one session.

    Args:
        session: the session to take over.
        options: proxies and trust.
    """

    def __init__(self, session: requests.Session, options: RegistryOptions) -> None:
        self._session = session
        self._options = options
        self._resolved: set[str] = set()
        self._waited = 0.0
        self._lock = threading.Lock()
        # Proxies, CA bundles and .netrc come from the environment we were given, not the process's.
        session.trust_env = False
        session.headers.clear()
        session.mount("http://", _Adapter(None))
        session.adapters.pop("https://")

    def close(self) -> None:
        self._session.close()

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: Upload | bytes | None = None,
    ) -> requests.Response:
        """Send one request and return the answer, its body still to be read.

        Redirects are followed where HTTP allows it with the same method; an `Authorization` goes
        to no other origin, and nothing goes from https to http.

        Raises:
            Cut: the connection ended early; the request may be sent again.
            RegistryError: no answer could be had.
        """
        sent = dict(headers)
        for _ in range(_REDIRECTS):
            response = self._send_once(method, url, sent, body)
            target = _redirect(method, response)
            if target is None:
                return response
            response.close()
            refuse_downgrade(url, target)
            if not same_origin(url, target):
                sent.pop("Authorization", None)
            url = target
        raise RegistryError(
            "registry-redirects",
            f"`{urlsplit(url).netloc}` redirects in circles",
            hint="check the registry's address, and that no log-in page stands before it",
        )

    def persist(self, attempt: Callable[[], requests.Response]) -> requests.Response:
        """Return the answer of `attempt`, tried up to three times where that can help.

        That is: a connection cut, too many requests, a server's failure. The waiting of all
        attempts through this transport has one bound.

        Raises:
            Cut: the connection was cut every time.
        """
        for pause in _PAUSES:
            try:
                response = attempt()
            except Cut:
                wait = pause
            else:
                if response.status_code not in _WORTH_ANOTHER:
                    return response
                wait = max(pause, _retry_after(response))
                if not self._may_wait(wait):
                    return response
                response.close()
            time.sleep(wait)
        return attempt()

    def _may_wait(self, seconds: float) -> bool:
        with self._lock:
            if self._waited + seconds > _PATIENCE:
                return False
            self._waited += seconds
            return True

    def _send_once(
        self, method: str, url: str, headers: Mapping[str, str], body: Upload | bytes | None
    ) -> requests.Response:
        proxy = find_proxy(url, self._options.env)
        self._resolve(proxy or url)
        self._prepare_tls(url)
        if isinstance(body, Upload):
            body.rewind()
        try:
            return self._session.request(
                method,
                url,
                headers={
                    # Anything else than identity would make the digests those of other bytes.
                    "Accept-Encoding": "identity",
                    "User-Agent": f"wasmctl/{__version__}",
                    **headers,
                },
                data=body,
                # urllib3 bounds each write by the time to connect, and a registry that stores a
                # blob may take long to read on.
                timeout=(_READ if isinstance(body, Upload) else _CONNECT, _READ),
                allow_redirects=False,
                stream=True,
                verify=not self._options.insecure_skip_tls_verify,
                proxies={"http": proxy, "https": proxy} if proxy else {},
            )
        except (requests.RequestException, OSError) as error:
            raise explain_failure(error, url, proxy, waited=(_CONNECT, _READ)) from error
        finally:
            if isinstance(body, Upload):
                body.close()

    def _prepare_tls(self, url: str) -> None:
        """Read the authorities when they are needed: it takes longer than a push to loopback."""
        with self._lock:
            if url.startswith("https:") and "https://" not in self._session.adapters:
                self._session.mount("https://", _Adapter(_trust(self._options)))

    def _resolve(self, url: str) -> None:
        """Find the host of `url` out, once: the resolver's own patience can be minutes."""
        host = urlsplit(url).hostname or ""
        if host not in self._resolved:
            resolve(host, seconds=_CONNECT)
            self._resolved.add(host)


class _Adapter(HTTPAdapter):
    """Speaks TLS by our context alone; requests would load its own bundle for each connection."""

    def __init__(self, context: ssl.SSLContext | None) -> None:
        self._context = context
        super().__init__(pool_maxsize=THREADS)

    def init_poolmanager(self, *args: Any, **keywords: Any) -> None:
        super().init_poolmanager(*args, **keywords, ssl_context=self._context)

    def proxy_manager_for(self, proxy: str, **keywords: Any) -> Any:
        return super().proxy_manager_for(proxy, **keywords, ssl_context=self._context)

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Leave it to the context."""


def read_answer(response: requests.Response, *, limit: int = _SMALL) -> Answer:
    """Return a small answer whole, and give its connection back.

    Raises:
        Cut: the connection ended early.
        RegistryError: there is more than `limit` bytes, or it took too long.
    """
    host = urlsplit(response.url).netloc
    with response:
        body = _read(response, limit + 1)
    if len(body) > limit:
        raise RegistryError(
            "registry-answer",
            f"`{host}` answered with more than {limit} bytes where a few are usual",
            hint="check the registry's address",
        )
    return Answer(host=host, status=response.status_code, headers=response.headers, body=body)


def read_some(response: requests.Response, count: int) -> bytes:
    """Return between 1 and `count` bytes of a long answer.

    Raises:
        Cut: the connection ended early.
        RegistryError: nothing came for too long.
    """
    chunk = _read(response, count)
    if not chunk:
        host = urlsplit(response.url).netloc
        raise Cut("registry-cut", f"`{host}` ended the blob too early", hint="try again")
    return chunk


def _read(response: requests.Response, count: int) -> bytes:
    try:
        chunk: bytes = response.raw.read(count)
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise explain_failure(error, response.url, None, waited=(_CONNECT, _READ)) from error
    return chunk


def same_origin(one: str, other: str) -> bool:
    """Return whether two URLs have scheme, host and port in common."""
    return _origin(one) == _origin(other)


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _redirect(method: str, response: requests.Response) -> str | None:
    status, location = response.status_code, response.headers.get("Location")
    # RFC 9110, 15.4: only 307 and 308 keep the method of what is no GET.
    follows = status in {307, 308} or (status in {301, 302, 303} and method in {"GET", "HEAD"})
    return urljoin(response.url, location) if follows and location else None


def refuse_downgrade(url: str, target: str) -> None:
    """Refuse to go on from https to anything else.

    Raises:
        RegistryError: `insecure-redirect`.
    """
    if urlsplit(url).scheme == "https" and urlsplit(target).scheme != "https":
        raise RegistryError(
            "insecure-redirect",
            f"`{urlsplit(url).netloc}` answers over https and sends us on to"
            f" `{urlsplit(target).scheme}://{urlsplit(target).netloc}`",
            hint="the registry does not know its own address: a proxy that ends TLS before it must"
            " send it `X-Forwarded-Proto: https`",
        )


def _retry_after(response: requests.Response) -> float:
    """Return the seconds of a Retry-After (RFC 9110, 10.2.3), or 0."""
    value = response.headers.get("Retry-After", "").strip()
    if value.isdigit():
        return float(value)
    try:
        when = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return 0.0
    return max(0.0, when.timestamp() - time.time())


def _trust(options: RegistryOptions) -> ssl.SSLContext:
    """Return whom we believe: the system's authorities, and the one named by hand."""
    if options.insecure_skip_tls_verify:
        # Whoever asked for it needs no warning at each connection.
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    env = options.env
    bundle = env.get("SSL_CERT_FILE") or env.get("REQUESTS_CA_BUNDLE") or env.get("CURL_CA_BUNDLE")
    if bundle:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        _load(context, Path(bundle))
    else:
        context = ssl.create_default_context()
        # A Python from python.org on macOS sees no store of the system's.
        context.load_verify_locations(certifi.where())
    if options.ca_file is not None:
        _load(context, options.ca_file)
    return context


def _load(context: ssl.SSLContext, path: Path) -> None:
    try:
        if path.is_dir():
            context.load_verify_locations(capath=path)
        else:
            context.load_verify_locations(cafile=path)
    except (OSError, ssl.SSLError) as error:
        reason = (
            "it holds no PEM certificate" if isinstance(error, ssl.SSLError) else error.strerror
        )
        raise UsageError(
            "bad-ca-file",
            f"the authorities in `{path}` cannot be read: {reason}",
            hint="name a PEM file (`-----BEGIN CERTIFICATE-----`)",
        ) from error
