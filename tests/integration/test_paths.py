"""Files written whole or not at all, on disks that are full or not to be written."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.disks import mounted_disk
from wasmctl.paths import replacing


@pytest.mark.root
def test_a_full_disk_leaves_the_old_file_alone(tmp_path: Path) -> None:
    with mounted_disk(tmp_path / "disk") as disk:
        (disk / "file").write_bytes(b"old")
        with pytest.raises(OSError, match=f"No space left on device: '{disk}/file'") as caught:
            _write(disk / "file", b"x" * 2_000_000)
        assert caught.value.errno == errno.ENOSPC
        assert [path.name for path in disk.iterdir()] == ["file"]
        assert (disk / "file").read_bytes() == b"old"


@pytest.mark.root
def test_a_disk_that_is_full_at_the_last_byte_leaves_the_old_file_alone(tmp_path: Path) -> None:
    with mounted_disk(tmp_path / "disk") as disk:
        (disk / "file").write_bytes(b"old")
        (disk / "rest").write_bytes(b"x" * (os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize))
        # So little that it is only written when the file is closed.
        with pytest.raises(OSError, match=r"No space left on device: '.*/file'"):
            _write(disk / "file", b"few")
        assert (disk / "file").read_bytes() == b"old"


@pytest.mark.root
def test_a_read_only_folder_is_told(tmp_path: Path) -> None:
    with mounted_disk(tmp_path / "disk") as disk:
        (disk / "file").write_bytes(b"old")
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        with pytest.raises(OSError, match=f"Read-only file system: '{disk}/file'"):
            _write(disk / "file", b"new")
        assert (disk / "file").read_bytes() == b"old"


def test_a_termination_in_the_middle_leaves_the_old_file_alone(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old")
    script = (
        "import signal, sys, time; from pathlib import Path; from wasmctl.paths import replacing\n"
        "def interrupt(*_): raise KeyboardInterrupt\n"
        "signal.signal(signal.SIGTERM, interrupt)\n"
        "with replacing(Path(sys.argv[1])) as stream:\n"
        "    stream.write(b'new'); print('half', flush=True); time.sleep(30)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "file")],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        child.send_signal(signal.SIGTERM)
    assert [item.name for item in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_bytes() == b"old"


def _write(path: Path, content: bytes) -> None:
    with replacing(path) as stream:
        stream.write(content)
