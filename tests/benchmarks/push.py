"""How fast a push is, against crane and docker in the same run, and how much memory it takes.

    python tests/benchmarks/push.py [--rounds N]

Needs docker-registry and crane on the PATH; docker is left out where no engine answers. Prints
medians and ratios, fails for nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
WASMCTL = Path(sys.executable).parent / "wasmctl"
MODULE_SIZE = 2_300_000
LARGE_SIZE = 200_000_000
ROUND_TRIP_MS = 50


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory(prefix="wasmctl-bench-") as name, registry(Path(name)) as host:
        folder = Path(name)
        project = make_project(folder / "project")
        with delayed(host) as far:
            compare(
                f"a changed {MODULE_SIZE / 1e6:.1f} MB module, {ROUND_TRIP_MS} ms round trips",
                rounds,
                {"crane append": crane_append(folder, far), "wasmctl push": push(project, far)},
                before=lambda: change(project, folder),
                target=1.0,
            )
        rivals = {"crane append": crane_append(folder, host)}
        if engine_answers():
            rivals = {"docker build + push": docker_push(project, host), **rivals}
        compare(
            f"a changed {MODULE_SIZE / 1e6:.1f} MB module, loopback",
            rounds,
            {**rivals, "wasmctl push": push(project, host)},
            before=lambda: change(project, folder),
            target=1.2,
        )
        measure_memory(project, host)


def compare(
    title: str,
    rounds: int,
    runs: dict[str, Callable[[], None]],
    *,
    before: Callable[[], None],
    target: float,
) -> None:
    """Run all in turn and print their medians; the first is what the last is held against."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        before()
        for name, run in runs.items():
            started = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - started)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    rival, *_, ours = runs
    print(title)
    for name, median in medians.items():
        print(f"  {name:22} {median * 1000:6.0f} ms  (best {min(seconds[name]) * 1000:.0f})")
    ratio = medians[ours] / medians[rival]
    print(f"  ratio to {rival}: {ratio:.2f} (target {target:.1f})\n")


def measure_memory(project: Path, host: str) -> None:
    """Print the peak memory of a large push and of a tiny one."""
    peaks = []
    for size in (1_000, LARGE_SIZE):
        write_noise(project / "dist/plugin.wasm", size)
        argv = [str(WASMCTL), "push", "--no-build", str(project), f"{host}/bench/large:latest"]
        child = os.posix_spawn(argv[0], argv, os.environ, file_actions=_QUIET)
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


def push(project: Path, host: str) -> Callable[[], None]:
    """Return the push of what lies in `dist`."""
    argv = [str(WASMCTL), "push", "--no-build", str(project), f"{host}/bench/ours:latest"]
    return lambda: quietly(argv)


def crane_append(folder: Path, host: str) -> Callable[[], None]:
    """Return crane's push of the same layer, compressed beforehand."""
    layer = str(folder / "layer.tar.gz")
    argv = ["crane", "append", "--oci-empty-base", "-f", layer, "-t", f"{host}/bench/crane:latest"]
    return lambda: quietly(argv)


def docker_push(project: Path, host: str) -> Callable[[], None]:
    """Return docker's build and push of the same module."""
    name = f"{host}/bench/docker:latest"

    def run() -> None:
        quietly(["docker", "build", "-q", "-t", name, str(project / "dist")])
        quietly(["docker", "push", "-q", name])

    return run


def engine_answers() -> bool:
    """Return whether there is an engine to measure."""
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "version"], capture_output=True, check=False).returncode == 0


def quietly(argv: list[str]) -> None:
    """Run a command and stop everything where it fails."""
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(argv)}\n{done.stderr}")


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


def change(project: Path, folder: Path) -> None:
    """Write another module, and the layer that crane is given."""
    path = project / "dist/plugin.wasm"
    path.write_bytes(module(MODULE_SIZE))
    subprocess.run(
        ["tar", "-czf", str(folder / "layer.tar.gz"), "-C", str(path.parent), path.name], check=True
    )


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
