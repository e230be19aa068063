"""What became of a case: the values that a run of cases hands back.

Frozen values only; how they are run, and how they are shown, is elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from wasmctl.hosts.explanations import Explanation

__all__ = ["CaseOutcome", "CaseResult", "Difference", "Unshown"]

# passed     all that was expected came to pass
# failed     something else came to pass: the plug-in (or the case) is wrong
# refused    Envoy does not load the module, or not with this configuration, though it should
# not-run    the run was over before its turn
# not-shown  nothing of what is expected shows where the case was to run
# proxy      no answer about the plug-in: Envoy, or the gateway, could not be had, or was lost
CaseOutcome = Literal["passed", "failed", "refused", "not-run", "not-shown", "proxy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One expectation that was not met.

    Args:
        where: what it is about, as the case file spells it: `response.status`.
        expected: what the case file declares, for people.
        got: what came instead, for people.
        line: of the step that expects it, where the case has several.
    """

    where: str
    expected: str
    got: str
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Unshown:
    """What a case is about, and does not show where it was run.

    Args:
        what: as the case file spells it: `log`.
        why: in a line.
    """

    what: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseResult:
    """What became of one case, in one Envoy or at one URL.

    Args:
        file: the case file.
        line: where in it the case begins, from 1.
        name: the case's.
        envoy: the release it ran in: `1.40.0`; empty at a URL.
        url: that of the gateway before what is deployed; empty in an Envoy of ours.
        outcome: how it ended.
        seconds: how long it took.
        differences: what was not as expected; empty where it passed.
        log: what the plug-in logged meanwhile, a line each: `info: denied`.
        proxy_log: Envoy's own last lines, where they tell more than the above.
        explanation: what Envoy's words mean, where they are known.
        message: what happened in one line, where no difference says it: why the module was
            refused, why the proxy was lost.
        curl: the command that sends the case's request (of several: the one that differed first)
            to a served plug-in; None where it has none.
        serve: the command that serves the plug-in as the case configures it; empty at a URL.
        not_shown: what was not looked at, and why.
        run_folder: where Envoy's configuration and log are kept.
    """

    file: Path
    line: int
    name: str
    envoy: str = ""
    url: str = ""
    outcome: CaseOutcome
    seconds: float = 0.0
    differences: tuple[Difference, ...] = ()
    log: tuple[str, ...] = ()
    proxy_log: tuple[str, ...] = ()
    explanation: Explanation | None = None
    message: str | None = None
    curl: str | None = None
    serve: str = "wasmctl run"
    not_shown: tuple[Unshown, ...] = ()
    run_folder: Path | None = None

    @property
    def venue(self) -> str:
        """Where it ran, for people."""
        return self.url or f"Envoy {self.envoy}"
