"""What moves, on a real terminal: nothing of it is left when it is over, and no line is lost."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pexpect
import pytest

from tests.conftest import WASMCTL, CommandLine

BOARD = """
import sys, threading, time
from wasmctl.console import Console
console = Console(out=sys.stdout, err=sys.stderr, colour=True, animated=True)
with console.board(["a", "b [x]"]) as tell:
    tell(0, None); tell(1, None)
    time.sleep(0.3)
    console.say("said in the middle of a very long line " + "x" * 100)
    WAIT
    tell(1, "failed"); tell(0, "built")
console.result("result")
"""

TRANSFER = """
import sys, threading, time
from wasmctl.console import Console
console = Console(out=sys.stdout, err=sys.stderr, colour=True, animated=True)
with console.transfer("pushing [/]", 4000) as advance:
    def work():
        for _ in range(100):
            advance(10)
            time.sleep(0.003)
    threads = [threading.Thread(target=work) for _ in range(4)]
    [thread.start() for thread in threads]
    console.warn("careful")
    [thread.join() for thread in threads]
console.result("result")
"""
HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"


def shown(script: str, *, interrupt: bool = False) -> str:
    child = pexpect.spawn(
        sys.executable, ["-c", script], encoding="utf-8", timeout=20, dimensions=(24, 80)
    )
    if interrupt:
        child.expect("in the middle")
        child.sendintr()
    child.expect(pexpect.EOF)
    child.close()
    text: str = child.before
    return text


def plain(text: str) -> list[str]:
    return re.split(r"\r\n|\r|\n", re.sub(r"\x1b\[[?\d;]*[A-Za-z]", "", text))


def test_a_board_shows_each_and_ends_with_all() -> None:
    text = shown(BOARD.replace("WAIT", "time.sleep(0.3)"))
    lines = [line.rstrip() for line in plain(text)]
    assert "said in the middle of a very long line " + "x" * 100 in lines
    assert lines[-2] == "result"
    assert re.fullmatch(r"· a: built +0:00:0\d", lines[-4])
    assert re.fullmatch(r"· b \[x\]: failed +0:00:0\d", lines[-3])
    assert text.count(HIDE) == text.count(SHOW) == 1


def test_a_bar_leaves_nothing_behind() -> None:
    text = shown(TRANSFER)
    assert "4.0/4.0 kB" in text
    assert "pushing [/]" in text
    # What the bar drew is wiped before the result is printed.
    assert re.search(r"\x1b\[1A\x1b\[2K(\x1b\[\?25h)?result\r\n$", text)
    assert text.count(HIDE) == text.count(SHOW) == 1
    assert [line for line in plain(text) if line.startswith("warning: careful")]


@pytest.mark.parametrize("moment", ["time.sleep(9)", "[None for _ in iter(int, 1)]"])
def test_an_interruption_gives_the_cursor_back(moment: str) -> None:
    text = shown(BOARD.replace("WAIT", moment), interrupt=True)
    assert SHOW in text


@pytest.mark.parametrize(
    ("flags", "env", "moves"),
    [
        ([], {}, True),
        (["--json"], {}, False),
        (["-q"], {}, False),
        ([], {"CI": "true"}, False),
        ([], {"TERM": "dumb"}, False),
        ([], {"PYTHONIOENCODING": "latin-1"}, False),
    ],
)
def test_the_command_line_moves_only_where_somebody_watches(
    wasmctl: CommandLine, tmp_path: Path, flags: list[str], env: dict[str, str], moves: bool
) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        sdk = "require github.com/proxy-wasm/proxy-wasm-go-sdk v0.0.0"
        (tmp_path / name / "go.mod").write_text(f"module x\n\ngo 1.24\n\n{sdk}\n")
        (tmp_path / name / "main.go").write_text("package main\n\nfunc main() {}\n")
    child = pexpect.spawn(
        str(WASMCTL),
        ["build", *flags, "a", "b"],
        cwd=str(tmp_path),
        env={**wasmctl.env, "TERM": "xterm", "WASMCTL_GO": "/nowhere/go", **env},
        encoding="utf-8",
        timeout=60,
    )
    child.expect(pexpect.EOF)
    child.close()
    assert (HIDE in child.before) is moves
    assert ("a: failed" in child.before) is (flags != ["-q"])
    assert child.exitstatus == 3
