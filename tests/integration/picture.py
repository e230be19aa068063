"""The README's picture of `wasmctl quickstart`, as a terminal shows it.

`python -m tests.integration.picture [WASMCTL]` draws it anew.
"""

from __future__ import annotations

import html
import io
import os
import re
import subprocess
import sys
import tempfile
from collections import defaultdict

from rich.console import Console
from rich.text import Text

from tests.conftest import ROOT, WASMCTL

PICTURE = ROOT / "docs/quickstart.svg"
_COMMAND = ("quickstart", "hello")
_COLUMNS = 92
# A font from elsewhere: pages that hold the picture do not fetch it, and readers need not.
_FONT = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
_WORDS = re.compile(r'<text class="quickstart-r\d+"[^>]*? y="([\d.]+)"[^>]*>([^<]*)</text>')


def draw(said: str) -> str:
    """Return the picture of the command and of what it said, in a terminal's colours."""
    console = Console(
        record=True, width=_COLUMNS, file=io.StringIO(), force_terminal=True, legacy_windows=False
    )
    console.print(Text.assemble(("$ ", "green"), f"wasmctl {' '.join(_COMMAND)}"))
    console.print(Text.from_ansi(said))
    title = " ".join(("wasmctl", *_COMMAND))
    return _FONT.sub("", console.export_svg(title=title, unique_id="quickstart"))


def words_of(picture: str) -> str:
    """Return the lines that a picture shows in its terminal."""
    lines: dict[float, str] = defaultdict(str)
    for height, words in _WORDS.findall(picture):
        lines[float(height)] += html.unescape(words)
    return "\n".join(line.replace("\xa0", " ").rstrip() for _, line in sorted(lines.items()))


def main() -> None:
    """Run the command and draw it."""
    program = sys.argv[1] if len(sys.argv) > 1 else str(WASMCTL)
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [program, "--color", *_COMMAND],
            cwd=folder,
            env={**os.environ, "COLUMNS": str(_COLUMNS)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=True,
        )
    PICTURE.write_text(draw(done.stdout), encoding="utf-8")
    print(PICTURE.relative_to(ROOT))


if __name__ == "__main__":
    main()
