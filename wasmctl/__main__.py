"""The entry point: nothing but the interruption that may come before all else is loaded."""

from __future__ import annotations

import signal
import sys
import threading
from typing import Final

__all__ = ["main"]


_INTERRUPTIONS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main() -> int:
    """Run the command line and return the process's exit code."""
    try:
        _take_signals()
        from wasmctl.cli.app import run

        code = run(sys.argv[1:])
    except KeyboardInterrupt:
        # The same words as later, when there is more to say them with.
        sys.stderr.write("error: interrupted\n")
        if "--json" in sys.argv[1:]:
            from wasmctl.results import ErrorItem, Result, envelope

            item = ErrorItem(code="interrupted", message="interrupted")
            sys.stdout.write(envelope("", Result(exit_code=130, errors=(item,))) + "\n")
        code = 130
    # All is done and said: an interruption from here on would only add a traceback to it.
    for number in _INTERRUPTIONS:
        signal.signal(number, signal.SIG_IGN)
    return code


def _take_signals() -> None:
    for number in _INTERRUPTIONS[1:]:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup leaves it
            signal.signal(number, _interrupt)
    sys.unraisablehook = _unraisable


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _unraisable(unraisable: sys.UnraisableHookArgs) -> None:
    # Python drops what is raised in a finalizer or a callback: the interruption is sent again.
    if unraisable.exc_type is KeyboardInterrupt:
        # From a thread, a moment later: raised in this hook it would be dropped as well.
        threading.Timer(0.01, signal.raise_signal, (signal.SIGINT,)).start()
    else:
        sys.__unraisablehook__(unraisable)


if __name__ == "__main__":
    sys.exit(main())
