"""The command line with streams that nobody reads, that are full, or that were closed."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest

from tests.conftest import WASMCTL, CommandLine, Said

SHOW = f"{shlex.quote(str(WASMCTL))} config show"


def bash(script: str, wasmctl: CommandLine, cwd: Path) -> Said:
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=cwd,
        env=wasmctl.env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Said(code=done.returncode, out=done.stdout, err=done.stderr)


@pytest.mark.parametrize("verb", ["config show", "config schema", "config show --json"])
def test_a_reader_that_wants_only_the_first_line(
    wasmctl: CommandLine, tmp_path: Path, verb: str
) -> None:
    script = f"set -o pipefail; {shlex.quote(str(WASMCTL))} {verb} | true"
    assert bash(script, wasmctl, tmp_path) == Said(code=0, out="", err="")


def test_help_that_nobody_reads_ends_without_a_word(wasmctl: CommandLine, tmp_path: Path) -> None:
    assert bash(f"{shlex.quote(str(WASMCTL))} --help | true", wasmctl, tmp_path).err == ""


@pytest.mark.parametrize("verb", ["config show", "config show --json"])
def test_a_result_that_cannot_be_written_is_an_error(
    wasmctl: CommandLine, tmp_path: Path, verb: str
) -> None:
    said = bash(f"{shlex.quote(str(WASMCTL))} {verb} >/dev/full", wasmctl, tmp_path)
    assert (said.code, said.err) == (2, "error: no space left on the disk\nhint: make room\n")


@pytest.mark.parametrize("redirection", [">&-", "2>&-", "<&-", ">&- 2>&- <&-", "2>/dev/full"])
def test_streams_that_are_closed_or_full_of_talk_end_no_work(
    wasmctl: CommandLine, tmp_path: Path, redirection: str
) -> None:
    said = bash(f"{SHOW} -v {redirection}", wasmctl, tmp_path)
    assert (said.code, said.err) == (0, "")
    assert ("image.format" in said.out) is (">&-" not in redirection.replace("2>&-", ""))


def test_a_failure_keeps_its_exit_code_when_nobody_hears_of_it(
    wasmctl: CommandLine, tmp_path: Path
) -> None:
    assert bash(f"{SHOW} /nowhere 2>/dev/full", wasmctl, tmp_path).code == 2


def test_a_hang_up_that_is_ignored_stays_ignored(wasmctl: CommandLine, tmp_path: Path) -> None:
    script = f"trap '' HUP; ({SHOW} & kill -HUP $!; wait $!)"
    assert bash(script, wasmctl, tmp_path).code == 0
