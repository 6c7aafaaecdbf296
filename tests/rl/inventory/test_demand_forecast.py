"""Forecasts follow each product's own days, weekdays and promotions, and look at nothing that comes later."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from rl.errors import InventoryError
from rl.inventory.demand_forecast import DemandDays, DemandForecaster, fit_forecaster

N_PRODUCTS, N_DAYS = 6, 140
PRODUCTS = tuple(f"p{row}" for row in range(N_PRODUCTS))
WEEKDAY = np.arange(N_DAYS, dtype=np.int64) % 7
BASE = np.array([2.0, 4.0, 8.0, 12.0, 20.0, 30.0])
FACTOR = np.array([0.6, 0.8, 1.0, 1.0, 1.1, 1.6, 0.9])
LIFT = 2.0


def true_mean(promoted: np.ndarray) -> np.ndarray:
    return BASE[:, None] * FACTOR[WEEKDAY] * np.where(promoted, LIFT, 1.0)


def some_days(seed: int = 3) -> tuple[DemandDays, np.ndarray]:
    """Days with stock enough for all demand, and their mean demand."""
    generator = np.random.default_rng(seed)
    promoted = np.repeat(generator.random((N_PRODUCTS, N_DAYS // 14)) < 0.2, 14, axis=1)
    mean = true_mean(promoted)
    nothing = np.zeros_like(promoted)
    return DemandDays(generator.poisson(mean), nothing, ~nothing, promoted, WEEKDAY), mean


def test_factors_of_weekdays_and_promotions_are_found() -> None:
    """Over twenty weeks, within what Poisson demand of 80 units a day in all lets one know."""
    days, _ = some_days()
    found = fit_forecaster(PRODUCTS, days)
    np.testing.assert_allclose(found.weekday, FACTOR / FACTOR.mean(), rtol=0.08)
    assert found.lift == pytest.approx(LIFT, rel=0.08)


def test_forecasts_are_near_the_true_mean() -> None:
    """Within a sixth, root mean squared, after the first weeks: no day's own demand helps them."""
    days, mean = some_days()
    found = fit_forecaster(PRODUCTS, days)
    ahead = np.stack([days.is_promoted, days.is_promoted], axis=2)
    levels = found.levels(PRODUCTS, days)[:, :-1]
    forecasts = found.ahead(PRODUCTS, levels, WEEKDAY, ahead)
    error = forecasts[:, 42:, 0] / mean[:, 42:] - 1
    assert np.sqrt((error**2).mean()) < 1 / 6
    # What is forecast for tomorrow has tomorrow's weekday.
    plain = np.zeros((N_PRODUCTS, N_DAYS, 2), dtype=bool)
    tomorrow = found.ahead(PRODUCTS, np.ones((N_PRODUCTS, N_DAYS)), WEEKDAY, plain)
    np.testing.assert_allclose(tomorrow[:, :-1, 1], tomorrow[:, 1:, 0])


def test_no_forecast_looks_at_its_own_day_or_later() -> None:
    """Other sales from a day on change no level up to that day's morning."""
    days, _ = some_days()
    found = fit_forecaster(PRODUCTS, days)
    later = days.sold.copy()
    later[:, 100:] = 999
    before, after = found.levels(PRODUCTS, days), found.levels(PRODUCTS, replace(days, sold=later))
    np.testing.assert_array_equal(before[:, :101], after[:, :101])
    assert (after[:, 101] > before[:, 101]).all()


