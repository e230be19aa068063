"""The questions of `wasmctl init`, on a real terminal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pexpect
import pytest

from tests.conftest import WASMCTL
from tests.unit.scaffold.trees import read_tree, write_tree

DOWN = "\x1b[B"
ENTER = "\r"
CTRL_C = "\x03"
CTRL_D = "\x04"

Spawn = Callable[..., pexpect.spawn]


@pytest.fixture
def spawn(user_env: dict[str, str], tmp_path: Path) -> Spawn:
    """Starts the command line on a terminal, in tmp_path."""
    # A terminal of nobody does not answer where its cursor is.
    env = {**user_env, "PROMPT_TOOLKIT_NO_CPR": "1", "TERM": "xterm", "NO_COLOR": "1"}

    def start(*arguments: str, **more: str) -> pexpect.spawn:
        return pexpect.spawn(
            str(WASMCTL),
            list(arguments),
            cwd=tmp_path,
            env={**env, **more},
            encoding="utf-8",
            timeout=20,
            dimensions=(40, 160),
        )

    return start


def ended(child: pexpect.spawn) -> tuple[int | None, str]:
    child.expect(pexpect.EOF)
    child.close()
    return child.exitstatus, child.before or ""


def test_what_no_flag_says_is_asked_and_the_flags_are_shown(spawn: Spawn, tmp_path: Path) -> None:
    child = spawn("init", "My_Plug")
    child.expect("Template")
    # The first is what every example shows.
    child.expect("header-auth")
    child.send(ENTER)
    child.expect("Language")
    child.send(DOWN + ENTER)
    child.expect("Toolchain")
    child.send(ENTER)
    child.expect("Name")
    child.expect("my-plug")
    child.send(ENTER)
    code, rest = ended(child)
    assert code == 0
    flags = "--template header-auth --language go --toolchain go --name my-plug"
    assert f"`wasmctl init My_Plug {flags}`" in rest
    assert "module my-plug\n" in (tmp_path / "My_Plug/go.mod").read_text()


def test_the_flags_shown_do_the_same_without_questions(spawn: Spawn, tmp_path: Path) -> None:
    child = spawn("init", "one", "--template", "header-auth", "--language", "rust")
    child.expect("Name")
    child.send("-x" + ENTER)
    code, rest = ended(child)
    assert code == 0
    command = rest.partition("`wasmctl init one ")[2].partition("`")[0]
    assert ended(spawn("init", "two", *command.split()))[0] == 0
    assert read_tree(tmp_path / "one") == read_tree(tmp_path / "two")


def test_a_name_is_judged_as_it_is_typed(spawn: Spawn, tmp_path: Path) -> None:
    child = spawn("init", "x", "--template", "header-auth", "--toolchain", "cargo")
    child.expect("Name")
    child.send("_1")
    child.expect("lower-case letters")
    child.send(ENTER)  # not taken
    child.send("\x7f" * 3 + "fn")
    child.expect("keyword of Rust")
    child.send("-1" + ENTER)
    assert ended(child)[0] == 0
    assert 'name = "fn-1"' in (tmp_path / "x/Cargo.toml").read_text()


@pytest.mark.parametrize(
    ("flags", "question", "keys"),
    [
        (None, "Template", CTRL_C),
        ((), "Language", CTRL_C),
        (("--language", "go"), "Toolchain", CTRL_C),
        (("--language", "rust"), "Name", CTRL_C),
        (("--language", "rust"), "Name", "\x7f" + CTRL_D),  # the end of an empty line
    ],
)
def test_a_question_that_is_left_writes_nothing(
    spawn: Spawn, tmp_path: Path, flags: tuple[str, ...] | None, question: str, keys: str
) -> None:
    given = () if flags is None else ("--template", "header-auth", *flags)
    child = spawn("init", "x", *given)
    child.expect(question)
    child.send(keys)
    code, rest = ended(child)
    assert code == 130
    assert "Traceback" not in rest
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    ("flags", "env"),
    [(("--no-input",), {}), (("--json",), {}), ((), {"CI": "1"}), ((), {"WASMCTL_NO_INPUT": "1"})],
)
def test_nothing_is_asked_where_nobody_is_to_be_asked(
    spawn: Spawn, tmp_path: Path, flags: tuple[str, ...], env: dict[str, str]
) -> None:
    code, said = ended(spawn("init", "x", *flags, **env))
    assert code == 2
    assert "--language rust" in said
    assert not [*tmp_path.iterdir()]


def test_nothing_is_asked_where_flags_say_all(spawn: Spawn) -> None:
    flags = ("--template", "header-auth", "--language", "rust", "--name", "y")
    code, said = ended(spawn("init", "x", *flags))
    assert code == 0
    assert "next time" not in said


def test_results_stay_apart_from_questions(spawn: Spawn, tmp_path: Path) -> None:
    """With stdout in a file the questions are on stderr, which is still the terminal."""
    script = f"{WASMCTL} init x --template header-auth --language rust > listed"
    child = pexpect.spawn(
        "/bin/sh", ["-c", script], cwd=tmp_path, env=spawn("--version").env, encoding="utf-8",
        timeout=20,
    )  # fmt: skip
    child.expect("Name")
    child.send(ENTER)
    assert ended(child)[0] == 0
    listed = (tmp_path / "listed").read_text().splitlines()
    assert listed
    assert all((tmp_path / line).is_file() for line in listed)


def test_a_templates_own_questions_are_asked(spawn: Spawn, tmp_path: Path) -> None:
    questions = "port: {type: int, help: 'Which port?'}\n"
    write_tree(tmp_path / "t", {"copier.yml": questions, "x.jinja": "{{ port }}"})
    child = spawn("init", "made", "--template", "./t")
    child.expect("Which port")
    child.send("80" + ENTER)
    assert ended(child)[0] == 0
    assert read_tree(tmp_path / "made") == {"x": "80"}
    child = spawn("init", "left", "--template", "./t")
    child.expect("Which port")
    child.send(CTRL_C)
    code, rest = ended(child)
    assert (code, "Traceback" in rest) == (130, False)
    assert not (tmp_path / "left").exists()
