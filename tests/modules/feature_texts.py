"""Modules that use one feature of later WebAssembly each, in the text format."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["FEATURES"]

# What a module has to say → the features that it uses, and no others.
FEATURES: Final[Mapping[str, frozenset[str]]] = {
    "(func (param i32) local.get 0 i32.load8_s drop) (memory 1)": frozenset(),
    """(type $t (func)) (table 1 funcref) (elem (i32.const 0) $f)
       (func $f (call_indirect (type $t) (i32.const 0)))""": frozenset(),
    "(func (drop (i32.extend8_s (i32.const 1))))": frozenset({"sign-ext"}),
    """(func (param i64) (result i64 i64) (i64.mul_wide_s (local.get 0) (local.get 0)))
    """: frozenset({"wide-arithmetic", "multivalue"}),
    "(func (drop (i64.trunc_sat_f64_u (f64.const 1))))": frozenset({"nontrapping-fptoint"}),
    """(memory 1)
       (func (memory.fill (i32.const 0) (i32.const 0) (i32.const 9)))""": frozenset(
        {"bulk-memory"}
    ),
    """(memory 1) (data $d "abc")
       (func (memory.init $d (i32.const 0) (i32.const 0) (i32.const 3)) (data.drop $d))
    """: frozenset({"bulk-memory"}),
    "(func $f) (table 3 funcref) (elem func $f $f)": frozenset({"bulk-memory"}),
    "(func (param externref))": frozenset({"reference-types"}),
    "(func (local funcref) (drop (ref.is_null (local.get 0))))": frozenset({"reference-types"}),
    "(table 1 funcref) (table 1 funcref)": frozenset({"reference-types"}),
    "(func (param i32) (drop (select (result i32) (local.get 0) (local.get 0) (local.get 0))))": (
        frozenset({"reference-types"})
    ),
    "(table 1 funcref) (elem (i32.const 0) funcref (ref.null func))": frozenset(
        {"reference-types"}
    ),
    "(func (result i32 i64) (i32.const 1) (i64.const 2))": frozenset({"multivalue"}),
    "(func (param i32) (local.get 0) (block (param i32) (drop)))": frozenset({"multivalue"}),
    """(func (drop (i8x16.shuffle 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15
         (v128.const i32x4 1 2 3 4) (i8x16.splat (i32.const 1)))))""": frozenset({"simd128"}),
    """(memory 1) (func (drop
         (v128.load8_lane offset=300 3 (i32.const 0) (v128.load32_zero (i32.const 1)))))
    """: frozenset({"simd128"}),
    "(func (param v128))": frozenset({"simd128"}),
    "(func (drop (block (result v128) (v128.const i64x2 1 2))))": frozenset({"simd128"}),
    """(func (param v128) (result v128)
         (f32x4.relaxed_madd (local.get 0) (local.get 0) (local.get 0)))
    """: frozenset({"simd128", "relaxed-simd"}),
    """(memory 1) (func (drop (i32.atomic.rmw.add (i32.const 0) (i32.const 1))) (atomic.fence))
    """: frozenset({"atomics"}),
    "(memory 1 2 shared)": frozenset({"atomics"}),
    '(import "env" "memory" (memory 1 2 shared))': frozenset({"atomics"}),
    "(func $f (result i32) (return_call $f))": frozenset({"tail-call"}),
    """(type $t (func)) (table 1 funcref)
       (func (return_call_indirect (type $t) (i32.const 0)))""": frozenset({"tail-call"}),
    """(tag $e (param i32))
       (func try (throw $e (i32.const 1)) catch $e drop catch_all rethrow 0 end)
    """: frozenset({"exception-handling"}),
    """(func (block $b (result exnref) (try_table (catch_all_ref $b)) (return)) (throw_ref))
    """: frozenset({"exnref"}),
    """(global i32 (i32.add (i32.const 1) (i32.const 2)))""": frozenset({"extended-const"}),
    """(memory 1) (data (i32.mul (i32.const 1) (i32.const 2)) "a")""": frozenset(
        {"extended-const"}
    ),
    """(table 9 funcref) (func $f) (elem (i32.sub (i32.const 2) (i32.const 1)) $f)""": frozenset(
        {"extended-const"}
    ),
    "(memory $a 1) (memory $b 1) (func (drop (i32.load $b (i32.const 0))))": frozenset(
        {"multimemory"}
    ),
    "(memory i64 1) (func (drop (i32.load offset=0xfffffffff (i64.const 0))))": frozenset(
        {"memory64"}
    ),
    "(table i64 1 funcref)": frozenset({"memory64"}),
    """(type $t (func)) (elem declare func $f)
       (func $f (call_ref $t (ref.func $f)))""": frozenset(
        {
            "function-references",
            "reference-types",
        }
    ),
    "(type $t (func)) (func (param (ref $t)))": frozenset({"function-references"}),
    """(type $t (func)) (func (param (ref null $t))
         (block $b (br_on_null $b (local.get 0)) (return_call_ref $t)))""": frozenset(
        {
            "function-references",
            "tail-call",
        }
    ),
    "(type (struct (field i8) (field (mut i32))))": frozenset({"gc"}),
    """(rec (type $a (sub (array (mut i16)))) (type $b (sub final $a (array (mut i16)))))
       (func (drop (array.new_fixed $b 2 (i32.const 1) (i32.const 2)))
             (drop (ref.cast (ref $b) (array.new_default $a (i32.const 3)))))""": frozenset({"gc"}),
    """(func (result i32) (i31.get_s (ref.i31 (i32.const 1))))""": frozenset({"gc"}),
    "(global anyref (ref.null any))": frozenset({"gc", "reference-types"}),
    '(import "env" "g" (global (mut i32)))': frozenset({"mutable-globals"}),
    '(global (export "g") (mut i64) (i64.const 0))': frozenset({"mutable-globals"}),
    "(table 1 externref)": frozenset({"reference-types"}),
    "(type $t (func)) (func $f) (table 2 (ref $t) (ref.func $f))": frozenset(
        {
            "function-references",
            "reference-types",
        }
    ),
}
