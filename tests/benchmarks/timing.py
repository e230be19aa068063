"""Times whole processes against each other, in turn, so that a machine's moods hit both."""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Command", "compare", "show"]


@dataclass(frozen=True, kw_only=True)
class Command:
    """A process to time: its arguments, folder and environment, and what sets the scene before."""

    argv: Sequence[str | Path]
    cwd: Path | None = None
    env: Mapping[str, str] | None = None
    before: Callable[[], None] = field(default=lambda: None)

    def seconds(self) -> float:
        """Run it once and return its wall time; it must succeed."""
        self.before()
        started = time.perf_counter()
        done = subprocess.run(
            [str(part) for part in self.argv],
            cwd=self.cwd,
            env=None if self.env is None else dict(self.env),
            capture_output=True,
            check=False,
        )
        taken = time.perf_counter() - started
        if done.returncode != 0:
            raise RuntimeError(f"{self.argv}: {done.stderr.decode(errors='replace')}")
        return taken


def compare(ours: Command, theirs: Command, *, runs: int = 7) -> tuple[float, float]:
    """Return the median seconds of both after one warm-up each, run in turn."""
    ours.seconds(), theirs.seconds()
    pairs = [(ours.seconds(), theirs.seconds()) for _ in range(runs)]
    return statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs)


def show(title: str, ours: float, theirs: float, *, bound: str) -> None:
    """Print a line: the two medians, their ratio and difference, and what is aimed at."""
    ratio, extra = ours / theirs, ours - theirs
    print(f"{title}: {ours:.3f} s, {theirs:.3f} s, ratio {ratio:.2f}, {extra:+.3f} s ({bound})")
