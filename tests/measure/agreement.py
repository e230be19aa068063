"""Holds the verdicts of `check` against real Envoys.

    .venv/bin/python -m tests.measure.agreement                     # every release
    .venv/bin/python -m tests.measure.agreement 1.40.0 -- a.wasm …  # these, and these modules too

Prints each disagreement: a module that passes check must load, one with an error must be refused,
and what Envoy says must be what check said it would say.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.measure.generated import generated
from tests.measure.hosts import RELEASES
from tests.measure.prober import Answer, envoy_of, probing
from wasmctl.errors import Unreadable
from wasmctl.hosts.check import check_module
from wasmctl.hosts.finding import Severity
from wasmctl.hosts.host import releases
from wasmctl.hosts.targets import find_targets
from wasmctl.wasm.reader import read_module

__all__ = ["Disagreement", "compare"]

# What names a cause; the rest tells what follows from it.
_CAUSE: Final = re.compile(
    r"due to a missing import|due to an import type mismatch|Bad function signature for"
    r"|Missing or unknown Proxy-Wasm|missing malloc|Failed to load Wasm bytecode"
    r"|Failed to create new Wasm instance|Function: (?!proxy_)\S+ failed: |corrupted Wasm module"
)
# A plug-in that was loaded, and then said no or trapped in a callback: no matter of check's.
_OWN: Final = re.compile(r"Function: proxy_\S+ failed: |Failed to (?:start|configure) base Wasm")
_ALLOCATOR: Final = re.compile(r"signature for: (?:malloc|proxy_on_memory_allocate),")
_ENDS: Final = frozenset(("type-ends-proxy", "start-section-calls-host"))


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A module of which check says something else than Envoy.

    Args:
        release: of Envoy.
        module: what it is.
        predicted: what check says.
        happened: what Envoy said.
        reason: why check cannot know; empty: it should.
    """

    release: str
    module: str
    predicted: str
    happened: str
    reason: str


@dataclass(frozen=True, slots=True)
class _Prediction:
    """What check says: ids and words of the errors, ids of the warnings."""

    errors: set[str]
    words: set[str]
    warnings: set[str]

    def __str__(self) -> str:
        refused = f"refused: {sorted(self.errors)} {sorted(self.words)}"
        return refused if self.errors else f"loads, with {sorted(self.warnings)}"


async def compare(release: str, modules: Mapping[str, bytes]) -> list[Disagreement]:
    """Load the modules into a release of Envoy; return where check said something else."""
    found = []
    async with probing(envoy_of(release)) as prober:
        for name, module in modules.items():
            answer = await prober.ask(module)
            said = _predict(release, module)
            if not _agree(answer, said):
                reason = _reason(answer, said)
                found.append(Disagreement(release, name, str(said), _in_words(answer), reason))
    return found


def _predict(release: str, module: bytes) -> _Prediction:
    try:
        info = read_module(module, "module")
    except Unreadable as error:
        return _Prediction({error.code}, set(), set())
    findings = check_module(module, info, find_targets([f"envoy-{release}"]))
    errors = [one for one in findings if one.severity is Severity.ERROR]
    return _Prediction(
        errors={one.id for one in errors},
        words={one.words for one in errors},
        warnings={one.id for one in findings if one.severity is Severity.WARNING},
    )


def _agree(answer: Answer, said: _Prediction) -> bool:
    if answer.died:
        return bool(said.errors & _ENDS)
    causes = _causes(answer)
    if answer.loaded or any(_OWN.search(line) for line in answer.words if not causes):
        return not said.errors
    if not said.errors:
        return False
    # Of bytes that are no module, check itself says why.
    if not said.words:
        return True
    words = [one for one in said.words if one]
    return bool(causes) and all(any(line.startswith(one) for one in words) for line in causes)


def _reason(answer: Answer, said: _Prediction) -> str:
    """Return why check cannot know what happened, where that is so."""
    restricted = any("restricted_callback" in line for line in answer.words)
    if restricted and not said.errors and "start-may-call-host" in said.warnings:
        return "whether a condition holds is known when it runs: check warns"
    return ""


def _causes(answer: Answer) -> list[str]:
    """Return the lines that name a cause, but for what follows from another one."""
    lines = [line for line in answer.words if _CAUSE.search(line)]
    if any(_ALLOCATOR.search(line) for line in lines):
        lines = [line for line in lines if "missing malloc" not in line]
    silent = "Wasm VM failed Failed to initialize Wasm code"
    return lines or [line for line in answer.words if line == silent]


def _in_words(answer: Answer) -> str:
    if answer.died:
        return "Envoy ended"
    return "loads" if answer.loaded else f"refused: {_causes(answer) or answer.words}"


def main(arguments: Sequence[str]) -> int:
    """Compare for these releases; return how many disagreements there are."""
    before, _, files = _parted(arguments)
    modules = {**generated(), **{path: Path(path).read_bytes() for path in files}}
    wanted = before or [one for one in RELEASES if releases()[one].host]
    unexplained = 0
    for release in wanted:
        found = asyncio.run(compare(release, modules))
        fresh = [one for one in found if not one.reason]
        unexplained += len(fresh)
        print(
            f"{release}: {len(modules)} modules, {len(found)} disagreements, {len(fresh)} of"
            " them without a reason"
        )
        for one in found:
            print(f"  {one.module}: {one.reason or 'no reason known'}")
            print(f"    check: {one.predicted}\n    Envoy: {one.happened}")
    return unexplained


def _parted(arguments: Sequence[str]) -> tuple[Sequence[str], str, Sequence[str]]:
    given = [*arguments, "--"] if "--" not in arguments else [*arguments]
    place = given.index("--")
    return given[:place], "--", given[place + 1 :]


if __name__ == "__main__":
    sys.exit(min(main(sys.argv[1:]), 1))
