"""Findings as text and as data: whose fault, how it came in, who refuses it, what to do.

Pure: values in, text out. Names out of a module or an image are shown with their control
characters spelled out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Final, Protocol

from wasmctl.console import printable
from wasmctl.hosts.finding import Finding, Severity, Step
from wasmctl.hosts.verdict import Checked

if TYPE_CHECKING:
    from wasmctl.results import JSONValue

__all__ = ["Style", "checked_data", "counted", "plain", "report", "shorten_targets"]

_COLOURS: Final = {Severity.ERROR: "red", Severity.WARNING: "yellow"}
# Of the things that one finding is about, how many are named.
_WHERES: Final = 8


class Style(Protocol):
    """Puts text in styles, as `Console.style_result` does."""

    def __call__(self, text: str, *names: str) -> str: ...


def plain(text: str, *_names: str) -> str:
    """Return the text as it is, for what takes no styles."""
    return text


def report(
    checked: Checked, listed: Sequence[str], *, whole: bool = False, style: Style = plain
) -> Iterator[str]:
    """Yield the lines that tell of one module or image.

    Args:
        checked: it.
        listed: the names of all targets there are, in their order: runs of them are shortened.
        whole: whether a chain of calls is shown with every function.
        style: how text is put in styles.
    """
    facts = f" ({checked.facts})" if checked.facts else ""
    yield f"{style(_shown(checked.subject), 'bold')}{facts}"
    for finding, wheres in _grouped(checked.findings):
        yield from _finding(finding, wheres, listed, whole=whole, style=style)
    yield from _verdicts(checked, listed, style)


def counted(findings: Sequence[Finding]) -> str:
    """Return how many there are: `1 error, 2 warnings`."""
    told = []
    for severity in Severity:
        number = sum(1 for finding, _ in _grouped(findings) if finding.severity is severity)
        if number:
            told.append(f"{number} {severity}{'' if number == 1 else 's'}")
    return ", ".join(told) or "nothing found"


def checked_data(checked: Checked) -> dict[str, JSONValue]:
    """Return it as the envelope tells it."""
    return {
        "subject": checked.subject,
        "findings": [_finding_data(finding, checked.subject) for finding in checked.findings],
        "verdicts": [
            {
                "target": verdict.target,
                "accepted": verdict.accepted,
                **({"words": verdict.words} if verdict.words else {}),
            }
            for verdict in checked.verdicts
        ],
    }


def shorten_targets(names: Sequence[str], listed: Sequence[str]) -> str:
    """Return names of targets with runs of releases shortened: `envoy 1.36 to 1.38; gcp`."""
    order = {name: index for index, name in enumerate(listed)}
    known = sorted((name for name in names if name in order), key=lambda name: order[name])
    parts = []
    for family, members in groupby(known, key=_family):
        runs: list[list[str]] = []
        for name in members:
            if runs and order[name] == order[runs[-1][-1]] + 1:
                runs[-1].append(name)
            else:
                runs.append([name])
        parts.append(f"{family} {', '.join(_run(run) for run in runs)}".rstrip())
    return "; ".join([*parts, *(name for name in names if name not in order)])


def _family(name: str) -> str:
    family, _, version = name.rpartition("-")
    return family if version[:1].isdigit() else name


def _run(names: Sequence[str]) -> str:
    versions = [name.removeprefix(_family(name)).removeprefix("-") for name in names]
    if len(versions) < 3:
        return ", ".join(versions)
    return f"{versions[0]} to {versions[-1]}"


def _grouped(findings: Sequence[Finding]) -> Iterator[tuple[Finding, list[str]]]:
    """Yield what is to be told once, and all that it is about: six imports, one cause."""
    groups: dict[object, tuple[Finding, list[str]]] = {}
    for finding in findings:
        culprit = _culprit(finding.chain)
        key = (finding.id, finding.severity, tuple(finding.targets), finding.hint, culprit)
        groups.setdefault(key, (finding, []))[1].append(finding.where)
    yield from groups.values()


def _culprit(chain: Sequence[Step]) -> str:
    return next((step.package for step in reversed(chain) if step.package), "")


def _finding(
    finding: Finding, wheres: Sequence[str], listed: Sequence[str], *, whole: bool, style: Style
) -> Iterator[str]:
    word = style(f"{finding.severity:<7}", _COLOURS[finding.severity], "bold")
    yield f"{word}  {style(finding.id, 'bold')}"
    yield f"  {_shown(finding.message)}"
    more = [where for where in wheres[1:] if where]
    if more:
        rest = f" and {len(more) - _WHERES} more" if len(more) > _WHERES else ""
        yield f"  the same with {', '.join(map(_shown, more[:_WHERES]))}{rest}"
    if finding.chain:
        yield from _chain(finding.chain, whole=whole, style=style)
    if finding.targets and finding.severity is Severity.ERROR:
        yield f"  refused by {shorten_targets(finding.targets, listed)}"
    yield f"  {style('hint:', 'cyan')} {_shown(finding.hint)}"


def _chain(chain: Sequence[Step], *, whole: bool, style: Style) -> Iterator[str]:
    steps = chain if whole else _shortened(chain)
    yield f"  {style('how it came in', 'bold')}"
    for step in steps:
        place = f"  {style(_shown(step.place), 'dim')}" if step.place else ""
        package = f" ({_shown(step.package)})" if step.package else ""
        yield f"    {_shown(step.function)}{package}{place}"


def _shortened(chain: Sequence[Step]) -> list[Step]:
    """Return the first, the last, and where one package hands over to the next."""
    kept = [
        index
        for index, step in enumerate(chain)
        if index in {0, len(chain) - 1} or step.package != chain[index - 1].package
    ]
    steps: list[Step] = []
    for index, following in zip(kept, [*kept[1:], None], strict=True):
        steps.append(chain[index])
        if following is not None and following > index + 1:
            steps.append(Step(function="…"))
    return steps


def _verdicts(checked: Checked, listed: Sequence[str], style: Style) -> Iterator[str]:
    for accepted, words, colour in ((True, "accepted by", "green"), (False, "refused by", "red")):
        names = [one.target for one in checked.verdicts if one.accepted is accepted]
        if names:
            yield f"{style(words, colour)} {shorten_targets(names, listed)}"


def _finding_data(finding: Finding, subject: str) -> dict[str, JSONValue]:
    return {
        "id": finding.id,
        "severity": finding.severity.value,
        "message": finding.message,
        "hint": finding.hint,
        "where": finding.where,
        "subject": subject,
        "fault": finding.fault.value,
        "targets": list(finding.targets),
        **({"words": finding.words} if finding.words else {}),
        **({"source": finding.source} if finding.source else {}),
        **({"chain": [_step_data(step) for step in finding.chain]} if finding.chain else {}),
    }


def _step_data(step: Step) -> dict[str, JSONValue]:
    return {
        "function": step.function,
        **({"package": step.package} if step.package else {}),
        **({"place": step.place} if step.place else {}),
    }


def _shown(text: str) -> str:
    # Also the escapes of styles, which are ours alone to use.
    return printable(text.replace("\x1b", "\\x1b"))
