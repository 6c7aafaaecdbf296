"""Forecasts know the past alone, and closed days neither raise nor lower them."""

from __future__ import annotations

import numpy as np
import pytest

from rl.errors import InventoryError
from rl.inventory.demand_forecasts import best_rate, forecasts_ahead, smoothed_levels, weekday_shares

WEEKDAY = np.arange(140) % 7
IS_OPEN = WEEKDAY != 5
SHARES = np.array([1.0, 1.5, 0.5, 1.0, 1.2, 0.0, 0.8])
EXACT = np.tile((np.array([[10.0], [40.0]]) * SHARES[WEEKDAY]).astype(np.int64), (1, 1))


def test_weekdays_have_their_shares_whatever_the_products_size() -> None:
    assert weekday_shares(EXACT, WEEKDAY, IS_OPEN) == pytest.approx(SHARES)


def test_a_weekday_that_was_open_once_is_closed() -> None:
    opened = IS_OPEN.copy()
    opened[5] = True
    assert weekday_shares(EXACT, WEEKDAY, opened)[5] == 0


def test_steady_demand_is_forecast_exactly_across_closed_days() -> None:
    levels = smoothed_levels(EXACT, SHARES, WEEKDAY, IS_OPEN, rate=0.2)
    assert levels == pytest.approx(np.repeat([[10.0], [40.0]], 140, axis=1))
    ahead = forecasts_ahead(levels, SHARES, WEEKDAY, 4)
    for k in range(4):
        assert ahead[:, : 140 - k, k] == pytest.approx(EXACT[:, k:])


def test_no_later_day_moves_a_forecast() -> None:
    changed = EXACT.copy()
    changed[:, 60:] += 500
    before, after = (smoothed_levels(each, SHARES, WEEKDAY, IS_OPEN, rate=0.1) for each in (EXACT, changed))
    assert (before[:, :61] == after[:, :61]).all()
    assert (after[:, 61] > before[:, 61]).all()


def test_a_level_that_moves_wants_a_higher_rate_than_one_that_stands_still() -> None:
    generator = np.random.default_rng(0)
    steady = generator.poisson(20, (30, 140))
    moving = generator.poisson(20 * np.exp(np.cumsum(generator.normal(0, 0.15, (30, 140)), axis=1)).clip(0.1, 10))
    rates = (0.02, 0.1, 0.4)
    flat = np.ones(7)
    opened = np.ones(140, dtype=bool)
    found = [best_rate(each, flat, WEEKDAY, opened, rates=rates, n_ahead=3) for each in (steady, moving)]
    assert found[0] == 0.02 < found[1]


def test_what_cannot_be_forecast_is_refused() -> None:
    with pytest.raises(InventoryError, match="no demand on any open day"):
        weekday_shares(EXACT * 0, WEEKDAY, IS_OPEN)
    with pytest.raises(InventoryError, match="smoothing rate 1"):
        smoothed_levels(EXACT, SHARES, WEEKDAY, IS_OPEN, rate=1.0)
    with pytest.raises(InventoryError, match="too few to choose"):
        best_rate(EXACT[:, :20], SHARES, WEEKDAY[:20], IS_OPEN[:20], rates=(0.1,), n_ahead=3)
