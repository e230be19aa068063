"""What was found about one thing that was checked, and which targets take it. Values only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from wasmctl.hosts.finding import Finding, Severity

__all__ = ["Checked", "Outcome", "Verdict", "verdicts"]


class Outcome(StrEnum):
    """What a target makes of a module or an image."""

    ACCEPTS = "accepts"
    REFUSES = "refuses"
    UNSURE = "unsure"  # nobody has seen it, or it goes by documentation alone


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What one target makes of what was checked.

    Args:
        target: as a user names it: `envoy-1.38`, `istio`.
        outcome: whether it takes it.
        words: what it says where it does not, if it says something.
    """

    target: str
    outcome: Outcome
    words: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """One module or one image, what was found and who takes it.

    Args:
        subject: as the user named it, or the path of a project's module.
        facts: a few words on what it is: `2.7 MB, ABI 0.2.0, Go 1.26`.
        findings: errors first.
        verdicts: in the order in which targets are listed.
    """

    subject: str
    facts: str = ""
    findings: tuple[Finding, ...] = ()
    verdicts: tuple[Verdict, ...] = ()

    @property
    def refusing(self) -> tuple[str, ...]:
        """The targets that do not take it."""
        return tuple(one.target for one in self.verdicts if one.outcome is Outcome.REFUSES)

    @property
    def useless(self) -> bool:
        """Whether no target at all takes it."""
        return bool(self.verdicts) and len(self.refusing) == len(self.verdicts)


def verdicts(targets: Iterable[str], findings: Iterable[Finding]) -> tuple[Verdict, ...]:
    """Return who takes a module of which this was found."""
    errors = [finding for finding in findings if finding.severity is Severity.ERROR]
    told = []
    for target in targets:
        against = [one for one in errors if not one.targets or target in one.targets]
        told.append(
            Verdict(
                target=target,
                outcome=Outcome.REFUSES if against else Outcome.ACCEPTS,
                words=next((one.words for one in against if one.words), ""),
            )
        )
    return tuple(told)
