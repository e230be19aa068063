"""dist/plugin.json: what is known of dist/plugin.wasm, kept beside it.

    {"schema": "wasmctl-record/1",
     "module": {"sha256", "size", "toolchain", "target", "tools": {name: version}},
     "inputs": …what the toolchain wants to remember to know whether it is fresh…,
     "images": [{"reference", "digest", "module_sha256", "format"}], latest last,
     "tests": [{"module_sha256", "cases", "envoy", "asked", "passed", "failed"}], latest last}

`tests` tells of one module alone, the last that was tested; `cases` is the digest of what was asked
of it, `asked` how the release of Envoy was asked for (null: the one at hand).

Each stage owns its own keys and leaves the others alone, also when several write at once: the lock
for that is the folder's own, as a build may hold `dist/.lock` meanwhile.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from wasmctl.locks import locked
from wasmctl.paths import replacing
from wasmctl.results import JSONValue

__all__ = [
    "RECORD_NAME",
    "ensure_dist",
    "note_image",
    "note_test",
    "read_record",
    "untested",
    "write_record",
]

RECORD_NAME: Final = "plugin.json"
_SCHEMA: Final = "wasmctl-record/1"
# Releases of Envoy that a module is remembered to have been tested with; more is no matrix.
_TESTS: Final = 50


def ensure_dist(dist: Path) -> None:
    """Make the folder of build results, ignored by git by a file of its own.

    Raises:
        OSError: it cannot be made.
    """
    dist.mkdir(exist_ok=True)
    ignore = dist / ".gitignore"
    if not ignore.exists():
        with replacing(ignore) as stream:
            stream.write(b"*\n")


def read_record(dist: Path) -> dict[str, JSONValue]:
    """Return the record; empty where there is none or it is not ours to understand."""
    try:
        document = json.loads((dist / RECORD_NAME).read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(document, dict) or document.get("schema") != _SCHEMA:
        return {}
    return document


def write_record(dist: Path, changes: Mapping[str, JSONValue]) -> None:
    """Set the given top-level keys of the record, whole or not at all.

    Raises:
        OSError: it cannot be written; the old one stands.
    """
    with locked(dist):
        _write(dist, {**read_record(dist), **changes})


def note_image(dist: Path, note: Mapping[str, JSONValue]) -> None:
    """Make `note` the latest of the record's images; the same one of old gives way.

    Raises:
        OSError: it cannot be written; the old one stands.
    """
    with locked(dist):
        record = read_record(dist)
        images = record.get("images")
        others = [item for item in images if item != note] if isinstance(images, list) else []
        _write(dist, {**record, "images": [*others, note]})


def note_test(dist: Path, note: Mapping[str, JSONValue]) -> None:
    """Make `note` the latest of the record's tests, in place of any of the same release.

    What was noted of another module is dropped.

    Raises:
        OSError: it cannot be written; the old one stands.
    """
    with locked(dist):
        record = read_record(dist)
        others = [
            test
            for test in _tests(record, str(note["module_sha256"]))
            if test.get("envoy") != note["envoy"]
        ]
        _write(dist, {**record, "tests": [*others, note][-_TESTS:]})


def untested(
    record: Mapping[str, JSONValue], *, module_sha256: str, cases: str, wanted: Sequence[str]
) -> tuple[str, ...] | None:
    """Return what a module lacks to count as tested; None where it lacks nothing.

    Args:
        record: what `read_record` returned.
        module_sha256: the module's.
        cases: the digest of the cases as they are now.
        wanted: releases of Envoy that it has to have passed in, as `[test] envoy` spells them;
            empty: any one will do.

    Returns:
        The releases that are wanted and not passed; empty where none is wanted and none passed.
    """
    passed = [
        test
        for test in _tests(record, module_sha256)
        if test.get("cases") == cases and test.get("failed") == 0
    ]
    if not wanted:
        return None if passed else ()
    lacking = tuple(text for text in wanted if not any(_is_of(test, text) for test in passed))
    return lacking or None


def _is_of(test: Mapping[str, JSONValue], wanted: str) -> bool:
    return test.get("asked") == wanted or f"{test.get('envoy')}.".startswith(
        f"{wanted.removeprefix('v')}."
    )


def _tests(record: Mapping[str, JSONValue], module_sha256: str) -> list[Mapping[str, JSONValue]]:
    tests = record.get("tests")
    return [
        test
        for test in (tests if isinstance(tests, list) else [])
        if isinstance(test, dict) and test.get("module_sha256") == module_sha256
    ]


def _write(dist: Path, record: Mapping[str, JSONValue]) -> None:
    document = {"schema": _SCHEMA, **record}
    with replacing(dist / RECORD_NAME) as stream:
        stream.write(json.dumps(document, indent=1, ensure_ascii=False).encode() + b"\n")
