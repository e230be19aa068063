"""`wasmctl test` against a bare Envoy that loads the same module, and what each case adds.

A bare Envoy: started with the module in its configuration, asked until it says that it serves,
ended.
"""

from __future__ import annotations

import io
import json
import os
import statistics
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks.timing import Command, show
from tests.conftest import WASMCTL
from wasmctl.console import Console
from wasmctl.envoy.bootstrap import Listener, WasmPlugin, make_bootstrap
from wasmctl.envoy.find import find_envoy
from wasmctl.session import Session

_CASE = """\
- name: case {0}
  request: {{path: /{0}, headers: {{allow: "true"}}}}
  expect: {{response: {{status: 200}}, upstream: {{path: /{0}}}}}
"""


def main() -> None:
    """Print the ratios."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        project = folder / "header-auth"
        choices = ["--template", "header-auth", "--toolchain", "cargo", "--no-input"]
        Command(argv=[WASMCTL, "init", project, *choices]).seconds()
        Command(argv=[WASMCTL, "build"], cwd=project).seconds()
        ours = Command(argv=[WASMCTL, "test"], cwd=project)
        bare = _bare(folder, project / "dist" / "plugin.wasm")
        ours.seconds(), bare()
        pairs = [(ours.seconds(), bare()) for _ in range(9)]
        medians = [statistics.median(side) for side in zip(*pairs, strict=True)]
        show("test of header-auth", *medians, bound="at most 0.5 s above a bare Envoy")
        cases = project / "tests" / "header-auth.cases.yaml"
        seconds = {count: _cases(cases, count, ours) for count in (20, 200)}
        each = (seconds[200] - seconds[20]) / 180 * 1000
        print(f"a case beyond the first 20: {each:.1f} ms (at most 5 ms)")
        show("200 cases, 20 cases", seconds[200], seconds[20], bound="ratio under 4")


def _bare(folder: Path, module: Path) -> Callable[[], float]:
    console = Console(out=io.StringIO(), err=io.StringIO())
    envoy = find_envoy(Session(env=os.environ, cwd=folder, console=console), None)
    listener = Listener(name="plugin", plugins=(WasmPlugin(name="plugin", module=module),))
    bootstrap, address = folder / "bootstrap.json", folder / "admin.address"
    bootstrap.write_text(json.dumps(make_bootstrap(listeners=[listener])))
    options = ["-c", str(bootstrap), "--admin-address-path", str(address)]
    argv = envoy.argv([*options, "--disable-hot-restart", "--concurrency", "1"], folder)

    def seconds() -> float:
        address.unlink(missing_ok=True)
        started = time.perf_counter()
        with subprocess.Popen(argv, stderr=subprocess.DEVNULL) as process:
            while not _serves(address):
                time.sleep(0.002)
            process.terminate()
        return time.perf_counter() - started

    return seconds


def _serves(address: Path) -> bool:
    try:
        with urllib.request.urlopen(f"http://{address.read_text()}/ready"):
            return True
    except (OSError, ValueError):
        return False


def _cases(path: Path, count: int, command: Command) -> float:
    path.write_text("upstream: {body: hello}\ncases:\n" + "".join(map(_CASE.format, range(count))))
    command.seconds()
    taken = []
    for _ in range(5):
        started = time.perf_counter()
        command.seconds()
        taken.append(time.perf_counter() - started)
    return sorted(taken)[len(taken) // 2]


if __name__ == "__main__":
    main()
