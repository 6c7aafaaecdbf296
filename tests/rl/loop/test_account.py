"""What a loop's account tells of the versions that served."""

from __future__ import annotations

from dataclasses import fields
from datetime import date, timedelta

import pytest

from rl.loop.account import Truths, _final_gain
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
    served = (None, None, 1, 2, 1, last)
    days = tuple(LivedDay(date=FIRST + timedelta(days=number), version=one) for number, one in enumerate(served))
    nights = tuple(
        RunNight(date=FIRST + timedelta(days=number), verdict="promote", version=number, is_promoted=True)
        for number in (1, 2)
    )
    state = LoopState(scenario="recommendation", seed=1, n_past=1, n_days=5, days=days, nights=nights)
    found = _final_gain(state, Truths(truly(1.0), {1: truly(1.3), 2: truly(0.7)}))
    assert (None if found is None else found.value) == (None if gain is None else pytest.approx(gain))
