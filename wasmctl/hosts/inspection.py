"""What is inside a module, for people and for programs. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from wasmctl.console import printable, shown_size
from wasmctl.hosts.check import needed_capabilities
from wasmctl.hosts.report import Style, plain
from wasmctl.wasm.info import Limits, ModuleInfo

if TYPE_CHECKING:
    from wasmctl.results import JSONValue
    from wasmctl.wasm.sizes import Share

__all__ = ["Inspection", "inspection_data", "inspection_lines"]

_PAGE: Final = 1 << 16
# How many sections and packages are shown; the rest is summed up.
_SHARES: Final = 12
_BAR: Final = 24
_CALLBACKS: Final = ("proxy_on_", "proxy_validate_")
# One by which hosts ask for memory is called so too.
_ALLOCATOR: Final = "proxy_on_memory_allocate"
_WIDTH: Final = 92


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """A module, and where it lies.

    Args:
        name: what it is called.
        info: what it is made of.
        sections: what each section takes, largest first.
        packages: what the code of each crate or Go package takes, largest first; empty: it has no
            names.
    """

    name: str
    info: ModuleInfo
    sections: tuple[Share, ...] = ()
    packages: tuple[Share, ...] = ()


def inspection_lines(
    inspection: Inspection, *, whole: bool = False, style: Style = plain
) -> Iterator[str]:
    """Yield what is inside, most asked first; with `whole` nothing is summed up."""
    info = inspection.info
    abi = ", ".join(info.abi_versions) or "none: no proxy loads it"
    yield f"{style(printable(inspection.name), 'bold')} ({_bytes(info.size)})"
    facts = {
        "ABI": abi,
        "made by": _made_by(info),
        "memory": _memory(info),
        "callbacks": _listed(_callbacks(info)),
        "host calls": _listed(_host_calls(info)),
        "WASI": _listed(_wasi(info)),
        "other imports": _listed(_others(info)),
        "names": "yes" if info.section("name") else "no: traps will have none",
        "features": _listed(info.features) if whole else "",
    }
    width = max(map(len, facts))
    for label, text in facts.items():
        for number, line in enumerate(_wrapped(text, _WIDTH - width)):
            head = f"{'' if number else label:<{width}}"
            yield f"  {style(head, 'dim')}  {line}"
    yield from _shares("by section", inspection.sections, info.size, whole=whole, style=style)
    code = sum(share.size for share in inspection.packages)
    yield from _shares("code by package", inspection.packages, code, whole=whole, style=style)
    yield style("needed capabilities (of a capability_restriction_config)", "bold")
    yield from (f"  {line}" for line in _wrapped(_listed(needed_capabilities(info)), _WIDTH))


def inspection_data(inspection: Inspection) -> dict[str, JSONValue]:
    """Return what is inside as the envelope tells it."""
    info = inspection.info
    memory = next(iter(_memories(info)), None)
    return {
        "name": inspection.name,
        "size": info.size,
        "abi_versions": list(info.abi_versions),
        "producers": {field: dict(tools) for field, tools in info.producers.items()},
        "features": list(info.features),
        "memory": None
        if memory is None
        else {"pages": memory.minimum, "maximum_pages": memory.maximum},
        "callbacks": list(_callbacks(info)),
        "imports": [
            {"name": str(one), "kind": one.kind.value, "type": str(one.type) if one.type else None}
            for one in info.imports
        ],
        "exports": [{"name": one.name, "kind": one.kind.value} for one in info.exports],
        "has_names": info.section("name") is not None,
        "sections": [{"name": one.name, "size": one.size} for one in inspection.sections],
        "packages": [{"name": one.name, "size": one.size} for one in inspection.packages],
        "capabilities": list(needed_capabilities(info)),
    }


def _made_by(info: ModuleInfo) -> str:
    tools = info.producers.get("processed-by", {})
    # Behind a version stand commits and addresses.
    return ", ".join(
        f"{name} {version.partition(' ')[0]}".strip() for name, version in tools.items()
    )


def _memories(info: ModuleInfo) -> Iterator[Limits]:
    yield from (one.limits for one in info.imports if one.kind == "memory" and one.limits)
    yield from info.memories


def _memory(info: ModuleInfo) -> str:
    told = []
    for limits in _memories(info):
        most = "" if limits.maximum is None else f", at most {_size(limits.maximum)}"
        told.append(f"{limits.minimum} pages ({_size(limits.minimum)}) at the start{most}")
    return "; ".join(told) or "none"


def _size(pages: int) -> str:
    return f"{pages * _PAGE / (1 << 20):.1f} MiB"


def _callbacks(info: ModuleInfo) -> tuple[str, ...]:
    return tuple(
        name
        for name in info.exported_functions
        if name.startswith(_CALLBACKS) and name != _ALLOCATOR
    )


def _host_calls(info: ModuleInfo) -> tuple[str, ...]:
    return tuple(one.name for one in info.imported_functions if one.module == "env")


def _wasi(info: ModuleInfo) -> tuple[str, ...]:
    names = (one.name for one in info.imported_functions if one.module.startswith("wasi_"))
    return tuple(dict.fromkeys(names))


def _others(info: ModuleInfo) -> tuple[str, ...]:
    return tuple(
        str(one)
        for one in info.imports
        if one.module != "env" and not one.module.startswith("wasi_")
    )


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(
        printable(text), max(width, 20), break_long_words=False, break_on_hyphens=False
    )


def _bytes(count: int) -> str:
    return shown_size(count) if count >= 1000 else f"{count} B"


def _listed(names: Sequence[str]) -> str:
    return " ".join(names)


def _shares(
    title: str, shares: Sequence[Share], total: int, *, whole: bool, style: Style
) -> Iterator[str]:
    if not shares:
        return
    yield style(title, "bold")
    shown = list(shares if whole or len(shares) <= _SHARES else shares[: _SHARES - 1])
    width = max(len(printable(share.name)) for share in shown)
    largest = shown[0].size or 1
    for share in shown:
        bar = "█" * max(1, round(_BAR * share.size / largest)) if share.size else ""
        part = f"{100 * share.size / (total or 1):3.0f}%"
        name = printable(share.name)
        yield f"  {name:<{width}}  {_bytes(share.size):>8}  {part}  {style(bar, 'cyan')}"
    rest = shares[len(shown) :]
    if rest:
        size = sum(share.size for share in rest)
        yield f"  {f'{len(rest)} more':<{width}}  {_bytes(size):>8}  (`-v` lists them)"
