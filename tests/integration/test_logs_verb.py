"""`wasmctl logs`: a real Envoy's log as it grows, and its level, which is put back in every way."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self

import psutil
import pytest

from tests.conftest import ROOT, WASMCTL, CommandLine
from tests.integration.deployed import PLUGIN, Deployed, deployed, wasm_level
from tests.integration.refusals import refused
from tests.integration.registries import make_certificate

pytestmark = [pytest.mark.envoy, pytest.mark.cargo]

LOGS = ROOT / "tests/unit/hosts/logs"


@pytest.fixture(scope="module")
def proxy(probe_module: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    folder = tmp_path_factory.mktemp("deployed")
    make_certificate(folder, name="gateway.test")
    with deployed(probe_module, folder, folder) as running:
        yield running


def tell(proxy: Deployed, what: str) -> None:
    """Have the plug-in do something."""
    request = urllib.request.Request(proxy.url("plain"), headers={"x-do": what})
    with contextlib.suppress(urllib.error.HTTPError), urllib.request.urlopen(request) as answer:
        answer.read()


def until(holds: Callable[[], object], *, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.01)


class Logs:
    """A `wasmctl logs --json` that runs."""

    def __init__(self, arguments: list[str], *, cwd: Path, env: dict[str, str]) -> None:
        self.events: list[dict[str, object]] = []
        self.talk = ""
        self.process = subprocess.Popen(
            [str(WASMCTL), "logs", "--json", *arguments],
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._threads = [threading.Thread(target=read) for read in (self._read, self._listen)]
        for thread in self._threads:
            thread.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.events.append(json.loads(line))

    def _listen(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.talk += line

    def seen(self, **wanted: object) -> dict[str, object] | None:
        """Return the first event with these values."""
        return next((one for one in self.events if wanted.items() <= one.items()), None)

    def end(self) -> dict[str, object]:
        """Wait for its end; return the envelope."""
        code = self.process.wait(20)
        for thread in self._threads:
            thread.join(10)
        assert "Traceback" not in self.talk
        assert self.events[-1]["exit_code"] == code, self.talk
        return self.events[-1]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(20)
        for thread in self._threads:
            thread.join(10)
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()


@pytest.fixture
def raised(proxy: Deployed, tmp_path: Path, user_env: dict[str, str]) -> Iterator[Logs]:
    """One that follows the log, and has raised the level."""
    assert wasm_level(proxy.admin) == "info"
    argv = ["--admin", proxy.admin, "--level", "debug", "--", "tail", "-n", "0", "-f"]
    with Logs([*argv, str(proxy.log)], cwd=tmp_path, env=user_env) as logs:
        until(lambda: wasm_level(proxy.admin) == "debug")
        yield logs


def children_of(logs: Logs) -> list[psutil.Process]:
    return psutil.Process(logs.process.pid).children(recursive=True)


def is_gone(process: psutil.Process) -> bool:
    """Return whether it has ended; whoever adopted it may not have noticed yet."""
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def test_lines_come_as_they_are_logged_with_the_level_raised(proxy: Deployed, raised: Logs) -> None:
    tell(proxy, "log debug one\ttwo; log warn three")
    # Nothing follows the last record: it is told all the same.
    until(lambda: raised.seen(message="three"))
    first = raised.seen(event="log", level="debug", message="one\ttwo")
    assert first is not None
    assert (first["plugin"], first["source"], first["origin"]) == (PLUGIN, "plugin", "")
    assert raised.events[0] == {
        "event": "level",
        "before": "info",
        "during": "debug",
        "restore": f"curl -X POST 'http://{proxy.admin}/logging?wasm=info'",
    }


def test_a_crash_is_explained(proxy: Deployed, raised: Logs) -> None:
    tell(proxy, "panic no such order")
    until(lambda: raised.seen(event="crashed"))
    crash = raised.seen(event="crashed")
    assert crash is not None
    assert "no such order" in str(crash["message"])
    assert crash["hint"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_puts_the_level_back(
    number: signal.Signals, proxy: Deployed, raised: Logs
) -> None:
    started = children_of(raised)
    raised.process.send_signal(number)
    envelope = raised.end()
    assert wasm_level(proxy.admin) == "info"
    assert envelope["exit_code"] == 130
    assert envelope["errors"] == [{"code": "interrupted", "message": "stopped"}]
    assert started
    until(lambda: all(map(is_gone, started)), seconds=5)


def test_who_presses_ctrl_c_again_and_again_gets_it_put_back(proxy: Deployed, raised: Logs) -> None:
    while raised.process.poll() is None:
        raised.process.send_signal(signal.SIGINT)
        time.sleep(0.001)
    # One that comes after all is done may end the interpreter itself.
    assert raised.process.returncode in {130, -signal.SIGINT}
    assert wasm_level(proxy.admin) == "info"


@pytest.mark.parametrize(
    ("number", "words"),
    [(signal.SIGKILL, "ended by signal 9"), (signal.SIGTERM, "ended by signal 15")],
)
def test_a_command_that_is_killed_puts_the_level_back(
    number: signal.Signals, words: str, proxy: Deployed, raised: Logs
) -> None:
    until(lambda: "tail" in [child.name() for child in children_of(raised)])
    next(child for child in children_of(raised) if child.name() == "tail").send_signal(number)
    envelope = raised.end()
    assert wasm_level(proxy.admin) == "info"
    assert envelope["exit_code"] == 4
    assert words in json.dumps(envelope["errors"])
    assert words in raised.talk


def test_a_command_that_ends_puts_the_level_back(
    proxy: Deployed, wasmctl: CommandLine, tmp_path: Path
) -> None:
    argv = ("logs", "--admin", proxy.admin, "--level", "debug", "--")
    # What it ends with shows what the level was before its end.
    script = f"curl -s -X POST {proxy.admin}/logging | grep ' wasm:' >level; exit 0"
    assert wasmctl(*argv, "sh", "-c", f"sleep 0.5; {script}", cwd=tmp_path).code == 0
    assert (tmp_path / "level").read_text() == "  wasm: debug\n"
    assert wasm_level(proxy.admin) == "info"
    failed = wasmctl(*argv, "sh", "-c", "echo no such pod >&2; exit 3", cwd=tmp_path)
    assert failed.code == 4
    assert failed.err.splitlines()[-3:] == [
        "no such pod",
        "error: `sh -c 'echo no such pod >&2; exit 3'` ended with exit code 3",
        "hint: its own words are above: this is not wasmctl's doing",
    ]
    assert wasm_level(proxy.admin) == "info"


def test_a_reader_that_has_had_enough_ends_it_all(
    proxy: Deployed, tmp_path: Path, user_env: dict[str, str]
) -> None:
    argv = [str(WASMCTL), "logs", "--admin", proxy.admin, "--level", "debug"]
    argv += ["--", "tail", "-n", "0", "-f", str(proxy.log)]
    with subprocess.Popen(argv, cwd=tmp_path, env=user_env, stdout=subprocess.PIPE) as child:
        until(lambda: wasm_level(proxy.admin) == "debug")
        assert child.stdout is not None
        # Nothing more has to be logged for that.
        child.stdout.close()
        assert child.wait(10) == 0
    assert wasm_level(proxy.admin) == "info"


def test_an_error_within_puts_the_level_back(
    proxy: Deployed, wasmctl: CommandLine, tmp_path: Path
) -> None:
    (tmp_path / "log.gz").write_bytes(b"\x1f\x8bnot really")
    argv = ("--admin", proxy.admin, "--level", "trace", "--file", "log.gz")
    said = wasmctl("logs", *argv, cwd=tmp_path)
    assert said.code == 5
    assert f"curl -X POST 'http://{proxy.admin}/logging?wasm=info'" in said.err
    assert wasm_level(proxy.admin) == "info"


def test_a_level_that_is_there_already_is_left_alone(
    proxy: Deployed, wasmctl: CommandLine, tmp_path: Path
) -> None:
    said = wasmctl("logs", "--admin", proxy.admin, "--level", "warn", "--", "true", cwd=tmp_path)
    assert (said.code, said.out) == (0, "")
    assert "the proxy logs plug-ins at `info` already" in said.err
    assert wasm_level(proxy.admin) == "info"


def test_a_level_that_cannot_be_put_back_is_an_error_with_the_line_to_do_it(
    probe_module: Path, tmp_path: Path, user_env: dict[str, str]
) -> None:
    make_certificate(tmp_path, name="gateway.test")
    with deployed(probe_module, tmp_path, tmp_path) as proxy:
        argv = ["--admin", proxy.admin, "--level", "debug", "--", "sleep", "60"]
        with Logs(argv, cwd=tmp_path, env=user_env) as logs:
            until(lambda: wasm_level(proxy.admin) == "debug")
            proxy.process.kill()
            proxy.process.wait()
            logs.process.send_signal(signal.SIGINT)
            envelope = logs.end()
    assert envelope["exit_code"] == 7
    told = json.dumps(envelope["errors"])
    assert '"code": "level-not-restored"' in told
    assert f'"hint": "curl -X POST \'http://{proxy.admin}/logging?wasm=info\'"' in told


def test_what_is_no_admin_interface_is_told_and_not_changed(
    proxy: Deployed, wasmctl: CommandLine, tmp_path: Path
) -> None:
    asked = []

    class Other(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.command)
            self.send_response(404)
            self.end_headers()

        do_POST = do_GET  # noqa: N815 - the library's way to spell it

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Other)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    log = str(proxy.log)
    try:
        url = f"http://127.0.0.1:{server.server_port}"
        said = wasmctl("logs", "--admin", url, "--level", "debug", "--file", log, cwd=tmp_path)
    finally:
        server.shutdown()
        server.server_close()
    assert (said.code, said.out, asked) == (7, "", ["GET"])
    assert f"what answers at {url} is not Envoy's admin interface: status 404" in said.err
    assert "`kubectl -n NAMESPACE port-forward POD 15000`" in said.err.splitlines()[-1]
    # A listener of Envoy's is none either.
    port = f"127.0.0.1:{proxy.ports['bare']}"
    said = wasmctl("logs", "--admin", port, "--level", "debug", "--file", log, cwd=tmp_path)
    assert (said.code, "is not Envoy's admin interface" in said.err) == (7, True)
    nobody = ("--admin", "http://127.0.0.1:9", "--level", "debug", "--file", log)
    said = wasmctl("logs", *nobody, cwd=tmp_path)
    assert (said.code, "does not answer: no connection" in said.err) == (7, True)


def test_a_file_is_shown_as_run_shows_lines(wasmctl: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "log").write_text(
        "2024-09-05T08:33:31.079869Z\tinfo\tenvoy wasm\twasm log istio-system.auth: #2 hello\n"
        '{"authority_for":"10.0.0.1","method":"GET","response_code":"403"}\n'
        "2024-09-05T08:33:32.079943Z\tdebug\tenvoy wasm external/envoy/source/extensions/common/"
        "wasm/context.cc:1168\twasm log other.limit: it is 3\tthread=24\n"
    )
    said = wasmctl("logs", "--file", "log", cwd=tmp_path)
    assert said.out.splitlines() == [
        "08:33:31.079869Z info  istio-system.auth: #2 hello",
        "08:33:32.079943Z debug other.limit: it is 3",
    ]
    coloured = wasmctl("logs", "--file", "log", "--plugin", "auth", "--color", cwd=tmp_path)
    assert coloured.out == (
        "\x1b[2m08:33:31.079869Z\x1b[0m \x1b[32minfo \x1b[0m"
        " \x1b[2mistio-system.auth: \x1b[0m#2 hello\n"
    )
    piped = wasmctl("logs", "--level", "info", cwd=tmp_path, stdin=(tmp_path / "log").read_text())
    assert piped.out == said.out.splitlines(keepends=True)[0]
    none = wasmctl("logs", "--file", "log", "--plugin", "uth", cwd=tmp_path)
    assert (none.code, none.out) == (0, "")
    assert none.err == (
        "no line of `uth`; in the log are lines of `istio-system.auth`, `other.limit`\n"
    )


def test_logs_on_stderr_are_logs_and_what_is_none_is_talk(
    wasmctl: CommandLine, tmp_path: Path
) -> None:
    """As `docker logs` does it."""
    log = LOGS / "envoy-1.40.log"
    plain = wasmctl("logs", "--file", log, cwd=tmp_path)
    assert plain.out.count("\n") > 5
    script = f"cat {log} >&2; sleep 0.4; echo 'Error: the pod is gone' >&2"
    said = wasmctl("logs", "--", "sh", "-c", script, cwd=tmp_path)
    assert said.out == plain.out
    assert said.err.splitlines()[-1] == "Error: the pod is gone"
    assert "panic" in plain.err


def test_a_growing_file_is_followed(tmp_path: Path, user_env: dict[str, str]) -> None:
    log = tmp_path / "log"
    log.write_text("")
    with Logs(["--file", "log", "--follow"], cwd=tmp_path, env=user_env) as logs:
        with log.open("a") as stream:
            stream.write("2024-09-05T08:33:31.079869Z\tinfo\tenvoy wasm\twasm log a: hello\n")
        until(lambda: logs.seen(message="hello"))
        logs.process.send_signal(signal.SIGINT)
        assert logs.end()["exit_code"] == 130


REFUSED = {
    ("--file", "nowhere"): (2, "there is no file"),
    ("--file", "."): (2, "is a folder, no log"),
    ("--file", "empty"): (2, "the log is empty"),
    ("--file", "plugin.wasm"): (5, "this is a WebAssembly module, no log"),
    ("--file", "empty", "--", "true"): (2, "both `--file` and a command"),
    ("--follow", "--", "true"): (2, "`--follow` is for `--file`"),
    ("--", "no-such-program"): (3, "there is no program `no-such-program`"),
    ("--", "./empty"): (3, "there is no program `./empty`"),
    ("--admin", "http://127.0.0.1:9", "--", "true"): (2, "add `--level debug`"),
    ("--admin", "https://a", "--level", "debug", "--", "true"): (2, "speaks no TLS"),
    ("--admin", "a/b", "--level", "debug", "--", "true"): (2, "`a/b` cannot be used"),
    ("--level", "warning", "--file", "empty"): (2, "`warning` is not one of"),
    (): (2, "the log is empty"),
}


def test_what_is_no_log(user_env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("")
    (tmp_path / "plugin.wasm").write_bytes(b"\0asm\1\0\0\0")
    told = refused([["logs", *options] for options in REFUSED], cwd=tmp_path, env=user_env)
    for (_, *options), said in told.items():
        code, words = REFUSED[tuple(options)]
        assert (said.code, said.out) == (code, ""), options
        assert words in said.err
        assert "hint: " in said.err


def test_a_terminal_is_no_log(tmp_path: Path, user_env: dict[str, str]) -> None:
    ours, theirs = pty.openpty()
    try:
        argv = [str(WASMCTL), "logs"]
        done = subprocess.run(
            argv, cwd=tmp_path, env=user_env, stdin=theirs, capture_output=True, text=True,
            timeout=20, check=False,
        )  # fmt: skip
    finally:
        os.close(ours)
        os.close(theirs)
    assert done.returncode == 2
    assert "no log was given" in done.stderr
    assert "`wasmctl logs -- kubectl logs -f POD -c istio-proxy`" in done.stderr


MEASURED = """
import resource, sys
from wasmctl.cli.app import run
code = run(["logs", *sys.argv[1:]])
sys.stderr.write(str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))
"""


@pytest.mark.parametrize("piped", [False, True], ids=["file", "pipe"])
def test_a_long_log_needs_no_more_memory_than_a_short_one(
    piped: bool, tmp_path: Path, user_env: dict[str, str]
) -> None:
    line = b"2024-09-05T08:33:31.079869Z\tinfo\tenvoy wasm\twasm log a: hello\n"
    access = b'{"authority_for":"10.0.0.1","method":"GET","response_code":"403"}\n' * 100
    (tmp_path / "short").write_bytes(line)
    with (tmp_path / "long").open("wb") as stream:
        stream.write(b"x" * 30_000_000 + b"\n")
        for _ in range(3000):
            stream.write(line + access)
    peaks = {}
    for name in ("short", "long"):
        # The pipe's writer is another program's.
        with (tmp_path / name).open("rb") as source:
            cat = subprocess.Popen(["cat"], stdin=source, stdout=subprocess.PIPE)
            with cat:
                done = subprocess.run(
                    [sys.executable, "-c", MEASURED, *([] if piped else ["--file", name])],
                    cwd=tmp_path,
                    env={**user_env, "PYTHONPATH": str(ROOT)},
                    stdin=cat.stdout if piped else subprocess.DEVNULL,
                    capture_output=True,
                    text=True,
                    check=True,
                )
                cat.kill()
        assert done.stdout.count("hello") == (1 if name == "short" else 3000)
        peaks[name] = int(done.stderr.splitlines()[-1])
    unit = 1 if sys.platform == "darwin" else 1024
    assert (peaks["long"] - peaks["short"]) * unit < 8_000_000
