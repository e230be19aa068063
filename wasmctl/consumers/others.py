"""What those make of an image who are not of Istio's family: GCP, and the CNCF's readers. Pure.

GCP's rules are its documentation's, and were not tried: networkservices/v1/extensibility.proto
("a container that contains a single file with the name `plugin.wasm`") and the quotas of Service
Extensions. Those of the CNCF's readers are from the artifact's specification (cncf/tag-runtime,
wasm-oci-artifact) and from bytecodealliance/rust-oci-wasm, src/client.rs, on which wkg and wash
stand.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from wasmctl.consumers.content import Content, Packing
from wasmctl.consumers.judgement import Judgement, Remark
from wasmctl.consumers.tar import Entry, EntryKind
from wasmctl.consumers.view import ImageView, Kind
from wasmctl.hosts.finding import Severity
from wasmctl.hosts.verdict import Outcome
from wasmctl.oci.image import MODULE_NAME, MediaType

__all__ = ["judge_for_cncf", "judge_for_gcp"]

# Plug-in and configuration together, by an older quotas page of cloud.google.com.
_GCP_LIMIT: Final = 2 * 1024 * 1024
_GCP_SOURCE: Final = "googleapis, networkservices/v1/extensibility.proto; not tried"
_GCP_QUOTA: Final = "cloud.google.com/service-extensions/docs/quotas; not tried"
_REPACK: Final = "`wasmctl push --from REF REF2 --format oci` packs its module anew, alone"
_CNCF_CONFIG: Final = "application/vnd.wasm.config.v0+json"
_CNCF_SOURCE: Final = "bytecodealliance/rust-oci-wasm, src/client.rs; cncf/tag-runtime"
_RAW: Final = frozenset({MediaType.SOLO_MODULE, MediaType.CNCF_MODULE, MediaType.DEIS_MODULE})
_MESHES: Final = (
    "meshes want another layout: push this one under another tag than theirs, with wkg or wash"
)


def judge_for_gcp(view: ImageView) -> Judgement:
    """Return what GCP's Service Extensions make of an image, by their documentation."""
    if view.kind is Kind.SCHEMA1 or not view.image_digest:
        return Judgement(outcome=Outcome.UNSURE)
    if view.layers and all(layer.media_type in _RAW for layer in view.layers[-1:]):
        return _refused(
            "gcp-no-container",
            "the module is a raw layer, and GCP wants a container image with `plugin.wasm` in it",
            _REPACK,
        )
    contents = [layer.content for layer in view.layers if layer.content is not None]
    if len(contents) < len(view.layers) or any(not _readable(content) for content in contents):
        return Judgement(outcome=Outcome.UNSURE)
    files = [entry for content in contents for entry in content.entries]
    files = [entry for entry in files if entry.kind is not EntryKind.FOLDER]
    modules = [entry for entry in files if entry.base == MODULE_NAME]
    if not modules:
        return _refused(
            "gcp-without-plugin-wasm",
            "GCP wants a container image with a single file, `plugin.wasm`, and there is none",
            _REPACK,
        )
    remarks = tuple(_gcp_remarks(files, modules[-1], sum(content.count for content in contents)))
    return Judgement(outcome=Outcome.UNSURE if remarks else Outcome.ACCEPTS, remarks=remarks)


def _readable(content: Content) -> bool:
    return content.packing is not Packing.ZSTD and not content.broken and not content.unread


def _gcp_remarks(files: list[Entry], module: Entry, count: int) -> Iterator[Remark]:
    if len(files) > 1:
        others = ", ".join(f"`{entry.name}`" for entry in files if entry is not module)
        yield Remark(
            id="gcp-several-files",
            message=f"GCP's documentation wants `{MODULE_NAME}` alone in the image, and"
            f" {max(count, len(files)) - 1} more are there: {others[:200]}",
            hint=_REPACK,
            source=_GCP_SOURCE,
        )
    if module.size > _GCP_LIMIT:
        yield Remark(
            id="gcp-module-large",
            message=f"the module has {module.size / 1024**2:.1f} MiB, and GCP's quota for it was"
            f" {_GCP_LIMIT // 1024**2} MiB with its configuration",
            hint="build it for release and without names; a Go plug-in by TinyGo is a tenth",
            source=_GCP_QUOTA,
        )


def _refused(id_: str, message: str, hint: str, words: str = "") -> Judgement:
    source = _GCP_SOURCE if id_.startswith("gcp") else _CNCF_SOURCE
    remark = Remark(id=id_, message=message, hint=hint, source=source, severity=Severity.ERROR)
    return Judgement(outcome=Outcome.REFUSES, words=words, remarks=(remark,))


def judge_for_cncf(view: ImageView) -> Judgement:
    """Return what readers of the CNCF's artifact make of an image."""
    if view.kind is not Kind.MANIFEST:
        return Judgement(outcome=Outcome.UNSURE)
    kinds = [layer.media_type for layer in view.layers]
    if kinds == [MediaType.DEIS_MODULE]:
        remark = Remark(
            id="cncf-older-layout",
            message="kwctl and wasm-to-oci read this layout, wkg and wash do not",
            hint=_MESHES,
            source=f"{_CNCF_SOURCE}; kubewarden/policy-fetcher, src/registry/mod.rs",
        )
        words = f"Incompatible layer media type: {MediaType.DEIS_MODULE}"
        return Judgement(outcome=Outcome.UNSURE, words=words, remarks=(remark,))
    words = _cncf_words(kinds, view.config.media_type if view.config else "")
    if not words:
        return Judgement(outcome=Outcome.ACCEPTS)
    message = "the image is not laid out for wkg, wash and other readers of the CNCF's artifact"
    return _refused("cncf-other-layout", message, _MESHES, words)


def _cncf_words(kinds: list[str], config: str) -> str:
    if not kinds:
        return "No layers to pull"
    for kind in kinds:
        if kind != MediaType.CNCF_MODULE:
            return f"Incompatible layer media type: {kind}"
    if len(kinds) != 1:
        return "Wasm components must have exactly one layer"
    if config != _CNCF_CONFIG:
        return f"Wasm components must have a config of type {_CNCF_CONFIG}"
    return ""
