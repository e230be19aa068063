"""`wasmctl test --url`: cases against a plug-in that a real Envoy loads from a real registry."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import psutil
import pytest

from tests.conftest import WASMCTL, CommandLine
from tests.integration.builds import scaffold
from tests.integration.deployed import Deployed, deployed
from tests.integration.refusals import refused
from tests.integration.registries import RunningRegistry, make_certificate

pytestmark = [pytest.mark.envoy, pytest.mark.cargo, pytest.mark.registry]

NAME = "gateway.test"
# What to do, and with the client's end of a connection.
Conduct = Callable[[socket.socket], None]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificate")
    make_certificate(folder, name=NAME)
    return folder


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory, header_auth_module: Path) -> Path:
    """The project of the template, as it was built."""
    folder = scaffold(tmp_path_factory.mktemp("project") / "auth", "cargo")
    (folder / "dist").mkdir()
    shutil.copy(header_auth_module, folder / "dist/plugin.wasm")
    return folder


@pytest.fixture(scope="module")
def gateway(
    plugin: Path,
    certificate: Path,
    plain_registry: RunningRegistry,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Deployed]:
    """An Envoy with the module as a registry hands it out."""
    folder = tmp_path_factory.mktemp("deployed")
    line = CommandLine({**os.environ, "HOME": str(folder)})
    pushed = line("push", "--no-build", f"{plain_registry.new_name()}:1.0.0", cwd=plugin)
    assert pushed.code == 0, pushed.err
    reference = pushed.out.splitlines()[-1]
    pulled = line("pull", reference, "--output", "plugin.wasm", cwd=folder)
    assert pulled.code == 0, pulled.err
    with deployed(folder / "plugin.wasm", folder, certificate) as running:
        yield running


@pytest.fixture
def cases(tmp_path: Path) -> Callable[[str], Path]:
    """Makes a project that has nothing but cases: no module, no toolchain is asked for."""

    def make(text: str) -> Path:
        (tmp_path / "tests").mkdir(exist_ok=True)
        (tmp_path / "go.mod").write_text("module x\n\ngo 1.24\n")
        (tmp_path / "main.go").write_text("package main\n\nfunc main() {}\n")
        (tmp_path / "tests/x.cases.yaml").write_text(text)
        return tmp_path

    return make


@pytest.fixture
def listening() -> Iterator[Callable[[Conduct], str]]:
    """Listens on a port and conducts itself towards every client as it is told."""
    with contextlib.ExitStack() as stack:

        def listen(conduct: Conduct) -> str:
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))

            def serve() -> None:
                with contextlib.suppress(OSError):
                    while True:
                        client, _ = listener.accept()
                        stack.callback(client.close)
                        conduct(client)

            threading.Thread(target=serve, daemon=True).start()
            return f"http://127.0.0.1:{listener.getsockname()[1]}"

        yield listen


def without_times(text: str) -> list[str]:
    return [re.sub(r" +\d+ ms(?=$|  )|, [\d.]+ m?s$", "", line) for line in text.splitlines()]


def curl_lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip().startswith("curl ")]


def asked_by_curl(line: str) -> str:
    argv = ["bash", "-c", f"{line} --silent --max-time 10"]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


def test_the_templates_cases_pass_where_it_is_deployed(
    wasmctl: CommandLine, plugin: Path, gateway: Deployed
) -> None:
    said = wasmctl("test", "--url", gateway.url("plain"), cwd=plugin)
    assert said.code == 0, said.out + said.err
    lines = without_times(said.out)
    passed = [line for line in lines if line.startswith("passed ")]
    assert len(passed) >= 4
    told = r"passed   without the header, refused +\(not shown: log, upstream\)"
    assert [line for line in passed if re.fullmatch(told, line)]
    assert "not shown: upstream: what reaches the upstream shows there alone" in lines
    assert lines[-1].startswith(f"{len(passed)} passed")
    assert lines[-1].endswith(f" at {gateway.url('plain')}")
    assert "tests" not in json.loads((plugin / "dist/plugin.json").read_text())


def test_without_the_plug_in_they_fail_with_a_line_that_shows_it(
    wasmctl: CommandLine, plugin: Path, gateway: Deployed
) -> None:
    said = wasmctl("test", "--url", gateway.url("bare"), "-k", "refused", cwd=plugin)
    assert said.code == 1
    assert "    expected  403\n    got       200\n" in said.out
    assert "  to see it\n" in said.out
    lines = curl_lines(said.out)
    assert len(lines) >= 3
    assert lines[0] == f"curl -i {gateway.url('bare')}/status/418"
    for line in lines:
        assert asked_by_curl(line).startswith("HTTP/1.1 200 ")


def test_what_the_upstream_there_answers_is_not_the_plug_ins_doing(
    wasmctl: CommandLine, plugin: Path, gateway: Deployed
) -> None:
    argv = ("test", "--url", gateway.url("teapot"), "--json")
    document = json.loads(wasmctl(*argv, cwd=plugin).out)
    assert document["exit_code"] == 0, document
    passed_on, *others = document["data"]["cases"]
    assert passed_on["outcome"] == "not-shown"
    parts = [part["what"] for part in passed_on["not_shown"]]
    assert parts == ["log", "response.status", "response.body"]
    assert {case["outcome"] for case in others} >= {"passed"}
    assert document["data"]["failed"] == 0


def test_a_refusal_is_not_taken_for_the_upstreams_answer(
    wasmctl: CommandLine, cases: Callable[[str], Path], gateway: Deployed
) -> None:
    project = cases("""
