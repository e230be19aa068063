"""The two streams: results on stdout, talk and progress on stderr. The only home of rich but cli/.

Progress moves only on a terminal, never with `--json` or in CI. Meaning is never carried by
colour alone.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TextIO

__all__ = ["Console", "wants_colour"]

_STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}


def wants_colour(stream: TextIO, env: Mapping[str, str]) -> bool:
    """Return whether `stream` takes colour (https://no-color.org, https://force-color.org)."""
    if env.get("NO_COLOR"):
        return False
    if env.get("FORCE_COLOR"):
        return True
    return stream.isatty() and env.get("TERM") != "dumb"


class Console:
    """Says things.

    Args:
        out: stdout, for results.
        err: stderr, for talk.
        verbosity: -1 quiet, 0 as usual, 1 and more: what was chosen and why, commands run.
        colour: whether stderr takes colour.
        animated: whether something may move on stderr: a terminal, no JSON, no CI.
    """

    def __init__(
        self,
        *,
        out: TextIO,
        err: TextIO,
        verbosity: int = 0,
        colour: bool = False,
        animated: bool = False,
    ) -> None:
        self.verbosity = verbosity
        self.animated = animated and verbosity >= 0
        self._out = out
        self._err = err
        self._colour = colour
        self._lock = threading.Lock()

    def style(self, text: str, *names: str) -> str:
        """Return `text` in the given styles where stderr takes colour."""
        if not self._colour:
            return text
        return f"\x1b[{';'.join(_STYLES[name] for name in names)}m{text}\x1b[0m"

    def result(self, text: str) -> None:
        """Print a line of the result to stdout."""
        self._write(self._out, f"{text}\n")

    def say(self, text: str) -> None:
        """Tell what happens; silent with `-q`."""
        if self.verbosity >= 0:
            self._write(self._err, f"{text}\n")

    def detail(self, text: str) -> None:
        """Tell what was chosen and why; only with `-v`."""
        if self.verbosity >= 1:
            self._write(self._err, f"{self.style(text, 'dim')}\n")

    def warn(self, text: str) -> None:
        """Warn; `-q` does not hide it."""
        self._write(self._err, f"{self.style('warning:', 'yellow', 'bold')} {text}\n")

    def error(self, message: str, hint: str | None, output: str = "") -> None:
        """Show a failure: the tool's own words, the message, and last the thing to do."""
        shown = output if not output or output.endswith("\n") else f"{output}\n"
        shown += f"{self.style('error:', 'red', 'bold')} {message}\n"
        if hint is not None:
            shown += f"{self.style('hint:', 'cyan', 'bold')} {hint}\n"
        self._write(self._err, shown)

    @property
    def live(self) -> int | None:
        """The descriptor a tool's live output may go to; None where it is to be captured."""
        return self._err.fileno() if self.animated else None

    @contextlib.contextmanager
    def step(self, label: str) -> Iterator[None]:
        """Say `label` and, when the block ends well, the seconds it took."""
        started = time.monotonic()
        yield
        self.say(f"{label} {self.style(f'({time.monotonic() - started:.1f} s)', 'dim')}")

    @contextlib.contextmanager
    def transfer(self, label: str, total: int) -> Iterator[Callable[[int], None]]:
        """Show a bar of `total` bytes on a terminal; yield the function that advances it."""
        if not self.animated:
            yield lambda _count: None
            return
        from rich.console import Console as RichConsole
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn
        from rich.progress import TransferSpeedColumn as Speed

        rich_console = RichConsole(file=self._err, no_color=not self._colour, highlight=False)
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), Speed())
        with Progress(*columns, console=rich_console, transient=True) as progress:
            task = progress.add_task(label, total=total)
            yield lambda count: progress.advance(task, count)

    @contextlib.contextmanager
    def board(self, labels: Sequence[str]) -> Iterator[Callable[[int, str | None], None]]:
        """Show a line a label: that it waits, runs (told None) or how it ended (told a text).

        Off a terminal a line is printed as each ends.
        """
        if not self.animated:
            yield lambda index, ended: self.say(f"{labels[index]}: {ended}") if ended else None
            return
        from rich.console import Console as RichConsole
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        rich_console = RichConsole(file=self._err, no_color=not self._colour, highlight=False)
        columns = (SpinnerColumn(finished_text="·"), TextColumn("{task.description}", markup=False))
        with Progress(*columns, TimeElapsedColumn(), console=rich_console) as progress:
            tasks = [progress.add_task(f"{label}: waits", start=False, total=1) for label in labels]

            def tell(index: int, ended: str | None) -> None:
                text = f"{labels[index]}: {ended or 'builds'}"
                if ended is None:
                    progress.start_task(tasks[index])
                progress.update(tasks[index], description=text, completed=1 if ended else 0)

            yield tell

    def _write(self, stream: TextIO, text: str) -> None:
        with self._lock:
            try:
                stream.write(text)
                stream.flush()
            except BrokenPipeError:
                # The reader has gone (`| head`): nobody is left to tell, the work goes on.
                with open(os.devnull, "w") as nowhere:  # noqa: PTH123
                    os.dup2(nowhere.fileno(), stream.fileno())
