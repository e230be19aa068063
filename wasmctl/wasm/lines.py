"""Where a place in a module stands in its sources, told by the DWARF sections of it or of its twin.

Rust and TinyGo write DWARF, Go's own toolchain does not (go_table.py). Addresses in it count from
the start of the code section's contents (https://yurydelendik.github.io/webassembly-dwarf/). Only
the compile unit that has the address is read, and nothing at all before the first question. Pure.
"""

from __future__ import annotations

import mmap
import posixpath
import re
from bisect import bisect_right
from collections.abc import Iterator
from functools import cached_property
from io import BytesIO
from operator import itemgetter
from typing import TYPE_CHECKING, Final, cast

from wasmctl.wasm.chain import Link, Step
from wasmctl.wasm.demangle import demangle
from wasmctl.wasm.info import ModuleInfo
from wasmctl.wasm.packages import (
    go_package_of,
    package_of,
    package_of_path,
    short_path,
    version_of_path,
)

if TYPE_CHECKING:
    from elftools.dwarf.compileunit import CompileUnit
    from elftools.dwarf.die import DIE
    from elftools.dwarf.dwarfinfo import DWARFInfo
    from elftools.dwarf.ranges import RangeLists, RangeListsPair

__all__ = ["Lines"]

# Of a compile unit beyond that only lines are read: its functions would take seconds.
_LARGEST_UNIT: Final = 6 << 20
_SECTIONS: Final = (
    "debug_info",
    "debug_aranges",
    "debug_abbrev",
    "debug_frame",
    "eh_frame",
    "debug_str",
    "debug_loc",
    "debug_ranges",
    "debug_line",
    "debug_pubtypes",
    "debug_pubnames",
    "debug_addr",
    "debug_str_offsets",
    "debug_line_str",
    "debug_loclists",
    "debug_rnglists",
    "debug_sup",
    "gnu_debugaltlink",
    "debug_types",
)
_RUST_MODULE: Final = re.compile(r"/src/(?P<path>[\w/]+)\.rs\Z")
_FUNCTIONS: Final = frozenset(("DW_TAG_subprogram", "DW_TAG_inlined_subroutine"))
_ORIGINS: Final = ("DW_AT_abstract_origin", "DW_AT_specification")
_LONGEST_ORIGIN: Final = 4
# What else the library does with what is damaged: it trusts its input.
_DAMAGES: Final = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    OSError,
    RecursionError,
    TypeError,
    ValueError,
)
_PASSED: Final = frozenset(("DW_TAG_namespace", "DW_TAG_lexical_block", "DW_TAG_structure_type"))


class Lines:
    """The DWARF of one module."""

    def __init__(self, data: bytes | mmap.mmap, info: ModuleInfo) -> None:
        self._data = data
        self._info = info
        self._ranges: dict[int, list[tuple[int, int]]] = {}
        self._programs: dict[int, _Program] = {}

    @property
    def present(self) -> bool:
        """Whether the module has lines at all."""
        return self._info.section(".debug_line") is not None

    def frames(self, address: int) -> tuple[Step, ...]:
        """Return the functions at an address, the outermost first; empty where nothing is known.

        Each has the place where it calls the next one, the last the place of the address; but the
        first is INLINED in the one before. A package is named as far as name and file tell it.

        Args:
            address: counted from the start of the code section's contents.
        """
        if self._dwarf is None:
            return ()
        from elftools.common.exceptions import DWARFError, ELFError
        from elftools.construct import ConstructError

        try:
            return tuple(self._frames(address))
        except (DWARFError, ELFError, ConstructError, *_DAMAGES):
            return ()  # damaged, or of a form that is not known

    def _frames(self, address: int) -> Iterator[Step]:
        unit = next((one for one in self._units if self._covers(one.get_top_DIE(), address)), None)
        if unit is None:
            return
        program = self._program(unit)
        position = program.find(address)
        if position is None:
            return
        functions = [*self._functions(unit, address)]
        calls = [
            (die.attributes["DW_AT_call_file"].value, die.attributes["DW_AT_call_line"].value)
            for die in functions[1:]
        ]
        names = [_name(die) for die in functions] or [("", "")]
        link = Link.CALL
        for (raw, name), (file, line) in zip(names, [*calls, position], strict=True):
            if not name.startswith("(Go interface method)"):  # TinyGo's choice among types
                yield _step(raw, name, program.path(file), line, link)
            link = Link.INLINED

    def _functions(self, unit: CompileUnit, address: int) -> Iterator[DIE]:
        """Yield the function at an address, and those put into it there, the outermost first."""
        if unit["unit_length"] > _LARGEST_UNIT:
            return
        die: DIE | None = unit.get_top_DIE()
        while die is not None:
            die = next((one for one in _below(die) if self._covers(one, address)), None)
            if die is not None:
                yield die

    def _covers(self, die: DIE, address: int) -> bool:
        if (ranges := self._ranges.get(die.offset)) is None:
            ranges = self._ranges[die.offset] = [*self._read_ranges(die)]
        return any(start <= address < end for start, end in ranges)

    def _read_ranges(self, die: DIE) -> Iterator[tuple[int, int]]:
        """Yield where a unit or a function lies. What the linker dropped lies at 0."""
        attributes = die.attributes
        base = attributes["DW_AT_low_pc"].value if "DW_AT_low_pc" in attributes else 0
        if "DW_AT_ranges" in attributes and self._range_lists is not None:
            yield from self._read_listed(die, attributes["DW_AT_ranges"].value)
        elif base and (high := attributes.get("DW_AT_high_pc")) is not None:
            yield base, high.value if high.form == "DW_FORM_addr" else base + high.value

    def _read_listed(self, die: DIE, offset: int) -> Iterator[tuple[int, int]]:
        from elftools.dwarf.ranges import BaseAddressEntry

        unit = cast("CompileUnit", die.cu)
        top = unit.get_top_DIE().attributes.get("DW_AT_low_pc")
        base = 0 if top is None else top.value
        for entry in cast("RangeLists", self._range_lists).get_range_list_at_offset(offset, unit):
            if isinstance(entry, BaseAddressEntry):
                base = entry.base_address
            elif start := entry.begin_offset + (0 if entry.is_absolute else base):
                yield start, start + entry.end_offset - entry.begin_offset

    def _program(self, unit: CompileUnit) -> _Program:
        if (program := self._programs.get(unit.cu_offset)) is None:
            program = self._programs[unit.cu_offset] = _Program(unit)
        return program

    @cached_property
    def _units(self) -> list[CompileUnit]:
        return [] if self._dwarf is None else [*self._dwarf.iter_CUs()]

    @cached_property
    def _range_lists(self) -> RangeLists | RangeListsPair | None:
        return None if self._dwarf is None else self._dwarf.range_lists()

    @cached_property
    def _dwarf(self) -> DWARFInfo | None:
        if not self.present:
            return None
        from elftools.dwarf.dwarfinfo import DebugSectionDescriptor, DwarfConfig, DWARFInfo

        def read(name: str) -> DebugSectionDescriptor | None:
            section = self._info.section(name)
            if section is None:
                return None
            contents = self._data[section.start : section.end]
            return DebugSectionDescriptor(BytesIO(contents), name, None, len(contents), 0)

        arguments = {f"{name}_sec": read(f".{name}") for name in _SECTIONS}
        config = DwarfConfig(little_endian=True, machine_arch="wasm", default_address_size=4)
        return DWARFInfo(config=config, **arguments)


