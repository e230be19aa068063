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

__all__ = ["Trap", "begins_panic", "find_panic", "find_trap", "last_words", "own_frame"]

_TRAP: Final = re.compile(r"Function: (?P<function>\S+) failed: (?:Uncaught )?(?P<reason>[^\n]*)")
_FRAME: Final = re.compile(r"^\s*\d+:\s+0x([0-9a-f]{1,8}) - (.+)$", re.MULTILINE)
_PLUGIN_LINE: Final = re.compile(r"\Awasm log\b.*?: ?(.*)\Z", re.DOTALL)

# How a language's runtime begins its last words, and what of them is the reason. Rust's SDK logs
# a panic as one record; Rust's and Go's own runtimes write to stderr in pieces, and the host makes
# a record of each: a piece that is a line's end is empty then.
_LAST_WORDS_BEGIN: Final = re.compile(
    r"\A\s*(?:thread '.*' (?:\(\d+\) )?)?panicked at |\A(?:panic|fatal error):(?: |\Z)"
    r"|\Amemory allocation of "
)
_LAST_WORDS: Final = (
    # A panic that Go's runtime could not finish: of the place, what is not the runtime's own.
    re.compile(
        r"(?P<words>fatal error: ?wasi_snapshot_preview1\.poll_oneoff)(?:(?>.*?\bpanic\().*?"
        r"\t(?P<place>(?!(?:[^\t\n]*/src/)?(?:runtime|internal)/)[^\t\n]+?\.go:\d+))?",
        re.DOTALL,
    ),
    re.compile(
        r"panicked at (?P<place>\S.*?:\d+(?::\d+)?):\n(?P<words>.*?)(?:\n?note: run with|\Z)",
        re.DOTALL,
    ),
    re.compile(r"(?P<words>memory allocation of \d+ bytes failed)"),
    re.compile(
        r"(?:panic: ?|(?=fatal error: ?))(?P<words>[^\n]*)(?:.*?\t(?P<place>[^\t\n]+?\.go:\d+))?",
        re.DOTALL,
    ),
)
# A stack goes on for long behind what is looked for.
_LONGEST: Final = 1 << 14
# Where compilers keep what is not the author's: cargo's and Go's stores, Rust's own sources.
_STORE: Final = re.compile(r"^.*?/(?:registry/src/[^/]+|pkg/mod|rustc/[0-9a-f]{40})/")

# A function with a path, as Rust, Go and C++ give them, and those of the languages and the SDKs.
_PATH: Final = re.compile(r"[<&*(\[ ]*(?:(?:mut|const|dyn) )*(?P<head>[A-Za-z_]\w*)(?:::|[./])")
_NOT_OWN: Final = re.compile(
    r"[<&*(\[ ]*(?:(?:mut|const|dyn) )*(?:(?:std|core|alloc|__rustc|compiler_builtins|hashbrown"
    r"|dlmalloc|proxy_wasm|log|runtime|internal|reflect|sync|syscall)(?:::|[./])"
    r"|github\.com[/_](?:proxy[-_]wasm|tetratelabs)[/_])"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trap:
    """A call into a plug-in that did not return.

    Args:
        function: the exported function that the host had called.
        reason: the engine's words: `RuntimeError: unreachable`.
        frames: the functions that it was in, demangled, the innermost first. Empty where the module
            has no `name` section; a host gives 20 at most.
        addresses: of each frame, the offset in the module's file.
        own: the index in `frames` of the innermost that is of the author's crate or package.
        place: file and line, where the plug-in's runtime said it.
        words: the panic's message, on one line.
    """

    function: str
    reason: str
    frames: tuple[str, ...] = ()
    addresses: tuple[int, ...] = ()
    own: int | None = None
    place: str = ""
    words: str = ""

    @property
    def where(self) -> str:
        """The author's function and the place, as far as they are known, for a message."""
        own = f"`{self.frames[self.own]}`" if self.own is not None else ""
        return ", ".join(part for part in (own, self.place and f"`{self.place}`") if part)


def find_trap(messages: Sequence[str]) -> Trap | None:
    """Find the first trap in records of a proxy's log.

    Args:
        messages: without time, level and logger, in their order; a record may have several lines.
    """
    for index, message in enumerate(messages):
        if _PLUGIN_LINE.match(message):
            continue
        if found := _TRAP.search(message):
            backtrace = _FRAME.findall(message, found.end())
            frames = tuple(demangle(name) for _, name in backtrace)
            place, words = find_panic(messages[:index])
            return Trap(
                function=found["function"],
                reason=found["reason"].strip(),
                frames=frames,
                addresses=tuple(int(address, 16) for address, _ in backtrace),
                own=own_frame(frames),
                place=place,
                words=words,
            )
    return None


def begins_panic(text: str) -> bool:
    """Return whether a language's runtime begins its last words in what a plug-in said."""
    return _LAST_WORDS_BEGIN.match(text) is not None


def last_words(messages: Sequence[str]) -> str:
    """Return the last that the plug-in logged, on one line; empty where it logged nothing."""
    spoken = [text for text in _texts(messages) if text.strip()]
    return _one_line(spoken[-1]) if spoken else ""


def _texts(messages: Sequence[str]) -> list[str]:
    return [found[1] for message in messages if (found := _PLUGIN_LINE.match(message))]


def find_panic(messages: Sequence[str]) -> tuple[str, str]:
    """Return the place and the reason that a plug-in's runtime gave last; empty where none did."""
    texts = _texts(messages)
    for index in range(len(texts) - 1, -1, -1):
        if _LAST_WORDS_BEGIN.match(texts[index]):
            written = "".join(text or "\n" for text in texts[index:])[:_LONGEST]
            for form in _LAST_WORDS:
                if found := form.search(written):
                    place = found.groupdict().get("place") or ""
                    return _STORE.sub("", place), _one_line(found["words"])
    return "", ""


def _one_line(text: str) -> str:
    return " ".join(text.split())


def own_frame(frames: Sequence[str]) -> int | None:
    """Find the innermost frame of the author's: an SDK calls the author's code first."""
    heads = [
        found["head"] if (found := _PATH.match(frame)) and not _NOT_OWN.match(frame) else ""
        for frame in frames
    ]
    own = [head for head in heads if head]
    return heads.index(own[-1]) if own else None
