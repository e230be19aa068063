"""Damaged modules and their reader: any bytes are read or told to be none, and nothing else.

    python -m tests.fuzz.wasm --seconds 900 [--seed N] [MODULE…]

Modules of one's own are damaged along with those that are made here. What wasmtime takes for a
module must be read. A module that finds something is written to the folder `--keep`.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import resource
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import wasmtime

from tests.fuzz.mutations import damaged
from tests.modules.assembler import MARKER, Function, Import, assemble, call, plugin
from tests.modules.feature_texts import FEATURES
from wasmctl.errors import Unreadable
from wasmctl.wasm.code import read_bodies, read_calls
from wasmctl.wasm.features import used_features
from wasmctl.wasm.names import read_names
from wasmctl.wasm.reader import read_module
from wasmctl.wasm.segments import functions_in_tables

__all__ = ["Disagreement", "engine", "look", "seeds", "takes"]


class Disagreement(AssertionError):
    """An engine takes what we call none."""


def seeds() -> list[bytes]:
    """Return the modules that are made here."""
    made = [bytes(wasmtime.wat2wasm(f"(module {text})")) for text in FEATURES]
    log = Import("env", "proxy_log", "i32 i32 i32 -> i32")
    tick = Function("proxy_on_tick", "i32 ->", [call("proxy_log"), call("proxy_on_tick")])
    made += [
        assemble(),
        assemble(functions=[MARKER]),
        plugin(),
        plugin(imports=[log], functions=[tick], names=True, text="hello"),
        plugin(imports=[log, Import("env", "g", "global")], pages=3) + _PRODUCERS + _FEATURES,
        bytes(wasmtime.wat2wasm(_MUCH)),
    ]
    return made


_PRODUCERS = b"\0\x38\x09producers\2\x08language\1\4Rust\x042021\x0cprocessed-by\1\5rustc\x041.95"
_FEATURES = b"\0\x1a\x0ftarget_features\1+\x07simd128"
_MUCH = """(module
  (type $a (func (param i32 i64) (result f32))) (type $b (func))
  (import "env" "f" (func $f (type $a))) (import "env" "t" (table 1 2 externref))
  (import "env" "g" (global i64)) (import "env" "e" (tag (type $b)))
  (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))
  (table $t 4 10 funcref) (memory (export "memory") 1 9)
  (global $h (export "h") (mut f64) (f64.const 1))
  (export "f2" (func $f)) (export "aé" (func $s)) (start $s)
  (elem (i32.const 0) $f $s) (elem funcref (ref.func $s) (ref.null func)) (elem declare func $f)
  (func $s (local i32 i64 i64 f32) (local $x v128)
    (block (block (block (br_table 0 1 2 1 0 (i32.const 3)))))
    (loop (br_if 0 (i32.eqz (i32.const 1))))
    (if (i32.const -5) (then (call $s)) (else (call_indirect $t (type $b) (i32.const 0))))
    (drop (call $f (i32.const 123456789) (i64.const -123456789123)))
    (f64.store offset=70000 (i32.const 8) (f64.const 0.1))
    (drop (select (result f32 ) (f32.const 1) (f32.const 2) (memory.size)))
    (drop (try_table (result i32) (catch_all 0) (i32.const 1))))
  (data (i32.const 8) "abcdef") (data "passive"))"""


def engine() -> wasmtime.Engine:
    """Return an engine that knows all that we read."""
    config = wasmtime.Config()
    config.wasm_threads = True
    config.shared_memory = True
    config.wasm_tail_call = True
    config.wasm_multi_memory = True
    config.wasm_memory64 = True
    config.wasm_relaxed_simd = True
    config.wasm_function_references = True
    config.wasm_gc = True
    config.wasm_exceptions = True
    return wasmtime.Engine(config)


def look(module: bytes, judge: wasmtime.Engine | None) -> str:
    """Read all of a module; return what it was found to be.

    Raises:
        Disagreement: the judge takes it for a module.
        Exception: of any other kind than `Unreadable`: a defect.
    """
    try:
        info = read_module(module, "x")
        read_names(module, info)
        read_bodies(module, info)
        read_calls(module, info)
        used_features(module, info)
        functions_in_tables(module, info)
    except Unreadable as error:
        if judge is not None and takes(judge, module):
            raise Disagreement(error.message) from error
        return error.code
    return "read"


def takes(judge: wasmtime.Engine, module: bytes) -> bool:
    try:
        wasmtime.Module.validate(judge, module)
    except wasmtime.WasmtimeError:
        return False
    return True


def run(seconds: float, seed: int, modules: Sequence[bytes], keep: Path) -> Counter[str]:
    """Damage modules for so long; return how many were found to be what."""
    chance, judge = random.Random(seed), engine()
    outcomes: Counter[str] = Counter()
    slowest = 0.0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        module = damaged(chance, chance.choice(modules), modules)
        started = time.process_time()
        try:
            outcome = look(module, judge)
        except Exception as error:  # noqa: BLE001  # whatever it is, it is what was looked for
            outcome = f"{type(error).__name__}: {error}"[:100]
            keep.mkdir(exist_ok=True)
            (keep / f"{hashlib.sha256(module).hexdigest()[:12]}.wasm").write_bytes(module)
        spent = time.process_time() - started
        if spent > max(slowest, 0.2):
            slowest = spent
            print(f"{spent:.2f} s for {len(module):,} bytes: {outcome}", flush=True)
        outcomes[outcome] += 1
    return outcomes


def main() -> None:
    """Run by hand."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, default=Path("found"))
    parser.add_argument("modules", type=Path, nargs="*")
    given = parser.parse_args()
    modules = [*seeds(), *(path.read_bytes() for path in given.modules)]
    for module in modules:
        assert look(module, None) == "read"
    outcomes = run(given.seconds, given.seed, modules, given.keep)
    print(f"{outcomes.total():,} damaged modules")
    for outcome, number in outcomes.most_common():
        print(f"{number:12,}  {outcome}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"at most {peak / 1024:.0f} MiB of memory")


if __name__ == "__main__":
    main()
