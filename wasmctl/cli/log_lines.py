"""How a line that a plug-in logged is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wasmctl.console import printable

if TYPE_CHECKING:
    from wasmctl.console import Console

__all__ = ["shown_line"]

_STYLES: Final = {
    "trace": ("dim",),
    "debug": ("dim",),
    "info": ("green",),
    "warn": ("yellow",),
    "error": ("red",),
    "critical": ("red", "bold"),
}


def shown_line(
    console: Console, *, moment: str, level: str, text: str, whose: str = "", dim: bool = False
) -> str:
    """Return a line of a log for stdout: when, how serious, what; it may become several.

    Args:
        console: what it is for.
        moment: when it was said.
        level: trace, debug, info, warn, error or critical; empty where it is not known.
        text: what was said.
        whose: what stands before it.
        dim: whether it is an aside.
    """
    style = console.style_result
    shown_level = style(f"{level:5}", *_STYLES[level]) if level else f"{level:5}"
    # Lines of one message stand below each other.
    shown = printable(text).replace("\n", "\n" + " " * (len(moment) + 7))
    shown = style(whose + shown, "dim") if dim else style(whose, "dim") + shown if whose else shown
    return f"{style(moment, 'dim')} {shown_level} {shown}".lstrip(" ")
