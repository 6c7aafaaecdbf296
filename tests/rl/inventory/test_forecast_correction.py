"""Forecasts follow the errors of the last days, as far as a log shows that these stay, and never see a day ahead."""

from __future__ import annotations

import json

import numpy as np
import pytest

from rl.errors import InventoryError
from rl.inventory.forecast_correction import ForecastCorrection, fit_correction, recent_errors

N_DAYS = 420


def _weekly(error: float, *, n_products: int = 30, mean: float = 20.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return forecasts of four days, sales, and each day's true mean; errors last from Monday to Sunday."""
    generator = np.random.default_rng(5)
    weekly = np.exp(generator.normal(-(error**2) / 2, error, (n_products, N_DAYS // 7 + 1)))
    means = mean * np.repeat(weekly, 7, axis=1)
    sales = generator.poisson(means[:, :N_DAYS])
    return np.full((n_products, N_DAYS, 4), mean), sales, means


def _fitted(forecasts: np.ndarray, sales: np.ndarray) -> ForecastCorrection:
    ran_out = np.zeros(sales.shape, dtype=bool)
    return fit_correction(forecasts, sales, ran_out, sales.astype(float), n_training=280)


def _misses(found: np.ndarray, means: np.ndarray, *, weekday: int, ahead: int) -> float:
    days = np.arange(350 + weekday, N_DAYS - 4, 7)
    return float(np.sqrt(np.mean((found[:, days, ahead] - means[:, days + ahead]) ** 2)))


def test_errors_of_a_week_are_followed_within_it_and_not_beyond() -> None:
    forecasts, sales, means = _weekly(0.3)
    found = _fitted(forecasts, sales).corrected(forecasts, sales, np.zeros(sales.shape, dtype=bool))
    given = _misses(forecasts, means, weekday=4, ahead=0)
    # Four days of some twenty units each leave a standard error of 11% on an error of 30%: a third at best.
    best = 20 * (1 / (1 / 0.3**2 + 4 * 20)) ** 0.5
    assert best < _misses(found, means, weekday=4, ahead=0) < 1.25 * best < 0.5 * given
    assert _misses(found, means, weekday=4, ahead=2) < 1.25 * best
    # On Mondays, and for days behind the Sunday, last week's error says nothing.
    for weekday, ahead in ((0, 0), (4, 3), (6, 1)):
        before = _misses(forecasts, means, weekday=weekday, ahead=ahead)
        assert _misses(found, means, weekday=weekday, ahead=ahead) == pytest.approx(before, rel=0.05)


def test_forecasts_without_lasting_errors_stay_what_they_are() -> None:
    forecasts, sales, _ = _weekly(0.0)
    found = _fitted(forecasts, sales).corrected(forecasts, sales, np.zeros(sales.shape, dtype=bool))
    assert float(np.abs(found[:, 350:] / forecasts[:, 350:] - 1).mean()) < 0.02


def test_a_log_too_short_to_tell_corrects_nothing() -> None:
    generator = np.random.default_rng(3)
    forecasts, sales = np.full((2, 60, 4), 1.5), generator.poisson(1.5, (2, 60))
    ran_out = np.zeros(sales.shape, dtype=bool)
    found = fit_correction(forecasts, sales, ran_out, sales.astype(float), n_training=40)
    assert np.array_equal(found.corrected(forecasts, sales, ran_out), forecasts)


def test_a_forecast_that_is_always_too_low_is_raised() -> None:
    forecasts, sales, _ = _weekly(0.0)
    found = _fitted(forecasts / 2, sales).corrected(forecasts / 2, sales, np.zeros(sales.shape, dtype=bool))
    assert float(found[:, 350:].mean()) == pytest.approx(20.0, rel=0.03)


def test_no_day_moves_its_own_forecast_or_an_earlier_one() -> None:
    forecasts, sales, _ = _weekly(0.3)
    ran_out = np.zeros(sales.shape, dtype=bool)
    correction = _fitted(forecasts, sales)
    before = correction.corrected(forecasts, sales, ran_out)
    sales[:, 300:] += 50
    ran_out[:, 300:] = True
    after = correction.corrected(forecasts, sales, ran_out)
    assert np.array_equal(before[:, :301], after[:, :301])
    assert not np.array_equal(before[:, 301], after[:, 301])


def test_recent_errors_are_those_of_loops() -> None:
    generator = np.random.default_rng(2)
    forecast, sales = generator.uniform(0.5, 9, (3, 20)), generator.poisson(4, (3, 20))
    ran_out = generator.random((3, 20)) < 0.3
    found = recent_errors(forecast, sales, ran_out, 8.0)
    for product in range(3):
        for day in range(20):
            for window in range(1, 8):
                before = slice(day - window, day)
                expected, trusted = (0.0, 0.0) if day < 7 else (float(forecast[product, before].sum()), 1.0)
                trusted *= expected / (expected + 8.0)
                error = trusted * (sales[product, before].sum() / expected - 1) if day >= 7 else 0.0
                assert found[product, day, window - 1] == pytest.approx(error)
                share = trusted * ran_out[product, before].mean() if day >= 7 else 0.0
                assert found[product, day, 6 + window] == pytest.approx(share)


def test_what_does_not_fit_together_is_refused() -> None:
    forecasts, sales, _ = _weekly(0.3)
    ran_out = np.zeros(sales.shape, dtype=bool)
    with pytest.raises(InventoryError, match="days after them"):
        fit_correction(forecasts, sales, ran_out, sales.astype(float), n_training=N_DAYS)
    with pytest.raises(InventoryError, match="two weeks at least"):
        fit_correction(forecasts, sales, ran_out, sales.astype(float), n_training=10)
    with pytest.raises(InventoryError, match="expected one"):
        recent_errors(forecasts[:, :, 0], sales[:, :-1], ran_out, 8.0)
    with pytest.raises(InventoryError, match="is_known have shapes"):
        recent_errors(forecasts[:, :, 0], sales, ran_out, 8.0, is_known=ran_out[:, :-1])
    with pytest.raises(InventoryError, match=r"n_days, 4\)"):
        _fitted(forecasts, sales).corrected(forecasts[:, :, :3], sales, ran_out)


def test_days_are_told_by_their_weekday_where_it_is_given() -> None:
    """The same log from its Wednesday on, with the weekdays named, has the lines of the whole one's weekdays."""
    forecasts, sales, _ = _weekly(0.3)
    ran_out = np.zeros(sales.shape, dtype=bool)
    weekday = np.arange(N_DAYS) % 7
    whole = _fitted(forecasts, sales)
    named = fit_correction(forecasts, sales, ran_out, sales.astype(float), n_training=280, weekday=weekday)
    assert np.array_equal(named.weights, whole.weights)
    corrected = whole.corrected(forecasts, sales, ran_out)
    later = whole.corrected(forecasts[:, 2:], sales[:, 2:], ran_out[:, 2:], weekday=weekday[2:])
    assert np.array_equal(later[:, 7:], corrected[:, 9:])


def test_what_is_not_known_of_a_product_moves_nothing() -> None:
    forecasts, sales, _ = _weekly(0.3)
    ran_out = np.zeros(sales.shape, dtype=bool)
    is_known = np.random.default_rng(4).random(sales.shape) < 0.8
    noise = np.where(is_known, sales, 10_000)
    kept = [
        fit_correction(forecasts, one, ran_out, one.astype(float), n_training=280, is_known=is_known)
        for one in (sales, noise)
    ]
    assert np.array_equal(kept[0].weights, kept[1].weights)
    told = [
        one.corrected(forecasts, sold, ran_out, is_known=is_known)
        for one, sold in zip(kept, (sales, noise), strict=True)
    ]
    assert np.array_equal(told[0], told[1])


def test_a_stored_correction_is_the_same() -> None:
    forecasts, sales, _ = _weekly(0.3)
    found = _fitted(forecasts, sales)
    stored = ForecastCorrection.from_json(json.loads(json.dumps(found.to_json())))
    assert np.array_equal(stored.weights, found.weights)
    assert stored.steadiness == found.steadiness
    assert not found.changes_nothing


def test_a_short_log_asks_for_a_larger_penalty() -> None:
    """Of ten weeks the steepest lines follow chance: one of several penalties is chosen by days after them."""
    generator = np.random.default_rng(6)
    weekly = np.exp(generator.normal(-0.03, 0.25, (12, 16)))
    means = 6 * np.repeat(weekly, 7, axis=1)
    sales, forecasts = generator.poisson(means), np.full((12, 112, 4), 6.0)
    ran_out = np.zeros(sales.shape, dtype=bool)

    def missed(*penalties: float) -> float:
        found = fit_correction(
            forecasts[:, :84],
            sales[:, :84],
            ran_out[:, :84],
            sales[:, :84].astype(float),
            n_training=56,
            penalties=penalties,
        )
        told = found.corrected(forecasts, sales, ran_out)
        return float(np.mean((told[:, 84:108, 0] - means[:, 84:108]) ** 2))

    assert missed(0.1, 3.0, 30.0, 300.0) < missed(0.1)
    assert missed(0.1, 3.0, 30.0, 300.0) < float(np.mean((forecasts[:, 84:108, 0] - means[:, 84:108]) ** 2))


def test_chance_alone_is_seldom_taken_for_errors_that_stay() -> None:
    """Of thirty shops whose forecasts are right, to four of the share's errors, one in six is corrected at most."""
    corrected = 0
    for seed in range(30):
        generator = np.random.default_rng(seed)
        sales, forecasts = generator.poisson(5.0, (10, 112)), np.full((10, 112, 4), 5.0)
        ran_out = np.zeros(sales.shape, dtype=bool)
        found = fit_correction(
            forecasts, sales, ran_out, sales.astype(float), n_training=84, penalties=(0.1, 3.0, 30.0, 300.0)
        )
        corrected += not found.changes_nothing
    assert corrected <= 30 * (1 / 6 + 4 * (1 / 6 * 5 / 6 / 30) ** 0.5)


def test_no_error_makes_more_of_a_forecast_than_twice_or_less_than_a_fifth() -> None:
    forecasts, sales, _ = _weekly(0.3)
    ran_out = np.zeros(sales.shape, dtype=bool)
    found = _fitted(forecasts, sales)
    sales[0, 300] *= 30
    sales[1, 300:307] = 0
    told = found.corrected(forecasts, sales, ran_out)
    assert told.max() == pytest.approx(40.0)
    assert told.min() >= 4.0
