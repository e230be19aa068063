"""How fast a push is, against crane and docker in the same run, and how much memory it takes.

    python -m tests.benchmarks.push [--runs N]

Needs docker-registry and crane on the PATH; docker is left out where no engine answers. Prints
medians and ratios, fails for nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.timing import Command, compare, show
from tests.conftest import WASMCTL

HERE = Path(__file__).resolve().parent
MODULE_SIZE = 2_300_000
LARGE_SIZE = 200_000_000
ROUND_TRIP_MS = 50
# Installed programs have their bytecode; a machine set up for development may not keep any.
ENV = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=9)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory(prefix="wasmctl-bench-") as name, registry(Path(name)) as host:
        folder = Path(name)
        project = make_project(folder / "project")
        what = f"a changed {MODULE_SIZE / 1e6:.1f} MB module"
        with delayed(host) as far:
            times = compare(push(project, far), crane_append(project, folder, far), runs=runs)
        show(f"{what}, {ROUND_TRIP_MS} ms round trips, crane append", *times, bound="<= 1.0")
        if engine_answers():
            times = compare(push(project, host), docker_push(project, host), runs=runs)
            show(f"{what}, loopback, docker build + push", *times, bound="<= 1.2")
        times = compare(push(project, host), crane_append(project, folder, host), runs=runs)
        show(f"{what}, loopback, crane append", *times, bound="no aim")
        measure_memory(project, host)


def measure_memory(project: Path, host: str) -> None:
    """Print the peak memory of a large push and of a tiny one."""
    peaks = []
    for size in (1_000, LARGE_SIZE):
        write_noise(project / "dist/plugin.wasm", size)
        argv = [str(WASMCTL), "push", "--no-build", str(project), f"{host}/bench/large:latest"]
        child = os.posix_spawn(argv[0], argv, ENV, file_actions=_QUIET)
        _, status, usage = os.wait4(child, 0)
        if status:
            sys.exit(f"the push of {size} bytes failed")
        peaks.append(usage.ru_maxrss / 1024)
    print(f"peak memory of a push of {LARGE_SIZE / 1e6:.0f} MB")
    print(f"  1 kB: {peaks[0]:.0f} MB, {LARGE_SIZE / 1e6:.0f} MB: {peaks[1]:.0f} MB")
    print(f"  difference: {peaks[1] - peaks[0]:.0f} MB (target 40)")


def write_noise(path: Path, size: int) -> None:
    """Write a module of `size` bytes that nothing compresses.

    Never whole in memory: what a child takes is counted from what its parent had.
    """
    with path.open("wb") as stream:
        stream.write(b"\0asm\1\0\0\0\0" + leb128(size + 1) + b"\0")
        for start in range(0, size, 1 << 20):
            stream.write(os.urandom(min(1 << 20, size - start)))


_QUIET = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_WRONLY, 0) for number in (1, 2)]


def push(project: Path, host: str) -> Command:
    """Return the push of another module that lies in `dist`."""
    reference = f"{host}/bench/ours:latest"
    argv: list[str | Path] = [WASMCTL, "push", "--no-build", project, reference]
    return Command(argv=argv, env=ENV, before=lambda: change(project))


def crane_append(project: Path, folder: Path, host: str) -> Command:
    """Return crane's push of such a layer, compressed beforehand."""
    layer = folder / "layer.tar.gz"
    name = f"{host}/bench/crane:latest"
    argv: list[str | Path] = ["crane", "append", "--oci-empty-base", "-f", layer, "-t", name]

    def pack() -> None:
        change(project)
        dist = str(project / "dist")
        subprocess.run(["tar", "-czf", str(layer), "-C", dist, "plugin.wasm"], check=True)

    return Command(argv=argv, before=pack)


def docker_push(project: Path, host: str) -> Command:
    """Return docker's build and push of such a module."""
    name = f"{host}/bench/docker:latest"
    script = f"docker build -q -t {name} {project}/dist && docker push -q {name}"
    return Command(argv=["sh", "-c", script], before=lambda: change(project))


def engine_answers() -> bool:
    """Return whether there is an engine to measure."""
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "version"], capture_output=True, check=False).returncode == 0


def make_project(folder: Path) -> Path:
    """Make a project whose module is already built."""
    (folder / "src").mkdir(parents=True)
    (folder / "dist").mkdir()
    (folder / "Cargo.toml").write_text(
        '[package]\nname = "bench"\nversion = "0.1.0"\nedition = "2021"\n\n'
        '[lib]\ncrate-type = ["cdylib"]\n\n[dependencies]\nproxy-wasm = "0.2"\n'
    )
    (folder / "src/lib.rs").write_text("")
    (folder / "dist/Dockerfile").write_text("FROM scratch\nCOPY plugin.wasm /plugin.wasm\n")
    return folder


def change(project: Path) -> None:
    """Write another module."""
    (project / "dist/plugin.wasm").write_bytes(module(MODULE_SIZE))


def module(size: int) -> bytes:
    """Return a module of about `size` bytes in one section, which compresses as code does."""
    noise = os.urandom(size)
    content = b"".join(noise[at : at + 40] + b"\x20\x00\x41\x10" * 15 for at in range(0, size, 100))
    return b"\0asm\1\0\0\0\0" + leb128(len(content) + 1) + b"\0" + content


def leb128(number: int) -> bytes:
    """Return the variable-length form of a number."""
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


@contextlib.contextmanager
def registry(folder: Path) -> Iterator[str]:
    """Run a docker-registry."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{probe.getsockname()[1]}"
    config = folder / "registry.yml"
    config.write_text(
        f'{{"version": 0.1, "log": {{"level": "error", "accesslog": {{"disabled": true}}}},'
        f' "storage": {{"filesystem": {{"rootdirectory": "{folder}/registry"}}}},'
        f' "http": {{"addr": "{host}"}}}}'
    )
    with running(["docker-registry", "serve", str(config)]):
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection(split(host), timeout=1):
                break
            time.sleep(0.05)
        yield host


@contextlib.contextmanager
def delayed(host: str) -> Iterator[str]:
    """Run a relay that makes the way to `host` longer."""
    argv = [sys.executable, str(HERE / "delay.py"), host, str(ROUND_TRIP_MS)]
    with running(argv) as relay:
        assert relay.stdout is not None
        yield relay.stdout.readline().decode().strip()


@contextlib.contextmanager
def running(argv: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server while the block lasts."""
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.terminate()


def split(host: str) -> tuple[str, int]:
    """Return host and port."""
    name, _, port = host.partition(":")
    return name, int(port)


if __name__ == "__main__":
    main()