cases:
- name: let through
  request: {headers: {allow: "no"}}
  expect: {response: {status: 200}}
""")
    said = wasmctl("test", "--url", gateway.url("teapot"), cwd=project)
    assert said.code == 1
    assert "    got       403\n" in said.out
    assert "the case's `upstream` declares that answer" in said.out


# curl 7.88 loses answers in HTTP/2 that come before a body is sent.
@pytest.mark.parametrize(
    ("sent", "version"),
    [("method: POST, body: [one, two]", "HTTP/1.1 403 "), ("http: 2", "HTTP/2 403 ")],
    ids=["http 1", "http 2"],
)
def test_over_tls_the_name_is_asked_for_and_verified(
    sent: str,
    version: str,
    wasmctl: CommandLine,
    cases: Callable[[str], Path],
    gateway: Deployed,
    certificate: Path,
) -> None:
    project = cases(f"""
cases:
- name: refused
  request: {{{sent}, headers: {{x-a: b}}}}
  expect: {{response: {{status: 404, headers: {{powered-by: proxy-wasm}}}}}}
""")
    argv = ("test", "--url", gateway.url("tls"), "--ca-file", str(certificate / "ca.pem"))
    named = wasmctl(*argv, "--host", NAME, cwd=project)
    assert named.code == 1, named.err
    assert "    expected  404\n    got       403\n" in named.out
    (line,) = curl_lines(named.out)
    assert f"--connect-to ::127.0.0.1:{gateway.ports['tls']} " in line
    assert asked_by_curl(line.partition("  #")[0]).startswith(version)
    other = wasmctl(*argv, cwd=project)
    assert (other.code, other.out) == (7, "")
    assert "its certificate is not trusted: IP address mismatch" in other.err
    assert "--host NAME" in other.err.splitlines()[-1]


def test_an_authority_that_nobody_knows_is_exit_7(
    wasmctl: CommandLine, plugin: Path, gateway: Deployed
) -> None:
    argv = ("test", "--url", gateway.url("tls"))
    said = wasmctl(*argv, cwd=plugin)
    assert (said.code, said.out) == (7, "")
    assert "unable to get local issuer certificate" in said.err
    assert "--ca-file FILE" in said.err.splitlines()[-1]
    assert wasmctl(*argv, "--insecure-skip-tls-verify", cwd=plugin).code == 0


def test_the_wrong_scheme_is_told(wasmctl: CommandLine, plugin: Path, gateway: Deployed) -> None:
    port = gateway.ports["tls"]
    said = wasmctl("test", "--url", f"http://127.0.0.1:{port}", cwd=plugin)
    assert (said.code, said.out) == (7, "")
    assert said.err.splitlines() == [
        f"error: the gateway http://127.0.0.1:{port} speaks TLS",
        f"hint: ask it by https: `--url https://127.0.0.1:{port}`",
    ]
    port = gateway.ports["plain"]
    said = wasmctl("test", "--url", f"https://127.0.0.1:{port}", cwd=plugin)
    assert (said.code, said.out) == (7, "")
    assert "what answers there does not speak TLS" in said.err
    assert said.err.splitlines()[-1] == (
        f"hint: if it speaks http: `--url http://127.0.0.1:{port}`"
    )


def test_steps_are_asked_in_order_and_the_first_failure_may_be_the_last(
    wasmctl: CommandLine, cases: Callable[[str], Path], gateway: Deployed
) -> None:
    project = cases("""
cases:
- name: several
  steps:
  - {request: {headers: {allow: true}}, expect: {response: {body: hello}}}
  - {wait: 10ms}
  - parallel:
    - {request: {headers: {allow: true}}, expect: {response: {status: 200}}}
    - {request: {path: /b}, expect: {response: {status: 404}}}
- name: never asked
  request: {}
  expect: {response: {status: 403}}
