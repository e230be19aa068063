"""Results of cases as a JUnit document, which CI systems read.

Keeps to what Jenkins' strictest reader allows (xunit-plugin's junit-10.xsd: no `file` and no `line`
on a test case), which GitLab's reads as well (https://docs.gitlab.com/ci/testing/unit_test_reports).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree as ET

from wasmctl.cases.report import Layout, case_file_stem, details, reason
from wasmctl.paths import relative

if TYPE_CHECKING:
    from wasmctl.cases.results import CaseResult

__all__ = ["make_junit"]

# What XML 1.0 cannot hold at all (https://www.w3.org/TR/xml/#charsets).
_NO_CHARACTER: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# A failure says that the plug-in is wrong, an error that there is no answer about this case.
_ELEMENTS: Final = {"failed": "failure", "refused": "error", "proxy": "error"}
_SKIPPED: Final = frozenset({"not-run", "not-shown"})


def make_junit(results: Sequence[CaseResult], cwd: Path) -> bytes:
    """Return the document: a suite for each case file and release of Envoy, or URL.

    Args:
        results: of all cases, of one project or of several.
        cwd: where the names of files start from.
    """
    root = ET.Element("testsuites", _sums(results, name="wasmctl test"))
    suites: dict[tuple[Path, str], list[CaseResult]] = {}
    for result in results:
        suites.setdefault((result.file, result.venue), []).append(result)
    for (file, venue), members in suites.items():
        shown = str(relative(file, cwd))
        sums = _sums(members, name=f"{shown} ({venue})")
        skipped = sum(member.outcome in _SKIPPED for member in members)
        suite = ET.SubElement(root, "testsuite", {**sums, "skipped": str(skipped)})
        suite.set("file", _text(shown))
        for member in members:
            # Readers take what stands before the last dot for a package.
            place = "live" if member.url else f"envoy-{member.envoy.replace('.', '-')}"
            _add_case(suite, member, f"{case_file_stem(file)}.{place}", cwd)
    ET.indent(root)
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def _sums(results: Sequence[CaseResult], *, name: str) -> dict[str, str]:
    kinds = [_ELEMENTS.get(result.outcome) for result in results]
    return {
        "name": _text(name),
        "tests": str(len(results)),
        "failures": str(kinds.count("failure")),
        "errors": str(kinds.count("error")),
        "time": f"{sum(result.seconds for result in results):.3f}",
    }


def _add_case(suite: ET.Element, result: CaseResult, classname: str, cwd: Path) -> None:
    case = ET.SubElement(
        suite,
        "testcase",
        {
            "name": _text(result.name),
            "classname": _text(classname),
            "time": f"{result.seconds:.3f}",
        },
    )
    if result.outcome in _SKIPPED:
        message = "; ".join(f"{part.what}: {part.why}" for part in result.not_shown)
        message = f"not shown: {message}" if message else "the run was over before its turn"
        ET.SubElement(case, "skipped", {"message": _text(message)})
    elif (kind := _ELEMENTS.get(result.outcome)) is not None:
        attributes = {"type": result.outcome, "message": _text(_headline(result))}
        trouble = ET.SubElement(case, kind, attributes)
        trouble.text = _text("\n".join(details(result, Layout(cwd=cwd))))
    said = list(result.log)
    if result.outcome not in _SKIPPED:
        said += [f"not shown: {part.what}: {part.why}" for part in result.not_shown]
    if said:
        ET.SubElement(case, "system-out").text = _text("\n".join(said))


def _headline(result: CaseResult) -> str:
    if not result.differences:
        return next(iter(reason(result)), result.outcome)
    first = result.differences[0]
    return f"{first.where}: expected {first.expected}, got {first.got}"


def _text(text: str) -> str:
    return _NO_CHARACTER.sub(lambda found: f"\\x{ord(found[0]):02x}", text)