def test_empty_shelves_do_not_talk_the_level_down() -> None:
    """Half of the days sell half of their demand: the level stays above nine tenths, and without flags it doesn't."""
    days, mean = some_days()
    is_out = np.random.default_rng(5).random(days.sold.shape) < 0.5
    sold = np.where(is_out, days.sold // 2, days.sold)
    told = fit_forecaster(PRODUCTS, replace(days, sold=sold, ran_out=is_out))
    untold = fit_forecaster(PRODUCTS, replace(days, sold=sold))
    usual = mean.mean(axis=1)

    def share(found: DemandForecaster, ran_out: np.ndarray) -> float:
        seen = replace(days, sold=sold, ran_out=ran_out)
        forecasts = found.levels(PRODUCTS, seen)[:, :-1] * found.factors(PRODUCTS, WEEKDAY, days.is_promoted)
        return float((forecasts[:, 70:].mean(axis=1) / usual).mean())

    assert share(told, is_out) > 0.88
    assert share(untold, np.zeros_like(is_out)) < 0.82


def test_newcomers_begin_at_what_products_usually_sell_and_learn_fast() -> None:
    """A product that nobody knew takes the factors of all; in two weeks it is near its own level."""
    days, _ = some_days()
    found = fit_forecaster(PRODUCTS, days)
    shape = (1, 14)
    new = DemandDays(
        np.full(shape, 40), np.zeros(shape, bool), np.ones(shape, bool), np.zeros(shape, bool), np.zeros(14, np.int64)
    )
    levels = found.levels(("new",), new)[0] * found.weekday[0]
    assert levels[0] == pytest.approx(found.first_level * found.weekday[0])
    assert 30 < levels[-1] <= 40


@pytest.mark.parametrize("odd_sale", [0, 3])
def test_a_weekday_on_which_nothing_sells_leaves_the_others_their_forecasts(odd_sale: int) -> None:
    """Closed days are forecast as such, and neither they nor one odd sale on them move the level; same rate as open."""
    days, mean = some_days()
    sold = np.where(WEEKDAY == 6, 0, days.sold)
    sold[0, 132] = odd_sale  # a Sunday
    found = fit_forecaster(PRODUCTS, replace(days, sold=sold))
    levels = found.levels(PRODUCTS, replace(days, sold=sold))
    forecasts = levels[:, :-1] * found.factors(PRODUCTS, WEEKDAY, days.is_promoted)
    is_open = (WEEKDAY != 6) & (np.arange(N_DAYS) >= 42)
    assert np.isfinite(levels).all()
    assert forecasts[:, WEEKDAY == 6].max() < 0.2
    assert np.sqrt(((forecasts / mean - 1)[:, is_open] ** 2).mean()) < 1 / 6
    np.testing.assert_allclose(levels[:, 133], levels[:, 132], rtol=1e-9)


def test_promotions_that_sold_nothing_leave_other_days_their_forecasts() -> None:
    """Not one unit on any promoted day: forecasts are numbers, and near the mean on the others."""
    days, mean = some_days()
    quiet = replace(days, sold=np.where(days.is_promoted, 0, days.sold))
    assert days.is_promoted.any()
    found = fit_forecaster(PRODUCTS, quiet)
    forecasts = found.levels(PRODUCTS, quiet)[:, :-1] * found.factors(PRODUCTS, WEEKDAY, quiet.is_promoted)
    assert np.isfinite(forecasts).all() and forecasts[quiet.is_promoted].max() < 0.1
    seen = ~quiet.is_promoted & (np.arange(N_DAYS) >= 42)
    assert np.sqrt(((forecasts / mean - 1)[seen] ** 2).mean()) < 1 / 6


def test_a_forecast_that_is_no_number_is_refused_with_product_and_weekday() -> None:
    """Before orders, laws or a network are made of it."""
    days, _ = some_days()
    found = fit_forecaster(PRODUCTS, days)
    broken = replace(found, own_weekday={**found.own_weekday, "p3": np.where(np.arange(7) == 5, np.nan, 1.0)})
    ahead = np.zeros((N_PRODUCTS, 1, 2), dtype=bool)
    with pytest.raises(
        InventoryError, match="1 forecasts aren't finite numbers; the first is nan of product p3 for a Saturday"
    ):
        broken.ahead(PRODUCTS, np.ones((N_PRODUCTS, 1)), np.array([4]), ahead)


def test_a_forecaster_survives_being_written() -> None:
    """To the last bit."""
    days, _ = some_days()
    found = fit_forecaster(PRODUCTS, days)
    again = DemandForecaster.from_json(json.loads(json.dumps(found.to_json())))
    np.testing.assert_array_equal(again.levels(PRODUCTS, days), found.levels(PRODUCTS, days))


@pytest.mark.parametrize("kept", [slice(0, 10), slice(0, 0)])
def test_too_few_days_are_refused(kept: slice) -> None:
    """Two weeks at least."""
    days, _ = some_days()
    short = DemandDays(
        days.sold[:, kept], days.ran_out[:, kept], days.is_known[:, kept], days.is_promoted[:, kept], WEEKDAY[kept]
    )
    with pytest.raises(InventoryError, match="a forecast needs two weeks"):
        fit_forecaster(PRODUCTS, short)
