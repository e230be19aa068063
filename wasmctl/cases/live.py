"""Runs cases against what is already deployed: one after the other, through its gateway."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import assert_never

from wasmctl.cases.curl import request_to_see
from wasmctl.cases.gateway import Gateway
from wasmctl.cases.model import CaseFile, Parallel, Plugin, Request, Single, Step, Wait
from wasmctl.cases.results import CaseOutcome, CaseResult, Difference, Unshown
from wasmctl.cases.showable import Judgement, Plan, judge, plan_case, refusals_of
from wasmctl.errors import ProxyError
from wasmctl.wire.messages import Broken, Response

__all__ = ["run_live_cases"]


async def run_live_cases(
    files: Sequence[CaseFile],
    gateway: Gateway,
    deployed: Plugin,
    told: Callable[[CaseResult], None],
    *,
    stop_at_first: bool = False,
) -> None:
    """Run what can be shown of the cases, and tell each result as it comes.

    Args:
        files: with those cases only that are wanted.
        gateway: where what is deployed is reached.
        deployed: how it is configured.
        told: is given each result, in the files' order.
        stop_at_first: whether the first case that fails ends the run.

    Raises:
        ProxyError: the gateway never answered.
        CancelledError: the run was given up.
    """
    plans = [(file, plan_case(case, deployed)) for file in files for case in file.cases]
    if any(plan.runs for _, plan in plans):
        await gateway.reach()
    run = _Run(gateway, told)
    for file, plan in plans:
        if run.is_lost or (stop_at_first and run.has_failed):
            run.tell(file, plan, "not-run")
        elif not plan.runs:
            run.tell(file, plan, "not-shown", unshown=plan.unshown)
        else:
            await run.play(file, plan)


class _Run:
    """The cases of one run, and what is known of the gateway by now."""

    def __init__(self, gateway: Gateway, told: Callable[[CaseResult], None]) -> None:
        self.is_lost = False
        self.has_failed = False
        self._gateway = gateway
        self._told = told
        self._has_answered = False

    async def play(self, file: CaseFile, plan: Plan) -> None:
        """Send a case's requests, compare what comes back and tell the result.

        Raises:
            ProxyError: this gateway will never answer.
        """
        started = time.monotonic()
        player = _Player(plan, self._gateway, refusals=file)
        await player.play()
        seconds = time.monotonic() - started
        trouble = await self._trouble(player)
        if trouble is not None:
            if not self._has_answered:
                raise trouble
            self.is_lost = True
            self.tell(file, plan, "proxy", seconds=seconds, message=trouble.message)
            return
        found = tuple(one for judgement in player.judgements for one in judgement.differences)
        late = tuple(one for judgement in player.judgements for one in judgement.unshown)
        notes = dict.fromkeys(one.note for one in player.judgements if one.note)
        outcome: CaseOutcome = "passed"
        if found:
            outcome, self.has_failed = "failed", True
        elif not any(judgement.shows for judgement in player.judgements):
            outcome = "not-shown"
        self.tell(
            file,
            plan,
            outcome,
            seconds=seconds,
            differences=found,
            unshown=tuple(dict.fromkeys((*plan.unshown, *late))),
            message="\n".join(notes) or None,
        )

    async def _trouble(self, player: _Player) -> ProxyError | None:
        """Return what is wrong with the gateway, or with the way to it, if anything is."""
        for got, judgement in zip(player.answers, player.judgements, strict=True):
            lost = isinstance(got, Broken) and got.kind in {"refused", "tls"}
            if judgement.differences and (lost or not self._has_answered):
                error = await self._gateway.explain(got)
                # A plug-in that never lets go of a request looks like a gateway that never answers,
                # as long as nothing was ever answered.
                if error is None and isinstance(got, Broken) and _is_silent(got):
                    error = self._gateway.unreachable(got)
                if error is not None:
                    return error
            self._has_answered = self._has_answered or isinstance(got, Response)
        return None

    def tell(
        self,
        file: CaseFile,
        plan: Plan,
        outcome: CaseOutcome,
        *,
        seconds: float = 0.0,
        differences: tuple[Difference, ...] = (),
        unshown: tuple[Unshown, ...] = (),
        message: str | None = None,
    ) -> None:
        """Hand on a case's result."""
        asked = request_to_see(plan.case, differences) if differences else None
        self._told(
            CaseResult(
                file=file.path,
                line=plan.case.line,
                name=plan.case.name,
                url=self._gateway.url,
                outcome=outcome,
                seconds=seconds,
                differences=differences,
                message=message,
                curl=None if asked is None else self._gateway.curl(asked),
                serve="",
                not_shown=unshown,
            )
        )


class _Player:
    """One case: its requests, what came back, and what that comes to."""

    def __init__(self, plan: Plan, gateway: Gateway, *, refusals: CaseFile) -> None:
        self.answers: list[Response | Broken] = []
        self.judgements: list[Judgement] = []
        self._case = plan.case
        self._gateway = gateway
        self._refusals = refusals_of(refusals.cases)
        self._deadline = time.monotonic() + plan.case.timeout

    async def play(self) -> None:
        for index, step in enumerate(self._case.steps):
            await self._step(step, "" if len(self._case.steps) == 1 else f"steps[{index}].")

    async def _step(self, step: Step, where: str) -> None:
        match step:
            case Wait():
                await asyncio.sleep(step.seconds)
                self._deadline += step.seconds
            case Single():
                self._judge(step, await self._ask(step.request), where)
            case Parallel():
                asked = (self._ask(single.request) for single in step.requests)
                answers = await asyncio.gather(*asked)
                for index, (single, got) in enumerate(zip(step.requests, answers, strict=True)):
                    self._judge(single, got, f"{where}parallel[{index}].")
            case _:
                assert_never(step)

    async def _ask(self, request: Request) -> Response | Broken:
        return await self._gateway.ask(request, deadline=self._deadline, timeout=self._case.timeout)

    def _judge(self, single: Single, got: Response | Broken, where: str) -> None:
        self.answers.append(got)
        judgement = judge(single, got, where, refusals=self._refusals)
        if where:
            lines = tuple(replace(one, line=single.line) for one in judgement.differences)
            judgement = replace(judgement, differences=lines)
        self.judgements.append(judgement)


def _is_silent(got: Broken) -> bool:
    return got.response is None and got.kind in {"timeout", "reset"}
