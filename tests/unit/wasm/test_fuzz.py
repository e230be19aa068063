"""Any bytes are read or told to be no module; what an engine takes for one is read.

By hand, for as long as one likes and with modules of one's own: `python -m tests.fuzz.wasm`.
"""

from __future__ import annotations

import random
import time
import tracemalloc
from collections import Counter

import pytest
import wasmtime

from tests.fuzz.mutations import damaged
from tests.fuzz.wasm import engine, look, seeds, takes

MODULES = seeds()


@pytest.fixture(scope="module")
def judge() -> wasmtime.Engine:
    return engine()


@pytest.mark.parametrize("module", MODULES, ids=range(len(MODULES)))
def test_what_is_damaged_is_read(module: bytes) -> None:
    assert look(module, None) == "read"


def test_every_truncation_is_read_or_told(judge: wasmtime.Engine) -> None:
    outcomes = Counter(
        look(module[:length], judge) for module in MODULES for length in range(len(module))
    )
    assert {*outcomes} == {"read", "not-wasm", "malformed-module", "cut-off-module"}
    assert outcomes["cut-off-module"] > outcomes.total() / 2


@pytest.mark.parametrize("seed", range(4))
def test_every_damage_is_read_or_told(judge: wasmtime.Engine, seed: int) -> None:
    chance = random.Random(seed)
    outcomes: Counter[str] = Counter()
    valid = 0
    for _ in range(8000):
        module = damaged(chance, chance.choice(MODULES), MODULES)
        started = time.process_time()
        outcome = look(module, judge)
        assert time.process_time() - started < 2
        outcomes[outcome] += 1
        valid += outcome == "read" and takes(judge, module)
    assert {*outcomes} >= {"read", "not-wasm", "malformed-module", "cut-off-module"}
    # Damages that leave nothing valid would show nothing.
    assert valid > 500


def test_no_damage_takes_memory() -> None:
    chance = random.Random(5)
    tracemalloc.start()
    for _ in range(1500):
        module = damaged(chance, chance.choice(MODULES), MODULES)
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        look(module, None)
        _, peak = tracemalloc.get_traced_memory()
        assert peak - before < 1_000_000 + 200 * len(module)
    tracemalloc.stop()
