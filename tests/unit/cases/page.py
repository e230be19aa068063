"""The examples of docs/cases.md."""

from __future__ import annotations

import re

from tests.conftest import ROOT

__all__ = ["page_examples"]

PAGE = ROOT / "docs/cases.md"


def page_examples() -> list[str]:
    """Return the case files that the page shows, in order."""
    return re.findall(r"(?ms)^```yaml\n(.*?)^```$", PAGE.read_text(encoding="utf-8"))
