"""Ctrl-C and its kin: what asks us to end raises KeyboardInterrupt, wherever we are.

Loaded before all else, so it imports next to nothing.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Final

__all__ = [
    "ignore_interruptions",
    "interrupted_once",
    "interruptions_held",
    "take_interruptions",
]

_INTERRUPTIONS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def take_interruptions() -> None:
    """Have all of them raise KeyboardInterrupt in the main thread, and none of them be lost."""
    for number in _INTERRUPTIONS[1:]:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup leaves it
            signal.signal(number, _interrupt)
    sys.unraisablehook = _unraisable


def ignore_interruptions() -> None:
    """Let none of them do anything any more."""
    for number in _INTERRUPTIONS:
        signal.signal(number, signal.SIG_IGN)


@contextlib.contextmanager
def interruptions_held() -> Iterator[None]:
    """Put interruptions off to the end of the block, so that nothing is forgotten halfway."""
    if threading.current_thread() is not threading.main_thread():
        yield  # interruptions reach the main thread only
        return
    caught: list[int] = []
    before = {number: signal.getsignal(number) for number in _INTERRUPTIONS}
    ours = {number: action for number, action in before.items() if callable(action)}
    for number in ours:
        signal.signal(number, lambda number, _frame: caught.append(number))
    try:
        yield
    finally:
        for number, action in ours.items():
            signal.signal(number, action)
        if caught:
            signal.raise_signal(caught[0])


@contextlib.contextmanager
def interrupted_once() -> Iterator[None]:
    """Let the first interruption end the block, and none after it disturb how the block ends.

    For a block that has something to put back: people press Ctrl-C twice, and supervisors send a
    second signal soon after the first. Within it asyncio may only run with interruptions held.
    """
    interrupted = False

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        nonlocal interrupted
        if not interrupted:
            interrupted = True
            raise KeyboardInterrupt

    before = {number: signal.getsignal(number) for number in _INTERRUPTIONS}
    ours = {number: action for number, action in before.items() if callable(action)}
    for number in ours:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, action in ours.items():
            signal.signal(number, action)


def _interrupt(number: int, frame: FrameType | None) -> None:
    # As Ctrl-C is taken at the moment: asyncio cancels its tasks in an order of its own then, and
    # would show a traceback of what is raised in one of them.
    taken = signal.getsignal(signal.SIGINT)
    if not callable(taken):
        raise KeyboardInterrupt
    taken(number, frame)


def _unraisable(unraisable: sys.UnraisableHookArgs) -> None:
    # Python drops what is raised in a finalizer or a callback: the interruption is sent again.
    if unraisable.exc_type is KeyboardInterrupt:
        # From a thread, a moment later: raised in this hook it would be dropped as well.
        threading.Timer(0.01, signal.raise_signal, (signal.SIGINT,)).start()
    else:
        sys.__unraisablehook__(unraisable)