class _Program:
    """Lines of one compile unit: its line program, run once."""

    def __init__(self, unit: CompileUnit) -> None:
        program = unit.dwarfinfo.line_program_for_CU(unit)
        self._unit = unit
        self._header = None if program is None else program.header
        # Where a sequence ends another may begin: its row, which has a line, is to be the last.
        self._rows: list[tuple[int, bool, int, int]] = sorted(
            (state.address, not state.end_sequence, state.file, state.line)
            for entry in ([] if program is None else program.get_entries())
            if (state := entry.state) is not None and state.address
        )

    def find(self, address: int) -> tuple[int, int] | None:
        """Return the number of the file and the line; None where it has no line."""
        at = bisect_right(self._rows, address, key=itemgetter(0)) - 1
        # Line 0 is of what stands for nothing in the source: the line before tells more.
        while at >= 0 and self._rows[at][1] and self._rows[at][3] == 0:
            at -= 1
        if at < 0 or not self._rows[at][1]:
            return None
        return self._rows[at][2:]

    def path(self, file: int) -> str:
        """Return a file's path by its number, which counts from 1 before DWARF 5."""
        if self._header is None:
            return ""
        new = self._header["version"] >= 5
        entry = self._header["file_entry"][file if new else file - 1]
        folders = self._header["include_directory"]
        folder: bytes = b""
        if new or entry.dir_index:
            folder = folders[entry.dir_index if new else entry.dir_index - 1]
        name: bytes = entry.name
        path = posixpath.join(folder.decode("utf-8", "replace"), name.decode("utf-8", "replace"))
        # The folder of the compilation tells which dependency it is; the author's own needs none.
        whole = posixpath.join(_text(self._unit.get_top_DIE(), "DW_AT_comp_dir"), path)
        return whole if version_of_path(whole) else path


def _below(die: DIE) -> Iterator[DIE]:
    """Yield the functions directly in another, or in a compile unit."""
    for child in die.iter_children():
        if child.tag in _FUNCTIONS:
            yield child
        elif child.tag in _PASSED:
            yield from _below(child)


def _name(die: DIE) -> tuple[str, str]:
    """Return a function's symbol and its bare name, either of which may be empty."""
    raw = name = ""
    seen = 0
    while seen < _LONGEST_ORIGIN:
        raw = raw or _text(die, "DW_AT_linkage_name")
        name = name or _text(die, "DW_AT_name")
        origin = next((one for one in _ORIGINS if one in die.attributes), None)
        if origin is None:
            break
        die = die.get_DIE_from_attribute(origin)
        seen += 1
    return raw, name


def _text(die: DIE, attribute: str) -> str:
    found = die.attributes.get(attribute)
    return found.value.decode("utf-8", "replace") if found is not None else ""


def _step(raw: str, name: str, path: str, line: int, link: Link) -> Step:
    package = package_of(raw, demangle(raw)) if raw else ""
    package = package or package_of_path(path) or go_package_of(name)
    return Step(
        function=demangle(raw) or _qualified(package, name, path),
        package=package,
        place=f"{short_path(path)}:{line}",
        link=link,
        version=version_of_path(path),
    )


def _qualified(package: str, name: str, path: str) -> str:
    """Return a name of Rust's, of which little debugging information has the last part only."""
    found = _RUST_MODULE.search(path)
    if not package or found is None or name.startswith("_"):
        return name
    modules = [part for part in found["path"].split("/") if part not in {"lib", "main", "mod"}]
    return "::".join([package, *modules, name])
