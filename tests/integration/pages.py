"""The dialogues of docs/: run as they stand there, with the real tools, and compared.

A page marks them by comments that its readers do not see:

    <!-- story: NAME; needs: cargo envoy -->   what follows begins in an empty folder
    <!-- beside: TEXT -->                      the next block's last command goes on; ready when it
                                               has said TEXT
    <!-- end -->                               what goes on is ended, as by Ctrl-C

Every `console` block behind such a story is run. `$ ` begins a command, `> ` goes on with it, the
lines behind are what it says on both streams; `…` alone on a line stands for any lines. What varies
(digests, times, sizes, ports, versions, paths) is not compared.

`python -m tests.integration.pages [BIN]` writes them anew, as the wasmctl in BIN says it.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from tests.conftest import ROOT

__all__ = ["WRITES", "Story", "Teller", "agree", "read_stories"]

# Whether what is said is written instead of compared; and whose wasmctl says it.
WRITES: Final = "WASMCTL_PAGES_WRITE"
_READY_SECONDS: Final = 60
_COMMENT: Final = re.compile(r"<!-- (story|beside|end)(?:: (.*?))? -->")
_NEEDS: Final = re.compile(r"([\w-]+)(?:; needs: ([\w ]+))?")
# What differs between two runs, or machines, that did the same.
_VARYING: Final = (
    (r"\x1b\[[\d;]*m", ""),
    (r"sha256:[0-9a-f]{64}|\b[0-9a-f]{64}\b", "DIGEST"),
    (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[.,]\d+Z?", "TIME"),
    (r"\d\d/\w{3}/\d{4} \d\d:\d\d:\d\d", "TIME"),
    (r"\d\d:\d\d:\d\d(?:\.\d+)?", "TIME"),
    (r"\b\d+(?:\.\d+)? (?:ms|s)\b", "TIME"),
    (r"\b\d+(?:\.\d+)? (?:B|kB|MB)\b", "SIZE"),
    (r"\b\d+(?:\.\d+)? ?%", "SHARE"),
    (r"\b(?:Envoy|rustc|TinyGo|Go|go|tinygo) ?v?\d+(?:\.\d+)+", "RELEASE"),
    (r"(?<=[.\d]:)\d{4,5}\b", "PORT"),
    (r"(?m)^date: .*$", "date: TIME"),
    (r"x-envoy-upstream-service-time: \d+", "x-envoy-upstream-service-time: TIME"),
    (r"[ \t]+", " "),
    (r"(?m) +$", ""),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command of a block, and the lines of the page on which its output stands."""

    text: str
    first: int
    last: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A `console` block; `ready` is what its last command says once it serves, if it goes on."""

    commands: tuple[Command, ...]
    ready: str | None
    ends: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """A dialogue of a page, from an empty folder on."""

    page: Path
    name: str
    needs: tuple[str, ...]
    blocks: tuple[Block, ...]


def read_stories(page: Path) -> Iterator[Story]:
    """Yield the dialogues of a page."""
    lines = page.read_text(encoding="utf-8").splitlines()
    name, needs, blocks = "", (), list[Block]()
    ready, ends, number = None, False, 0
    while number < len(lines):
        said = _COMMENT.fullmatch(lines[number])
        if said is not None and said[1] == "story":
            if name:
                yield Story(page=page, name=name, needs=needs, blocks=tuple(blocks))
            told = _NEEDS.fullmatch(said[2])
            assert told is not None, f"{page}:{number + 1}: {lines[number]}"
            name, needs, blocks = told[1], tuple((told[2] or "").split()), []
        elif said is not None and said[1] == "beside":
            ready = said[2]
        elif said is not None:
            ends = True
        elif lines[number] == "```console" and name:
            stop = lines.index("```", number)
            commands = tuple(_read_commands(lines, number + 1, stop))
            blocks.append(Block(commands=commands, ready=ready, ends=ends))
            ready, ends, number = None, False, stop
        number += 1
    if name:
        yield Story(page=page, name=name, needs=needs, blocks=tuple(blocks))


def _read_commands(lines: Sequence[str], first: int, stop: int) -> Iterator[Command]:
    number = first
    while number < stop:
        assert lines[number].startswith("$ "), f"line {number + 1} belongs to no command"
        text = lines[number][2:]
        number += 1
        while number < stop and lines[number].startswith("> "):
            text += f"\n{lines[number][2:]}"
            number += 1
        begin = number
        while number < stop and not lines[number].startswith("$ "):
            number += 1
        yield Command(text=text, first=begin, last=number)


@dataclass(slots=True)
class _Beside:
    """A command that goes on while others run."""

    command: Command
    process: subprocess.Popen[bytes]
    log: Path


@dataclass(slots=True, kw_only=True)
class Teller:
    """Types the commands of a story, in `folder`.

    `places` are texts of the page with what stands for them here: ports that are free.
    """

    folder: Path
    env: Mapping[str, str]
    places: Mapping[str, str]
    _beside: list[_Beside] = field(default_factory=list)

    def tell(self, story: Story) -> None:
        """Run the story; fail where the page says something else, or write that anew."""
        said: list[tuple[Command, str]] = []
        shell = self._open_shell()
        try:
            for block in story.blocks:
                if block.ends:
                    said += self._end()
                for command in block.commands:
                    if block.ready is not None and command is block.commands[-1]:
                        self._start(command, block.ready, shell)
                    else:
                        said.append((command, self._type(command.text, shell)))
            said += self._end()
        finally:
            self._end()
            shell.communicate("exit\n")
            if WRITES in os.environ:  # also where the story breaks off: that is to be read too
                self._judge(story.page, said)
        if WRITES not in os.environ:
            self._judge(story.page, said)

    def _open_shell(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )

    def _type(self, text: str, shell: subprocess.Popen[str]) -> str:
        """Run a command in the shell; return what it says on both streams."""
        assert shell.stdin is not None
        assert shell.stdout is not None
        mark = f"said-{time.monotonic_ns()}"
        shell.stdin.write(f"{{ {self._here(text)}\n}} </dev/null\nprintf '\\n{mark}\\n'\n")
        shell.stdin.flush()
        lines: list[str] = []
        for line in shell.stdout:
            if line == f"{mark}\n":
                # The line break before the mark is ours.
                return "".join(lines).removesuffix("\n")
            lines.append(line)
        pytest.fail(f"the shell ended in `{text}`:\n{''.join(lines)}")

    def _start(self, command: Command, ready: str, shell: subprocess.Popen[str]) -> None:
        log = self.folder.parent / f"beside-{len(self._beside)}-{command.first}.log"
        words = self._type("env -0", shell).split("\0")[:-1]
        with log.open("wb") as sink:
            process = subprocess.Popen(
                ["bash", "-c", self._here(command.text)],
                cwd=self._type("pwd", shell).strip(),
                env=dict(word.split("=", 1) for word in words),
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                start_new_session=True,
            )
        self._beside.append(_Beside(command, process, log))
        deadline = time.monotonic() + _READY_SECONDS
        while self._here(ready) not in log.read_text(errors="replace"):
            talk = log.read_text(errors="replace")[-2000:]
            assert process.poll() is None, f"`{command.text}` ended:\n{talk}"
            assert time.monotonic() < deadline, f"`{command.text}` says no `{ready}`:\n{talk}"
            time.sleep(0.02)

    def _end(self) -> Iterator[tuple[Command, str]]:
        """End what goes on as Ctrl-C does; return what each said."""
        said = []
        while self._beside:
            beside = self._beside.pop()
            # To all that it started, as a terminal does. What has ended by itself, _start tells.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(beside.process.pid, signal.SIGINT)
            beside.process.wait(30)
            said.append((beside.command, beside.log.read_text(errors="replace")))
        return iter(said)

    def _here(self, text: str) -> str:
        for place, here in self.places.items():
            text = text.replace(place, here)
        return text

    def _there(self, text: str) -> str:
        """Return what was said as the page would say it."""
        text = text.replace(str(self.folder), "/home/you")
        for place, here in self.places.items():
            text = text.replace(here, place)
        return text

    def _judge(self, page: Path, said: Sequence[tuple[Command, str]]) -> None:
        lines = page.read_text(encoding="utf-8").splitlines()
        differing = []
        for command, words in sorted(said, key=lambda pair: pair[0].first, reverse=True):
            told = "\n".join(lines[command.first : command.last])
            now = self._there(words).rstrip("\n")
            if not agree(told, now):
                where = f"{page.name}:{command.first}: $ {command.text}"
                differing.append(f"{where}\n--- the page\n{told}\n--- said\n{now}\n")
                lines[command.first : command.last] = now.split("\n") if now else []
        if WRITES in os.environ:
            page.write_text("\n".join(lines) + "\n", encoding="utf-8")
        else:
            assert not differing, "\n".join(reversed(differing))


def agree(told: str, said: str) -> bool:
    """Return whether a page tells what was said, in all that does not vary."""
    parts = [re.escape(part) for part in re.split(r"(?m)^…\n?", _constant(told))]
    return re.fullmatch("(?:.*\n)*".join(parts) + "\n*", _constant(said) + "\n") is not None


def _constant(text: str) -> str:
    for pattern, name in _VARYING:
        text = re.sub(pattern, name, text)
    return text


def main() -> int:
    """Run the tests of the pages so that they write."""
    os.environ[WRITES] = sys.argv[1] if len(sys.argv) > 1 else str(Path(sys.executable).parent)
    return pytest.main([str(ROOT / "tests/integration/test_pages.py"), "-q", "-k", "story"])


if __name__ == "__main__":
    sys.exit(main())
