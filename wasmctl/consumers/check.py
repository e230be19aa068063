"""An image as it was seen → who takes it, who does not, in whose words, and what helps. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from wasmctl.consumers.consumer import CONSUMERS, Consumer, Reader
from wasmctl.consumers.judgement import Judgement, Remark
from wasmctl.consumers.meshes import judge_for_mesh
from wasmctl.consumers.others import judge_for_cncf, judge_for_gcp
from wasmctl.consumers.view import ImageView
from wasmctl.hosts.finding import Finding
from wasmctl.hosts.verdict import Verdict

__all__ = ["ImageReport", "check_image"]

_NEW_NAME: Final = "HOST/REPOSITORY:TAG"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageReport:
    """What consumers make of an image.

    Args:
        verdicts: one for each, in the order that was asked for.
        findings: what is wrong; of several consumers the same is said once.
    """

    verdicts: tuple[Verdict, ...]
    findings: tuple[Finding, ...]


def check_image(view: ImageView, consumers: Sequence[Consumer] = CONSUMERS) -> ImageReport:
    """Return what consumers make of an image."""
    judged = [(consumer, _judge(view, consumer)) for consumer in consumers]
    findings: dict[tuple[str, str, str], Finding] = {}
    for consumer, judgement in judged:
        for remark in judgement.remarks:
            _add(findings, _finding(remark, judgement, consumer, view))
    return ImageReport(
        verdicts=tuple(
            Verdict(target=consumer.name, outcome=judgement.outcome, words=judgement.words)
            for consumer, judgement in judged
        ),
        findings=tuple(findings.values()),
    )


def _judge(view: ImageView, consumer: Consumer) -> Judgement:
    match consumer.reader:
        case Reader.GCP:
            return judge_for_gcp(view)
        case Reader.CNCF:
            return judge_for_cncf(view)
        case _:
            return judge_for_mesh(view, consumer)


def _finding(remark: Remark, judgement: Judgement, consumer: Consumer, view: ImageView) -> Finding:
    return Finding(
        id=remark.id,
        severity=remark.severity,
        message=remark.message,
        hint=_filled(remark.hint, view),
        fault=remark.fault,
        where=remark.where,
        targets=(consumer.name,),
        words=judgement.words,
        source=remark.source,
    )


def _add(findings: dict[tuple[str, str, str], Finding], new: Finding) -> None:
    """Add a finding, or its target to the same one of another consumer."""
    key = (new.id, new.message, new.hint)
    known = findings.get(key)
    if known is not None:
        new = replace(known, targets=(*known.targets, *new.targets))
    findings[key] = new


def _filled(hint: str, view: ImageView) -> str:
    """Return a hint whose command can be run as it stands, where the image is in a registry."""
    name = view.name
    new = _NEW_NAME
    if view.access is not None:
        repository, colon, tag = name.partition("@")[0].rpartition(":")
        tagged = bool(colon) and "/" not in tag
        new = f"{repository}:{tag}-oci" if tagged else f"{name.partition('@')[0]}:oci"
    return hint.replace("REF2", new).replace("REF ", f"{name} ")
