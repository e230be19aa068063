"""Findings as SARIF, which code scanning reads. Pure.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from wasmctl import __version__
from wasmctl.hosts.finding import Finding

if TYPE_CHECKING:
    from wasmctl.results import JSONValue

__all__ = ["Located", "place_of", "sarif"]

_SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
Located = tuple[Finding, str, int]


def place_of(finding: Finding, file: str) -> tuple[str, int]:
    """Return the file and line that a finding is best shown at.

    Args:
        finding: it; where its chain of calls knows lines, the author's last counts.
        file: what stands for the project where no line is known.
    """
    for step in reversed(finding.blame.chain if finding.blame else ()):
        path, _, line = step.place.rpartition(":")
        # Absolute ones and those of dependencies are no files of the repository.
        if line.isdigit() and path and not path.startswith(("/", "..")) and "@" not in path:
            return path, int(line)
    return file, 1


def sarif(located: Sequence[Located]) -> str:
    """Return the document: each finding with the file (as from the repository) and line."""
    rules: dict[str, Mapping[str, JSONValue]] = {}
    results: list[JSONValue] = []
    for finding, file, line in located:
        rules.setdefault(
            finding.id,
            {
                "id": finding.id,
                "shortDescription": {"text": finding.id.replace("-", " ")},
                "help": {"text": finding.hint},
            },
        )
        place: Mapping[str, JSONValue] = {
            "artifactLocation": {"uri": quote(file), "uriBaseId": "%SRCROOT%"},
            "region": {"startLine": line},
        }
        results.append(
            {
                "ruleId": finding.id,
                "ruleIndex": list(rules).index(finding.id),
                "level": finding.severity.value,
                "message": {"text": _text(finding)},
                "locations": [{"physicalLocation": place}],
                "partialFingerprints": {"finding/v1": f"{finding.id} {finding.where} {file}"},
            }
        )
    driver = {"name": "wasmctl", "version": __version__, "rules": list(rules.values())}
    run = {"tool": {"driver": driver}, "results": results, "columnKind": "unicodeCodePoints"}
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _text(finding: Finding) -> str:
    targets = f" Refused by {', '.join(finding.targets)}." if finding.targets else ""
    return f"{finding.message}.{targets} Hint: {finding.hint}"
