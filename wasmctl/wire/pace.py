"""The two short waits that keep what was declared apart from becoming one."""

from __future__ import annotations

from typing import Final

__all__ = ["BEFORE_RESET", "BETWEEN_PIECES"]

# Seconds between the pieces of a body: without them the peer reads several pieces as one.
BETWEEN_PIECES: Final = 0.001
# Seconds between the last bytes and a reset: a peer that sees both at once may drop the bytes.
BEFORE_RESET: Final = 0.01
