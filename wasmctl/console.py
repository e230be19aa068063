"""The two streams: results on stdout, talk and progress on stderr. The only home of rich but cli/.

Progress moves only on a terminal, never with `--json` or in CI. Meaning is never carried by
colour alone.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final, TextIO, cast

if TYPE_CHECKING:
    from rich.console import Console as RichConsole
    from rich.progress import Progress, ProgressColumn

__all__ = ["Console", "printable", "shown_size", "wants_colour"]

# What could move the cursor or worse, out of a file's name or a server's answer; our own styles,
# line breaks and tabs excepted.
_CONTROL: Final = re.compile(r"(\x1b\[[\d;]*m)|([\x00-\x08\x0b-\x1f\x7f-\x9f])")
_STYLES: Final = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}


def wants_colour(stream: TextIO, env: Mapping[str, str]) -> bool:
    """Return whether `stream` takes colour (https://no-color.org, https://force-color.org)."""
    if env.get("NO_COLOR"):
        return False
    if env.get("FORCE_COLOR"):
        return True
    return stream.isatty() and env.get("TERM") != "dumb"


def shown_size(count: int) -> str:
    """Return a number of bytes as people read it, in powers of ten."""
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.0f} kB"


class Console:
    """Says things.

    Args:
        out: stdout, for results.
        err: stderr, for talk.
        verbosity: -1 quiet, 0 as usual, 1 and more: what was chosen and why, commands run.
        colour: whether stderr takes colour.
        result_colour: whether stdout does.
        animated: whether something may move on stderr: a terminal, no JSON, no CI.

    May be used by several threads at once.
    """

    def __init__(
        self,
        *,
        out: TextIO,
        err: TextIO,
        verbosity: int = 0,
        colour: bool = False,
        result_colour: bool = False,
        animated: bool = False,
    ) -> None:
        self.verbosity = verbosity
        unicode = (err.encoding or "").lower().startswith("utf")  # spinners are drawn in Braille
        self.animated = animated and verbosity >= 0 and unicode
        self._moving: RichConsole | None = None
        self._waiting = False
        self._unread = False
        self._out = out
        self._err = err
        self._colour = colour
        self._result_colour = result_colour
        self._lock = threading.Lock()

    def style(self, text: str, *names: str) -> str:
        """Return `text` in the given styles where stderr takes colour."""
        return _styled(text, names) if self._colour else text

    def style_result(self, text: str, *names: str) -> str:
        """Return `text` in the given styles where stdout takes colour."""
        return _styled(text, names) if self._result_colour else text

    def result(self, text: str) -> None:
        """Print a line of the result to stdout."""
        self._write(self._out, f"{text}\n")

    def say(self, text: str) -> None:
        """Tell what happens; silent with `-q`."""
        if self.verbosity >= 0:
            self._talk(text)

    def detail(self, text: str) -> None:
        """Tell what was chosen and why; only with `-v`."""
        if self.verbosity >= 1:
            self._talk(self.style(text, "dim"))

    def warn(self, text: str) -> None:
        """Warn; `-q` does not hide it."""
        self._talk(f"{self.style('warning:', 'yellow', 'bold')} {text}")

    def error(self, message: str, hint: str | None, output: str = "") -> None:
        """Show a failure: the tool's own words, the message, and last the thing to do."""
        shown = f"{self.style('error:', 'red', 'bold')} {message}"
        if hint is not None:
            shown += f"\n{self.style('hint:', 'cyan', 'bold')} {hint}"
        self._talk(shown, output if not output or output.endswith("\n") else f"{output}\n")

    @property
    def is_seen(self) -> bool:
        """Whether results go to a terminal."""
        return self._out.isatty()

    @property
    def has_reader(self) -> bool:
        """Whether what is printed to stdout may still be read: no `| head` has had enough."""
        if self._unread:
            return False
        try:
            watched = select.poll()
            watched.register(self._out.fileno(), 0)
        except (OSError, ValueError):  # no descriptor of the system's
            return True
        # Of a pipe without a reader poll(2) says so unasked.
        return not watched.poll(0)

    def talk(self, text: str) -> None:
        """Pass on to stderr what a tool says; `-q` does not hide it."""
        self._write(self._err, f"{printable(text)}\n")

    @property
    def live(self) -> int | None:
        """The descriptor a tool's live output may go to; None where it is to be captured."""
        busy = self._waiting or self._moving is not None
        return self._err.fileno() if self.animated and not busy else None

    @contextlib.contextmanager
    def waiting(self, label: str, *, after: float = 1.0) -> Iterator[None]:
        """Show on a terminal that a program which says nothing is still at work.

        Args:
            label: what goes on.
            after: seconds until it is shown: what is done by then needs no word.
        """
        if not self.animated or self._moving is not None:
            yield
            return
        self._waiting = True
        ended = threading.Event()

        def show() -> None:
            if ended.wait(after):
                return
            from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

            text = TextColumn("{task.description}", markup=False)
            with self._progress(SpinnerColumn(), text, TimeElapsedColumn(), stays=False) as moving:
                moving.add_task(printable(label), total=None)
                ended.wait()

        thread = threading.Thread(target=show, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            self._waiting = False

    @contextlib.contextmanager
    def transfer(self, label: str, total: int) -> Iterator[Callable[[int], None]]:
        """Show a bar of `total` bytes on a terminal; yield the function that advances it."""
        if not self.animated:
            yield lambda _count: None
            return
        from rich.progress import BarColumn, DownloadColumn, TextColumn
        from rich.progress import TransferSpeedColumn as Speed

        description = TextColumn("{task.description}", markup=False)
        columns = (description, BarColumn(), DownloadColumn(), Speed())
        with self._progress(*columns, stays=False) as progress:
            task = progress.add_task(printable(label), total=total)
            yield lambda count: progress.advance(task, count)

    @contextlib.contextmanager
    def board(self, labels: Sequence[str]) -> Iterator[Callable[[int, str | None], None]]:
        """Show a line a label: that it waits, runs (told None) or how it ended (told a text).

        Off a terminal a line is printed as each ends.
        """
        if not self.animated:
            yield lambda index, ended: self.say(f"{labels[index]}: {ended}") if ended else None
            return
        from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

        description = TextColumn("{task.description}", markup=False)
        columns = (SpinnerColumn(finished_text="·"), description, TimeElapsedColumn())
        labels = [printable(label) for label in labels]
        with self._progress(*columns, stays=True) as progress:
            tasks = [progress.add_task(f"{label}: waits", start=False, total=1) for label in labels]

            def tell(index: int, ended: str | None) -> None:
                text = f"{labels[index]}: {ended or 'builds'}"
                if ended is None:
                    progress.start_task(tasks[index])
                progress.update(tasks[index], description=text, completed=1 if ended else 0)

            yield tell

    @contextlib.contextmanager
    def _progress(self, *columns: ProgressColumn, stays: bool) -> Iterator[Progress]:
        from rich.console import Console as RichConsole
        from rich.progress import Progress

        self._moving = RichConsole(
            file=cast("TextIO", _Talk(self._err, self._write)),
            force_terminal=True,
            no_color=not self._colour,
            highlight=False,
        )
        progress = Progress(
            *columns,
            console=self._moving,
            transient=not stays,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        try:
            with progress:
                yield progress
        finally:
            self._moving = None

    def _talk(self, text: str, before: str = "") -> None:
        """Write text of ours to stderr, after a tool's own words as they are."""
        shown = f"{before}{printable(text)}"
        moving = self._moving
        if moving is None:
            self._write(self._err, f"{shown}\n")
            return
        from rich.text import Text

        # Above what moves, which is drawn again below.
        moving.print(Text.from_ansi(shown), soft_wrap=True)

    def _write(self, stream: TextIO, text: str) -> None:
        with self._lock:
            try:
                stream.write(text)
                stream.flush()
            except OSError as error:
                # Nothing more can be said there, and what is buffered must not fail again at exit.
                _silence(stream)
                self._unread = self._unread or stream is self._out
                # A reader that has gone (`| head`) or a lost terminal does not end the work;
                # a result that was asked for and cannot be written does.
                if stream is self._out and not isinstance(error, BrokenPipeError):
                    raise


class _Talk:
    """The side of stderr that rich writes to: every line goes by way of the console."""

    def __init__(self, stream: TextIO, write: Callable[[TextIO, str], None]) -> None:
        self.encoding = stream.encoding
        self._stream = stream
        self._write = write

    def write(self, text: str) -> int:
        self._write(self._stream, text)
        return len(text)

    def flush(self) -> None:
        """Do nothing: every write is flushed."""

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._stream.fileno()


def _styled(text: str, names: Sequence[str]) -> str:
    return f"\x1b[{';'.join(_STYLES[name] for name in names)}m{text}\x1b[0m"


def printable(text: str) -> str:
    """Return `text` with what could move the cursor, or worse, spelled out."""
    return _CONTROL.sub(lambda found: found[1] or f"\\x{ord(found[2]):02x}", text)


def _silence(stream: TextIO) -> None:
    with contextlib.suppress(OSError), open(os.devnull, "wb") as nowhere:  # noqa: PTH123
        os.dup2(nowhere.fileno(), stream.fileno())
