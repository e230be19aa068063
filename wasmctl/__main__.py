"""The entry point: nothing but the interruption that may come before all else is loaded."""

from __future__ import annotations

import sys

from wasmctl.interruptions import ignore_interruptions, take_interruptions

__all__ = ["main"]


def main() -> int:
    """Run the command line and return the process's exit code."""
    try:
        take_interruptions()
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
    ignore_interruptions()
    return code


if __name__ == "__main__":
    sys.exit(main())
