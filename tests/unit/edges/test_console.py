"""The two streams: what is said where, and what becomes of it when nobody can hear."""

from __future__ import annotations

import io
import os
import threading
from pathlib import Path
from typing import TextIO

import pytest

from wasmctl.console import Console, wants_colour


class Terminal(io.StringIO):
    """A text stream that takes itself for a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def talk(verbosity: int, *, colour: bool = False) -> tuple[str, str]:
    out, err = io.StringIO(), Terminal()
    console = Console(out=out, err=err, verbosity=verbosity, colour=colour)
    console.say("said")
    console.detail("detail")
    console.warn("careful")
    console.error("wrong", "mend it", "the tool's words")
    console.result("result")
    return out.getvalue(), err.getvalue()


FAILURE = "warning: careful\nthe tool's words\nerror: wrong\nhint: mend it\n"


@pytest.mark.parametrize(
    ("verbosity", "said"),
    [(-1, FAILURE), (0, f"said\n{FAILURE}"), (1, f"said\ndetail\n{FAILURE}")],
)
def test_quiet_hides_talk_and_never_a_failure(verbosity: int, said: str) -> None:
    assert talk(verbosity) == ("result\n", said)


def test_colour_adds_nothing_to_the_meaning() -> None:
    _, err = talk(0, colour=True)
    assert "\x1b[31;1merror:\x1b[0m wrong" in err
    for sequence in ("\x1b[31;1m", "\x1b[33;1m", "\x1b[36;1m", "\x1b[0m"):
        err = err.replace(sequence, "")
    assert err == f"said\n{FAILURE}"


def test_an_error_without_a_hint_ends_with_its_message() -> None:
    err = Terminal()
    Console(out=io.StringIO(), err=err).error("wrong", None)
    assert err.getvalue() == "error: wrong\n"


@pytest.mark.parametrize(
    ("env", "terminal", "expected"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"TERM": "dumb"}, True, False),
        ({"NO_COLOR": "1"}, True, False),
        ({"NO_COLOR": ""}, True, True),
        ({"FORCE_COLOR": "1"}, False, True),
        ({"FORCE_COLOR": ""}, False, False),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, True, False),
    ],
)
def test_who_wants_colour(env: dict[str, str], terminal: bool, expected: bool) -> None:
    assert wants_colour(Terminal() if terminal else io.StringIO(), env) is expected


def test_what_could_move_the_cursor_is_shown_and_not_obeyed() -> None:
    err = Terminal()
    console = Console(out=io.StringIO(), err=err, colour=True)
    styled = console.style("green", "green")
    console.say(f"folder\x1b]0;title\x07 \x9b2J a\rb\tc {styled}")
    assert err.getvalue() == f"folder\\x1b]0;title\\x07 \\x9b2J a\\x0db\tc {styled}\n"


def test_a_tools_own_words_are_shown_as_they_are() -> None:
    err = Terminal()
    Console(out=io.StringIO(), err=err).error("failed", None, "\x1b[1mcargo\x1b[0m\r\n")
    assert err.getvalue().startswith("\x1b[1mcargo\x1b[0m\r\n")


def test_nothing_moves_off_a_terminal() -> None:
    err = io.StringIO()
    console = Console(out=io.StringIO(), err=err)
    with console.board(["one", "two"]) as tell:
        tell(0, None)
        tell(1, None)
        tell(1, "failed")
        tell(0, "built")
    with console.transfer("pushing", 10) as advance:
        advance(10)
    assert err.getvalue() == "two: failed\none: built\n"
    assert console.live is None


def test_nothing_moves_where_braille_cannot_be_shown() -> None:
    class Latin(Terminal):
        encoding = "latin-1"

    assert not Console(out=io.StringIO(), err=Latin(), animated=True).animated


def test_nothing_moves_when_quiet() -> None:
    assert not Console(out=io.StringIO(), err=Terminal(), animated=True, verbosity=-1).animated


def stream_to(descriptor: int) -> TextIO:
    return os.fdopen(descriptor, "w", encoding="utf-8")


@pytest.mark.parametrize("gone", ["out", "err"])
def test_a_reader_that_has_gone_ends_no_work(gone: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with stream_to(writer) as broken, io.StringIO() as fine:
        streams = {"out": fine, "err": fine, gone: broken}
        console = Console(out=streams["out"], err=streams["err"])
        for _ in range(2):
            console.result("result")
            console.say("said")
        assert fine.getvalue() == ("said\n" if gone == "out" else "result\n") * 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_talk_that_cannot_be_written_ends_no_work() -> None:
    with stream_to(os.open("/dev/full", os.O_WRONLY)) as full:
        Console(out=io.StringIO(), err=full).say("said")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_result_that_cannot_be_written_is_an_error_once() -> None:
    with stream_to(os.open("/dev/full", os.O_WRONLY)) as full:
        with pytest.raises(OSError, match="No space left"):
            Console(out=full, err=io.StringIO()).result("result")
        full.flush()  # as the interpreter does at its end


def test_threads_do_not_mix_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "talk"
    with path.open("w", encoding="utf-8") as err:
        console = Console(out=io.StringIO(), err=err)

        def work(letter: str) -> None:
            for _ in range(200):
                console.say(letter * 300)

        threads = [threading.Thread(target=work, args=(letter,)) for letter in "abcdef"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    lines = path.read_text().splitlines()
    assert sorted(lines) == sorted(letter * 300 for letter in "abcdef" for _ in range(200))
