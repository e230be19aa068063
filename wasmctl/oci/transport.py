"""HTTP that cannot hang, cannot be led astray and says what went wrong.

The only home of retries, redirects and proxies and, with pace.py, of time-outs. Knows nothing of
registries' API, of credentials but that they stay with their origin, or of oras.
"""

from __future__ import annotations

import email.utils
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeVar
from urllib.parse import unquote, urljoin, urlsplit

import urllib3

from wasmctl import __version__
from wasmctl.errors import RegistryError, UsageError
from wasmctl.oci.failures import Cut, explain_failure, resolve
from wasmctl.oci.options import RegistryOptions, find_proxy
from wasmctl.oci.pace import pace
from wasmctl.oci.parallel import THREADS
from wasmctl.oci.upload import Upload

__all__ = ["Answer", "Reply", "Transport", "check_redirect", "same_origin"]

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
# Bytes of a body that are read and sent at once.
_BLOCK: Final = 128 * 1024
# How much of an address an error shows.
_SHOWN: Final = 120
_PORTS: Final[Mapping[str, int]] = {"http": 80, "https": 443}


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer whose body is still to be read, and which holds its connection until then.

    Args:
        url: who answered, after redirects.
        sent: the headers of the request.
        raw: the answer.
    """

    url: str
    sent: Mapping[str, str] = field(repr=False)
    raw: urllib3.BaseHTTPResponse

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.raw.status

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers, whose names know no case."""
        return self.raw.headers

    def close(self) -> None:
        """Let the rest go, and the connection with it."""
        self.raw.close()

    def read_all(self, *, limit: int = _SMALL) -> Answer:
        """Return a small answer whole, and give its connection back.

        Raises:
            Cut: the connection ended early.
            RegistryError: there is more than `limit` bytes, or it took too long.
        """
        host = urlsplit(self.url).netloc
        try:
            body = b""
            # Only the read after the last byte tells an end that came too early.
            while len(body) <= limit and (more := self._read(limit + 1 - len(body))):
                body += more
        except RegistryError:
            self.close()
            raise
        if len(body) > limit:
            self.close()
            raise RegistryError(
                "registry-answer",
                f"`{host}` answered with more than {limit} bytes where a few are usual",
                hint="check the registry's address",
            )
        self.raw.release_conn()
        return Answer(host=host, status=self.status, headers=self.headers, body=body)

    def read_some(self, count: int) -> bytes:
        """Return between 1 and `count` bytes of a long answer.

        Raises:
            Cut: the connection ended early.
            RegistryError: nothing came for too long.
        """
        chunk = self._read(count)
        if not chunk:
            host = urlsplit(self.url).netloc
            raise Cut("registry-cut", f"`{host}` ended the blob too early", hint="try again")
        return chunk

    def _read(self, count: int) -> bytes:
        try:
            return self.raw.read(count)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise explain_failure(error, self.url, None, waited=(_CONNECT, _READ)) from error


# An answer whose head alone is awaited, or all of it.
_Got = TypeVar("_Got", Reply, Answer)


