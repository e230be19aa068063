"""What a push takes of the machine, and that it can be stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import WASMCTL
from tests.integration.faults import FaultyRegistry, hanging
from tests.integration.registries import RunningRegistry

pytestmark = pytest.mark.registry

_LARGE = 200_000_000
# Megabytes that a push of 200 MB may take above one of a kilobyte.
_MARGIN = 40

# A process of its own: what counts is its peak.
_PUSH = """
import resource, sys
from pathlib import Path
from wasmctl.oci.image import Format, package_image
from wasmctl.oci.options import RegistryOptions
from wasmctl.oci.push import push_image
from wasmctl.oci.reference import parse_reference

module, name = Path(sys.argv[1]), sys.argv[2]
image = package_image(
    module, format=Format.OCI, annotations={}, created=0, scratch=module.parent
)
push_image(
    image,
    parse_reference(name, require_registry=True),
    tags=["latest"],
    move_tag=False,
    options=RegistryOptions(env={}),
    advance=lambda count: None,
)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def write_module(path: Path, size: int) -> Path:
    """Write a module of `size` bytes that nothing compresses, never whole in memory."""
    length, leb128 = size + 1, bytearray()
    while length >= 0x80:
        leb128.append(length & 0x7F | 0x80)
        length >>= 7
    with path.open("wb") as stream:
        stream.write(b"\0asm\1\0\0\0\0" + bytes([*leb128, length]) + b"\0")
        for start in range(0, size, 1 << 20):
            stream.write(os.urandom(min(1 << 20, size - start)))
    return path


def test_blobs_are_streamed(plain_registry: RunningRegistry, tmp_path: Path) -> None:
    peaks = []
    for size in (1_000, _LARGE):
        module = write_module(tmp_path / "module.wasm", size)
        argv = [sys.executable, "-c", _PUSH, str(module), plain_registry.new_name()]
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=200)
        assert done.returncode == 0, done.stderr
        peaks.append(int(done.stdout))
    assert peaks[1] - peaks[0] <= _MARGIN


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_is_heeded_while_a_registry_hangs(
    faulty_registry: FaultyRegistry, tmp_path: Path, number: signal.Signals
) -> None:
    faulty_registry.fault(".", hanging)
    argv = [str(WASMCTL), "login", faulty_registry.host, "-u", "alice", "--password-stdin"]
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path
    ) as process:
        assert process.stdin is not None
        process.stdin.write(b"secret")
        process.stdin.close()
        deadline = time.monotonic() + 20
        while not faulty_registry.seen and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(number)
        started = time.monotonic()
        assert process.wait(10) == 130
        assert time.monotonic() - started < 1


def test_ctrl_c_is_heeded_while_blobs_are_sent(
    faulty_registry: FaultyRegistry, tmp_path: Path
) -> None:
    """The threads that send do not keep the program from ending."""
    faulty_registry.fault("PUT .*/blobs/", hanging)
    module = write_module(tmp_path / "module.wasm", 1_000)
    argv = [sys.executable, "-c", _PUSH, str(module), faulty_registry.new_name()]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        deadline = time.monotonic() + 20
        while not faulty_registry.count("PUT ") and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        started = time.monotonic()
        process.communicate(timeout=10)
        assert time.monotonic() - started < 2
        assert process.returncode != 0
