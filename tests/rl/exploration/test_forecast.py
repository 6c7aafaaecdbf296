from __future__ import annotations

import math

import pytest
from scipy.stats import norm

from rl.exploration.belief import Belief
from rl.exploration.forecast import LONGEST, forecast_nights

SURE = Belief(0.1, 1e-9)


def test_a_known_gain_is_seen_about_when_its_bound_leaves_nothing() -> None:
    found = forecast_nights(SURE, night_variance=0.01 * 20, level=0.0088, first_night=0.0)

    alone = (norm.ppf(1 - 0.0088) / 0.1) ** 2 * 0.2
    # Looks every night see it sooner than the one look would at which it is seen by an even chance.
    assert 0.5 * alone < found.median < alone
    assert found.soonest < found.median < found.latest
    assert found.chance > 0.95
    assert found.chance_better == pytest.approx(found.chance, abs=0.02)


def test_no_verdict_comes_before_the_floors_are_reached() -> None:
    found = forecast_nights(SURE, night_variance=1e-6, level=0.0088, first_night=40.2)

    assert found.soonest == found.median == found.latest == 41


def test_floors_beyond_a_year_leave_nothing_to_forecast() -> None:
    found = forecast_nights(SURE, night_variance=0.1, level=0.0088, first_night=LONGEST + 1.0)

    assert (found.median, found.chance) == (math.inf, 0.0)


def test_a_doubtful_gain_is_seldom_seen_and_may_turn_out_a_loss() -> None:
    found = forecast_nights(Belief(0.0, 0.1), night_variance=0.1, level=0.0088, first_night=0.0)

    assert 0.3 < found.chance_better / found.chance < 0.7


def test_the_same_night_forecasts_the_same() -> None:
    args = {"night_variance": 0.3, "level": 0.0088, "first_night": 3.0}

    assert forecast_nights(Belief(0.05, 0.05), **args) == forecast_nights(Belief(0.05, 0.05), **args)


def test_a_belief_lies_between_what_was_seen_and_what_is_usual() -> None:
    thin, thick = (Belief.after(0.8, error, value=1.0) for error in (1.0, 0.01))

    assert thin.mean == pytest.approx(0.05, abs=0.02)
    assert thin.spread == pytest.approx(0.1, rel=0.01)
    assert thick.mean == pytest.approx(0.8, abs=0.02)
    assert thick.spread < 0.01
