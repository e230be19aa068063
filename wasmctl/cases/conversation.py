"""A TCP case: what the client and the upstream say in turns, with the proxy between them."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import assert_never

from wasmctl.cases.matches import compare_bytes, holds
from wasmctl.cases.model import Closes, EqualTo, Gets, IsClosed, Match, Sends, Side, TcpStep
from wasmctl.cases.results import Difference
from wasmctl.cases.shown import shown, shown_match
from wasmctl.wire.messages import Broken
from wasmctl.wire.tcp import Stream, connect

__all__ = ["Conversation"]

# What the proxy has said lies in the kernel by then: a look at it, no wait (seconds).
_LOOK = 0.005
# How long the proxy may take to the upstream before it is asked whether it has given up (seconds).
_GLANCE = 0.05


class _End:
    """One side's end of the connection, and what came that no step has taken yet."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.data = bytearray()
        self.ended = ""

    async def gather(self, enough: Callable[[], bool], deadline: float) -> None:
        """Receive until there is enough, the peer ends, or the time is up."""
        while not enough() and not self.ended:
            try:
                async with asyncio.timeout(max(_LOOK, deadline - time.monotonic())):
                    data = await self.stream.receive()
            except TimeoutError:
                return
            except OSError:
                self.ended = "the connection was reset"
                return
            self.data += data
            if not data:
                self.ended = "the connection was closed"

    def take(self, size: int) -> bytes:
        """Take the first bytes."""
        taken = bytes(self.data[:size])
        del self.data[:size]
        return taken


class Conversation:
    """The two ends of one connection through the proxy.

    Args:
        address: where the proxy listens.
        accepted: waits for the upstream's end.
        deadline: until when everything has to have come (`time.monotonic`).
    """

    def __init__(
        self,
        address: tuple[str, int],
        accepted: Callable[[], Awaitable[Stream]],
        deadline: float,
    ) -> None:
        self._address = address
        self._accepted = accepted
        self._deadline = deadline
        self._ends: dict[Side, _End] = {}
        self._listened: set[Side] = set()

    async def hold(self, steps: Sequence[TcpStep]) -> tuple[Difference, ...]:
        """Do the steps up to the first that does not come true; return what it differs by."""
        try:
            self._ends["client"] = _End(await connect(*self._address))
        except Broken as error:
            return (Difference(where="tcp", expected="a connection", got=error.message),)
        for index, step in enumerate(steps):
            where = f"tcp[{index}].{step.side}"
            if step.side not in self._ends:
                stream = await self._upstream()
                if stream is None:
                    ended = self._ends["client"].ended
                    got = "the proxy did not connect to the upstream"
                    got += f", and {ended} to the client" if ended else ""
                    return (Difference(where=where, expected="a connection", got=got),)
                self._ends[step.side] = _End(stream)
            if found := await self._do(step, self._ends[step.side], where):
                return found
        return ()

    async def _upstream(self) -> Stream | None:
        """Return the upstream's end; None where the proxy drops the client, or the time is up."""
        client = self._ends["client"]
        while (left := self._deadline - time.monotonic()) > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(left, _GLANCE)):
                    return await self._accepted()
            if client.ended:
                return None
            await client.gather(lambda: False, time.monotonic())
        return None

    async def _do(self, step: TcpStep, end: _End, where: str) -> tuple[Difference, ...]:
        match step:
            case Sends():
                end.stream.write(step.data)
                await self._sent(end)
                return ()
            case Closes():
                end.stream.end()
                return ()
            case Gets():
                self._listened.add(step.side)
                return await self._get(step.data, end, f"{where} gets")
            case IsClosed():
                return await self._wait_for_end(end, f"{where} is closed")
            case _:
                assert_never(step)

    async def _sent(self, end: _End) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(_LOOK, self._deadline - time.monotonic())):
                await end.stream.drained()

    async def _get(self, match: Match, end: _End, where: str) -> tuple[Difference, ...]:
        def enough() -> bool:
            if isinstance(match, EqualTo):
                size = min(len(match.value), len(end.data))
                return size == len(match.value) or end.data[:size] != match.value[:size]
            return holds(match, bytes(end.data))

        await end.gather(enough, self._deadline)
        why = "" if enough() else end.ended or "nothing more came in time"
        data = end.take(len(match.value) if isinstance(match, EqualTo) else len(end.data))
        if holds(match, data):
            return ()
        if not data:
            return (Difference(where=where, expected=shown_match(match), got=why),)
        (found,) = compare_bytes(match, data, where)
        got = f"{found.got}, then {why}" if why else found.got
        return (Difference(where=where, expected=found.expected, got=got),)

    async def _wait_for_end(self, end: _End, where: str) -> tuple[Difference, ...]:
        await end.gather(lambda: False, self._deadline)
        if end.ended and not end.data:
            return ()
        got = shown(bytes(end.data)) if end.data else "it is still open"
        return (Difference(where=where, expected="the connection's end", got=got),)

    async def leftovers(self) -> tuple[Difference, ...]:
        """Return what came to a side that listens and that no step asks for."""
        found: list[Difference] = []
        for side in sorted(self._listened):
            end = self._ends[side]
            await end.gather(lambda end=end: bool(end.data), time.monotonic() + _LOOK)  # type: ignore[misc]
            if end.data:
                got = shown(bytes(end.data))
                found.append(Difference(where=f"tcp.{side}", expected="nothing more", got=got))
        return tuple(found)

    def close(self) -> None:
        """Close both ends."""
        for end in self._ends.values():
            end.stream.close()
