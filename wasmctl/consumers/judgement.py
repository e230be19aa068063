"""What one consumer makes of an image, and why. Values; pure."""

from __future__ import annotations

from dataclasses import dataclass

from wasmctl.hosts.finding import Severity
from wasmctl.hosts.rows import Fault
from wasmctl.hosts.verdict import Outcome

__all__ = ["Judgement", "Remark"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """One thing to say of an image; what a finding is made of.

    Args:
        id: of the rule.
        message: what is wrong.
        hint: the thing to do; `REF` is the image, `REF2` a new name.
        source: where the rule comes from.
        severity: an error is what the consumer refuses.
        fault: whose it is.
        where: the part of the image.
    """

    id: str
    message: str
    hint: str
    source: str
    severity: Severity = Severity.WARNING
    fault: Fault = Fault.IMAGE
    where: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What one consumer makes of an image.

    Args:
        outcome: whether it takes it.
        words: its own words, where it refuses.
        remarks: what there is to say.
    """

    outcome: Outcome
    words: str = ""
    remarks: tuple[Remark, ...] = ()
