"""The URL of an image in an object, which is more than a reference on a command line. Pure.

Sources: istio, pkg/config/validation/validation.go (validateWasmPluginURL) and pkg/wasm/cache.go;
envoyproxy/gateway, internal/gatewayapi/envoyextensionpolicy.go; Go, net/url.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from wasmctl.consumers.consumer import CONSUMERS, Consumer, Reader
from wasmctl.hosts.finding import Finding, Severity
from wasmctl.hosts.rows import Fault
from wasmctl.oci.options import is_loopback

__all__ = ["check_url"]

# net/url's getScheme: a letter first, or there is none.
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(.*)", re.DOTALL)
_ISTIO_SCHEMES: Final = frozenset({"oci", "http", "https", "file"})
_OTHERS: Final = frozenset({"http", "https", "file"})
_VALIDATION: Final = "istio, pkg/config/validation/validation.go, validateWasmPluginURL"
_LATEST: Final = "istio, pkg/wasm/cache.go, pullIfNotPresent"
_ARTIFACT_REGISTRY: Final = re.compile(r"(?:[a-z0-9-]+-docker\.pkg\.dev|(?:[a-z]+\.)?gcr\.io)/")


def check_url(
    url: str, consumers: Sequence[Consumer] = CONSUMERS, *, pull_policy: str | None = None
) -> tuple[Finding, ...]:
    """Return what is wrong with an image's URL in an object.

    Args:
        url: as the object has it.
        consumers: who reads the object.
        pull_policy: the object's (`Always`, `IfNotPresent`); None: it has none.
    """
    found = []
    for reader in dict.fromkeys(consumer.reader for consumer in consumers):
        names = tuple(consumer.name for consumer in consumers if consumer.reader is reader)
        match reader:
            case Reader.ISTIO | Reader.HIGRESS:
                found += [*_scheme(url, names), *_rest(url, names, pull_policy)]
            case Reader.ENVOY_GATEWAY:
                found += _rest(url, names, pull_policy)
            case Reader.GCP:
                found += _gcp(url, names)
            case Reader.CNCF:
                pass
    return tuple(found)


def _scheme(url: str, names: tuple[str, ...]) -> Iterator[Finding]:
    match = _SCHEME.fullmatch(url)
    words = ""
    if match is not None and match[1].lower() not in _ISTIO_SCHEMES:
        words = f"url contains unsupported scheme: {match[1].lower()}"
    elif match is None and ":" in url.partition("/")[0]:
        words = "first path segment in URL cannot contain colon"
    if words:
        yield Finding(
            id="url-not-oci",
            severity=Severity.ERROR,
            message=f"the URL `{url}` is no image's without `oci://` before it",
            hint=f"write `oci://{url}`",
            fault=Fault.CONFIGURATION,
            where="url",
            targets=names,
            words=words,
            source=_VALIDATION,
        )
    elif match is None:
        yield _warning(
            "url-without-scheme",
            f"the URL `{url}` has no `oci://` before it, which is read so only where its host has"
            " no port",
            f"write `oci://{url}`",
            names,
            _VALIDATION,
        )


def _reference(url: str) -> str | None:
    """Return what a URL has as the image's reference; None: it is no image's."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        return url
    return None if scheme.lower() in _OTHERS else rest


def _rest(url: str, names: tuple[str, ...], pull_policy: str | None) -> Iterator[Finding]:
    reference = _reference(url)
    if reference is None:
        return
    host, _, path = reference.partition("/")
    if is_loopback(host):
        yield _warning(
            "url-loopback",
            f"`{host}` is, in the cluster, whoever fetches the image itself",
            "name the registry by an address that is valid in the cluster",
            names,
            "google/go-containerregistry, pkg/name/registry.go",
        )
    if "@" in path:
        return
    tag = path.rpartition("/")[2].partition(":")[2]
    if not tag:
        yield _warning(
            "url-untagged",
            f"the URL `{url}` has neither tag nor digest: `latest` is fetched, and by Istio kept as"
            " if it never changed",
            "pin the digest that `wasmctl push` printed",
            names,
            _LATEST,
        )
    elif tag == "latest" and pull_policy != "IfNotPresent":
        yield _warning(
            "url-latest",
            "`latest` is fetched anew only where the object itself changes, and each proxy may have"
            " another one",
            "pin the digest that `wasmctl push` printed",
            names,
            _LATEST,
        )


def _gcp(url: str, names: tuple[str, ...]) -> Iterator[Finding]:
    if not _ARTIFACT_REGISTRY.match(_reference(url) or ""):
        yield _warning(
            "url-not-artifact-registry",
            f"GCP fetches from its own Artifact Registry, and `{url}` is elsewhere",
            "push to `REGION-docker.pkg.dev/PROJECT/REPOSITORY/NAME`",
            names,
            "googleapis, networkservices/v1/extensibility.proto; not tried",
        )


def _warning(id_: str, message: str, hint: str, names: tuple[str, ...], source: str) -> Finding:
    return Finding(
        id=id_,
        severity=Severity.WARNING,
        message=message,
        hint=hint,
        fault=Fault.CONFIGURATION,
        where="url",
        targets=names,
        source=source,
    )
