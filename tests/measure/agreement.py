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

from tests.integration.proxies import unpacked
from tests.measure.generated import generated
from tests.measure.hosts import RELEASES
from tests.measure.prober import Answer, probing
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
    """A module of which check says something else than Envoy."""

    release: str
    module: str
    predicted: str
    happened: str


async def compare(release: str, modules: Mapping[str, bytes]) -> list[Disagreement]:
    """Load the modules into a release of Envoy; return where check said something else."""
    found = []
    async with probing(unpacked(release)) as prober:
        for name, module in modules.items():
            answer = await prober.ask(module)
            ids, words = predict(release, module)
            if not _agree(answer, ids, words):
                predicted = f"refused: {sorted(ids)} {sorted(words)}" if ids else "loads"
                found.append(Disagreement(release, name, predicted, _in_words(answer)))
    return found


def predict(release: str, module: bytes) -> tuple[set[str], set[str]]:
    """Return the ids of the errors that check finds, and what it says that Envoy will say."""
    try:
        info = read_module(module, "module")
    except Unreadable as error:
        return {error.code}, set()
    findings = check_module(module, info, find_targets([f"envoy-{release}"]))
    errors = [one for one in findings if one.severity is Severity.ERROR]
    return {one.id for one in errors}, {one.words for one in errors}


def _agree(answer: Answer, ids: set[str], words: set[str]) -> bool:
    if answer.died:
        return bool(ids & _ENDS)
    causes = _causes(answer)
    if answer.loaded or any(_OWN.search(line) for line in answer.words if not causes):
        return not ids
    if not ids:
        return False
    # Of bytes that are no module, check itself says why.
    if not words:
        return True
    return bool(causes) and all(
        any(line.startswith(one) for one in words if one) for line in causes
    )


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
    disagreements = []
    for release in wanted:
        found = asyncio.run(compare(release, modules))
        disagreements += found
        print(f"{release}: {len(modules)} modules, {len(found)} disagreements")
    for one in disagreements:
        print(f"{one.release}, {one.module}\n  check: {one.predicted}\n  Envoy: {one.happened}")
    return len(disagreements)


def _parted(arguments: Sequence[str]) -> tuple[Sequence[str], str, Sequence[str]]:
    given = [*arguments, "--"] if "--" not in arguments else [*arguments]
    place = given.index("--")
    return given[:place], "--", given[place + 1 :]


if __name__ == "__main__":
    sys.exit(min(main(sys.argv[1:]), 1))
