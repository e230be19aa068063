"""`wasmctl test`: what it says and which exit code it ends with, of each kind of answer."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import psutil
import pytest

from tests.conftest import WASMCTL, CommandLine

pytestmark = [pytest.mark.envoy, pytest.mark.cargo]

CASES = """
cases:
- name: let through
  request: {headers: {allow: true}}
  expect: {response: {status: 200}}
- name: denied
  request: {path: /status/418}
  expect: {response: {status: 403}, upstream: nothing, log: [{info: denied}]}
"""
WRONG = """
cases:
- name: let through
  request: {headers: {allow: true}}
  expect: {response: {status: 200}}
- name: kept out
  request: {path: /a, headers: {x-y: "it's"}}
  expect: {response: {status: 401, headers: {powered-by: nobody}}}
- name: denied
  request: {path: /status/418}
  expect: {response: {status: 403}}
"""
SLOW = """
- name: slow
  timeout: 60s
  upstream: {fail: hang}
  request: {headers: {allow: true}}
  expect: {response: {status: 200}}
"""
NO_PLUGIN = b"\0asm\1\0\0\0"

MakeProject = Callable[..., Path]


@pytest.fixture
def make_project(tmp_path: Path, header_auth_module: Path) -> MakeProject:
    """Makes a project whose module is there already."""

    def make(cases: str | None = CASES, *, name: str = "auth", module: bytes | None = None) -> Path:
        folder = tmp_path / name
        (folder / "dist").mkdir(parents=True)
        (folder / "tests").mkdir()
        (folder / "go.mod").write_text("module x\n\ngo 1.24\n")
        (folder / "main.go").write_text("package main\n\nfunc main() {}\n")
        content = header_auth_module.read_bytes() if module is None else module
        (folder / "dist/plugin.wasm").write_bytes(content)
        if cases is not None:
            (folder / "tests/auth.cases.yaml").write_text(cases)
        return folder

    return make


def without_times(text: str) -> list[str]:
    return [re.sub(r" +\d+ ms$|, [\d.]+ m?s$", "", line) for line in text.splitlines()]


def test_all_passed_is_a_line_a_case_and_exit_0(
    wasmctl: CommandLine, make_project: MakeProject
) -> None:
    project = make_project()
    said = wasmctl("test", "--no-build", cwd=project)
    assert said.code == 0, said.err
    *lines, summary = without_times(said.out)
    assert lines == ["passed   let through", "passed   denied"]
    assert re.fullmatch(r"2 passed in Envoy 1\.\d+\.\d+", summary)
    quiet = wasmctl("test", "--no-build", "-q", cwd=project)
    assert without_times(quiet.out) == [summary]
    (note,) = json.loads((project / "dist/plugin.json").read_text())["tests"]
    assert (note["passed"], note["failed"]) == (2, 0)


def test_a_failed_case_reads_as_expected_and_got_and_is_exit_1(
    wasmctl: CommandLine, make_project: MakeProject
) -> None:
    project = make_project(WRONG)
    said = wasmctl("test", "--no-build", cwd=project)
    assert said.code == 1
    lines = without_times(said.out)
    folder = lines[-2].rpartition(" ")[2]
    assert lines[:-1] == [
        "passed   let through",
        "FAILED   kept out",
        "  tests/auth.cases.yaml:6",
        "  response.status",
        "    expected  401",
        "    got       403",
        "  response.headers.powered-by",
        '    expected  "nobody"',
        '    got       "proxy-wasm"',
        "  the plug-in's log",
        "    | info: denied",
        "  to see it, beside `wasmctl run`",
        """    curl -i -H 'x-y: it'"'"'s' http://127.0.0.1:18000/a""",
        "passed   denied",
        f"what Envoy was given, and its log: {folder}",
    ]
    assert (Path(folder) / "envoy.log").is_file()
    assert lines[-1].startswith("1 failed, 2 passed in Envoy 1.")
    (note,) = json.loads((project / "dist/plugin.json").read_text())["tests"]
    assert (note["passed"], note["failed"]) == (2, 1)


def test_a_module_that_does_not_load_is_told_once_with_the_reason_and_exit_1(
    wasmctl: CommandLine, make_project: MakeProject
) -> None:
    project = make_project(WRONG, module=NO_PLUGIN)
    said = wasmctl("test", "--no-build", cwd=project)
    assert said.code == 1
    assert said.out.count("REFUSED") == 1
    assert "  Envoy finds no Proxy-Wasm ABI in the module" in said.out
    assert "  hint: " in said.out
    assert said.out.splitlines()[-1].startswith("the module does not load: 3 refused in Envoy 1.")
    document = json.loads(wasmctl("test", "--no-build", "--json", cwd=project).out)
    assert [error["code"] for error in document["errors"]] == ["module-refused"]
    assert document["data"]["refused"] == 3


