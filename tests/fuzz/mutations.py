"""Damages to modules: of a bit, of a number, of a section, of whole files."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Final

__all__ = ["damaged"]

_PREAMBLE: Final = 8
# Numbers that readers stumble over: too large, too long, with bits that nothing uses.
_NUMBERS: Final = (
    b"\xff\xff\xff\xff\x0f",
    b"\xff\xff\xff\xff\x07",
    b"\xff\xff\xff\xff\x7f",
    b"\x80\x80\x80\x80\x80\x00",
    b"\x80\x80\x80\x80\x10",
    b"\x80\x80\x04",
    b"\xff" * 10 + b"\x01",
    b"\x80\x00",
    b"\x80\x80\x80\x80\x00",
    b"\x80",
    b"\x40",
    b"\x7f",
)
_Mutation = Callable[[random.Random, bytearray, Sequence[bytes]], None]


def damaged(chance: random.Random, module: bytes, others: Sequence[bytes]) -> bytes:
    """Return a module with one to four damages.

    Args:
        chance: decides which.
        module: to be damaged.
        others: of which parts are put in.
    """
    changed = bytearray(module)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 4))):
        # Half of them leave the frames of sections whole, for else nothing inside is read.
        if chance.random() < 0.5:
            _inside(chance, changed, others)
        else:
            chance.choice(_ANYWHERE)(chance, changed, others)
    # The first bytes are soon told, and few of the damages need be of them.
    if chance.random() < 0.98:
        changed[:_PREAMBLE] = module[:_PREAMBLE]
    return bytes(changed)


def _inside(chance: random.Random, changed: bytearray, others: Sequence[bytes]) -> None:
    """Damage the contents of a section, and give it the size that it has then."""
    frames = _frames(changed)
    if not frames:
        return
    start, content, end = chance.choice(frames)
    body = bytearray(changed[content:end])
    chance.choice(_CONTENTS)(chance, body, others)
    changed[start + 1 : end] = _number(len(body)) + body


def _flip_bit(chance: random.Random, changed: bytearray, _: Sequence[bytes]) -> None:
    if changed:
        changed[_somewhere(chance, changed)] ^= 1 << chance.randrange(8)


def _set_byte(chance: random.Random, changed: bytearray, _: Sequence[bytes]) -> None:
    if changed:
        changed[_somewhere(chance, changed)] = chance.randrange(256)


def _put_number(chance: random.Random, changed: bytearray, _: Sequence[bytes]) -> None:
    at = _somewhere(chance, changed)
    changed[at : at + chance.randrange(2)] = chance.choice(_NUMBERS)


def _lengthen_number(chance: random.Random, changed: bytearray, _: Sequence[bytes]) -> None:
    """Write a number, if there happens to be one, in more bytes than it needs: that is allowed."""
    at = _somewhere(chance, changed)
    if at < len(changed) and changed[at] < 0x80:
        changed[at : at + 1] = bytes([changed[at] | 0x80, *[0x80] * chance.randrange(4), 0])


def _delete(chance: random.Random, changed: bytearray, _: Sequence[bytes]) -> None:
    at = _somewhere(chance, changed)
    del changed[at : at + chance.choice((1, 1, 2, 5, 50))]


def _repeat(chance: random.Random, changed: bytearray, _: Sequence[bytes]) -> None:
    at = _somewhere(chance, changed)
    part = changed[at : at + chance.choice((1, 2, 8, 60))]
    changed[at:at] = part * chance.choice((1, 1, 3, 40))


def _truncate(chance: random.Random, changed: bytearray, _: Sequence[bytes]) -> None:
    del changed[_somewhere(chance, changed) :]


def _noise(chance: random.Random, changed: bytearray, _: Sequence[bytes]) -> None:
    at = _somewhere(chance, changed)
    changed[at:at] = chance.randbytes(chance.randrange(1, 30))


def _splice(chance: random.Random, changed: bytearray, others: Sequence[bytes]) -> None:
    """Put a part of another module, not seldom a whole section, in this one's place."""
    other = chance.choice(others)
    source, target = _frames(other), _frames(changed)
    if source and target and chance.random() < 0.7:
        start, _, end = chance.choice(source)
        first, _, last = chance.choice(target)
        changed[first : chance.choice((first, last))] = other[start:end]
        return
    at, start = _somewhere(chance, changed), _somewhere(chance, other)
    changed[at : at + chance.randrange(20)] = other[start : start + chance.randrange(20)]


def _reorder(chance: random.Random, changed: bytearray, _: Sequence[bytes]) -> None:
    frames = _frames(changed)
    parts = [changed[start:end] for start, _, end in frames]
    one, other = (chance.randrange(len(parts)) for _ in range(2)) if parts else (0, 0)
    if one != other:
        parts[one], parts[other] = parts[other], parts[one]
        changed[_PREAMBLE:] = b"".join(parts)


_CONTENTS: Final[Sequence[_Mutation]] = (
    _flip_bit,
    _flip_bit,
    _set_byte,
    _set_byte,
    _put_number,
    _lengthen_number,
    _lengthen_number,
    _delete,
    _repeat,
    _truncate,
    _noise,
)
_ANYWHERE: Final[Sequence[_Mutation]] = (*_CONTENTS, _splice, _splice, _reorder)


def _somewhere(chance: random.Random, changed: bytes | bytearray) -> int:
    """Choose a place, mostly near the start: there are the frames, types and imports."""
    if not changed:
        return 0
    end = chance.choice((len(changed), len(changed), min(len(changed), 400)))
    return chance.randrange(end)


def _frames(module: bytes | bytearray) -> list[tuple[int, int, int]]:
    """Return where each section begins, where its contents do, and where it ends."""
    frames, position = [], _PREAMBLE
    while position < len(module):
        start, size, shift = position, 0, 0
        position += 1
        while position < len(module) and shift < 35:
            byte = module[position]
            position += 1
            size |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        if position + size > len(module):
            break
        frames.append((start, position, position + size))
        position += size
    return frames


def _number(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])