""")
    said = wasmctl("test", "--url", gateway.url("plain"), "-x", "--json", cwd=project)
    several, never = json.loads(said.out)["data"]["cases"]
    assert (said.code, several["outcome"], never["outcome"]) == (1, "failed", "not-run")
    assert several["differences"] == [
        {
            "where": "steps[2].parallel[1].response.status",
            "expected": "404",
            "got": "403",
            "line": 9,
        }
    ]
    assert several["curl"] == f"curl -i {gateway.url('plain')}/b"


def test_a_redirect_is_an_answer(wasmctl: CommandLine, plugin: Path, gateway: Deployed) -> None:
    argv = ("test", "--url", gateway.url("redirecting"), "-k", "without the header", "--json")
    document = json.loads(wasmctl(*argv, cwd=plugin).out)
    (case,) = document["data"]["cases"]
    assert (document["exit_code"], case["outcome"]) == (1, "failed")
    assert case["differences"][0]["got"] == (
        '301, a redirect to "https://shop.example.com/status/418", which is not followed'
    )


def test_the_host_is_what_requests_call_it(
    wasmctl: CommandLine, cases: Callable[[str], Path], listening: Callable[[Conduct], str]
) -> None:
    heads = []

    def note(client: socket.socket) -> None:
        if data := client.recv(4096):
            heads.append(data)
            client.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")

    project = cases("""
cases:
- name: one
  request: {}
  expect: {response: {status: 200}}
- name: its own
  request: {headers: {host: other.example.com}}
  expect: {response: {status: 200}}
""")
    said = wasmctl("test", "--url", listening(note), "--host", "shop.example.com:81", cwd=project)
    assert said.code == 0, said.out
    hosts = [re.findall(rb"(?i)host: (\S+)\r\n", head) for head in heads]
    assert hosts == [[b"shop.example.com:81"], [b"other.example.com"]]


ONE = """
cases:
- name: one
  timeout: 400ms
  request: {}
  expect: {response: {status: 200}}
- name: two
  request: {path: /2}
  expect: {response: {status: 200}}
"""


@pytest.mark.parametrize(
    ("conduct", "words"),
    [
        (lambda _: None, "no answer within 0.4 s"),
        (lambda client: client.close(), "the connection was "),
    ],
    ids=["silent", "closing"],
)
def test_a_gateway_that_never_answers_is_exit_7(
    conduct: Conduct,
    words: str,
    wasmctl: CommandLine,
    cases: Callable[[str], Path],
    listening: Callable[[Conduct], str],
) -> None:
    url = listening(conduct)
    said = wasmctl("test", "--url", url, cwd=cases(ONE))
    assert (said.code, said.out) == (7, "")
    error, hint = said.err.splitlines()
    assert error.startswith(f"error: the gateway {url} does not answer: {words}")
    assert hint.startswith("hint: see that it is up")


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "http://gateway.invalid"])
def test_a_gateway_that_is_not_there_is_exit_7(
    url: str, wasmctl: CommandLine, cases: Callable[[str], Path]
) -> None:
    document = json.loads(wasmctl("test", "--url", url, "--json", cwd=cases(ONE)).out)
    (error,) = document["errors"]
    assert (document["exit_code"], error["code"]) == (7, "gateway-unreachable")


def test_a_gateway_that_goes_away_ends_the_run(
    wasmctl: CommandLine, cases: Callable[[str], Path], tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            for _ in range(2):  # a look whether it is there, and the first case
                client, _ = listener.accept()
                with client:
                    if client.recv(4096):
                        listener.shutdown(socket.SHUT_RDWR)
                        listener.close()
                        client.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        project = cases(ONE + "- name: three\n  request: {}\n  expect: {response: {status: 200}}\n")
        said = wasmctl("test", "--url", url, "--junit", "j.xml", cwd=project)
        thread.join()
    assert said.code == 7
    assert [line.split("  ")[0] for line in said.out.splitlines()[:2]] == ["passed", "NO ANSWER"]
    assert said.out.splitlines()[-1].startswith(
        f"1 without an answer, 1 passed, 1 not run at {url}"
    )
    root = ET.parse(tmp_path / "j.xml").getroot()
    assert (root.attrib["tests"], root.attrib["errors"]) == ("3", "1")


UNSHOWN = """
plugin: {config: {a: 1}}
cases:
- name: other configuration
  plugin: {config: {a: 2}}
  request: {}
  expect: {response: {status: 200}}
- name: a load
  expect: {log: [{info: up}]}
- name: fresh
  fresh: true
  request: {}
  expect: {response: {status: 200}}
- name: a log
  request: {}
  expect: {log: nothing}
