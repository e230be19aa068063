"""The lines of a TCP conversation: what each side sends and gets, and when it ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from wasmctl.cases import texts
from wasmctl.cases.grammar import ByKind, Form, Mapped, Placed
from wasmctl.cases.model import (
    Closes,
    Contains,
    EqualTo,
    Gets,
    IsClosed,
    Match,
    Sends,
    Side,
    TcpStep,
)
from wasmctl.cases.parts import BYTES, MATCH
from wasmctl.cases.records import Key, OneKey

__all__ = ["TCP_STEP"]

_TcpMaker = Callable[[int], TcpStep]


def _sends(side: Side, data: bytes) -> _TcpMaker:
    if not data:
        raise ValueError("no bytes at all", "leave the line out")
    return lambda line: Sends(line=line, side=side, data=data)


def _gets(side: Side, match: Match) -> _TcpMaker:
    if isinstance(match, EqualTo | Contains) and not match.value:
        raise ValueError("no bytes at all", f"write what comes, or `{side} is closed`")
    return lambda line: Gets(line=line, side=side, data=match)


_TCP_WORDS: Final[Mapping[str, _TcpMaker]] = {
    "client closes": lambda line: Closes(line=line, side="client"),
    "upstream closes": lambda line: Closes(line=line, side="upstream"),
    "client is closed": lambda line: IsClosed(line=line, side="client"),
    "upstream is closed": lambda line: IsClosed(line=line, side="upstream"),
}
_TCP_KEYS: Final[tuple[Key[_TcpMaker], ...]] = (
    Key("client sends", Mapped(BYTES, partial(_sends, "client")), "Bytes from the client."),
    Key("upstream gets", Mapped(MATCH, partial(_gets, "upstream")), "What reaches the upstream."),
    Key("upstream sends", Mapped(BYTES, partial(_sends, "upstream")), "Bytes from the upstream."),
    Key("client gets", Mapped(MATCH, partial(_gets, "client")), "What reaches the client."),
)
_TCP_LINE: Final[Form[_TcpMaker]] = ByKind(
    "a table such as `client sends: …`, or one of " + ", ".join(f"`{w}`" for w in _TCP_WORDS),
    scalar=texts.word(_TCP_WORDS, "what a side does"),
    table=OneKey("a line of `tcp`", _TCP_KEYS),
)
TCP_STEP: Final[Form[TcpStep]] = Placed(_TCP_LINE, lambda make, line: make(line))
