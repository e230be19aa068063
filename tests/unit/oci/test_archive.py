"""The layer: one file, the same bytes everywhere, read by everyone."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile

import pytest

from wasmctl.oci.archive import Layer, write_layer

MEMBER = 4 * 1024 * 1024
GZIP_START = bytes.fromhex("1f8b08 00 00000000 00 ff")


def written(content: bytes, created: int = 0) -> tuple[Layer, bytes]:
    sink = io.BytesIO()
    layer = write_layer(
        io.BytesIO(content), name="plugin.wasm", size=len(content), created=created, sink=sink
    )
    return layer, sink.getvalue()


@pytest.mark.parametrize(
    "size",
    [
        0, 1, 511, 512, 513,
        MEMBER - 3 * 512, MEMBER - 2 * 512, MEMBER - 512 - 1, MEMBER - 512, MEMBER - 512 + 1,
        MEMBER, 2 * MEMBER - 512, 2 * MEMBER + 7,
    ],
)  # fmt: skip
def test_holds_one_regular_file_whole(size: int) -> None:
    content = b"w" * size
    _, packed = written(content, created=1_700_000_000)
    with tarfile.open(fileobj=io.BytesIO(packed), mode="r:gz") as archive:
        (entry,) = archive.getmembers()
        data = archive.extractfile(entry)
        assert data is not None
        assert data.read() == content
    assert (entry.name, entry.type, entry.mode) == ("plugin.wasm", tarfile.REGTYPE, 0o644)
    assert (entry.uid, entry.gid, entry.uname, entry.gname) == (0, 0, "", "")
    assert entry.mtime == 1_700_000_000
    assert entry.pax_headers == {}


def test_tells_digest_size_and_diff_id() -> None:
    layer, packed = written(b"w" * (MEMBER + 1))
    expected = Layer(
        digest=f"sha256:{hashlib.sha256(packed).hexdigest()}",
        size=len(packed),
        diff_id=f"sha256:{hashlib.sha256(gzip.decompress(packed)).hexdigest()}",
    )
    assert expected == layer


def test_ends_as_posix_wants_it() -> None:
    plain = gzip.decompress(written(b"w")[1])
    assert len(plain) == 512 + 512 + 1024
    assert plain[-1024:] == bytes(1024)


def test_the_tar_header_is_the_one_of_tarfile() -> None:
    entry = tarfile.TarInfo("plugin.wasm")
    entry.size, entry.mtime = 5, 42
    expected = entry.tobuf(tarfile.USTAR_FORMAT)
    header = gzip.decompress(written(b"12345", created=42)[1])[:512]
    # The device numbers of a regular file are zeros here and nothing there.
    assert header[:148] == expected[:148]
    assert header[156:329] == expected[156:329]


def test_the_gzip_header_names_no_time_no_file_and_no_system() -> None:
    assert written(b"w")[1].startswith(GZIP_START)


def test_each_piece_is_a_gzip_member_of_its_own() -> None:
    # Of content that does not compress away, so that the second member cannot be missed.
    _, packed = written(hashlib.shake_256(b"x").digest(MEMBER + 100_000))
    assert packed.count(GZIP_START) == 2


@pytest.mark.parametrize("size", [4, 6])
def test_a_file_that_changes_its_size_meanwhile_is_noticed(size: int) -> None:
    with pytest.raises(EOFError):
        write_layer(io.BytesIO(b"12345"), name="x", size=size, created=0, sink=io.BytesIO())