"""


def test_where_nothing_can_be_shown_nothing_is_asked_and_it_is_exit_2(
    wasmctl: CommandLine, cases: Callable[[str], Path]
) -> None:
    project = cases(UNSHOWN)
    (project / "wasmctl.toml").write_text("[plugin]\nconfig = {a = 1}\n")
    said = wasmctl("test", "--url", "http://127.0.0.1:9", "--junit", "j.xml", cwd=project)
    assert said.code == 2, said.err
    assert without_times(said.out) == [
        "not shown  other configuration  (plugin)",
        "not shown  a load               (load)",
        "not shown  fresh                (fresh)",
        "not shown  a log                (log)",
        "not shown: plugin: what is deployed has one configuration: `[deploy] config`, else "
        "`[plugin]`'s",
        "not shown: load: what is deployed is loaded already",
        "not shown: fresh: what is deployed has VMs that others use, too",
        "not shown: log: `wasmctl logs` shows the plug-in's lines in the proxy's log",
        "4 not shown at http://127.0.0.1:9",
    ]
    assert said.err.splitlines()[0].startswith("error: nothing that the cases expect is shown")
    root = ET.parse(project / "j.xml").getroot()
    assert len(root.findall(".//skipped")) == 4


def test_ctrl_c_ends_it_at_once(
    user_env: dict[str, str], cases: Callable[[str], Path], listening: Callable[[Conduct], str]
) -> None:
    asked = threading.Event()

    def take(client: socket.socket) -> None:
        if client.recv(4096):
            asked.set()

    argv = [str(WASMCTL), "test", "--url", listening(take), "-k", "two"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(argv, cwd=cases(ONE), env=user_env, text=True, **pipes) as child:  # type: ignore[call-overload]
        assert asked.wait(20)
        started = time.monotonic()
        child.send_signal(signal.SIGINT)
        out, talk = child.communicate(timeout=20)
    assert (child.returncode, talk.splitlines()[-1]) == (130, "error: interrupted")
    assert out.startswith("1 not run at http://")
    assert time.monotonic() - started < 5


def test_ctrl_c_ends_a_connection_that_nobody_takes(
    user_env: dict[str, str], cases: Callable[[str], Path]
) -> None:
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        place = listener.getsockname()
        # As many as wait to be accepted; what comes then is left without an answer.
        for _ in range(8):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(place)
        argv = [str(WASMCTL), "test", "--url", f"http://127.0.0.1:{place[1]}"]
        child = subprocess.Popen(
            argv, cwd=cases(ONE), env=user_env, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        process, deadline = psutil.Process(child.pid), time.monotonic() + 20
        while not any(one.status == "SYN_SENT" for one in process.net_connections()):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        started = time.monotonic()
        child.send_signal(signal.SIGINT)
        child.communicate(timeout=20)
    assert child.returncode == 130
    assert time.monotonic() - started < 2


REFUSED = {
    ("--url", "http://a", "--envoy", "1.40"): "`--envoy` and `--url`",
    ("--url", "http://a", "--jobs", "2"): "`--jobs` and `--url`",
    ("--url", "http://a", "--no-build"): "`--no-build` and `--url`",
    ("--host", "a"): "`--host` is about the gateway",
    ("--insecure-skip-tls-verify",): "`--insecure-skip-tls-verify` is about the gateway",
    ("--url", "http://a", "--ca-file", "ca.pem"): "asked without TLS",
    ("--url", "https://a", "--ca-file", "ca.pem"): "`{}/ca.pem` cannot be read",
    ("--url", "http://a/b"): "the path is each request's own",
    ("--url", "http://me:secret@a"): "a user has no place in it",
    ("--url", "ftp://a"): "neither http nor https",
    ("--url", "http://a", "--host", "a b"): "`--host a b` is no host",
    ("--url", "http://a", "--host", "a/b"): "`--host a/b` is no host",
    ("--url", "http://a", "--host", ""): "`--host ` is no host",
    ("--url", "http://a", "-k", "nothing"): "no case has `nothing` in its name",
}


def test_what_does_not_go_together_is_exit_2(
    user_env: dict[str, str], cases: Callable[[str], Path]
) -> None:
    project = cases(ONE)
    lines = [["test", *options] for options in REFUSED]
    told = refused(lines, cwd=project, env=user_env)
    for (_, *options), said in told.items():
        assert (said.code, said.out) == (2, ""), options
        assert REFUSED[tuple(options)].format(project) in said.err
        assert "secret" not in said.err
        assert "hint: " in said.err


def test_a_project_without_cases_is_exit_2(wasmctl: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "go.mod").write_text("module x\n\ngo 1.24\n")
    (tmp_path / "main.go").write_text("package main\n\nfunc main() {}\n")
    said = wasmctl("test", "--url", "http://127.0.0.1:9", cwd=tmp_path)
    assert (said.code, said.out) == (2, "")
    assert "declares no cases that could be run at http://127.0.0.1:9" in said.err
