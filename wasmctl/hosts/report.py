"""Findings as text and as data: whose fault, how it came in, who refuses it, what to do.

Pure: values in, text out. Names out of a module or an image are shown with their control
characters spelled out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Final, Protocol

from wasmctl.console import printable
from wasmctl.hosts.finding import Finding, Severity
from wasmctl.hosts.verdict import Checked, Outcome
from wasmctl.wasm.chain import Link, shorten

if TYPE_CHECKING:
    from wasmctl.results import JSONValue
    from wasmctl.wasm.blame import Blame

__all__ = [
    "Style",
    "checked_data",
    "findings_data",
    "grouped",
    "plain",
    "report",
    "shorten_targets",
]

_COLOURS: Final = {Severity.ERROR: "red", Severity.WARNING: "yellow"}
_OUTCOMES: Final = {
    Outcome.ACCEPTS: "green",
    Outcome.UNSURE: "yellow",
    Outcome.REFUSES: "red",
}
_SPELT: Final = {
    Outcome.ACCEPTS: "accepted by",
    Outcome.UNSURE: "not known of",
    Outcome.REFUSES: "refused by",
}
# How a function is reached where it is not simply called.
_LINKS: Final = {
    Link.POINTER: "  (by its address)",
    Link.INDIRECT: "  (maybe: something of its type is called)",
    Link.IMPORTED: "  (comes with its package)",
    Link.REFLECTION: "  (kept because methods are looked for by name)",
}
_OTHERS: Final = 3
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
    all_targets = {verdict.target for verdict in checked.verdicts}
    for finding, wheres in grouped(checked.findings):
        yield from _finding(
            finding, wheres, listed, all_targets=all_targets, whole=whole, style=style
        )
    yield from _verdicts(checked, listed, style)


def findings_data(checked: Checked) -> list[dict[str, JSONValue]]:
    """Return what was found as the envelope tells it."""
    return [_finding_data(finding, checked.subject) for finding in checked.findings]


def checked_data(checked: Checked) -> dict[str, JSONValue]:
    """Return who takes it as the envelope tells it."""
    return {
        "subject": checked.subject,
        "facts": checked.facts,
        "verdicts": [
            {
                "target": verdict.target,
                "outcome": verdict.outcome.value,
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


def grouped(findings: Sequence[Finding]) -> Iterator[tuple[Finding, list[str]]]:
    """Yield what is to be told once, and all that it is about: six imports, one cause."""
    groups: dict[object, tuple[Finding, list[str]]] = {}
    for finding in findings:
        culprit = _culprit(finding.blame)
        key = (finding.id, finding.severity, tuple(finding.targets), finding.hint, culprit)
        groups.setdefault(key, (finding, []))[1].append(finding.where)
    yield from groups.values()


def _culprit(blame: Blame | None) -> object:
    return None if blame is None else (blame.package, blame.function, blame.caller)


def _finding(
    finding: Finding,
    wheres: Sequence[str],
    listed: Sequence[str],
    *,
    all_targets: Collection[str],
    whole: bool,
    style: Style,
) -> Iterator[str]:
    word = style(f"{finding.severity:<7}", _COLOURS[finding.severity], "bold")
    yield f"{word}  {style(finding.id, 'bold')}"
    yield f"  {_shown(finding.message)}"
    more = [where for where in wheres[1:] if where]
    if more:
        rest = f" and {len(more) - _WHERES} more" if len(more) > _WHERES else ""
        yield f"  the same with {', '.join(map(_shown, more[:_WHERES]))}{rest}"
    if finding.blame is not None:
        yield from _blame(finding.blame, whole=whole, style=style)
    if finding.targets and {*finding.targets} != {*all_targets}:
        word = "refused by" if finding.severity is Severity.ERROR else "holds for"
        yield f"  {word} {shorten_targets(finding.targets, listed)}"
    if finding.words and finding.severity is Severity.ERROR:
        first, *more = filter(None, map(str.strip, finding.words.splitlines()))
        yield f"  {style(f'in its words: {_shown(first)}', 'dim')}"
        yield from (f"    {style(_shown(line), 'dim')}" for line in more)
    yield f"  {style('hint:', 'cyan')} {_shown(finding.hint)}"


def _blame(blame: Blame, *, whole: bool, style: Style) -> Iterator[str]:
    yield f"  {style('brought in by', 'bold')} {_shown(_culprit_told(blame))}"
    if blame.inherent and not whole:
        return
    steps = blame.chain if whole else shorten(blame.chain)
    for step in steps:
        package = f"  {_shown(' '.join(filter(None, [step.package, step.version])))}"
        place = f"  {_shown(step.place)}" if step.place else ""
        sure = _LINKS.get(step.link, "")
        told = style(f"{package}{place}{sure}".rstrip(), "dim")
        yield f"    {_shown(step.function)}{told}"


def _culprit_told(blame: Blame) -> str:
    if blame.inherent:
        return f"{blame.package or 'the language'} itself, in every module"
    what = f"`{blame.function}`" if blame.function else "no function that is known"
    if blame.package:
        version = f" {blame.version}" if blame.version else ""
        what += f" of `{blame.package}`{version}"
    if blame.asks:
        what += f", which calls `{blame.asks}`"
    if blame.caller:
        what += f"; it is used by `{blame.caller}`"
    others = [name for name in blame.others if name != blame.caller]
    if others:
        what += f"; also by {', '.join(f'`{name}`' for name in others[:_OTHERS])}"
    return what


def _verdicts(checked: Checked, listed: Sequence[str], style: Style) -> Iterator[str]:
    for outcome, colour in _OUTCOMES.items():
        names = [one.target for one in checked.verdicts if one.outcome is outcome]
        if names:
            told = f"{_SPELT[outcome]} {shorten_targets(names, listed)}"
            yield style(told, colour) if outcome is not Outcome.ACCEPTS else told


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
        **({} if finding.blame is None else {"blame": _blame_data(finding.blame)}),
    }


def _blame_data(blame: Blame) -> dict[str, JSONValue]:
    return {
        "package": blame.package,
        "version": blame.version,
        "function": blame.function,
        "asks": blame.asks,
        "caller": blame.caller,
        "inherent": blame.inherent,
        "certain": blame.certain,
        "others": list(blame.others),
        "chain": [
            {
                "function": step.function,
                "package": step.package,
                "place": step.place,
                "link": step.link.value,
            }
            for step in blame.chain
        ],
    }


def _shown(text: str) -> str:
    # Also the escapes of styles, which are ours alone to use.
    return printable(text.replace("\x1b", "\\x1b"))
