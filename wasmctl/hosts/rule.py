"""How a rule tells what it found: in the host's own words, or in its own. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from wasmctl.hosts.finding import Finding, Severity
from wasmctl.hosts.rows import Fault

if TYPE_CHECKING:
    from wasmctl.hosts.explanations import Explanation

__all__ = ["Rule", "found", "said"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What is said of something that no host has words for, or not enough of them.

    Args:
        id: stable kebab-case name.
        message: what is wrong; names in braces are filled in.
        hint: the thing to do; filled in likewise.
        source: where the rule comes from.
        words: what the host says of it, if it says something.
        fault: whose it is.
    """

    id: str
    message: str
    hint: str
    source: str
    words: str = ""
    fault: Fault = Fault.PLUGIN


def found(rule: Rule, severity: Severity, *, where: str = "", **facts: object) -> Finding:
    """Return a finding of a rule, with the facts filled in."""
    return Finding(
        id=rule.id,
        severity=severity,
        message=rule.message.format_map(facts),
        hint=rule.hint.format_map(facts),
        fault=rule.fault,
        where=where,
        words=rule.words if severity is Severity.ERROR else "",
        source=rule.source,
    )


def said(words: str, *, where: str = "", severity: Severity = Severity.ERROR) -> Finding:
    """Return the finding of what a host says in these words, as its log is explained."""
    explanation = _explained(words)
    return Finding(
        id=explanation.id,
        severity=severity,
        message=explanation.message,
        hint=explanation.hint,
        fault=explanation.fault,
        where=where,
        words=words,
        source=explanation.source,
    )


@cache
def _explained(words: str) -> Explanation:
    from wasmctl.hosts.explanations import explain

    explanation = explain([words])
    if explanation is None:
        raise AssertionError(f"no row explains {words!r}")
    return explanation
