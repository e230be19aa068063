"""What happens when a function is called: which imports surely, which perhaps. Pure.

Hosts run some functions while they load a module, and refuse it for what these call. Only what is
on every way through a function is sure; what it calls through a table is not followed.
"""

from __future__ import annotations

import functools
import mmap
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from wasmctl.wasm.binary import LEB
from wasmctl.wasm.code import read_bodies
from wasmctl.wasm.info import ModuleInfo
from wasmctl.wasm.instructions import LOCALS, STRAIGHT, TURNS

__all__ = ["TRAP", "Course"]

# Stands for `unreachable` among the functions that are surely called.
TRAP: Final = -1
_BLOCK, _LOOP, _IF, _ELSE, _END = 0x02, 0x03, 0x04, 0x05, 0x0B
_BRANCH, _BRANCH_IF, _BRANCH_TABLE, _RETURN = 0x0C, 0x0D, 0x0E, 0x0F
_UNREACHABLE, _CALL, _RETURN_CALL = 0x00, 0x10, 0x12
# So many functions are looked into at most: what runs at the start is small, or not told by this.
_MOST: Final = 3000
_NUMBER: Final = re.compile(LEB)


@dataclass(slots=True)
class _Way:
    """Where the reading of a function is: within which blocks, and whether it surely comes there.

    Args:
        loops: of each block around, the function first, whether a branch to it goes back.
        doubt: the block at whose end the way is sure again; None: it is sure.
    """

    loops: list[bool] = field(default_factory=lambda: [False])
    doubt: int | None = None

    def doubt_until(self, level: int) -> None:
        """Take the way for unsure until the end of that block."""
        level = max(level, 0)
        self.doubt = level if self.doubt is None else min(self.doubt, level)

    def branch(self, label: int, *, always: bool) -> None:
        """Follow a branch: what it passes over is unsure."""
        target = len(self.loops) - 1 - label
        if 0 <= target < len(self.loops) and self.loops[target]:
            # Back to where a loop begins: it goes on behind the branch, or never ends.
            if always:
                self.doubt_until(target - 1)
        else:
            self.doubt_until(target)

    def enter(self, *, loop: bool) -> None:
        """Follow a block."""
        self.loops.append(loop)

    def leave(self) -> None:
        """Follow its end."""
        self.loops.pop()
        if self.doubt == len(self.loops):
            self.doubt = None


class Course:
    """Follows the functions of one module.

    Raises:
        Unreadable: of each method: the code section is malformed.
    """

    def __init__(self, data: bytes | mmap.mmap, info: ModuleInfo) -> None:
        self._data = data
        self._imported = len(info.imported_functions)
        self._bodies: Sequence[tuple[int, int]] = read_bodies(data, info)
        self._steps: dict[int, tuple[tuple[int, bool], ...]] = {}

    def sure(self, function: int) -> tuple[int, ...]:
        """Return the imports that a function calls on every way through it, in their order.

        They are function indices; `TRAP` among them: it surely ends there.
        """
        found: list[int] = []
        self._follow(function, found, {function})
        return tuple(found)

    def possible(self, function: int) -> Mapping[int, int]:
        """Return the imports that it may call, directly or through others, and who calls each."""
        found: dict[int, int] = {}
        seen = {function}
        coming = [function]
        while coming and len(seen) < _MOST:
            caller = coming.pop()
            for callee, _ in self._steps_of(caller):
                if callee == TRAP:
                    continue
                if callee < self._imported:
                    found.setdefault(callee, caller)
                elif callee not in seen:
                    seen.add(callee)
                    coming.append(callee)
        return found

    def _follow(self, function: int, found: list[int], within: set[int]) -> None:
        if len(within) > _MOST:
            return
        for callee, is_sure in self._steps_of(function):
            if not is_sure:
                continue
            if callee < self._imported:
                found.append(callee)
            elif callee not in within:
                # Looked into once: what it calls at first, it has called by then.
                within.add(callee)
                self._follow(callee, found, within)

    def _steps_of(self, function: int) -> tuple[tuple[int, bool], ...]:
        """Return what a function calls, and whether surely; nothing of an import."""
        if function not in self._steps:
            own = function - self._imported
            known = 0 <= own < len(self._bodies)
            self._steps[function] = tuple(self._read(*self._bodies[own])) if known else ()
        return self._steps[function]

    def _read(self, start: int, end: int) -> Iterator[tuple[int, bool]]:
        way = _Way()
        for turn in self._turns(start, end):
            code = turn[0]
            if code in {_CALL, _RETURN_CALL}:
                yield _leb(turn[1:]), way.doubt is None
                if code == _RETURN_CALL:
                    way.doubt_until(0)
            elif code == _UNREACHABLE:
                yield TRAP, way.doubt is None
            elif code in {_BLOCK, _LOOP}:
                way.enter(loop=code == _LOOP)
            elif code == _IF:
                way.enter(loop=False)
                way.doubt_until(len(way.loops) - 1)
            elif code == _END:
                way.leave()
                if not way.loops:
                    return
            elif code in {_BRANCH, _BRANCH_IF}:
                way.branch(_leb(turn[1:]), always=code == _BRANCH)
            elif code in {_BRANCH_TABLE, _RETURN}:
                way.doubt_until(0)

    def _turns(self, start: int, end: int) -> Iterator[bytes]:
        """Yield the instructions of a body that decide where it goes on."""
        count = _NUMBER.match(self._data, start, end)
        position = count.end() if count else end
        for _ in range(_leb(count[0]) if count else 0):
            declared = LOCALS.match(self._data, position, end)
            position = declared.end() if declared else end
        for one in _next_turn().finditer(self._data, position, end):
            if one.lastindex != 1:
                return
            yield one[1]


@functools.cache
def _next_turn() -> re.Pattern[bytes]:
    """Return what passes over instructions without effect on the way; its group is the next."""
    straight, turns = b"|".join(STRAIGHT), b"|".join(TURNS)
    return re.compile(b"(?:" + straight + b")*+(?:(" + turns + rb")|\Z|[\s\S])")


def _leb(encoded: bytes) -> int:
    value = 0
    for place, byte in enumerate(encoded):
        value |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            break
    return value
