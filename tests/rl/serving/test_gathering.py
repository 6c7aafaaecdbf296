"""Callers that wait at one moment share one answering, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from rl.serving.gathering import Gathering


class Doubling:
    """Answers numbers by their doubles, a caller's 13 by an error; says who came together."""

    def __init__(self) -> None:
        self.together: list[list[int]] = []

    async def __call__(self, asked: Sequence[int]) -> list[int | Exception]:
        self.together.append(list(asked))
        await asyncio.sleep(0.01)
        return [ValueError("unlucky") if number == 13 else 2 * number for number in asked]


def test_callers_of_one_moment_are_answered_together_each_with_their_own() -> None:
    """One whose request fails leaves the others theirs; who comes later isn't kept waiting by them."""
    doubling = Doubling()

    async def ask() -> list[object]:
        gathering = Gathering(doubling)
        first = [asyncio.create_task(gathering.answer(number)) for number in (1, 13, 3)]
        await asyncio.sleep(0.005)
        late = asyncio.create_task(gathering.answer(4))
        return await asyncio.gather(*first, late, return_exceptions=True)

    one, unlucky, three, four = asyncio.run(ask())
    assert (one, three, four) == (2, 6, 8)
    assert isinstance(unlucky, ValueError)
    assert doubling.together == [[1, 13, 3], [4]]


def test_a_caller_who_goes_leaves_the_others_their_answers() -> None:
    """A connection that is closed while its request is decided."""

    async def ask() -> int:
        gathering = Gathering(Doubling())
        gone, stays = (asyncio.create_task(gathering.answer(number)) for number in (1, 2))
        await asyncio.sleep(0.002)
        gone.cancel()
        return await stays

    assert asyncio.run(ask()) == 4


def test_what_fails_for_all_is_raised_to_each() -> None:
    """Nobody waits for ever."""

    async def fail(_: Sequence[int]) -> list[int | Exception]:
        raise OSError("gone")

    async def ask() -> list[object]:
        gathering: Gathering[int, int] = Gathering(fail)
        return await asyncio.gather(gathering.answer(1), gathering.answer(2), return_exceptions=True)

    assert [type(one) for one in asyncio.run(ask())] == [OSError, OSError]


def test_rounds_follow_each_other() -> None:
    """What was answered is not answered again."""
    doubling = Doubling()

    async def ask() -> None:
        gathering = Gathering(doubling)
        for number in range(3):
            assert await gathering.answer(number) == 2 * number

    asyncio.run(ask())
    assert doubling.together == [[0], [1], [2]]
