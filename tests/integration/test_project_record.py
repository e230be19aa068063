"""dist/plugin.json when several write to it at once."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

from wasmctl.project.record import note_image, read_record

WRITER = """
import sys; from pathlib import Path
from wasmctl.project.record import note_image, write_record
dist, name = Path(sys.argv[1]), sys.argv[2]
for number in range(40):
    write_record(dist, {name: number})
    note_image(dist, {"digest": f"{name}{number}"})
"""


def test_writers_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), name]) for name in "abcd"
    ]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0, 0]
    record = read_record(tmp_path)
    assert {name: record[name] for name in "abcd"} == dict.fromkeys("abcd", 39)
    images = record["images"]
    assert isinstance(images, list)
    assert sorted(image["digest"] for image in images) == sorted(
        f"{name}{number}" for name in "abcd" for number in range(40)
    )
    assert [path.name for path in tmp_path.iterdir()] == ["plugin.json"]


def test_a_push_waits_for_no_build(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path / ".lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_EX)  # as a build holds it for as long as it takes
    note_image(tmp_path, {"digest": "sha256:1"})
    os.close(descriptor)
    assert read_record(tmp_path)["images"] == [{"digest": "sha256:1"}]
