"""Results of cases as text: a line a case, what was not as expected below it, a summary.

Pure: `CaseResult` in, text out. What comes from outside (a body, a log line) is shown with its
control characters spelled out and never begins a line: CI systems take commands from those.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from wasmctl.console import printable
from wasmctl.paths import relative

if TYPE_CHECKING:
    from wasmctl.cases.results import CaseOutcome, CaseResult
    from wasmctl.results import JSONValue

__all__ = [
    "Layout",
    "Style",
    "case_data",
    "case_file_stem",
    "counted",
    "details",
    "headline",
    "plain",
    "reason",
    "summary",
]

# How an outcome is called, and its colour. What needs a look is also told by capitals: meaning is
# never carried by colour alone.
_WORDS: Final[dict[CaseOutcome, tuple[str, str]]] = {
    "passed": ("passed", "green"),
    "failed": ("FAILED", "red"),
    "refused": ("REFUSED", "red"),
    "proxy": ("NO ENVOY", "yellow"),
    "not-run": ("not run", "dim"),
    "not-shown": ("not shown", "dim"),
}
_NO_ANSWER: Final = ("NO ANSWER", "yellow")
# The same in a summary, worst first.
_COUNTED: Final[dict[CaseOutcome, str]] = {
    "proxy": "without an Envoy",
    "refused": "refused",
    "failed": "failed",
    "passed": "passed",
    "not-shown": "not shown",
    "not-run": "not run",
}
_WIDEST_NAME: Final = 64
# Of one value, and of a log: more is in the run folder.
_LINES: Final = 20
_CHARACTERS: Final = 2000


class Style(Protocol):
    """Puts text in styles, as `Console.style_result` does."""

    def __call__(self, text: str, *names: str) -> str: ...


def plain(text: str, *_names: str) -> str:
    """Return the text as it is, for what takes no styles."""
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What the lines have in common, known before the first case has ended.

    Args:
        cwd: where shown paths start from.
        names: of all cases, for the width of their column.
        files: the case files; with several a column tells them.
        envoys: the releases; with several a column tells them.
        url: that of the gateway, where the cases run against what is deployed.
    """

    cwd: Path
    names: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    envoys: tuple[str, ...] = ()
    url: str = ""


def headline(result: CaseResult, layout: Layout, style: Style = plain) -> str:
    """Return the line of a case: outcome, release and file where there are several, name, time."""
    word, colour = _WORDS[result.outcome]
    if result.url and result.outcome == "proxy":
        word, colour = _NO_ANSWER
    # Wide enough for the word that is there when all is well; a longer one is meant to stand out.
    cells = [style(f"{word:<7}", *([colour] if result.outcome == "passed" else [colour, "bold"]))]
    if len(layout.envoys) > 1:
        cells.append(f"{result.envoy:<{max(map(len, layout.envoys))}}")
    if len(layout.files) > 1:
        width = max(len(case_file_stem(path)) for path in layout.files)
        cells.append(f"{case_file_stem(result.file):<{width}}")
    width = min(max(map(len, layout.names), default=0), _WIDEST_NAME)
    cells.append(f"{_shown(result.name):<{width}}")
    if result.outcome in {"passed", "failed"}:
        cells.append(style(_duration(result.seconds), "dim"))
    if result.not_shown:
        parts = ", ".join(_shown(part.what) for part in result.not_shown)
        whole = result.outcome == "not-shown"
        cells.append(style(f"({parts})" if whole else f"(not shown: {parts})", "dim"))
    return "  ".join(cells).rstrip()


def details(result: CaseResult, layout: Layout, style: Style = plain) -> Iterator[str]:
    """Yield the lines below the headline of a case that did not pass.

    In the order in which people read: where it is declared, what differs, why, what the plug-in
    said, and how to see it happen.
    """
    yield f"  {style(f'{_path(result.file, layout.cwd)}:{result.line}', 'dim')}"
    for difference in result.differences:
        line = "" if difference.line is None else f", line {difference.line}"
        yield f"  {style(_shown(difference.where), 'bold')}{line}"
        yield from _value("expected", difference.expected, style, "green")
        yield from _value("got", difference.got, style, "red")
    for line in reason(result):
        yield f"  {line}"
    yield from _log("the plug-in's log", result.log, style)
    yield from _log("Envoy's log", result.proxy_log, style)
    if result.curl is not None and result.outcome == "failed":
        # As it is to be copied: nothing stands before it.
        beside = f", beside `{_shown(result.serve)}`" if result.serve else ""
        yield f"  {style(f'to see it{beside}', 'bold')}"
        yield f"    {_shown(result.curl)}"


def reason(result: CaseResult) -> tuple[str, ...]:
    """Return why a case did not pass, where it is not the differences that say it, and the hint."""
    lines = []
    if result.message is not None:
        lines += [_shown(line) for line in result.message.splitlines()]
    if (known := result.explanation) is not None:
        if known.message != result.message:
            lines += [_shown(line) for line in known.message.splitlines()]
        lines.append(f"hint: {_shown(known.hint)}")
    return tuple(lines)


