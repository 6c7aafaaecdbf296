"""Callers that wait at one moment are answered together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class _Caller(Generic[Asked, Answer]):
    asked: Asked
    answer: asyncio.Future[Answer] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def take(self, given: Answer | Exception) -> None:
        if self.answer.done():  # the caller has gone
            return
        if isinstance(given, Exception):
            self.answer.set_exception(given)
        else:
            self.answer.set_result(given)


class Gathering(Generic[Asked, Answer]):
    """Takes callers as long as each turn of the event loop brings one, and lets all of them be answered at once.

    A lone caller waits for nobody; under load, whoever comes in a row shares what an answer costs.
    """

    def __init__(self, answer_all: Callable[[Sequence[Asked]], Awaitable[Sequence[Answer | Exception]]]) -> None:
        """Take what answers callers, in their order: an answer each, or what is raised for that caller."""
        self._answer_all = answer_all
        self._callers: list[_Caller[Asked, Answer]] = []
        self._turns: set[asyncio.Task[None]] = set()

    async def answer(self, asked: Asked) -> Answer:
        """Return the caller's answer; raise what stands in its place."""
        caller = _Caller[Asked, Answer](asked)
        self._callers.append(caller)
        if len(self._callers) == 1:
            turn = asyncio.get_running_loop().create_task(self._turn())
            self._turns.add(turn)  # the loop holds it weakly
            turn.add_done_callback(self._turns.discard)
        return await caller.answer

    async def _turn(self) -> None:
        n_callers = 0
        while n_callers < len(self._callers):  # others' requests are being read, each in some turns of the loop
            n_callers = len(self._callers)
            await asyncio.sleep(0)
        callers, self._callers = self._callers, []
        try:
            given = await self._answer_all([one.asked for one in callers])
        except Exception as error:
            given = [error] * len(callers)
        for caller, one in zip(callers, given, strict=True):
            caller.take(one)
