"""What is allowed and seldom meant: what a deployment is warned of. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from wasmctl.consumers.consumer import Consumer, Reader
from wasmctl.consumers.urls import check_url
from wasmctl.deploy.istio import ROOT_NAMESPACE

if TYPE_CHECKING:
    from wasmctl.deploy.deployment import Deployment
    from wasmctl.deploy.kind import ObjectKind
    from wasmctl.oci.reference import Reference

__all__ = ["image_notices", "notices_of"]

# The release of istio.io/api that brought it; an older CRD refuses the word.
_RELOAD_SINCE: Final = (1, 27)
_READERS: Final = (Consumer(name="istio", reader=Reader.ISTIO),)
_ISTIO: Final = re.compile(r"(?:istio|asm)-(\d+)\.(\d+)")


def notices_of(
    deployment: Deployment, kind: ObjectKind, image: Reference, targets: Sequence[str]
) -> Iterator[str]:
    """Yield the warnings that an object deserves.

    Args:
        deployment: what is deployed.
        kind: the kind of its object.
        image: its image.
        targets: `[plugin] targets`: the releases that it is for.
    """
    yield from image_notices(image)
    alone = not deployment.selector and not deployment.target_refs
    if alone and deployment.namespace == ROOT_NAMESPACE:
        yield (
            f"without a selector, in `{ROOT_NAMESPACE}`: every proxy of the mesh gets the plug-in;"
            " `--selector istio=ingressgateway` is for the ingress gateway alone"
        )
    classes = [ref.name for ref in deployment.target_refs if ref.kind == "GatewayClass"]
    if classes and deployment.namespace != ROOT_NAMESPACE:
        yield (
            f"a `GatewayClass` counts in the mesh's root namespace only, which is"
            f" `{ROOT_NAMESPACE}` unless it was changed, and not in `{deployment.namespace}`"
        )
    for target in targets:
        found = _ISTIO.fullmatch(target)
        release = (int(found[1]), int(found[2])) if found else None
        if release is not None and kind.since is not None and release < kind.since:
            yield f"{kind.kind} came with Istio {_text(kind.since)}; `{target}` does not know it"
        reload = deployment.fail_strategy == "FAIL_RELOAD"
        if release is not None and reload and release < _RELOAD_SINCE:
            yield f"FAIL_RELOAD came with Istio {_text(_RELOAD_SINCE)}; `{target}` refuses it"


def image_notices(image: Reference) -> Iterator[str]:
    """Yield the warnings that an image's url in an object deserves."""
    for finding in check_url(f"oci://{image}", _READERS):
        yield f"{finding.message}; {finding.hint}"
    if image.tag == "latest":
        yield "the tag `latest` tells nobody which version the url is; its digest is what counts"


def _text(release: tuple[int, int]) -> str:
    return f"{release[0]}.{release[1]}"