def case_data(result: CaseResult) -> dict[str, JSONValue]:
    """Return a result as the envelope tells it; what it has nothing of is left out."""
    known = result.explanation
    told: dict[str, JSONValue] = {
        "differences": [
            {
                "where": item.where,
                "expected": item.expected,
                "got": item.got,
                **({} if item.line is None else {"line": item.line}),
            }
            for item in result.differences
        ],
        "message": result.message or (None if known is None else known.message),
        "hint": None if known is None else known.hint,
        "log": list(result.log),
        "proxy_log": list(result.proxy_log),
        "curl": result.curl,
        "serve": result.serve if result.curl else None,
        "not_shown": [{"what": part.what, "why": part.why} for part in result.not_shown],
        "run_folder": None if result.run_folder is None else str(result.run_folder),
    }
    return {
        "name": result.name,
        "file": str(result.file),
        "line": result.line,
        **({"url": result.url} if result.url else {"envoy": result.envoy}),
        "outcome": result.outcome,
        "seconds": round(result.seconds, 3),
        **{key: value for key, value in told.items() if value},
    }


def counted(results: Iterable[CaseResult]) -> str:
    """Return how many came out how, worst first: `1 failed, 3 passed`."""
    results = list(results)
    counts = Counter(result.outcome for result in results)
    words = dict(_COUNTED)
    if any(result.url for result in results):
        words["proxy"] = "without an answer"
    told = [f"{counts[outcome]} {called}" for outcome, called in words.items() if counts[outcome]]
    return ", ".join(told) or "no cases"


def summary(
    results: Sequence[CaseResult], layout: Layout, seconds: float, style: Style = plain
) -> Iterator[str]:
    """Yield where to look further, and what it came to: each release of several, and all in all."""
    troubled = [item for item in results if item.outcome in {"failed", "refused", "proxy"}]
    for folder in dict.fromkeys(item.run_folder for item in troubled if item.run_folder):
        yield style(f"what Envoy was given, and its log: {folder}", "dim")
    if len(layout.envoys) > 1:
        width = max(map(len, layout.envoys))
        for envoy in layout.envoys:
            of_it = [result for result in results if result.envoy == envoy]
            yield f"Envoy {envoy:<{width}}  {style(counted(of_it), _colour(of_it))}"
    yield from _not_shown(results, style)
    where = f" at {layout.url}" if layout.url else ""
    if len(layout.envoys) == 1:
        where = f" in Envoy {layout.envoys[0]}"
    outcomes = {result.outcome for result in results}
    told = f"{style(counted(results), _colour(results), 'bold')}{where}, {_duration(seconds)}"
    if "refused" in outcomes and outcomes <= {"refused", "not-run"}:
        told = f"{style('the module does not load', 'red', 'bold')}: {told}"
    yield told


def _not_shown(results: Sequence[CaseResult], style: Style) -> Iterator[str]:
    """Yield why parts of cases were not shown, each reason once."""
    reasons: dict[str, dict[str, None]] = {}
    for result in results:
        for part in result.not_shown:
            reasons.setdefault(part.why, {})[part.what] = None
    for why, parts in reasons.items():
        yield style(_shown(f"not shown: {', '.join(parts)}: {why}"), "dim")


def _colour(results: Sequence[CaseResult]) -> str:
    outcomes = {result.outcome for result in results}
    if outcomes & {"failed", "refused"}:
        return "red"
    return "yellow" if outcomes - {"passed", "not-shown"} else "green"


def case_file_stem(path: Path) -> str:
    """Return what a case file is called in a column: `auth` for `auth.cases.yaml`."""
    return path.name.removesuffix(".yaml").removesuffix(".cases")


def _path(path: Path, cwd: Path) -> str:
    return _shown(str(relative(path, cwd)))


def _shown(text: str) -> str:
    # Also the escapes of styles, which are ours alone to use.
    return printable(text.replace("\x1b", "\\x1b"))


def _value(label: str, text: str, style: Style, colour: str) -> Iterator[str]:
    first, *more = _cut(text.split("\n"))
    yield f"    {label:<8}  {style(_shown(first), colour)}".rstrip()
    for line in more:
        yield f"    {'':<8}| {style(_shown(line), colour)}".rstrip()


def _log(title: str, lines: Sequence[str], style: Style) -> Iterator[str]:
    if not lines:
        return
    yield f"  {style(title, 'bold')}"
    # What ticks says the same a hundred times.
    runs = [(line, len(list(same))) for line, same in groupby(lines)]
    if len(runs) > _LINES:
        yield f"    … {sum(count for _, count in runs[:-_LINES])} lines before"
    for line, count in runs[-_LINES:]:
        yield from _quoted(line if count == 1 else f"{line.rstrip()} ({count} times)")


def _quoted(text: str) -> Iterator[str]:
    for line in _cut(text.rstrip("\n").split("\n")):
        yield f"    | {_shown(line)}".rstrip()


def _cut(lines: Sequence[str]) -> list[str]:
    kept = [
        line
        if len(line) <= _CHARACTERS
        else f"{line[:_CHARACTERS]} … {len(line)} characters in all"
        for line in lines[:_LINES]
    ]
    return kept if len(lines) <= _LINES else [*kept, f"… {len(lines) - _LINES} lines more"]


def _duration(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 0.9995 else f"{seconds:.1f} s"
