"""What a module is made of: the values that its reader fills. Pure.

https://webassembly.github.io/spec/core/syntax/modules.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

__all__ = [
    "SECTION_NAMES",
    "Export",
    "FunctionType",
    "Import",
    "Kind",
    "Limits",
    "ModuleInfo",
    "Section",
]

# By number; custom sections, which have names of their own, have 0.
SECTION_NAMES: Final[Mapping[int, str]] = {
    1: "type",
    2: "import",
    3: "function",
    4: "table",
    5: "memory",
    6: "global",
    7: "export",
    8: "start",
    9: "element",
    10: "code",
    11: "data",
    12: "data count",
    13: "tag",
}


class Kind(StrEnum):
    """What an import or an export is."""

    FUNCTION = "function"
    TABLE = "table"
    MEMORY = "memory"
    GLOBAL = "global"
    TAG = "tag"


@dataclass(frozen=True, slots=True)
class FunctionType:
    """Parameters and results, as the text format names them (`i32`, `funcref`)."""

    parameters: tuple[str, ...]
    results: tuple[str, ...]

    def __str__(self) -> str:
        """Return it as the host writes types (proxy-wasm-cpp-host, src/v8/v8.cc)."""
        return f"{' '.join(self.parameters) or 'void'} -> {' '.join(self.results) or 'void'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Size of a memory (in pages of 64 KiB) or of a table (in elements).

    Args:
        minimum: what it begins with.
        maximum: what it may grow to; None: as far as the host lets it.
        shared: whether threads share it.
        wide: whether addresses have 64 bits (memory64).
        element: the type of a table's elements.
    """

    minimum: int
    maximum: int | None = None
    shared: bool = False
    wide: bool = False
    element: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """What a module takes from its host.

    Args:
        module: the name before the dot: `env`, `wasi_snapshot_preview1`.
        name: the name behind it.
        kind: what it is.
        type: of a function or tag; None for what is neither.
        limits: of a memory or table.
        value: the type of a global's value: `i32`, or `mut i32` where it may change.
    """

    module: str
    name: str
    kind: Kind
    type: FunctionType | None = None
    limits: Limits | None = None
    value: str = ""

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """What a module gives its host; `index` counts among all of its kind, imports first."""

    name: str
    kind: Kind
    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A section's frame.

    Args:
        id: its number; 0: a custom section.
        name: of a custom section; else the word of `SECTION_NAMES`: `type`, `code` …
        start: where its contents begin in the file (behind the name of a custom section).
        end: where they end.
        frame: where the section itself begins, at its number.
    """

    id: int
    name: str
    start: int
    end: int
    frame: int

    @property
    def size(self) -> int:
        """Bytes in the file, with the frame."""
        return self.end - self.frame


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleInfo:
    """A module, all of it but its code and data.

    Args:
        size: bytes of the file.
        sections: in their order.
        types: by index; None for one that is no function's (a struct or an array).
        imports: in their order.
        exports: in their order.
        functions: the index in `types` of each function that the module itself defines.
        tables: of the module itself.
        memories: of the module itself.
        globals: the type of each global's value (`i32`, `mut i32`), of the module itself.
        constants: the expressions, encoded, that its tables and globals begin with.
        tags: the index in `types` of each tag (of exceptions) of the module itself.
        start: the function that runs when an instance is made, where there is one.
        elements: how many segments fill tables.
        data: how many segments fill memories.
        producers: field (`language`, `processed-by`, `sdk`) → tool → version.
        features: what the compiler says that the code may use: of `target_features`, those with +.
    """

    size: int
    sections: tuple[Section, ...] = ()
    types: tuple[FunctionType | None, ...] = ()
    imports: tuple[Import, ...] = ()
    exports: tuple[Export, ...] = ()
    functions: tuple[int, ...] = ()
    tables: tuple[Limits, ...] = ()
    memories: tuple[Limits, ...] = ()
    globals: tuple[str, ...] = ()
    constants: tuple[bytes, ...] = ()
    tags: tuple[int, ...] = ()
    start: int | None = None
    elements: int = 0
    data: int = 0
    producers: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    features: tuple[str, ...] = ()

    @property
    def imported_functions(self) -> tuple[Import, ...]:
        """The imports that are functions: their places are the first function indices."""
        return tuple(one for one in self.imports if one.kind is Kind.FUNCTION)

    @property
    def function_count(self) -> int:
        """How many functions there are to refer to, imported ones with them."""
        return len(self.imported_functions) + len(self.functions)

    @property
    def exported_functions(self) -> Mapping[str, FunctionType | None]:
        """The type of each exported function, by name."""
        return {
            one.name: self.type_of(one.index) for one in self.exports if one.kind is Kind.FUNCTION
        }

    @property
    def abi_versions(self) -> tuple[str, ...]:
        """Of the Proxy-Wasm markers among the exported functions, in their order: `("0.2.1",)`.

        proxy-wasm-cpp-host, src/bytecode_util.cc, getAbiVersion: the first one counts.
        """
        prefix = "proxy_abi_version_"
        return tuple(
            one.name.removeprefix(prefix).replace("_", ".")
            for one in self.exports
            if one.kind is Kind.FUNCTION and one.name.startswith(prefix)
        )

    @property
    def has_names(self) -> bool:
        """Whether functions have names for backtraces."""
        return self.section("name") is not None

    @property
    def has_dwarf(self) -> bool:
        """Whether there is debugging information of the compiler's."""
        return self.section(".debug_info") is not None

    def type_of(self, function: int) -> FunctionType | None:
        """Return the type of a function by its index, imported ones first; None: none such."""
        imported = self.imported_functions
        if function < len(imported):
            return imported[function].type
        own = function - len(imported)
        index = self.functions[own] if own < len(self.functions) else -1
        return self.types[index] if 0 <= index < len(self.types) else None

    def section(self, name: str) -> Section | None:
        """Return the first section of that name (`code`, `.debug_line`), if there is one.

        A custom section that has a name of `SECTION_NAMES` is not found.
        """
        known = name in SECTION_NAMES.values()
        return next(
            (one for one in self.sections if one.name == name and (one.id != 0) == known), None
        )
