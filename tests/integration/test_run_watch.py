"""`wasmctl run --watch` with the real Envoy and the real Go: saves, while clients go on."""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.integration.builds import scaffold
from tests.integration.served import Run, ask, running

pytestmark = [pytest.mark.envoy, pytest.mark.go]
ALLOWED = {"allow": "true"}


class _Slow(BaseHTTPRequestHandler):
    """Answers /slow only when it may."""

    may_answer = threading.Event()

    def do_GET(self) -> None:
        if self.path == "/slow":
            self.may_answer.wait(100)
        self.send_response(200)
        self.send_header("content-length", "4")
        self.end_headers()
        self.wfile.write(b"late")

    def log_message(self, *_: object) -> None:
        pass


class _Hammer(threading.Thread):
    """Asks without a pause; keeps every status that it gets, and every failure."""

    def __init__(self, place: tuple[str, int]) -> None:
        super().__init__(daemon=True)
        self.statuses: list[int] = []
        self.failures: list[Exception] = []
        self.ended = threading.Event()
        self._place = place

    def run(self) -> None:
        # A test that fails first leaves it behind: it ends with what it asks.
        while not self.ended.is_set() and len(self.failures) < 1000:
            try:
                self.statuses.append(ask(self._place)[0])
            except Exception as error:  # noqa: BLE001 - kept for the test to see
                self.failures.append(error)


def save(path: Path, old: str, new: str) -> None:
    """Save as many editors do: a new file takes the old one's place."""
    beside = path.with_name(f".{path.name}.swp")
    text = path.read_text()
    assert old in text
    beside.write_text(text.replace(old, new))
    beside.replace(path)


def settled(run: Run, place: tuple[str, int], status: int) -> float:
    """Return how many seconds it takes until the plug-in answers so."""
    started = time.monotonic()
    while ask(place)[0] != status:
        assert time.monotonic() - started < 60, run.err
    return time.monotonic() - started


def test_saves_are_swapped_in_and_no_request_is_lost(
    tmp_path: Path, user_env: dict[str, str]
) -> None:
    folder = scaffold(tmp_path / "p", "go")
    upstream = ThreadingHTTPServer(("127.0.0.1", 0), _Slow)
    threading.Thread(target=upstream.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{upstream.server_port}"
    with running("--watch", "--upstream", url, cwd=folder, env=user_env) as run:
        place = run.listening()
        assert ask(place)[0] == 403
        hammer = _Hammer(place)
        hammer.start()
        late: list[tuple[int, str]] = []
        slow = threading.Thread(target=lambda: late.append(ask(place, "/slow", ALLOWED)))
        slow.start()
        time.sleep(0.2)

        save(folder / "main.go", "Status: 403", "Status: 401")
        settled(run, place, 401)
        run.await_event("reloaded")
        assert slow.is_alive()
        _Slow.may_answer.set()
        slow.join()
        assert late == [(200, "late")]

        save(folder / "main.go", "Status: 401", "Status: oops")
        failed = run.await_event("build-failed")
        assert "oops" in str(failed["output"])
        assert ask(place)[0] == 401

        save(folder / "main.go", "Status: oops", "Status: 429")
        run.await_event("reloaded")
        assert ask(place)[0] == 429

        hammer.ended.set()
        hammer.join()
        assert not hammer.failures
        assert {*hammer.statuses} == {403, 401, 429}

        save(folder / "main.go", "func init() {", 'func init() {\n\tpanic("not today")')
        refused = run.await_event("refused")
        assert refused["hint"]
        assert ask(place)[0] == 429

        save(folder / "main.go", '\n\tpanic("not today")', "")
        run.await_event("unchanged")

        (folder / "more.go").write_text("package main\n\nconst unused = 1\n")
        run.await_event("saved", paths=[str(folder / "more.go")])
        assert ask(place)[0] == 429
        code, envelope = run.stop()
        assert code == 130, run.err
        data = envelope["data"]
        assert isinstance(data, dict)
        assert data["reloads"] == 2
    upstream.shutdown()
    upstream.server_close()


def test_a_changed_configuration_is_loaded(tmp_path: Path, user_env: dict[str, str]) -> None:
    folder = scaffold(tmp_path / "p", "go")
    (folder / "config.json").write_text("{}")
    (folder / "wasmctl.toml").write_text('[plugin]\nconfig-file = "config.json"\n')
    with running("--watch", cwd=folder, env=user_env) as run:
        run.listening()
        (folder / "config.json").write_text('{"header": "x"}')
        run.await_event("reloaded")
        (folder / "wasmctl.toml").write_text("[plugin]\nnome = 1\n")
        assert run.await_event("build-failed")["code"] == "unknown-key"
        (folder / "wasmctl.toml").write_text("[plugin]\nconfig = {heder = 1}\n")
        assert run.await_event("build-failed")["code"] == "bad-configuration"
        # Where the schema lets it through, the plug-in itself refuses it.
        (folder / "config.schema.json").write_text("{}")
        assert run.await_event("refused")["code"] == "configuration-refused"
        (folder / "wasmctl.toml").write_text("[plugin]\nconfig = {header = 'y'}\n")
        run.await_event("reloaded")


def test_a_file_that_the_compiler_does_not_read_is_passed_over(
    tmp_path: Path, user_env: dict[str, str]
) -> None:
    folder = scaffold(tmp_path / "p", "go")
    with running("--watch", cwd=folder, env=user_env) as run:
        run.listening()
        for size in (1, 2, 3):
            (folder / "run.err").write_text("x" * size)
            (folder / "main_test.go").write_text("package main\n" + "\n" * size)
            time.sleep(0.8)
        save(folder / "main.go", "Status: 403", "Status: oops")
        run.await_event("build-failed")
        (folder / "run.err").write_text("the error, redirected")
        time.sleep(1)
        # A file that a source begins to embed counts, though it was passed over before.
        save(folder / "main.go", "Status: oops", "Status: 429")
        run.await_event("reloaded")
        save(
            folder / "main.go",
            "func main() {}",
            "func main() {}\n\n//go:embed run.err\nvar text string\n\nfunc init() { print(text) }",
        )
        save(folder / "main.go", "import (\n", 'import (\n\t_ "embed"\n')
        run.await_event("reloaded")
        (folder / "run.err").write_text("embedded by now")
        assert run.await_event("saved")["paths"] == [str(folder / "run.err")]
        run.await_event("reloaded")
        run.stop()
    told = [event for event in run.events if event.get("event") in {"saved", "build-failed"}]
    expected = [str(folder / "main.go")]
    assert all(event["paths"] == expected for event in told[:-1] if event["event"] == "saved")
    assert "unchanged" not in {event.get("event") for event in run.events}


def test_a_file_that_was_missing_mends_the_build(tmp_path: Path, user_env: dict[str, str]) -> None:
    folder = scaffold(tmp_path / "p", "go")
    with running("--watch", cwd=folder, env=user_env) as run:
        run.listening()
        save(
            folder / "main.go",
            "func main() {}",
            "func main() {}\n\n//go:embed rules.txt\nvar text string",
        )
        run.await_event("build-failed")
        save(folder / "main.go", "import (\n", 'import (\n\t_ "embed"\n')
        assert "rules.txt" in str(run.await_event("build-failed")["output"])
        (folder / "rules.txt").write_text("a")
        run.await_event("saved", paths=[str(folder / "rules.txt")])
        run.stop()
    assert run.events[-1]["exit_code"] == 130
