"""What the network says when no answer comes: exceptions of sockets, TLS and urllib3 → errors."""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import re
import socket
import ssl
import threading
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from urllib3 import exceptions as urllib3_errors

from wasmctl.errors import RegistryError

__all__ = ["Cut", "TooSlowError", "explain_failure", "resolve"]

# What OpenSSL, in its versions, calls an answer that is no TLS.
_NO_TLS: Final = frozenset(
    {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "UNKNOWN_PROTOCOL"}
    | {"PACKET_LENGTH_TOO_LONG", "HTTPS_PROXY_REQUEST"}
)
# X509_V_ERR_*, from `man X509_STORE_CTX_get_error`.
_EXPIRED: Final = frozenset({9, 10})
_OTHER_NAME: Final = frozenset({62, 64})
# How much of foreign words is shown.
_LONGEST: Final = 200
# How a sentence begins, and no name: `Connection reset`, not `SSH-2.0` or `IncompleteRead`.
_SENTENCE: Final = re.compile(r"[A-Z][a-z]* ")
_SECONDS: Final = re.compile(r"read timeout=([\d.]+)")


class Cut(RegistryError):
    """The connection ended in the middle; the same may go well a second time."""


class TooSlowError(TimeoutError):
    """An answer that would take for ever; its words go on where the host was named."""


def resolve(host: str, *, seconds: float) -> None:
    """Ask the resolver for a host and bound its patience, which can be minutes.

    Raises:
        RegistryError: `unknown-host`, or the resolver does not answer.
    """
    with contextlib.suppress(ValueError):
        ipaddress.ip_address(host)
        return
    answer: list[OSError | UnicodeError | None] = []

    def ask() -> None:
        try:
            socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
            answer.append(None)
        except (OSError, UnicodeError) as error:
            answer.append(error)

    # A daemon, lest a resolver that hangs hold the whole program up at its end.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(seconds)
    if not answer:
        raise RegistryError(
            "unknown-host",
            f"no name server said within {seconds:.0f} s where `{host}` is",
            hint="check the network, or set `HTTPS_PROXY` where a proxy leads out",
        )
    if answer[0] is not None:
        raise _unknown_host(host) from answer[0]


def explain_failure(
    error: Exception, url: str, proxy: str | None, *, waited: tuple[float, float]
) -> RegistryError:
    """Return what a failed exchange means.

    Args:
        error: what urllib3 or a socket raised.
        url: what was asked.
        proxy: the proxy in between.
        waited: the seconds allowed to connect, and to answer.
    """
    host = urlsplit(url).netloc
    causes = list(_causes(error))
    for cause in causes:
        match cause:
            case ssl.SSLEOFError() | ssl.SSLZeroReturnError():
                return _cut(host, _reason(cause))
            case ssl.SSLError():
                return _explain_tls(cause, host, url)
            case urllib3_errors.NameResolutionError() | socket.gaierror():
                return _unknown_host(urlsplit(proxy or url).hostname or "")
            case _:
                pass
    if proxy is not None and any(isinstance(cause, urllib3_errors.ProxyError) for cause in causes):
        return _explain_proxy(proxy, host)
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return RegistryError(
            "registry-refused",
            f"nothing listens at `{host}`: the connection was refused",
            hint="check host and port, and that the registry runs",
        )
    return _explain_silence(causes, host, waited) or _explain_rest(error, causes, host)


def _explain_silence(
    causes: list[BaseException], host: str, waited: tuple[float, float]
) -> RegistryError | None:
    for cause in causes:
        if isinstance(cause, TooSlowError):
            return _timeout(f"`{host}` {cause}")
    for cause in causes:
        match cause:
            case urllib3_errors.NewConnectionError():  # of urllib3's time-outs, but none itself
                return RegistryError(
                    "registry-unreachable",
                    f"`{host}` cannot be reached: {_reason(causes[-1])}",
                    hint="check the network, or set `HTTPS_PROXY` where a proxy leads out",
                )
            case urllib3_errors.ConnectTimeoutError():
                return _timeout(f"`{host}` could not be connected to within {waited[0]:.0f} s")
            case urllib3_errors.ReadTimeoutError():
                found = _SECONDS.search(str(cause))
                seconds = float(found[1]) if found else waited[1]
                return _timeout(f"`{host}` said nothing for {seconds:.0f} s")
            case TimeoutError():
                # What is read would be the cause above.
                return _timeout(f"`{host}` took nothing of what is sent for {waited[1]:.0f} s")
            case _:
                pass
    return None


