"""What a loop's account tells of the versions that served."""

from __future__ import annotations

from dataclasses import fields
from datetime import date, timedelta

import numpy as np
import pytest

from conf.specs.scenario import load_pipeline
from rl.loop.account import Truths, _final_gain, _worse, paired_figures
from rl.loop.state import LivedDay, LoopState, RunNight
from rl.shops.recommendation.true_value import TrueValue

FIRST = date(2026, 3, 2)


def truly(value: float) -> dict[date, TrueValue]:
    told = {"value": value, "standard_error": 0.01}
    one = TrueValue(**{field.name: told.get(field.name, 60_000) for field in fields(TrueValue)})
    return {FIRST + timedelta(days=number): one for number in range(2, 6)}


@pytest.mark.parametrize(("last", "gain"), [(1, 0.3), (2, -0.3), (None, None)])
def test_the_final_gain_is_that_of_what_decided_on_the_last_day(last: int | None, gain: float | None) -> None:
    """Whatever was promoted last: it may have been taken back."""
    found = _final_gain(lived(None, None, 1, 2, 1, last), Truths(truly(1.0), {1: truly(1.3), 2: truly(0.7)}))
    assert (None if found is None else found.value) == (None if gain is None else pytest.approx(gain))


def lived(*served: int | None) -> LoopState:
    """A loop on whose days these versions decided, and whose nights promoted 1, 2 and 3 one after the other."""
    days = tuple(LivedDay(date=FIRST + timedelta(days=number), version=one) for number, one in enumerate(served))
    nights = tuple(
        RunNight(date=FIRST + timedelta(days=number), verdict="promote", version=number, is_promoted=True)
        for number in (1, 2, 3)
    )
    return LoopState(scenario="recommendation", seed=1, n_past=1, n_days=len(served) - 1, days=days, nights=nights)


@pytest.mark.parametrize(
    ("served", "worse"),
    [((None, None, 1, 3), [3]), ((None, None, 1, 2, 1, 3), [2, 3]), ((None, None, 2, None, 3), [2]), ((1, 1, 1), [])],
)
def test_a_version_is_held_against_what_decided_before_it(served: tuple[int | None, ...], worse: list[int]) -> None:
    """Version 1 gains .3, 2 loses .3, 3 gains .1; one that was promoted and never decided harmed nobody."""
    truths = Truths(truly(1.0), {1: truly(1.3), 2: truly(0.7), 3: truly(1.1)})
    assert _worse(lived(*served), truths) == worse


@pytest.mark.parametrize(("last", "gain"), [(1, 10 / 3), (2, -3.0), (None, None)])
def test_days_count_for_the_final_gain_that_the_last_version_decided(last: int | None, gain: float | None) -> None:
    """Version 1 earns 2, 2 and then 6 more; version 2 earns 5 less, and 1 less at last."""
    state = lived(None, 1, 2, 1, last)
    more = np.array([0.0, 2.0, -5.0, 2.0, 6.0 if last == 1 else -1.0])
    pipeline = load_pipeline("inventory", "simulated_inventory")
    found = paired_figures(pipeline, state, 10 + more, np.full(5, 10.0), of="a day", gain_of="a product").final_gain
    assert (None if found is None else found.value) == (None if gain is None else pytest.approx(gain))