def test_no_envoy_and_no_network_is_exit_7(
    wasmctl: CommandLine, make_project: MakeProject, tmp_path: Path
) -> None:
    env = {
        "XDG_CACHE_HOME": str(tmp_path / "empty"),
        "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
        "PIP_RETRIES": "0",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_EXTRA_INDEX_URL": None,
    }
    project = make_project()
    said = wasmctl("test", "--no-build", "--envoy", "1.36", cwd=project, env=env)
    assert (said.code, said.out) == (7, "")
    error, hint = said.err.splitlines()[-2:]
    assert error.startswith("error: ")
    assert "Envoy 1.36" in error
    assert hint.startswith("hint: ")
    assert not (project / "dist/plugin.json").exists()


def test_a_project_without_cases_is_loaded(wasmctl: CommandLine, make_project: MakeProject) -> None:
    said = wasmctl("test", "--no-build", cwd=make_project(None))
    assert said.code == 0, said.err
    assert re.fullmatch(r"loads; no cases \(Envoy 1\.\d+\.\d+\)\n", said.out)
    broken = make_project(None, name="broken", module=NO_PLUGIN)
    refused = wasmctl("test", "--no-build", cwd=broken)
    assert (refused.code, "REFUSED" in refused.out) == (1, True)


def test_names_choose_cases_and_one_that_matches_nothing_is_exit_2(
    wasmctl: CommandLine, make_project: MakeProject
) -> None:
    project = make_project(WRONG)
    some = wasmctl("test", "--no-build", "-k", "LET", "-k", "denied", cwd=project)
    assert some.code == 0
    assert without_times(some.out)[:-1] == ["passed   let through", "passed   denied"]
    # Only who passed all cases counts as tested.
    assert not (project / "dist/plugin.json").exists()
    none = wasmctl("test", "--no-build", "-k", "rate limit", cwd=project)
    assert (none.code, none.out) == (2, "")
    assert none.err.splitlines() == [
        "error: no case has `rate limit` in its name",
        "hint: there are `let through`, `kept out`, `denied`",
    ]


def test_a_wrong_case_file_is_exit_2_and_names_line_and_column(
    wasmctl: CommandLine, make_project: MakeProject
) -> None:
    said = wasmctl("test", "--no-build", cwd=make_project("cases:\n- {nam: a}\n"))
    assert (said.code, said.out) == (2, "")
    assert "tests/auth.cases.yaml:2:4: " in said.err
    assert "`name`" in said.err


def test_case_files_that_are_named_have_to_be_there(
    wasmctl: CommandLine, make_project: MakeProject
) -> None:
    env = {"WASMCTL_TEST_CASES": "spec/*.yaml"}
    said = wasmctl("test", "--no-build", cwd=make_project(), env=env)
    assert (said.code, "`spec/*.yaml`" in said.err) == (2, True)


def test_x_ends_with_the_first_that_does_not_pass(
    wasmctl: CommandLine, make_project: MakeProject
) -> None:
    said = wasmctl("test", "--no-build", "-x", cwd=make_project(WRONG))
    assert said.code == 1
    assert "denied\n" not in said.out.replace("info: denied\n", "")
    assert said.out.splitlines()[-1].startswith("1 failed, 1 passed, 1 not run in Envoy 1.")


def test_json_is_one_document_and_nothing_else(
    wasmctl: CommandLine, make_project: MakeProject
) -> None:
    said = wasmctl("test", "--no-build", "--json", cwd=make_project(WRONG))
    document = json.loads(said.out)
    assert (said.code, document["exit_code"], document["status"]) == (1, 1, "error")
    data = document["data"]
    assert (data["passed"], data["failed"], data["refused"]) == (2, 1, 0)
    assert [case["outcome"] for case in data["cases"]] == ["passed", "failed", "passed"]
    assert data["cases"][1]["differences"][0] == {
        "where": "response.status",
        "expected": "401",
        "got": "403",
    }
    assert [error["code"] for error in document["errors"]] == ["cases-failed"]


def test_junit_and_annotations_are_written_when_cases_fail(
    wasmctl: CommandLine, make_project: MakeProject
) -> None:
    project = make_project(WRONG)
    env = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_WORKSPACE": str(project.parent),
        "GITHUB_STEP_SUMMARY": str(project / "summary"),
    }
    said = wasmctl("test", "--no-build", "--junit", "report.xml", cwd=project, env=env)
    assert said.code == 1
    root = ET.parse(project / "report.xml").getroot()
    assert (root.attrib["tests"], root.attrib["failures"]) == ("3", "1")
    (line,) = [line for line in said.out.splitlines() if line.startswith("::")]
    assert line.startswith("::error file=auth/tests/auth.cases.yaml,line=6,title=kept out failed")
    assert "- failed: `kept out`" in (project / "summary").read_text()
    nowhere = wasmctl("test", "--no-build", "--junit", "no/report.xml", cwd=project)
    assert (nowhere.code, nowhere.out) == (2, "")


