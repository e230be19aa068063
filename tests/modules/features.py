"""One small module for each feature of WebAssembly that a plug-in may use.

The names are those of the `target_features` section, where it has one.
https://github.com/WebAssembly/tool-conventions/blob/main/Linking.md#target-features-section
https://github.com/WebAssembly/proposals
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tests.modules.assembler import DROP, Function, number
from tests.modules.binary import (
    Export,
    Import,
    Kind,
    custom,
    function_type,
    limits,
    plain,
    vector,
)

__all__ = ["ENDING", "FEATURES"]

_V128 = b"\xfd\x0c" + bytes(16)
_MEMORY = Export("memory", Kind.MEMORY, 0)


def _code(*body: bytes, signature: str = "->", **parts: object) -> bytes:
    """Write a plug-in with a function that nobody calls."""
    return plain(hidden=[Function("own", signature, body)], **parts)  # type: ignore[arg-type]


def _chained() -> bytes:
    # A return_call of itself: the marker and the allocator come first.
    tail = Function("tail", "->", [b"\x12\x02"])
    return plain(hidden=[tail])


FEATURES: Final[Mapping[str, bytes]] = {
    "mutable-globals": plain(
        globals_=[b"\x7f\x01\x41\0\x0b"], exports=[_MEMORY, Export("g", Kind.GLOBAL, 0)]
    ),
    "sign-ext": _code(number(0), b"\xc0", DROP),
    "nontrapping-fptoint": _code(b"\x43" + bytes(4), b"\xfc\0", DROP),
    "multivalue": _code(number(0), number(0), signature="-> i32 i32"),
    "bulk-memory": _code(number(0), number(0), number(0), b"\xfc\x0a\0\0"),
    "bulk-memory: passive data": _code(
        *(number(0), number(0), number(0), b"\xfc\x08\0\0"), data=[b"\x01\x01x"], counts_data=True
    ),
    "reference-types": _code(b"\xd0\x6f", DROP),
    "reference-types: tables": plain(tables=[b"\x70" + limits(1), b"\x6f" + limits(1)]),
    "call-indirect-overlong": _code(
        *(number(0), b"\x11\x01\x80\x80\x80\x80\0"),
        tables=[b"\x70" + limits(1)],
        types=[
            function_type("i32 ->"),
            function_type("->"),
        ],
    ),
    "simd128": _code(_V128, DROP),
    "relaxed-simd": _code(_V128, _V128, b"\xfd\x80\x02", DROP),
    "atomics": _code(number(0), b"\xfe\x10\x02\0", DROP),
    "atomics: fence": _code(b"\xfe\x03\0"),
    "atomics: shared memory": plain(memories=[limits(1, 2, flags=2)]),
    "exception-handling": _code(b"\x06\x40\x19\x0b", tags=["->"]),
    "exnref": _code(b"\x1f\x40\0\x0b", tags=["->"]),
    "tail-call": _chained(),
    "extended-const": plain(globals_=[b"\x7f\0\x41\x01\x41\x01\x6a\x0b"]),
    "function-references": _code(b"\xd0\0", b"\x14\0", types=[function_type("->")]),
    "gc": _code(b"\xfb\x01\0", DROP, types=[b"\x5f\x01\x7f\0"]),
    "gc: i31": _code(number(0), b"\xfb\x1c", DROP),
    "gc: recursive types": plain(types=[b"\x4e" + vector([b"\x5f\0", b"\x5f\0"])], grouped=1),
    "multimemory": plain(memories=[limits(1), limits(1)]),
    "memory64": plain(memories=[limits(1, flags=4)]),
    "memory64: table": plain(tables=[b"\x70" + limits(1, flags=4)]),
    "custom-page-sizes": plain(memories=[limits(1, flags=8) + b"\0"]),
    "custom-descriptors": plain(
        types=[b"\x4e" + vector([b"\x4d\x01\x5f\0", b"\x4c\0\x5f\0"])], grouped=1
    ),
    "stack-switching": plain(types=[function_type("->"), b"\x5d\0"]),
    "stringref": plain(globals_=[b"\x67\0\xd0\x67\x0b"]),
    "fp16": _code(b"\x43" + bytes(4), b"\xfd\xa0\x02", DROP),
    "wide-arithmetic": _code(*[b"\x42\0"] * 4, b"\xfc\x13", DROP, DROP),
    "shared-everything": plain(globals_=[b"\x7f\x02\x41\0\x0b"]),
    "branch-hinting": plain(last=[custom("metadata.code.branch_hint", b"\0")]),
}

# What nobody refuses, and ends Envoy: V8's C API knows no other types than the four numbers,
# funcref and externref in what a module exports and imports (v8, src/wasm/c-api.cc,
# V8ValueTypeToWasm).
ENDING: Final[Mapping[str, bytes]] = {
    **{
        f"{kind} of {type_}": module
        for type_ in ("v128", "anyref", "eqref", "exnref", "(ref func)", "externref", "funcref")
        for kind, module in (
            ("a parameter", plain(functions=[Function("own", f"{type_} ->", [])])),
            ("an import's parameter", plain(imports=[Import("env", "none", f"{type_} ->")])),
        )
    },
    "a reference to a type": plain(
        types=[function_type("->")], functions=[Function("own", "(ref null 0) ->")]
    ),
    "an exported tag": plain(tags=["i32 ->"], exports=[_MEMORY, Export("t", Kind.TAG, 0)]),
    "an imported tag": plain(imports=[Import("env", "t", b"\0\0", Kind.TAG)]),
    "a v128 global": plain(
        globals_=[b"\x7b\0" + _V128 + b"\x0b"], exports=[_MEMORY, Export("g", Kind.GLOBAL, 0)]
    ),
    "a table of anyref": plain(
        tables=[b"\x6e" + limits(1)], exports=[_MEMORY, Export("t", Kind.TABLE, 0)]
    ),
    "a hidden v128": plain(hidden=[Function("own", "v128 ->")]),
    "an imported table of anyref": plain(
        imports=[Import("env", "t", b"\x6e" + limits(1), Kind.TABLE)]
    ),
    "an exported shared memory": plain(memories=[limits(1, 2, flags=2)]),
    "an imported shared memory": plain(
        imports=[Import("env", "m", limits(1, 2, flags=2), Kind.MEMORY)], memories=[]
    ),
    "an imported wide memory": plain(
        imports=[Import("env", "m", limits(1, flags=4), Kind.MEMORY)], memories=[]
    ),
    "an imported v128 global": plain(imports=[Import("env", "g", b"\x7b\0", Kind.GLOBAL)]),
}
