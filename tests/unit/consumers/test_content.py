"""What is read of a layer, and that no layer can make that endless."""

from __future__ import annotations

import gzip
import io
import random
import tarfile
import time
import tracemalloc
from collections.abc import Iterator

import pytest

from tests.unit.oci.sources import MODULE, packed, special, tar
from wasmctl.consumers.content import Content, Packing, Stage, read_content
from wasmctl.consumers.tar import Entry, EntryKind


def read(content: bytes, *, limit: int = 10_000_000, end: str = "") -> Content:
    return read_content(io.BytesIO(content), size=len(content), end=end, limit=limit)


def test_every_entry_is_told_with_its_kind() -> None:
    layer = packed(
        special("a", tarfile.DIRTYPE),
        ("a/plugin.wasm", MODULE),
        special("b", tarfile.SYMTYPE, "a"),
        special("c", tarfile.LNKTYPE, "a"),
        special("d", tarfile.FIFOTYPE),
    )
    content = read(layer)
    assert [(entry.name, entry.kind, entry.size) for entry in content.entries] == [
        ("a/", EntryKind.FOLDER, 0),
        ("a/plugin.wasm", EntryKind.FILE, len(MODULE)),
        ("b", EntryKind.SYMLINK, 0),
        ("c", EntryKind.LINK, 0),
        ("d", EntryKind.OTHER, 0),
    ]
    assert content.found is not None
    assert (content.found.entry.name, content.found.head) == ("a/plugin.wasm", MODULE[:8])
    assert (content.packing, content.broken, content.count) == (Packing.GZIP, "", 5)


@pytest.mark.parametrize(
    ("name", "base"),
    [
        ("plugin.wasm", "plugin.wasm"),
        ("a/b/plugin.wasm", "plugin.wasm"),
        ("plugin.wasm/", "plugin.wasm"),
        ("a/plugin.wasm//", "plugin.wasm"),
        ("a/plugin.wasm/.", "."),
        ("xplugin.wasm", "xplugin.wasm"),
        ("", ""),
    ],
)
def test_the_last_part_of_a_path_is_go_s(name: str, base: str) -> None:
    assert Entry(name=name, kind=EntryKind.FILE, size=0).base == base


def test_what_unpacks_to_more_seems_to_end_there() -> None:
    layer = packed(("x", bytes(5000)), ("plugin.wasm", MODULE))
    content = read(layer, limit=4096)
    assert (content.over, content.found, content.broken) == (True, None, "unexpected EOF")
    assert content.stage is Stage.WALKING


def test_a_module_that_is_cut_by_the_limit_is_none() -> None:
    content = read(packed(("plugin.wasm", MODULE + bytes(5000))), limit=4096)
    assert (content.over, content.found, content.broken) == (True, None, "unexpected EOF")
    assert content.stage is Stage.READING


def test_the_end_of_other_bytes_says_so_where_they_are_needed() -> None:
    words = "error verifying size; got 1, want 2"
    assert read(packed(("plugin.wasm", MODULE))[:60], end=words).broken == words
    assert read(packed(("plugin.wasm", MODULE)), end=words).broken == ""


def test_no_more_than_a_thousand_names_are_kept() -> None:
    content = read(packed(*((f"{number}", b"") for number in range(1500))))
    assert (len(content.entries), content.count) == (1000, 1500)


def test_a_file_with_holes_is_left_to_go() -> None:
    info = special("plugin.wasm", tarfile.GNUTYPE_SPARSE)
    content = read(packed(info))
    assert (content.unread, content.found) == ("`plugin.wasm` is a file with holes", None)


def test_members_without_end_are_not_followed() -> None:
    started = time.monotonic()
    content = read(gzip.compress(b"") * 200_000)
    assert content.unread == "the stream has more than 10000 members"
    assert time.monotonic() - started < 20


def test_a_bomb_takes_no_memory() -> None:
    bomb = gzip.compress(bytes(100_000_000), 9)
    tracemalloc.start()
    try:
        content = read(packed(("x", bytes(10)))[:-10] + bomb, limit=64_000_000)
        zeros = read(bomb, limit=64_000_000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8_000_000
    # Two blocks of zeros are the end of an archive.
    assert (content.count, zeros.count, zeros.broken) == (1, 0, "")


def test_a_header_that_tells_of_eight_exabytes_takes_no_memory() -> None:
    block = bytearray(tar(("plugin.wasm", b"x")))
    block[124:136] = b"\x80" + (2**62).to_bytes(11)
    block[148:156] = b"%06o\0 " % (sum(block[:148]) + 32 * 8 + sum(block[156:512]))
    content = read(gzip.compress(bytes(block)))
    assert (content.broken, content.stage) == ("unexpected EOF", Stage.READING)


def _mutations(content: bytes, count: int) -> Iterator[bytes]:
    chance = random.Random(20260901)
    for _ in range(count):
        changed = bytearray(content)
        for _ in range(chance.randrange(1, 4)):
            place = chance.randrange(len(changed))
            match chance.randrange(3):
                case 0:
                    changed[place] = chance.randrange(256)
                case 1:
                    del changed[place : place + chance.randrange(1, 40)]
                case _:
                    changed[place:place] = chance.randbytes(chance.randrange(1, 40))
            if not changed:
                break
        yield bytes(changed)


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_any_bytes_are_content_or_what_go_says(form: int) -> None:
    """Of 4000 damaged archives and streams, none is anything else, or takes long."""
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w", format=form) as archive:
        for name in ("x" * 150, "plugin.wasm", "ü"):
            info = tarfile.TarInfo(name)
            info.size = 20
            archive.addfile(info, io.BytesIO(MODULE[:20]))
    for plain in _mutations(sink.getvalue()[:6000], 1000):
        content = read(plain)
        assert content.broken.startswith(("archive/tar: ", "unexpected EOF", "EOF")) or (
            content.broken == ""
        )
    for stream in _mutations(gzip.compress(sink.getvalue()), 1000):
        broken = read(stream).broken
        assert broken == "" or broken.startswith(
            ("archive/tar: ", "unexpected EOF", "EOF", "gzip: ", "flate: ")
        )
