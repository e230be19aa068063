"""Reads a module: all of it but its code and data, which are passed over. Pure.

Strict where the core specification is (https://webassembly.github.io/spec/core/binary/modules.html),
and bounded where engines are (https://webassembly.github.io/spec/js-api/#limits): any bytes at all
are read, in time and memory that grow with their number at most, or told to be no module.
"""

from __future__ import annotations

import contextlib
import mmap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from wasmctl.errors import Unreadable
from wasmctl.wasm.binary import Cursor, MalformedError, unreadable
from wasmctl.wasm.custom import read_features, read_producers
from wasmctl.wasm.frames import COMPONENT_LAYER, MAGIC, PREAMBLE, read_frames
from wasmctl.wasm.info import Export, FunctionType, Import, Kind, Limits, ModuleInfo, Section
from wasmctl.wasm.types import read_types

__all__ = ["open_module", "read_module"]

_KINDS: Final = (Kind.FUNCTION, Kind.TABLE, Kind.MEMORY, Kind.GLOBAL, Kind.TAG)

_LARGEST_MODULE: Final = 1 << 30
_MOST_IMPORTS: Final = 1_000_000
_MOST_EXPORTS: Final = 1_000_000
# Imported ones with them.
_MOST: Final[Mapping[Kind, int]] = {
    Kind.FUNCTION: 1_000_000,
    Kind.TABLE: 100_000,
    Kind.MEMORY: 100,
    Kind.GLOBAL: 1_000_000,
    Kind.TAG: 1_000_000,
}
_PLURALS: Final[Mapping[Kind, str]] = {kind: f"{kind}s" for kind in Kind} | {
    Kind.MEMORY: "memories"
}
_MOST_ELEMENTS: Final = 10_000_000
_MOST_DATA: Final = 100_000
_MOST_PAGES: Final = 1 << 16
_MOST_WIDE_PAGES: Final = 1 << 48
# Of limits: https://webassembly.github.io/spec/core/binary/types.html#limits
_MAXIMUM, _SHARED, _WIDE = 1, 2, 4
# Of a table: an expression for its elements follows.
_INITIALISED: Final = 0x40


@contextlib.contextmanager
def open_module(path: Path) -> Iterator[mmap.mmap]:
    """Yield a file's bytes without loading them.

    Raises:
        Unreadable: it is empty.
        OSError: it cannot be read.
    """
    with path.open("rb") as stream:
        if stream.seek(0, 2) == 0:
            raise _not_wasm(str(path), "it is empty")
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
            yield data


def read_module(data: bytes | mmap.mmap, name: str) -> ModuleInfo:
    """Read a module's bytes; `name` is what errors call it.

    Raises:
        Unreadable: `not-wasm`: something else; `component`; `cut-off-module`: its end is missing;
            `malformed-module`: no engine would take it. Of the last two the message has the byte.
    """
    _require_preamble(data[: len(PREAMBLE)], name)
    if len(data) > _LARGEST_MODULE:
        raise Unreadable(
            "malformed-module",
            f"`{name}` has {len(data):,} bytes, and engines take {_LARGEST_MODULE:,}",
            hint="build it without debug information, and look for data embedded in it",
        )
    try:
        return _ModuleReader(data).run()
    except MalformedError as error:
        raise unreadable(error, name) from None


def _require_preamble(start: bytes, name: str) -> None:
    if not start.startswith(MAGIC):
        raise _not_wasm(name, "it does not start with the magic `\\0asm`")
    if start[6:] == COMPONENT_LAYER:
        raise Unreadable(
            "component",
            f"`{name}` is a WebAssembly component, and proxies load modules",
            hint="build it for WASI preview 1: `wasip1`",
        )
    if start != PREAMBLE:
        raise _not_wasm(name, "its version is not 1")


def _not_wasm(name: str, why: str) -> Unreadable:
    return Unreadable(
        "not-wasm", f"`{name}` is no WebAssembly module: {why}", hint="build it again"
    )