def _explain_rest(error: Exception, causes: list[BaseException], host: str) -> RegistryError:
    if isinstance(error, urllib3_errors.LocationValueError):
        return RegistryError(
            "bad-address",
            f"`{host}` cannot be asked: {_reason(error)}",
            hint="check the registry's address and the proxy's",
        )
    for cause in causes:
        if isinstance(cause, http.client.IncompleteRead):
            return _cut(host, "its answer ended too early")
        if type(cause) is http.client.BadStatusLine:
            return RegistryError(
                "no-http",
                f"`{host}` does not speak HTTP: it says `{_printable(str(cause.args[0]))}`",
                hint="check host and port: something else listens there",
            )
    return _cut(host, _reason(causes[-1]))


def _cut(host: str, reason: str) -> Cut:
    return Cut(
        "registry-cut",
        f"`{host}` cut the connection: {reason}",
        hint="try again; if it stays so, look at the registry's log and at proxies in between",
    )


def _timeout(message: str) -> RegistryError:
    return RegistryError(
        "registry-timeout",
        message,
        hint="check that the registry is well, and that a firewall or proxy lets it answer",
    )


def _unknown_host(host: str) -> RegistryError:
    return RegistryError(
        "unknown-host",
        f"there is no host `{host}`",
        hint="check its spelling, and that the network's name server knows it",
    )


def _explain_proxy(proxy: str, host: str) -> RegistryError:
    parts = urlsplit(proxy)
    # Without user information: a proxy's password must not be shown.
    where = parts.hostname if parts.port is None else f"{parts.hostname}:{parts.port}"
    return RegistryError(
        "proxy-failed",
        f"the proxy `{where}` does not lead to `{host}`",
        hint="check `HTTPS_PROXY` and `HTTP_PROXY`, or name the registry in `NO_PROXY`",
    )


def _explain_tls(error: ssl.SSLError, host: str, url: str) -> RegistryError:
    if isinstance(error, ssl.SSLCertVerificationError):
        reason = error.verify_message.rstrip(".")
        if error.verify_code in _EXPIRED:
            code, hint = "certificate-expired", "have it renewed, and check this machine's clock"
        elif error.verify_code in _OTHER_NAME:
            code, hint = "certificate-name", f"reach `{host}` by a name that is in its certificate"
        else:
            code = "unknown-ca"
            hint = "name its authority's certificate with `--ca-file FILE`"
        return RegistryError(
            code, f"the certificate of `{host}` is not trusted: {reason}", hint=hint
        )
    if (error.reason or "").upper() in _NO_TLS or "record layer" in str(error).lower():
        return RegistryError(
            "no-tls",
            f"`{host}` does not speak TLS",
            hint=f"if it is meant to speak plain HTTP, give `--plain-http` (asked was `{url}`)",
        )
    return RegistryError(
        "tls-failed",
        f"TLS with `{host}` failed: {_reason(error)}",
        hint="check the registry's TLS settings",
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception and its reasons, which urllib3 keeps in arguments."""
    seen: set[int] = set()
    queue = [error]
    while queue:
        current = queue.pop(0)
        if not isinstance(current, BaseException) or id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        queue += [getattr(current, "reason", None), *current.args]
        queue += [current.__cause__, current.__context__]


def _reason(error: BaseException) -> str:
    """Return why, without the addresses and object names that libraries add."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    if isinstance(error, ssl.SSLError) and error.reason:
        return str(error.reason).replace("_", " ").lower()
    words = str(error).partition("(<")[0].strip() or type(error).__name__
    words = _printable(words).rstrip(".")
    return words[:1].lower() + words[1:] if _SENTENCE.match(words) else words


def _printable(words: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in words[:_LONGEST]).strip()
