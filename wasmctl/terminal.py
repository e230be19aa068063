"""Children and the terminal: their talk copied on to it, and itself lent to a child that asks.

Starts and stops nothing; that is process.py, the only user of this.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import termios
import threading
from typing import Self

from wasmctl.errors import ToolFailed

__all__ = ["LentTerminal", "Talk"]

# A program that has ended may have left a daemon behind (sccache) which holds the other end for
# ever. What the program itself wrote is there by then: a silence this long (seconds) is the end,
# and so are more reads than a pipe or a terminal can hold.
_SILENCE = 0.1
_LAST_READS = 64
# How long a terminal that takes nothing may keep us when the block ends early (seconds).
_PATIENCE = 1.0


class Talk:
    """What a child writes to one descriptor: kept whole, and copied on to `live` as it comes.

    Args:
        live: a descriptor; None where nothing is to be copied. Where it is a terminal the child
            writes to a terminal of the same size.
    """

    def __init__(self, live: int | None) -> None:
        self._live = live
        self._chunks: list[bytes] = []
        self._reader, self.writer = _channel(live)
        self._ended, self._end = os.pipe()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._close()
        self._thread.join(_PATIENCE)

    def finish(self) -> bytes:
        """Return everything; the child must have ended."""
        self._close()
        self._thread.join()
        return b"".join(self._chunks)

    def _close(self) -> None:
        for descriptor in (self.writer, self._end):
            if descriptor >= 0:
                os.close(descriptor)
        self.writer = self._end = -1

    def _run(self) -> None:
        try:
            self._copy()
            self._end_line()
        finally:
            os.close(self._reader)
            os.close(self._ended)

    def _copy(self) -> None:
        while self._reader in select.select([self._reader, self._ended], [], [])[0]:
            if not self._take():
                return
        for _ in range(_LAST_READS):
            if not select.select([self._reader], [], [], _SILENCE)[0] or not self._take():
                return

    def _take(self) -> bool:
        chunk = _read(self._reader)
        self._chunks.append(chunk)
        self._pass_on(chunk)
        return bool(chunk)

    def _end_line(self) -> None:
        """Leave our terminal at the start of a line that is free, whatever was cut off."""
        last = b"".join(self._chunks[-2:])[-1:]
        if self._live is not None and os.isatty(self._live) and last not in {b"", b"\n"}:
            # After a carriage return stands a progress bar, which is worth nothing any more.
            self._pass_on(b"\r\x1b[K" if last == b"\r" else b"\n")

    def _pass_on(self, chunk: bytes) -> None:
        rest = memoryview(chunk)
        if self._live is not None:
            _copy_size(self._live, self._reader)
        while rest and self._live is not None:
            try:
                rest = rest[os.write(self._live, rest) :]
            except BlockingIOError:
                # Another program made our terminal non-blocking; that holds for all who share it.
                select.select([], [self._live], [])
            except OSError:
                self._live = None  # the terminal has gone; the work goes on


class LentTerminal:
    """Our terminal, lent to a child's process group once that asks for it.

    A group in the background is stopped when it reads from its terminal or changes its modes
    (POSIX, General Terminal Interface, "Terminal Access Control"): so a child that asks for a
    passphrase is known by its stop. Until then the terminal is ours, and so is Ctrl-C.
    """

    def __init__(self) -> None:
        self._descriptor: int | None = None
        self._group: int | None = None
        self._modes: list[int | list[bytes | int]] | None = None

    def __enter__(self) -> Self:
        with contextlib.suppress(OSError):  # there is none: nobody will be asked
            self._descriptor = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
        return self

    def __exit__(self, *_: object) -> None:
        self._take_back()
        if self._descriptor is not None:
            os.close(self._descriptor)

    def lend(self, group: int, stopped_by: int) -> None:
        """Give a group that `stopped_by` has stopped what it waits for, and let it go on.

        Raises:
            ToolFailed: the terminal cannot be lent.
        """
        if stopped_by in {signal.SIGTTIN, signal.SIGTTOU}:
            self._hand_over(group)
        elif stopped_by == signal.SIGTSTP and self._group is not None:
            # Ctrl-Z reached the child alone, and is meant for us all.
            self._take_back()
            os.killpg(os.getpgrp(), signal.SIGTSTP)
            self._hand_over(group)
        else:
            return  # whoever stopped it will wake it
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGCONT)

    def _hand_over(self, group: int) -> None:
        if self._descriptor is None:
            raise _not_lent()
        try:
            if self._modes is None:
                self._modes = termios.tcgetattr(self._descriptor)
            # In the background this stops us, too, as it should, until the shell's `fg`.
            os.tcsetpgrp(self._descriptor, group)
        except (OSError, termios.error) as error:
            raise _not_lent() from error
        self._group = group

    def _take_back(self) -> None:
        if self._group is None or self._descriptor is None:
            return
        # We are in the background now, where this would stop us.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
        with contextlib.suppress(OSError, termios.error):
            if os.tcgetpgrp(self._descriptor) == self._group:
                os.tcsetpgrp(self._descriptor, os.getpgrp())
                if self._modes is not None:
                    termios.tcsetattr(self._descriptor, termios.TCSADRAIN, self._modes)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        self._group = None


def _not_lent() -> ToolFailed:
    message = "the tool asks at the terminal, which cannot be had"
    return ToolFailed("no-terminal", message, hint="run it in the foreground")


def _channel(live: int | None) -> tuple[int, int]:
    """Return (reader, writer): a terminal of the same size where `live` is one, else a pipe."""
    if live is None or not os.isatty(live):
        return os.pipe()
    reader, writer = pty.openpty()
    modes = termios.tcgetattr(writer)
    # The bytes are handed on as they are; the real terminal does the rest.
    modes[1] &= ~termios.OPOST
    termios.tcsetattr(writer, termios.TCSANOW, modes)
    _copy_size(live, reader)
    return reader, writer


def _copy_size(source: int, target: int) -> None:
    with contextlib.suppress(OSError):
        size = fcntl.ioctl(source, termios.TIOCGWINSZ, b"\0" * 8)
        fcntl.ioctl(target, termios.TIOCSWINSZ, size)


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:
        # The master side of a terminal whose last writer has gone reads as EIO on Linux.
        return b""