class _ModuleReader:
    """Reads the sections one after the other; later ones refer to what earlier ones hold."""

    def __init__(self, data: bytes | mmap.mmap) -> None:
        self._data = data
        self._types: tuple[FunctionType | None, ...] = ()
        self._imports: list[Import] = []
        self._exports: list[Export] = []
        # Of each kind, imported ones first: the type of a function, of any other kind only a place.
        self._signatures: list[FunctionType] = []
        self._numbers = dict.fromkeys(Kind, 0)
        self._functions: tuple[int, ...] = ()
        self._tables: list[Limits] = []
        self._memories: list[Limits] = []
        self._globals: list[str] = []
        self._constants: list[bytes] = []
        self._tags: list[int] = []
        self._start: int | None = None
        self._elements = self._bodies = self._segments = 0
        self._announced: int | None = None
        self._producers: Mapping[str, Mapping[str, str]] | None = None
        self._features: tuple[str, ...] | None = None
        self._readers: Mapping[int, Callable[[Cursor], None]] = {
            1: self._read_types,
            2: self._read_imports,
            3: self._read_functions,
            4: self._read_tables,
            5: self._read_memories,
            6: self._read_globals,
            7: self._read_exports,
            8: self._read_start,
            9: self._read_elements,
            10: self._read_code,
            11: self._read_data,
            12: self._read_data_count,
            13: self._read_tags,
        }

    def run(self) -> ModuleInfo:
        sections = []
        for section in read_frames(self._data):
            sections.append(section)
            cursor = Cursor(self._data, section.start, section.end)
            if section.id == 0:
                self._read_custom(section.name, cursor)
            else:
                self._read(section, cursor)
        self._compare()
        return ModuleInfo(
            size=len(self._data),
            sections=tuple(sections),
            types=self._types,
            imports=tuple(self._imports),
            exports=tuple(self._exports),
            functions=self._functions,
            tables=tuple(self._tables),
            memories=tuple(self._memories),
            globals=tuple(self._globals),
            constants=tuple(self._constants),
            tags=tuple(self._tags),
            start=self._start,
            elements=self._elements,
            data=self._segments,
            producers=self._producers or {},
            features=self._features or (),
        )

    def _read(self, section: Section, cursor: Cursor) -> None:
        try:
            self._readers[section.id](cursor)
            cursor.finish()
        except MalformedError as error:
            error.why += f", in the {section.name} section"
            raise

    def _read_custom(self, name: str, cursor: Cursor) -> None:
        if name == "producers" and self._producers is None:
            self._producers = read_producers(cursor)
        elif name == "target_features" and self._features is None:
            self._features = read_features(cursor)

    def _read_types(self, cursor: Cursor) -> None:
        self._types = read_types(cursor)

    def _read_imports(self, cursor: Cursor) -> None:
        for _ in range(cursor.count("imports", _MOST_IMPORTS)):
            module = cursor.name("an import's module")
            name = cursor.name("an import")
            kind = self._read_kind(cursor)
            signature = limits = None
            value = ""
            match kind:
                case Kind.FUNCTION:
                    signature = self._signature(cursor)
                    self._signatures.append(signature)
                case Kind.TABLE:
                    limits = _read_table(cursor, len(self._types))
                case Kind.MEMORY:
                    limits = _memory_limits(cursor)
                case Kind.GLOBAL:
                    value = self._global_type(cursor)
                case Kind.TAG:
                    signature = self._types[self._tag(cursor)]
            self._numbers[kind] += 1
            if self._numbers[kind] > _MOST[kind]:
                self._refuse_number(cursor.position, kind)
            self._imports.append(
                Import(
                    module=module,
                    name=name,
                    kind=kind,
                    type=signature,
                    limits=limits,
                    value=value,
                )
            )

    def _read_functions(self, cursor: Cursor) -> None:
        start = cursor.position
        count = self._count(cursor, Kind.FUNCTION)
        self._functions = cursor.indices(count, "type", len(self._types))
        for index in self._functions:
            signature = self._types[index]
            if signature is None:
                raise MalformedError(start, f"type {index} is no function's, and a function has it")
            self._signatures.append(signature)

    def _read_tables(self, cursor: Cursor) -> None:
        for _ in range(self._count(cursor, Kind.TABLE)):
            start = cursor.position
            initialised = cursor.byte() == _INITIALISED
            if initialised:
                cursor.zero("what a table begins with")
            else:
                cursor.position = start
            self._tables.append(_read_table(cursor, len(self._types)))
            if initialised:
                self._constants.append(cursor.constant())

    def _read_memories(self, cursor: Cursor) -> None:
        count = self._count(cursor, Kind.MEMORY)
        self._memories = [_memory_limits(cursor) for _ in range(count)]

    def _read_globals(self, cursor: Cursor) -> None:
        for _ in range(self._count(cursor, Kind.GLOBAL)):
            self._globals.append(self._global_type(cursor))
            self._constants.append(cursor.constant())

    def _read_tags(self, cursor: Cursor) -> None:
        count = self._count(cursor, Kind.TAG)
        self._tags = [self._tag(cursor) for _ in range(count)]

    def _read_exports(self, cursor: Cursor) -> None:
        names = set()
        for _ in range(cursor.count("exports", _MOST_EXPORTS)):
            start = cursor.position
            name = cursor.name("an export")
            if name in names:
                raise MalformedError(start, f"`{name[:60]}` is exported twice")
            names.add(name)
            kind = self._read_kind(cursor)
            index = cursor.index(kind, self._numbers[kind])
            self._exports.append(Export(name=name, kind=kind, index=index))

    def _read_start(self, cursor: Cursor) -> None:
        start = cursor.position
        self._start = cursor.index(Kind.FUNCTION, self._numbers[Kind.FUNCTION])
        if (signature := self._signatures[self._start]) != FunctionType((), ()):
            raise MalformedError(
                start, f"the start function takes and gives nothing, and this one is {signature}"
            )

    def _read_elements(self, cursor: Cursor) -> None:
        self._elements = cursor.count("segments", _MOST_ELEMENTS)
        _pass_entries(cursor, self._elements)

    def _read_data_count(self, cursor: Cursor) -> None:
        self._announced = cursor.u32()

    def _read_code(self, cursor: Cursor) -> None:
        start = cursor.position
        self._bodies = cursor.count("functions", _MOST[Kind.FUNCTION])
        if self._bodies != len(self._functions):
            raise MalformedError(
                start, f"it has {self._bodies:,} of {len(self._functions):,} functions"
            )
        _pass_entries(cursor, self._bodies)

    def _read_data(self, cursor: Cursor) -> None:
        start = cursor.position
        self._segments = cursor.count("segments", _MOST_DATA)
        if self._announced is not None and self._segments != self._announced:
            raise MalformedError(
                start, f"it has {self._segments:,} of {self._announced:,} segments"
            )
        _pass_entries(cursor, self._segments)

    def _compare(self) -> None:
        """Require what is announced in one section and missing with the whole of another."""
        end = len(self._data)
        if self._bodies != len(self._functions):
            raise MalformedError(end, "the code of the functions is missing")
        if self._announced is not None and self._announced != self._segments:
            raise MalformedError(
                end, f"no data follows, and {self._announced:,} segments are announced"
            )

    def _count(self, cursor: Cursor, kind: Kind) -> int:
        """Read how many of a kind the module itself defines."""
        start = cursor.position
        count = cursor.count(_PLURALS[kind], _MOST[kind])
        self._numbers[kind] += count
        if self._numbers[kind] > _MOST[kind]:
            self._refuse_number(start, kind)
        return count

    def _refuse_number(self, offset: int, kind: Kind) -> None:
        number, plural = self._numbers[kind], _PLURALS[kind]
        raise MalformedError(
            offset, f"there are {number:,} {plural}, and engines take {_MOST[kind]:,}"
        )

    def _read_kind(self, cursor: Cursor) -> Kind:
        start = cursor.position
        code = cursor.byte()
        if code >= len(_KINDS):
            raise MalformedError(start, f"`{code:#04x}` is no kind of an import or export")
        return _KINDS[code]

    def _signature(self, cursor: Cursor) -> FunctionType:
        start = cursor.position
        index = cursor.index("type", len(self._types))
        if (signature := self._types[index]) is None:
            raise MalformedError(start, f"type {index} is no function's")
        return signature

    def _tag(self, cursor: Cursor) -> int:
        cursor.zero("a tag's attribute")
        start = cursor.position
        index = cursor.index("type", len(self._types))
        if (signature := self._types[index]) is None:
            raise MalformedError(start, f"type {index} is no function's")
        if signature.results:
            raise MalformedError(start, f"a tag has no results, and type {index} is {signature}")
        return index

    def _global_type(self, cursor: Cursor) -> str:
        value = cursor.value_type(len(self._types))
        return f"mut {value}" if cursor.flag("whether a global may change") else value


