"""What was found about one thing that was checked, and which targets take it. Values only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from wasmctl.hosts.finding import Finding, Severity

__all__ = ["Checked", "Verdict", "verdicts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether one target takes what was checked.

    Args:
        target: as a user names it: `envoy-1.38`, `istio`.
        accepted: whether it does.
        words: what it says where it does not, if it says something.
    """

    target: str
    accepted: bool
    words: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """One module or one image, what was found and who takes it.

    Args:
        subject: as the user named it, or the path of a project's module.
        facts: a few words on what it is: `2.7 MB, ABI 0.2.0, go`.
        findings: errors first.
        verdicts: in the order in which targets are listed.
    """

    subject: str
    facts: str = ""
    findings: tuple[Finding, ...] = ()
    verdicts: tuple[Verdict, ...] = ()

    @property
    def refused(self) -> bool:
        """Whether a target does not take it."""
        return any(not verdict.accepted for verdict in self.verdicts)

    @property
    def useless(self) -> bool:
        """Whether no target at all takes it."""
        return bool(self.verdicts) and not any(verdict.accepted for verdict in self.verdicts)


def verdicts(targets: Iterable[str], findings: Iterable[Finding]) -> tuple[Verdict, ...]:
    """Return who takes a module of which this was found."""
    errors = [finding for finding in findings if finding.severity is Severity.ERROR]
    told = []
    for target in targets:
        against = [one for one in errors if not one.targets or target in one.targets]
        words = next((one.words for one in against if one.words), "")
        told.append(Verdict(target=target, accepted=not against, words=words))
    return tuple(told)
