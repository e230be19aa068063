"""`wasmctl run` with the real Envoy: what is served, shown, and left behind."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread, Timer

import psutil
import pytest

from tests.conftest import WASMCTL, CommandLine
from tests.integration.builds import scaffold
from tests.integration.served import ask, running

pytestmark = [pytest.mark.envoy, pytest.mark.cargo]


@pytest.fixture
def project(tmp_path: Path, probe_module: Path) -> Path:
    """A project whose module is the probe, as it stands."""
    folder = scaffold(tmp_path / "p", "cargo")
    # What the probe takes for its configuration is not what the template takes.
    (folder / "config.schema.json").unlink()
    (folder / "dist").mkdir()
    shutil.copy(probe_module, folder / "dist/plugin.wasm")
    return folder


def test_serves_before_an_echo_and_shows_the_plug_ins_lines(
    project: Path, user_env: dict[str, str]
) -> None:
    with running("--no-build", cwd=project, env=user_env) as run:
        place = run.listening()
        status, body = ask(
            place, "/a?b=c", {"x-do": "log info one;log warn two", "x-twice": "1"}, body="hello"
        )
        assert status == 200
        echoed = json.loads(body)
        assert (echoed["method"], echoed["path"], echoed["body"]) == ("GET", "/a?b=c", "hello")
        assert echoed["headers"]["x-twice"] == "1"
        assert run.await_event("log", level="info")["message"] == "one"
        assert run.await_event("log", level="warn")["message"] == "two"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_and_all_it_started(
    project: Path, user_env: dict[str, str], number: signal.Signals
) -> None:
    with running("--no-build", cwd=project, env=user_env) as run:
        place = run.listening()
        started = run.children()
        assert started
        code, envelope = run.stop(number)
        assert code == envelope["exit_code"] == 130
        assert envelope["errors"] == [{"code": "interrupted", "message": "stopped"}]
        assert not psutil.wait_procs(started, timeout=5)[1]
        with pytest.raises(ConnectionRefusedError):
            ask(place)


def test_nothing_is_left_when_it_is_killed(project: Path, user_env: dict[str, str]) -> None:
    with running("--no-build", cwd=project, env=user_env) as run:
        run.listening()
        started = run.children()
        run.process.kill()
        run.process.wait()
        assert not psutil.wait_procs(started, timeout=5)[1]


@pytest.mark.parametrize("after", [0.05, 0.2, 0.35, 0.5, 0.65, 0.8, 1.0])
def test_an_interruption_at_any_moment_leaves_nothing(
    project: Path, user_env: dict[str, str], after: float
) -> None:
    with running("--no-build", cwd=project, env=user_env) as run:
        time.sleep(after)
        started = run.children()
        code, envelope = run.stop()
        assert code in {130, -signal.SIGINT}, run.err
        if code == 130:
            assert envelope["exit_code"] == 130
        assert "Traceback" not in run.err or code == -signal.SIGINT
        assert not psutil.wait_procs(started, timeout=5)[1]


def test_for_people_the_address_is_the_first_line(project: Path, user_env: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [
            str(WASMCTL),
            "run",
            "--no-build",
            "--port",
            str(port),
            "--config",
            "log error \x1b[2Jgone",
        ],
        cwd=project,
        env=user_env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    timer = Timer(30, process.kill)
    timer.start()
    assert process.stdout is not None
    first, line = process.stdout.readline(), process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, talk = process.communicate()
    timer.cancel()
    assert process.returncode == 130
    assert first == f"http://127.0.0.1:{port}\n"
    assert line.endswith(" error \\x1b[2Jgone\n")
    # The request of the project's first case.
    assert f"try: curl -i -H 'allow: true' http://127.0.0.1:{port}/status/418" in talk
    assert talk.rstrip().endswith("stopped")


def test_a_taken_port_is_told_before_anything_is_built(
    wasmctl: CommandLine, tmp_path: Path
) -> None:
    folder = scaffold(tmp_path / "p", "cargo")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = wasmctl("run", "--port", str(port), cwd=folder)
        admin = wasmctl("run", "--port", "0", "--admin-port", str(port), cwd=folder)
    assert (said.code, admin.code) == (2, 2)
    assert f"error: another program listens at 127.0.0.1:{port}" in said.err
    assert f"`--port {port + 1}`" in said.err
    assert f"`--admin-port {port + 1}`" in admin.err
    assert not (folder / "dist").exists()


def test_one_port_for_two_things_is_told(wasmctl: CommandLine, tmp_path: Path) -> None:
    folder = scaffold(tmp_path / "p", "cargo")
    said = wasmctl("run", "--port", "18999", "--admin-port", "18999", cwd=folder)
    assert said.code == 2
    assert "`--port` and `--admin-port` are both 18999" in said.err


def test_a_name_of_no_envoy_is_told_before_anything_is_built(
    wasmctl: CommandLine, tmp_path: Path
) -> None:
    folder = scaffold(tmp_path / "p", "cargo")
    said = wasmctl("run", "--port", "0", "--envoy", "newest", cwd=folder)
    assert said.code == 2
    assert not (folder / "dist").exists()


def test_what_is_logged_last_is_shown(project: Path, user_env: dict[str, str]) -> None:
    with running("--no-build", cwd=project, env=user_env) as run:
        ask(run.listening(), "/", {"x-do": "log info last words"})
        run.stop()
        assert "last words" in [event.get("message") for event in run.events]


def test_an_upstream_that_is_down_is_told_once(project: Path, user_env: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    with running("--no-build", "--upstream", url, cwd=project, env=user_env) as run:
        place = run.listening()
        assert ask(place)[0] == 503
        told = run.await_event("unreachable")
        assert (told["upstream"], told["message"]) == (url, "nothing listens there")
        assert ask(place)[0] == 503
        time.sleep(3)
        run.stop()
        assert [event.get("event") for event in run.events].count("unreachable") == 1


def test_two_cannot_share_a_port(
    project: Path, user_env: dict[str, str], wasmctl: CommandLine
) -> None:
    with running("--no-build", cwd=project, env=user_env) as run:
        _, port = run.listening()
        said = wasmctl("run", "--no-build", "--port", str(port), cwd=project)
        assert said.code == 2
        assert "another program listens" in said.err


def test_a_refused_configuration_is_told_in_the_plug_ins_words(
    project: Path, user_env: dict[str, str]
) -> None:
    arguments = ("--no-build", "--config", "refuse no such header")
    with running(*arguments, cwd=project, env=user_env) as run:
        code, envelope = run.ended()
        assert (code, envelope["status"]) == (1, "error")
        assert "no such header" in json.dumps(run.events)
        assert "hint" in json.dumps(envelope["errors"])


def test_an_unknown_import_is_told_in_the_authors_terms(
    project: Path, user_env: dict[str, str]
) -> None:
    (project / "dist/plugin.wasm").write_bytes(
        bytes.fromhex("0061736d01000000010401600000020b0103656e7604676f6e650000")
    )
    with running("--no-build", cwd=project, env=user_env) as run:
        code, envelope = run.ended()
        assert code == 1, run.err
        assert envelope["errors"]


@pytest.mark.parametrize("given", ["flag", "file", "settings", "settings file"])
def test_the_configuration_reaches_the_plug_in_as_it_is(
    project: Path, user_env: dict[str, str], given: str
) -> None:
    text = "no json: {"
    arguments = ["--no-build"]
    (project / "c.txt").write_text(text)
    match given:
        case "flag":
            arguments += ["--config", text]
        case "file":
            arguments += ["--config-file", "c.txt"]
        case "settings":
            (project / "wasmctl.toml").write_text(f'[plugin]\nconfig = "{text}"\n')
        case _:
            (project / "wasmctl.toml").write_text('[plugin]\nconfig-file = "c.txt"\n')
    with running(*arguments, cwd=project, env=user_env) as run:
        place = run.listening()
        _, headers = _headers(place, {"x-do": "report"})
        assert headers["x-configuration"] == text


def test_a_table_of_settings_reaches_the_plug_in_as_json(
    project: Path, user_env: dict[str, str]
) -> None:
    (project / "wasmctl.toml").write_text('[plugin]\nconfig = { header = "allow", n = 1 }\n')
    with running("--no-build", cwd=project, env=user_env) as run:
        _, headers = _headers(run.listening(), {"x-do": "report"})
        assert json.loads(headers["x-configuration"]) == {"header": "allow", "n": 1}


def test_a_trap_is_explained_and_what_comes_after_is_refused_by_envoy(
    project: Path, user_env: dict[str, str]
) -> None:
    with running("--no-build", cwd=project, env=user_env) as run:
        place = run.listening()
        assert ask(place)[0] == 200
        assert ask(place, "/", {"x-do": "panic out of cheese"})[0] == 503
        assert "out of cheese" in str(run.await_event("crashed")["message"])
        assert ask(place)[0] == 503


def test_a_callback_that_never_returns_ends_it(project: Path, user_env: dict[str, str]) -> None:
    with running("--no-build", cwd=project, env=user_env) as run:
        place = run.listening()
        started = run.children()
        with pytest.raises(OSError):  # noqa: PT011
            ask(place, "/", {"x-do": "loop"})
        code, envelope = run.ended()
        assert code == 1
        assert "does not return" in json.dumps(envelope)
        assert not psutil.wait_procs(started, timeout=5)[1]


def test_an_envoy_that_is_killed_is_told_with_its_last_words(
    project: Path, user_env: dict[str, str]
) -> None:
    with running("--no-build", cwd=project, env=user_env) as run:
        run.listening()
        envoy = next(child for child in run.children() if "envoy" in child.name())
        envoy.kill()
        code, envelope = run.ended()
        assert code == 7
        assert "SIGKILL" in json.dumps(envelope)


class _Upstream(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = f"mine, as {self.headers['host']}".encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def upstream() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Upstream)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_an_upstream_of_ones_own(
    project: Path, user_env: dict[str, str], upstream: int, host: str
) -> None:
    url = f"http://{host}:{upstream}"
    (project / "wasmctl.toml").write_text(f'[run]\nupstream = "{url}"\n')
    with running("--no-build", cwd=project, env=user_env) as run:
        place = run.listening()
        assert run.events[-1]["upstream"] == url
        assert ask(place) == (200, f"mine, as 127.0.0.1:{place[1]}")


def test_no_module_to_take_as_it_stands(wasmctl: CommandLine, tmp_path: Path) -> None:
    folder = scaffold(tmp_path / "p", "cargo")
    said = wasmctl("run", "--no-build", "--port", "0", cwd=folder)
    assert said.code == 2
    assert "wasmctl build" in said.err


def test_a_module_that_somebody_else_builds_is_swapped_when_it_changes(
    project: Path, user_env: dict[str, str], header_auth_module: Path
) -> None:
    with running("--no-build", "--watch", cwd=project, env=user_env) as run:
        place = run.listening()
        assert ask(place)[0] == 200
        shutil.copy(header_auth_module, project / "dist/plugin.wasm")
        run.await_event("reloaded")
        assert ask(place)[0] == 403


def test_watching_outlives_a_callback_that_never_returns(
    project: Path, user_env: dict[str, str], header_auth_module: Path
) -> None:
    with running("--no-build", "--watch", cwd=project, env=user_env) as run:
        place = run.listening()
        with pytest.raises(OSError):  # noqa: PT011
            ask(place, "/", {"x-do": "loop"})
        run.await_event("crashed")
        run.await_event("restarted")
        assert ask(place)[0] == 200
        shutil.copy(header_auth_module, project / "dist/plugin.wasm")
        run.await_event("reloaded")
        assert ask(place)[0] == 403


def test_after_a_trap_any_save_loads_the_module_anew(
    project: Path, user_env: dict[str, str]
) -> None:
    with running("--no-build", "--watch", cwd=project, env=user_env) as run:
        place = run.listening()
        assert ask(place, "/", {"x-do": "trap"})[0] == 503
        run.await_event("crashed")
        (project / "dist/plugin.wasm").touch()
        run.await_event("reloaded")
        assert ask(place)[0] == 200


def _headers(place: tuple[str, int], headers: dict[str, str]) -> tuple[int, dict[str, str]]:
    import http.client

    connection = http.client.HTTPConnection(*place, timeout=20)
    connection.request("GET", "/", headers=headers)
    response = connection.getresponse()
    found = {name.lower(): value for name, value in response.getheaders()}
    response.read()
    connection.close()
    return response.status, found