def _pass_entries(cursor: Cursor, count: int) -> None:
    """Pass over what is read only when it is asked for, but not over what can be none."""
    if count:
        cursor.position = cursor.end


def _read_table(cursor: Cursor, types: int) -> Limits:
    element = cursor.reference_type(types)
    start = cursor.position
    flags = cursor.byte()
    if flags not in {0, _MAXIMUM, _WIDE, _WIDE | _MAXIMUM}:
        raise MalformedError(start, f"`{flags:#04x}` is no form of a table's limits")
    return replace(_limits(cursor, flags), element=element)


def _memory_limits(cursor: Cursor) -> Limits:
    start = cursor.position
    flags = cursor.byte()
    if flags > _MAXIMUM | _SHARED | _WIDE:
        raise MalformedError(start, f"`{flags:#04x}` is no form of a memory's limits")
    limits = _limits(cursor, flags)
    most = _MOST_WIDE_PAGES if limits.wide else _MOST_PAGES
    if max(limits.minimum, limits.maximum or 0) > most:
        raise MalformedError(start, f"a memory has at most {most:,} pages of 64 KiB")
    if limits.shared and limits.maximum is None:
        raise MalformedError(start, "a shared memory needs a maximum")
    return limits


def _limits(cursor: Cursor, flags: int) -> Limits:
    start = cursor.position
    # As of version 3.0 of the specification of 64 bits, whatever addresses have.
    minimum, maximum = cursor.u64(), None
    if flags & _MAXIMUM:
        maximum = cursor.u64()
        if maximum < minimum:
            raise MalformedError(
                start, f"the minimum, {minimum:,}, is above the maximum, {maximum:,}"
            )
    return Limits(
        minimum=minimum,
        maximum=maximum,
        shared=bool(flags & _SHARED),
        wide=bool(flags & _WIDE),
    )
