"""Forecasts of a night that follow their errors of the last days: known beforehand, kept with the policy, told."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from conf.specs.orders import OrderCandidate
from rl.data.logged_episodes import FloatArray
from rl.inventory.order_policy import load_order_policy
from rl.orders.order_basis import OrderBasis
from rl.orders.order_fitting import fit_orders
from rl.orders.order_history import OrderHistory
from rl.orders.tomorrow import tomorrow_orders
from rl.shops.inventory.stock_days import StockDays
from tests.rl.orders.order_datasets import dataset_of
from tests.rl.orders.shop_history import a_shop, history_of
from tests.rl.orders.test_tomorrow import up_to


@cache
def a_shop_of_weeks() -> tuple[StockDays, OrderHistory]:
    """A shop whose weeks sell more or less than any forecast knows."""
    days = a_shop(n_products=24, seed=2, catalogue_seed=2)
    assert days.settings.forecast_error > 0.1
    return days, history_of(days)


@cache
def a_basis(*, is_corrected: bool) -> OrderBasis:
    return OrderBasis.of(dataset_of(a_shop_of_weeks()[1], corrects_forecasts=is_corrected))


def missed(basis: OrderBasis, days: StockDays) -> float:
    """Squared errors of forecasts of true demand on the test days, against the usual one of plain forecasts' size."""
    test = basis.dataset.splits["test"]
    usual = a_basis(is_corrected=False).forecasts[:, test, 0]
    error: FloatArray = (days.demand[:, test] - basis.forecasts[:, test, 0]) ** 2 / (usual + 0.05 * usual**2 + 0.1)
    return float(error[basis.dataset.history.is_known[:, test]].mean())


def test_they_miss_less_on_days_that_nothing_was_fitted_to() -> None:
    days, _ = a_shop_of_weeks()
    plain, corrected = a_basis(is_corrected=False), a_basis(is_corrected=True)
    assert plain.forecaster.correction is None
    assert corrected.forecaster.correction is not None
    assert missed(corrected, days) < 0.97 * missed(plain, days)
    assert corrected.variance[1] < plain.variance[1]


def test_a_day_s_forecast_knows_the_days_before_it_alone() -> None:
    basis = a_basis(is_corrected=True)
    history, day = basis.dataset.history, basis.dataset.splits["test"].start
    sold = history.units["sold"].copy()
    sold[:, day:] += 50
    other = OrderBasis.of(dataset_of(replace(history, units={**history.units, "sold": sold}), corrects_forecasts=True))
    assert np.array_equal(other.forecasts[:, : day + 1], basis.forecasts[:, : day + 1])
    assert not np.array_equal(other.forecasts[:, day + 1], basis.forecasts[:, day + 1])


def test_tomorrow_s_list_is_made_by_the_forecasts_of_replays() -> None:
    basis = a_basis(is_corrected=True)
    candidate = OrderCandidate(algorithm="base_stock")
    policy = fit_orders(basis, candidate, name="base_stock-1", seed=1, n_threads=1).policy
    history, lead = basis.dataset.history, basis.dataset.history.lead_days
    for back in (5, 6, 20):
        day = history.n_days - back
        found = tomorrow_orders(policy, up_to(history, day))
        place = {name: row for row, name in enumerate(history.products)}
        rows = [place[name] for name in found.products]
        assert len(rows) > 10
        assert found.forecast == pytest.approx(basis.forecasts[rows, day, : lead + 1].sum(axis=1))


def test_a_stored_policy_forecasts_as_the_fitted_one(tmp_path: Path) -> None:
    basis = a_basis(is_corrected=True)
    policy = fit_orders(basis, OrderCandidate(algorithm="newsvendor"), name="newsvendor-1", seed=1, n_threads=1).policy
    policy.save(tmp_path / "policy")
    stored = load_order_policy(tmp_path / "policy")
    assert stored.version == policy.version
    plain = a_basis(is_corrected=False)
    assert np.array_equal(plain.forecasts_by(stored.forecaster), basis.forecasts)


def test_days_on_which_nothing_is_known_correct_nothing() -> None:
    """A product that left the range for a month comes back with its level's forecasts, not as if it sold nothing."""
    basis = a_basis(is_corrected=True)
    history, correction = basis.dataset.history, basis.forecaster.correction
    assert correction is not None
    away = slice(history.n_days - 40, history.n_days - 5)
    is_known = history.is_known.copy()
    is_known[0, away] = False
    units = {name: np.where(is_known, values, 0) for name, values in history.units.items()}
    gone = replace(history, is_known=is_known, units=units, ran_out=history.ran_out & is_known)
    plain = replace(basis.forecaster, correction=None)
    first = away.stop
    told = basis.forecaster.forecasts(gone.products, gone.demand_days(), gone.promoted)[0, first]
    level = plain.forecasts(gone.products, gone.demand_days(), gone.promoted)[0, first]
    constant = 1 + correction.weights[gone.weekday[first], :, -1]
    assert told == pytest.approx(level * np.maximum(constant, 0.2))


def test_training_days_that_are_too_few_leave_forecasts_as_they_are() -> None:
    history = a_shop_of_weeks()[1]
    short = dataset_of(history, corrects_forecasts=True)
    short = replace(short, splits={**short.splits, "train": slice(0, 35)})
    found = OrderBasis.of(short)
    plain = OrderBasis.of(replace(dataset_of(history), splits=short.splits))
    assert found.forecaster.correction is None
    assert np.array_equal(found.forecasts, plain.forecasts)


def test_a_bulk_buyer_s_day_makes_no_forecast_of_bulk() -> None:
    """One product sells thirty times its usual on a day: the next forecasts are at most twice the level's."""
    basis = a_basis(is_corrected=True)
    history, row = basis.dataset.history, int(basis.forecasts[:, -10, 0].argmax())
    sold = history.units["sold"].copy()
    sold[row, -10] *= 30
    spiked = replace(history, units={**history.units, "sold": sold})
    plain = replace(basis.forecaster, correction=None)
    told, level = (
        one.forecasts(spiked.products, spiked.demand_days(), spiked.promoted)[row, -9:]
        for one in (basis.forecaster, plain)
    )
    assert (told > level).any()
    assert (told <= 2 * level).all()
