"""docs/troubleshooting.md from the table of explanations.

`python -m tests.contract.troubleshooting` writes it anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from tests.conftest import ROOT
from wasmctl.hosts import rows_fetch, rows_load, rows_proxy, rows_run
from wasmctl.hosts.explanations import ROWS
from wasmctl.hosts.rows import Row

PAGE = ROOT / "docs/troubleshooting.md"
_INTRODUCTION = """# Troubleshooting

What proxies and their agents write about plug-ins, what it means, and what to do. `wasmctl explain`
says the same of a log (`kubectl logs POD -c istio-proxy | wasmctl explain`), with the names in it;
`wasmctl check` says most of it before anything is deployed. Written from the table that both use by
`python -m tests.contract.troubleshooting`; a test holds it to it."""
_CHAPTERS = (
    ("The module is not loaded", rows_load.ROWS),
    ("The image is not fetched", rows_fetch.ROWS),
    ("The plug-in does not start, or traps", rows_run.ROWS),
    ("What else a proxy says", rows_proxy.ROWS),
)
_WHOSE = {
    "plugin": "the plug-in's",
    "configuration": "the configuration's",
    "image": "the image's",
    "proxy": "the proxy's",
}


def render() -> str:
    """Return the page."""
    rows = {row.id for _, chapter in _CHAPTERS for row in chapter}
    assert rows == {row.id for row in ROWS}, "a row is in no chapter"
    parts = [_INTRODUCTION]
    for title, chapter in _CHAPTERS:
        parts += [f"## {title}", *_entries(chapter)]
    return "\n\n".join(parts) + "\n"


def _entries(rows: Sequence[Row]) -> Iterator[str]:
    for row in rows:
        yield f"### {row.id}"
        yield f"```text\n{_words(row.pattern.text)}\n```"
        yield _filled(f"{row.message[:1].upper()}{row.message[1:]}.")
        told = f"- To do: {row.hint}.\n- Whose it is: {_WHOSE[row.fault]}."
        yield _filled(f"{told}\n- Source: {row.source}.")


def _filled(text: str) -> str:
    """Leave open what only a log can fill in."""
    return re.sub(r"\{\w+\}", "…", text.replace("{at}", "").replace("{because}", ""))


def _words(pattern: str) -> str:
    """Return a regular expression as a person reads it: what may vary is an ellipsis."""
    text = re.sub(r"\(\?[=!<][^()]*\)", "", pattern)
    text = re.sub(r"\[[^]]*\][*+?]?|\\[SwWds][*+]?|(?<!\\)\.[*+]\??|\\b|\\A|\\Z|\$", "…", text)
    inner = re.compile(r"\((?:\?:|\?P<\w+>|\?P=\w+)?((?:[^()\\]|\\.)*)\)(?:\{\d+\}|[*+?])?")
    while found := inner.search(text):
        first, *more = found[1].split("|")
        text = text[: found.start()] + (first if not more else f"{first} …") + text[found.end() :]
    text = text.split("|")[0].replace("\\n", "\n")
    text = re.sub(r"\\(.)", r"\1", text).replace("?", "")
    return re.sub(r"…(?:\s*…)+", "…", text).strip()


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