def test_a_report_that_cannot_be_written_takes_nothing_from_the_results(
    wasmctl: CommandLine, make_project: MakeProject
) -> None:
    project = make_project(WRONG)
    argv = ("test", "--no-build", "--json", "--junit")
    said = wasmctl(*argv, "/proc/report.xml", cwd=project)
    document = json.loads(said.out)
    assert (said.code, len(document["data"]["cases"])) == (2, 3)
    assert [error["code"] for error in document["errors"]] == ["cannot-write", "cases-failed"]
    # A summary is a nicety, and its folder CI's affair.
    env = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(project / "no/summary")}
    said = wasmctl(*argv, "report.xml", cwd=project, env=env)
    assert said.code == 1
    assert f"warning: the report `{project / 'no/summary'}` cannot be written" in said.err
    assert ET.parse(project / "report.xml").getroot().attrib["tests"] == "3"


def test_of_several_projects_each_is_told_and_the_highest_code_counts(
    wasmctl: CommandLine, make_project: MakeProject, tmp_path: Path
) -> None:
    make_project(name="good")
    make_project(WRONG, name="bad")
    said = wasmctl("test", "--no-build", "good", "bad", cwd=tmp_path)
    assert said.code == 1
    lines = said.out.splitlines()
    assert [line for line in lines if line in {"good", "bad"}] == ["good", "bad"]
    assert "  bad/tests/auth.cases.yaml:6" in lines


def test_a_module_that_was_not_tested_is_told_by_push_and_refused_where_asked(
    wasmctl: CommandLine, make_project: MakeProject
) -> None:
    """Nothing listens at the registry: what is refused before never gets there."""
    project = make_project()

    def push(*options: str, **env: str) -> tuple[int, str]:
        argv = ("push", "--no-build", "127.0.0.1:9/a/b:1", *options)
        said = wasmctl(*argv, cwd=project, env=env)
        return said.code, said.err

    code, talk = push("--require-tested")
    assert code == 1
    assert "hint: run `wasmctl test`" in talk
    code, talk = push()
    assert code == 6
    assert "warning: this module of `x` has not passed its cases; `wasmctl test` runs them" in talk

    assert wasmctl("test", "--no-build", cwd=project).code == 0
    code, talk = push("--require-tested")
    assert (code, "has not passed" in talk) == (6, False)
    # A release that the project names has to be among those.
    code, talk = push("--require-tested", WASMCTL_TEST_ENVOY="1.12")
    assert (code, "in Envoy 1.12" in talk) == (1, True)
    # Other cases are not the ones that were passed.
    (project / "tests/auth.cases.yaml").write_text(WRONG)
    assert push("--require-tested")[0] == 1
    assert wasmctl("test", "--no-build", "-k", "denied", cwd=project).code == 0
    assert push("--require-tested")[0] == 1


def test_a_file_that_a_case_names_is_part_of_what_was_tested(
    wasmctl: CommandLine, make_project: MakeProject
) -> None:
    project = make_project(
        """
        cases:
        - name: a long body
          request: {headers: {allow: true}, body: {file: body.txt}}
          expect: {upstream: {body: {file: "body.txt"}}}
        """
    )
    argv = ("push", "--no-build", "--require-tested", "127.0.0.1:9/a/b:1")
    (project / "tests/body.txt").write_text("as it was")
    assert wasmctl("test", "--no-build", cwd=project).code == 0
    assert wasmctl(*argv, cwd=project).code == 6
    (project / "tests/body.txt").write_text("other")
    assert wasmctl(*argv, cwd=project).code == 1


def test_push_leaves_those_without_cases_in_peace(
    wasmctl: CommandLine, make_project: MakeProject
) -> None:
    project = make_project(None)
    said = wasmctl("push", "--no-build", "127.0.0.1:9/a/b:1", cwd=project)
    assert (said.code, "warning" in said.err) == (6, False)
    asked = wasmctl("push", "--no-build", "127.0.0.1:9/a/b:1", "--require-tested", cwd=project)
    assert asked.code == 1
    assert wasmctl("test", "--no-build", cwd=project).code == 0
    asked = wasmctl("push", "--no-build", "127.0.0.1:9/a/b:1", "--require-tested", cwd=project)
    assert asked.code == 6


def is_alive(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_tells_what_passed_and_leaves_no_envoy(
    number: signal.Signals, user_env: dict[str, str], make_project: MakeProject
) -> None:
    project = make_project(CASES + SLOW)
    argv = [str(WASMCTL), "test", "--no-build", "--junit", "report.xml"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(argv, cwd=project, env=user_env, text=True, **pipes) as child:  # type: ignore[call-overload]
        assert child.stdout is not None
        told = [child.stdout.readline(), child.stdout.readline()]
        envoys = psutil.Process(child.pid).children(recursive=True)
        assert envoys
        time.sleep(0.2)
        child.send_signal(number)
        out, talk = child.communicate(timeout=20)
    assert child.returncode == 130, talk
    assert without_times("".join(told)) == ["passed   let through", "passed   denied"]
    assert out.startswith("2 passed, 1 not run in Envoy 1.")
    assert talk.splitlines()[-1] == "error: interrupted"
    # What has ended and waits for being noticed by its parent is gone all the same.
    assert not [process for process in envoys if is_alive(process)]
    assert ET.parse(project / "report.xml").getroot().attrib["tests"] == "3"
