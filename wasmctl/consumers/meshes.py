"""What Istio, Envoy Gateway and Higress make of an image, and what helps. Pure.

Their words are predicted by fetcher.py and explained by the table that explains them in a log;
what the image itself tells beyond the words is added here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from wasmctl.consumers.consumer import Consumer, Reader
from wasmctl.consumers.fetcher import Fetched, fetch
from wasmctl.consumers.judgement import Judgement, Remark
from wasmctl.consumers.tar import EntryKind
from wasmctl.consumers.view import ImageView, Kind, Layer
from wasmctl.hosts.explanations import explain
from wasmctl.hosts.finding import Severity
from wasmctl.hosts.rows import Fault
from wasmctl.hosts.verdict import Outcome
from wasmctl.oci.image import MediaType
from wasmctl.oci.module import FETCH_LIMIT

__all__ = ["judge_for_mesh"]

# How many names of a layer's files a message has room for.
_SHOWN: Final = 3
_ARTIFACT_LAYERS: Final = 2


def judge_for_mesh(view: ImageView, consumer: Consumer) -> Judgement:
    """Return what a consumer of Istio's family makes of an image."""
    fetched = fetch(view, consumer)
    remarks = tuple(_remarks(view, consumer, fetched))
    return Judgement(outcome=fetched.outcome, words=fetched.words, remarks=remarks)


def _remarks(view: ImageView, consumer: Consumer, fetched: Fetched) -> Iterator[Remark]:
    match fetched.outcome:
        case Outcome.REFUSES:
            yield _explained(view, fetched)
        case Outcome.UNSURE:
            yield _unsure(fetched)
        case Outcome.ACCEPTS:
            yield from _accepted(view, consumer)


def _explained(view: ImageView, fetched: Fetched) -> Remark:
    found = explain([f"cannot fetch Wasm module {view.name}: {fetched.words}"])
    if found is None:  # whatever the fetcher says has a row, the last of them a general one
        raise LookupError(fetched.words)
    detail = "; ".join(_details(view, found.id))
    return Remark(
        id=found.id,
        message=f"{found.message}; {detail}" if detail else found.message,
        hint=found.hint,
        source=found.source,
        severity=Severity.ERROR,
        fault=found.fault,
        where=f"layer {fetched.layer} of {len(view.layers)}" if fetched.layer else "",
    )


def _details(view: ImageView, id_: str) -> Iterator[str]:
    """Yield what the image tells of a refusal beyond its words."""
    match id_:
        case "image-not-for-platform":
            platforms = [f"`{child.platform}`" for child in view.children if not child.attests]
            yield f"it has {', '.join(platforms) or 'no image at all'}"
        case "image-without-plugin-wasm":
            yield from _names(view.layers[-1])
        case "image-not-wasm" | "image-module-cut":
            yield from _entry(view.layers[-1])
        case _:
            pass
    # Of the layers before the last one, which nobody but us looks into.
    for number, layer in enumerate(view.layers[:-1], start=1):
        if layer.content is not None and layer.content.found is not None:
            yield f"`{layer.content.found.entry.name}` is in layer {number} of {len(view.layers)}"
        elif layer.taken_for == MediaType.SOLO_MODULE and len(view.layers) != _ARTIFACT_LAYERS:
            yield (
                f"layer {number} of {len(view.layers)} is a raw module, which they take of exactly"
                " two layers"
            )


def _names(layer: Layer) -> Iterator[str]:
    entries = layer.content.entries if layer.content else ()
    files = [entry.name for entry in entries if entry.kind is EntryKind.FILE]
    modules = [name for name in files if name.endswith(".wasm")]
    if shown := (modules or files)[:_SHOWN]:
        yield f"it has {', '.join(f'`{name}`' for name in shown)}"


def _entry(layer: Layer) -> Iterator[str]:
    found = layer.content.found if layer.content else None
    if found is None:
        return
    if found.entry.kind is not EntryKind.FILE:
        yield f"`{found.entry.name}` is a {found.entry.kind}, of which they read no bytes"
    elif found.entry.size == 0:
        yield f"`{found.entry.name}` is empty"


def _unsure(fetched: Fetched) -> Remark:
    return Remark(
        id="image-not-judged",
        message=f"whether the image is taken cannot be told: {fetched.why}",
        hint="try it there, or `wasmctl push --from REF REF2 --format oci`, of which it is known",
        source="not tried",
    )


def _accepted(view: ImageView, consumer: Consumer) -> Iterator[Remark]:
    if view.kind is Kind.INDEX:
        yield Remark(
            id="image-is-an-index",
            message=f"the name has an index: pinned to its digest `{view.digest}`, no mesh takes"
            " it",
            hint=f"pin the image for linux/amd64: `{view.image_digest}`",
            source="istio, pkg/wasm/cache.go, Get: the chosen image's digest is compared",
        )
    last = view.layers[-1].content if view.layers else None
    damage = "" if last is None else last.broken or last.end
    if damage and last is not None and last.found is not None:
        yield Remark(
            id="image-damaged-behind-module",
            message=f"the last layer is damaged behind the module ({damage}): meshes do not"
            " read so far, other tools do",
            hint="push the plug-in again, with `wasmctl push`",
            source="istio, pkg/wasm/imagefetcher.go, extractWasmPluginBinary",
        )
    if view.access is not None and view.access.own_trust and not view.access.plain_http:
        yield _untrusted(consumer)
    module = next((it for it in view.layers if it.taken_for == MediaType.SOLO_MODULE), None)
    if module is not None and module.descriptor.size > FETCH_LIMIT:
        yield Remark(
            id="image-module-truncated",
            message=f"the module is a raw layer of more than {FETCH_LIMIT // 1024**2} MiB, of"
            " which Istio takes the beginning for the whole",
            hint="build it without debug information",
            source="istio, pkg/wasm/imagefetcher.go, extractOCIArtifactImage",
        )


def _untrusted(consumer: Consumer) -> Remark:
    hints = {
        Reader.ENVOY_GATEWAY: "name its CA in the policy: `tls.caCertificateRef`",
    }
    return Remark(
        id="image-registry-of-own-ca",
        message="the registry's certificate was believed because you said so; the mesh will not",
        hint=hints.get(
            consumer.reader,
            "list the registry in the proxies' `WASM_INSECURE_REGISTRIES`, or bring its CA into"
            " their image",
        ),
        source="istio, pilot/cmd/pilot-agent/options/options.go",
        fault=Fault.CONFIGURATION,
    )
