"""Results of cases as GitHub Actions takes them: annotations at the lines, and a summary.

https://docs.github.com/actions/reference/workflow-commands-for-github-actions
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from wasmctl.cases.report import counted, reason
from wasmctl.github import workflow_command
from wasmctl.paths import relative

if TYPE_CHECKING:
    from wasmctl.cases.results import CaseResult

__all__ = ["annotation", "step_summary"]


def annotation(result: CaseResult, workspace: Path) -> str:
    """Return the workflow command that marks a case's line, of several steps the one's.

    Args:
        result: of a case that did not pass.
        workspace: the repository's folder; files in it are named from there.
    """
    none = "had no answer" if result.url else "had no Envoy"
    words = {"refused": "was refused", "proxy": none}.get(result.outcome, "failed")
    title = f"{result.name} {words} ({result.venue})"
    lines = [item.line for item in result.differences if item.line is not None]
    line = lines[0] if lines else result.line
    file = relative(result.file, workspace)
    return workflow_command("error", _told(result), title=title, file=file, line=line)


def step_summary(results: Sequence[CaseResult], workspace: Path) -> str:
    """Return Markdown: what it came to, and a bullet for each case that needs a look."""
    lines = [f"**wasmctl test**: {counted(results)}", ""]
    for result in results:
        if result.outcome in {"passed", "not-run", "not-shown"}:
            continue
        where = f"{relative(result.file, workspace)}:{result.line}"
        lines.append(f"- {result.outcome}: {_code(result.name)} ({where}, {result.venue})")
        lines += [f"  - {_code(line)}" for line in _told(result).splitlines()]
    return "\n".join(lines).rstrip() + "\n"


def _told(result: CaseResult) -> str:
    lines = [
        f"{difference.where}: expected {difference.expected}, got {difference.got}"
        for difference in result.differences
    ]
    return "\n".join([*lines, *reason(result)]) or result.outcome


def _code(text: str) -> str:
    # A code span may hold backticks when its fence is longer (https://spec.commonmark.org).
    fence = "`" * (max((len(run) for run in _backticks(text)), default=0) + 1)
    pad = " " if "`" in text else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def _backticks(text: str) -> list[str]:
    return "".join(mark if mark == "`" else " " for mark in text).split()