class Transport:
    """Sends requests over connections that are kept; threads may share it."""

    def __init__(self, options: RegistryOptions) -> None:
        self._options = options
        self._managers: dict[tuple[bool, str | None], urllib3.PoolManager] = {}
        self._resolved: set[str] = set()
        self._waited = 0.0
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close every connection that is not in use."""
        for manager in self._managers.values():
            manager.clear()

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: Upload | bytes | None = None,
    ) -> Reply:
        """Send one request and return the answer, its body still to be read.

        Redirects are followed where HTTP allows it with the same method; an `Authorization` goes
        to no other origin, and nothing goes from https to http.

        Raises:
            Cut: the connection ended early; the request may be sent again.
            RegistryError: no answer could be had.
        """
        sent = dict(headers)
        for _ in range(_REDIRECTS):
            reply = self._send_once(method, url, sent, body)
            target = _redirect(method, reply)
            if target is None:
                return reply
            reply.close()
            check_redirect(url, target)
            if not same_origin(url, target):
                sent.pop("Authorization", None)
            url = target
        raise RegistryError(
            "registry-redirects",
            f"`{urlsplit(url).netloc}` redirects in circles",
            hint="check the registry's address, and that no log-in page stands before it",
        )

    def persist(self, attempt: Callable[[], _Got]) -> _Got:
        """Return what `attempt` gets, tried up to three times where that can help.

        That is: a connection cut, too many requests, a server's failure. The waiting of all
        attempts through this transport has one bound.

        Raises:
            Cut: the connection was cut every time.
        """
        for pause in _PAUSES:
            try:
                reply = attempt()
            except Cut:
                wait = pause
            else:
                if reply.status not in _WORTH_ANOTHER:
                    return reply
                wait = max(pause, _retry_after(reply))
                if not self._may_wait(wait):
                    return reply
                if isinstance(reply, Reply):
                    reply.close()
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
    ) -> Reply:
        proxy = find_proxy(url, self._options.env)
        self._resolve(proxy or url)
        manager = self._manager(url, proxy)
        sent = {"User-Agent": f"wasmctl/{__version__}", **headers}
        connect = _CONNECT
        if isinstance(body, Upload):
            body.rewind()
            sent["Content-Length"] = str(body.size)
            # urllib3 bounds each write by the time to connect, and a registry that stores a blob
            # may take long to read on.
            connect = _READ
        try:
            raw = manager.urlopen(
                method,
                url,
                body=body,
                headers=sent,
                timeout=urllib3.Timeout(connect=connect, read=_READ),
                redirect=False,
                retries=False,
                preload_content=False,
                decode_content=False,
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise explain_failure(error, url, proxy, waited=(_CONNECT, _READ)) from error
        finally:
            if isinstance(body, Upload):
                body.close()
        return Reply(url=url, sent=sent, raw=raw)

    def _manager(self, url: str, proxy: str | None) -> urllib3.PoolManager:
        secure = url.startswith("https:")
        with self._lock:
            key = (secure, proxy)
            if key not in self._managers:
                manager = self._new_manager(proxy, secure=secure)
                pace(manager)
                self._managers[key] = manager
            return self._managers[key]

    def _new_manager(self, proxy: str | None, *, secure: bool) -> urllib3.PoolManager:
        context = None
        if secure or (proxy or "").startswith("https:"):
            # Reading the authorities takes longer than a push to loopback: not before it must be.
            from wasmctl.oci.trust import make_context

            context = make_context(self._options)
        if proxy is None:
            return urllib3.PoolManager(maxsize=THREADS, blocksize=_BLOCK, ssl_context=context)
        if proxy.startswith("socks"):
            return _socks_manager(proxy, context)
        parts = urlsplit(proxy)
        user = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
        shown = urllib3.make_headers(proxy_basic_auth=user) if parts.username else None
        return urllib3.ProxyManager(
            proxy,
            maxsize=THREADS,
            blocksize=_BLOCK,
            proxy_headers=shown,
            ssl_context=context,
            proxy_ssl_context=context,
        )

    def _resolve(self, url: str) -> None:
        """Find the host of `url` out, once: the resolver's own patience can be minutes."""
        host = urlsplit(url).hostname or ""
        if host not in self._resolved:
            resolve(host, seconds=_CONNECT)
            self._resolved.add(host)


def same_origin(one: str, other: str) -> bool:
    """Return whether two URLs have scheme, host and port in common."""
    return _origin(one) == _origin(other)


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)


def check_redirect(url: str, target: str) -> None:
    """Refuse to be sent to what is no web address, or from https to http.

    Raises:
        RegistryError: `registry-redirects`, `insecure-redirect`.
    """
    parts = urlsplit(target)
    if parts.scheme not in _PORTS or not parts.hostname:
        raise RegistryError(
            "registry-redirects",
            f"`{urlsplit(url).netloc}` sends us on to `{_shown(target)}`, which is no address of a"
            " registry",
            hint="check the registry's address, and what stands before it",
        )
    if urlsplit(url).scheme == "https" and parts.scheme != "https":
        raise RegistryError(
            "insecure-redirect",
            f"`{urlsplit(url).netloc}` answers over https and sends us on to"
            f" `{parts.scheme}://{parts.netloc}`",
            hint="the registry does not know its own address: a proxy that ends TLS before it must"
            " send it `X-Forwarded-Proto: https`",
        )


def _shown(url: str) -> str:
    """Return an address without what may be secret in it."""
    bare = url.partition("?")[0]
    return bare if len(bare) <= _SHOWN else f"{bare[:_SHOWN]}..."


def _redirect(method: str, reply: Reply) -> str | None:
    status, location = reply.status, reply.headers.get("Location")
    # RFC 9110, 15.4: only 307 and 308 keep the method of what is no GET.
    follows = status in {307, 308} or (status in {301, 302, 303} and method in {"GET", "HEAD"})
    return urljoin(reply.url, location) if follows and location else None


def _retry_after(reply: Reply | Answer) -> float:
    """Return the seconds of a Retry-After (RFC 9110, 10.2.3), or 0."""
    value = reply.headers.get("Retry-After", "").strip()
    if value.isdigit():
        return float(value)
    try:
        when = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return 0.0
    return max(0.0, when.timestamp() - time.time())


def _socks_manager(proxy: str, context: ssl.SSLContext | None) -> urllib3.PoolManager:
    try:
        from urllib3.contrib.socks import SOCKSProxyManager
    except ImportError:
        raise UsageError(
            "no-socks",
            "a SOCKS proxy is asked for, and the library for it is not there",
            hint="`pip install pysocks` beside wasmctl, or name an HTTP proxy",
        ) from None
    return SOCKSProxyManager(proxy, maxsize=THREADS, blocksize=_BLOCK, ssl_context=context)
