"""A trap, read from what a host writes of it: where, why, and through which functions. Pure.

The form is that of proxy-wasm-cpp-host, src/v8/v8.cc, getFailMessage:

    Function: proxy_on_tick failed: Uncaught RuntimeError: unreachable
    Proxy-Wasm plugin in-VM backtrace:
      0:  0x14d66 - _RNvCsfLfy6EI15iL_7___rustc10rust_panic
      1:  0xd265 - proxy_on_tick
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from wasmctl.wasm.demangle import demangle

__all__ = ["Trap", "find_trap", "last_words"]

_TRAP: Final = re.compile(r"Function: (?P<function>\S+) failed: (?:Uncaught )?(?P<reason>[^\n]*)")
_FRAME: Final = re.compile(r"^\s*\d+:\s+0x[0-9a-f]+ - (.+)$", re.MULTILINE)
_PLUGIN_LINE: Final = re.compile(r"\Awasm log\b.*?: ?(.*)\Z", re.DOTALL)
_RUST_PANIC: Final = re.compile(
    r"\Apanicked at (?P<place>\S+?:\d+(?::\d+)?):\n(?P<words>.*)", re.DOTALL
)
_GO_PANIC: Final = re.compile(r"\A(?:panic|fatal error): ")
_GO_PLACE: Final = re.compile(r"\t(?P<place>\S+\.go:\d+)")

# What is not the author's: the languages' own libraries, allocators and the SDKs, by the first part
# of a name's path.
_NOT_OWN: Final = frozenset(
    [
        "std",
        "core",
        "alloc",
        "__rustc",
        "compiler_builtins",
        "hashbrown",
        "dlmalloc",
        "proxy_wasm",
        "log",
        "panic_abort",
        "runtime",
        "internal",
        "reflect",
        "sync",
        "syscall",
        "errors",
        "fmt",
        "strings",
        "bytes",
        "github.com/proxy-wasm",
        "github.com_proxy_wasm",
        "github.com/tetratelabs",
        "github.com_tetratelabs",
    ]
)
_HEAD: Final = re.compile(
    r"[<&*(\[ ]*(?:mut |const |dyn )*(?P<head>github\.com[/_][\w-]+|[A-Za-z]\w*)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trap:
    """A call into a plug-in that did not return.

    Args:
        function: the exported function that the host had called.
        reason: the engine's words: `RuntimeError: unreachable`.
        frames: the functions that it was in, demangled, the innermost first. Empty where the module
            has no `name` section; a host gives 20 at most.
        own: the index in `frames` of the first that is neither of the language's libraries nor of
            the SDK's.
        place: file and line, where the plug-in's panic said it.
        words: the last that the plug-in logged before, such as the panic's message.
    """

    function: str
    reason: str
    frames: tuple[str, ...] = ()
    own: int | None = None
    place: str = ""
    words: str = ""

    @property
    def where(self) -> str:
        """The place and the author's function, as far as they are known, for a message."""
        own = f"`{self.frames[self.own]}`" if self.own is not None else ""
        return ", ".join(part for part in (own, self.place and f"`{self.place}`") if part)


def find_trap(messages: Sequence[str]) -> Trap | None:
    """Find the first trap in records of a proxy's log.

    Args:
        messages: without time, level and logger, in their order; a record may have several lines.
    """
    for index, message in enumerate(messages):
        if found := _TRAP.search(message):
            frames = tuple(demangle(name) for name in _FRAME.findall(message, found.end()))
            place, words = _said(messages[:index])
            return Trap(
                function=found["function"],
                reason=found["reason"].strip(),
                frames=frames,
                own=_first_own(frames, found["function"]),
                place=place,
                words=words,
            )
    return None


def last_words(messages: Sequence[str]) -> str:
    """Return what the plug-in logged last, on one line: a panic's message, else its last record."""
    return _said(messages)[1]


def _said(messages: Sequence[str]) -> tuple[str, str]:
    """Return the place and the words of the plug-in's last message."""
    texts = [found[1] for one in messages if (found := _PLUGIN_LINE.match(one))]
    for index in range(len(texts) - 1, -1, -1):
        if found := _RUST_PANIC.match(texts[index]):
            return found["place"], _one_line(found["words"])
        if _GO_PANIC.match(texts[index]):
            return _go_panic(texts[index:])
    spoken = [text for text in texts if text.strip()]
    return "", _one_line(spoken[-1]) if spoken else ""


def _go_panic(texts: Sequence[str]) -> tuple[str, str]:
    # Go's runtime writes a panic in pieces, and the host makes a record of each; of a piece that is
    # a line's end nothing is left.
    written = "".join(text or "\n" for text in texts)
    place = _GO_PLACE.search(written)
    return place["place"] if place else "", _one_line(written.split("\n", 1)[0])


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _first_own(frames: Sequence[str], exported: str) -> int | None:
    for index, frame in enumerate(frames):
        head = _HEAD.match(frame)
        if frame != exported and head is not None and head["head"] not in _NOT_OWN:
            return index
    return None
