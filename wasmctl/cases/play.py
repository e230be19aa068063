"""Plays one case against a loaded plug-in: sends, waits, looks, compares.

Knows the one case, the proxy's address and the scene around it; which VM serves it, and what comes
after a failure, is decided elsewhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final, assert_never

from wasmctl.cases.asking import ask
from wasmctl.cases.compare import (
    compare_log,
    compare_metrics,
    compare_parallel,
    compare_requests,
    compare_response,
    growth_of,
    unlisted_errors,
)
from wasmctl.cases.conversation import Conversation
from wasmctl.cases.groups import expects_of, singles_of
from wasmctl.cases.model import Case, Expect, ExpectedRequest, Parallel, Request, Single, Step, Wait
from wasmctl.cases.results import Difference
from wasmctl.cases.scene import Scene
from wasmctl.cases.watch import Watch
from wasmctl.envoy.proxy import Proxy
from wasmctl.wire.messages import Broken, Received, Response

__all__ = ["Player"]

Differences = tuple[Difference, ...]
# Seconds from one look at what a plug-in does on its own to the next.
_PAUSE: Final = 0.01
# How long the worker may take to say that it is idle after a request was given up (seconds).
_AFTER_TIMEOUT: Final = 2.0


class Player:
    """One case in one VM.

    Args:
        case: which.
        proxy: the proxy that serves it.
        scene: what stands around; it has begun the case.
        address: where the plug-in listens.
        watch: the case's records.
        patience: seconds in which what is expected and not yet there may still come.
        metrics: those before the case, when it asks for any.
    """

    def __init__(
        self,
        case: Case,
        *,
        proxy: Proxy,
        scene: Scene,
        address: tuple[str, int],
        watch: Watch,
        patience: float,
        metrics: Mapping[str, int],
    ) -> None:
        self._case = case
        self._proxy = proxy
        self._scene = scene
        self._address = address
        self._watch = watch
        self._patience = patience
        self._metrics = metrics
        self._deadline = time.monotonic() + case.timeout
        self._gave_up = False
        self._failed = False

    async def play(self) -> Differences:
        """Play the case to its end and return what was not as expected.

        Raises:
            Stuck: a callback does not return.
            ProxyError: the proxy ended.
        """
        found: list[Difference] = []
        if self._case.tcp:
            found += await self._converse()
        single = len(self._case.steps) == 1
        for index, step in enumerate(self._case.steps):
            self._failed = bool(found)
            if single and isinstance(step, Single):
                found += await self._step(step, "")
            else:
                where = f"steps[{index}]."
                found += _with_lines(await self._step(step, where), step, where)
        self._failed = bool(found)
        mark = _Mark(self._metrics)
        unasked = not self._case.tcp and not singles_of(self._case)
        found += await self._settled(self._case.expect, mark, "", unasked=unasked)
        if not self._watch.trap():
            found += unlisted_errors(expects_of(self._case), self._watch.lines)
        return (*found, *dict.fromkeys(self._scene.undeclared))

    async def _step(self, step: Step, where: str) -> Differences:
        mark = await self._mark(step.expect)
        match step:
            case Single():
                return (*await self._ask([step], mark, where),)
            case Parallel():
                found = await self._ask(step.requests, mark, where)
                return (*found, *await self._settled(step.expect, mark, where))
            case Wait():
                await asyncio.sleep(step.seconds)
                self._deadline += step.seconds
                await self._look()
                return await self._settled(step.expect, mark, where, unasked=True)
            case _:
                assert_never(step)

    async def _mark(self, expect: Expect) -> _Mark:
        metrics = await self._proxy.metrics() if expect.metrics else {}
        counts = {cluster: len(calls) for cluster, calls in self._scene.callouts.items()}
        return _Mark(
            metrics,
            lines=len(self._watch.lines),
            upstream=len(self._scene.upstream),
            callouts=counts,
        )

    async def _ask(self, singles: Sequence[Single], mark: _Mark, where: str) -> Differences:
        """Send one request, or several at once, and compare what comes of them."""
        self._scene.expect(singles)
        answers = await asyncio.gather(*(self._exchange(single.request) for single in singles))
        if any(isinstance(answer, Broken) for answer in answers):
            await self._proxy.check()
        await self._look()
        if len(singles) == 1:
            got = answers[0]
            found = compare_response(singles[0].expect.response, got, where)
            if isinstance(got, Broken) and got.kind == "timeout" and found:
                found = (_explain_timeout(found[0], self._scene.upstream[mark.upstream :]),)
            self._failed = self._failed or bool(found)
            settled = await self._settled(singles[0].expect, mark, where)
            return (*found, *_explain_silence(settled, got, f"{where}upstream"))
        found = tuple(
            difference
            for index, (single, answer) in enumerate(zip(singles, answers, strict=True))
            for difference in compare_response(
                single.expect.response, answer, f"{where}parallel[{index}]."
            )
        )
        wanted = [single.expect.upstream for single in singles]
        got_upstream = self._scene.upstream[mark.upstream :]
        return (*found, *compare_parallel(wanted, got_upstream, where))

    async def _exchange(self, request: Request) -> Response | Broken:
        answer = await ask(
            self._address, request, deadline=self._deadline, timeout=self._case.timeout
        )
        if isinstance(answer, Broken) and answer.kind == "timeout":
            self._gave_up = True
        return answer

    async def _look(self) -> None:
        remaining = max(_AFTER_TIMEOUT, self._deadline - time.monotonic())
        await self._watch.look(timeout=_AFTER_TIMEOUT if self._gave_up else remaining)

    async def _settled(
        self, expect: Expect, mark: _Mark, where: str, *, unasked: bool = False
    ) -> Differences:
        """Compare, again and again for a while as long as what lacks may still come.

        What is `unasked` the plug-in does on its own: it starts, or ticks.
        """
        until = time.monotonic() + self._patience
        while True:
            found, lacking = await self._compare(expect, mark, where, unasked=unasked)
            over = self._failed or self._watch.trap() or time.monotonic() > until
            if over or not lacking:
                return found
            await asyncio.sleep(_PAUSE)
            await self._look()

    async def _compare(
        self, expect: Expect, mark: _Mark, where: str, *, unasked: bool
    ) -> tuple[Differences, bool]:
        """Return the differences, and whether time alone could mend one."""
        found: list[Difference] = []
        lacking = False
        for place, wanted, got in self._servers(expect, mark, unasked=unasked):
            told = compare_requests(wanted, got, f"{where}{place}")
            if told and len(got) < len(wanted):
                lacking = True
                told = tuple(
                    replace(one, got=one.got + self._elsewhere(place, mark)) for one in told
                )
            found += told
        if expect.log is not None:
            found += (told := compare_log(expect.log, self._watch.lines[mark.lines :], where))
            lacking = lacking or bool(told and expect.log)
        if expect.metrics:
            now = await self._proxy.metrics()
            found += compare_metrics(expect.metrics, mark.metrics, now, where)
            lacking = lacking or any(
                abs(growth_of(metric, mark.metrics, now) or 0) < abs(metric.growth)
                for metric in expect.metrics
            )
        return tuple(found), lacking

    def _servers(
        self, expect: Expect, mark: _Mark, *, unasked: bool
    ) -> Iterator[tuple[str, Sequence[ExpectedRequest], Sequence[Received]]]:
        """Yield for each server of which something is expected: its place, that, what it got."""
        if expect.upstream is not None:
            yield "upstream", expect.upstream, self._scene.upstream[mark.upstream :]
        for cluster, wanted in expect.callouts:
            calls = self._scene.callouts[cluster][mark.callouts.get(cluster, 0) :]
            if unasked:
                calls = _once(calls)
            yield f"callouts.{cluster}", wanted, calls

    def _elsewhere(self, place: str, mark: _Mark) -> str:
        """Return what other clusters were called with meanwhile, where a callout is missed."""
        if place == "upstream":
            return ""
        others = (
            (cluster, calls[mark.callouts.get(cluster, 0) :])
            for cluster, calls in self._scene.callouts.items()
            if f"callouts.{cluster}" != place
        )
        return "".join(
            f"; `{cluster}` got {calls[0].method} {calls[0].path}"
            for cluster, calls in others
            if calls
        )

    async def _converse(self) -> Differences:
        conversation = Conversation(self._address, self._scene.accepted, self._deadline)
        with contextlib.closing(conversation):
            found = await conversation.hold(self._case.tcp)
            self._gave_up = time.monotonic() > self._deadline
            await self._look()
            found = found or await conversation.leftovers()
        # What the plug-in says of the end belongs to this case, also of an end that no step took.
        self._scene.close()
        await self._look()
        return found


class _Mark:
    """Where a step, or the case, begins in what is noted."""

    def __init__(
        self,
        metrics: Mapping[str, int],
        *,
        lines: int = 0,
        upstream: int = 0,
        callouts: Mapping[str, int] | None = None,
    ) -> None:
        self.metrics = metrics
        self.lines = lines
        self.upstream = upstream
        self.callouts = callouts or {}


def _once(calls: Sequence[Received]) -> list[Received]:
    """Return the calls of a start or of ticks, each once.

    How often a plug-in ticks in a time is chance, and Envoy runs it on its main thread, too.
    """
    return list({(one.method, one.path, one.body): one for one in reversed(calls)}.values())[::-1]


def _with_lines(found: Differences, step: Step, where: str) -> Differences:
    """Name the lines of the steps that expect what did not come."""
    lines = {where: step.line}
    if isinstance(step, Parallel):
        places = enumerate(step.requests)
        lines = {f"{where}parallel[{index}].": single.line for index, single in places} | lines
    return tuple(
        replace(
            one, line=next(line for place, line in lines.items() if one.where.startswith(place))
        )
        for one in found
    )


def _explain_silence(found: Differences, answer: Response | Broken, where: str) -> Differences:
    """Say what the client got where the upstream got nothing."""
    if isinstance(answer, Broken):
        return found
    why = f"nothing; the client got status {answer.status}"
    return tuple(
        replace(one, got=why) if (one.where, one.got) == (where, "nothing") else one
        for one in found
    )


def _explain_timeout(found: Difference, upstream: Sequence[Received]) -> Difference:
    if upstream:
        why = "the upstream had the request"
    else:
        why = "the request did not reach the upstream: does the plug-in pause it and never resume?"
    return Difference(where=found.where, expected=found.expected, got=f"{found.got}; {why}")
