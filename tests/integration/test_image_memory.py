"""Large modules pass through in pieces: what they need of memory does not grow with them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from wasmctl.oci.image import Format

# Runs in a process of its own, whose peak is nobody else's; prints it in KiB.
_ROUND_TRIP = """
import sys
from pathlib import Path
from wasmctl.oci.image import Format, package_image
from wasmctl.oci.layout import read_layout, write_layout
from wasmctl.oci.unpack import unpack_module

folder, form = Path(sys.argv[1]), Format(sys.argv[2])
image = package_image(
    folder / "plugin.wasm", format=form, annotations={}, created=0, scratch=folder / "scratch"
)
for name in ("out", "out.tar"):
    write_layout(image, folder / name, name=None)
    unpack_module(read_layout(folder / name), folder / "back.wasm")
print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
"""


def peak(folder: Path, size: int, form: Format) -> int:
    """Return the peak memory, in bytes, of packaging and unpacking a module."""
    (folder / "scratch").mkdir(parents=True)
    with (folder / "plugin.wasm").open("wb") as module:
        module.write(b"\0asm\1\0\0\0")
        module.truncate(size)
    argv = [sys.executable, "-c", _ROUND_TRIP, str(folder), form.value]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert (folder / "back.wasm").stat().st_size == size
    return int(done.stdout) * 1024


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
@pytest.mark.parametrize("form", [Format.OCI, Format.ARTIFACT])
def test_200_mb_need_no_more_than_40_mb_above_a_kilobyte(form: Format, tmp_path: Path) -> None:
    small = peak(tmp_path / "small", 1_000, form)
    large = peak(tmp_path / "large", 200_000_000, form)
    assert large - small <= 40_000_000
