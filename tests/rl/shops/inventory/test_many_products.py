"""The shop of many products: its forecasts are right on average, its log hides what was lost, its seeds fix it."""

from __future__ import annotations

import numpy as np
import pytest

from rl.errors import ShopError
from rl.inventory.policies.forecast_levels import ForecastBaseStock
from rl.shops.inventory.many_products import ManyProducts, cost_per_day, simulate_products

SHOP = ManyProducts(n_products=40, n_days=364)


def test_forecasts_are_right_on_average_and_wrong_on_the_day() -> None:
    log = simulate_products(SHOP, seed=1)
    ratio = log.true_demand.sum() / log.forecasts[:, :, 0].sum()
    # 52 weeks of 40 products with errors of 25% each, large products weighing most: three standard errors are .03.
    assert ratio == pytest.approx(1, abs=0.03)
    weeks = log.true_demand.reshape(40, 52, 7).sum(axis=2) / log.forecasts[:, :, 0].reshape(40, 52, 7).sum(axis=2)
    assert weeks.std() > 0.25


def test_forecasts_and_promotions_of_later_days_are_those_days_own() -> None:
    log = simulate_products(SHOP, seed=1)
    for ahead in range(1, 4):
        assert (log.forecasts[:, :-ahead, ahead] == log.forecasts[:, ahead:, 0]).all()
        assert (log.is_promoted[:, :-ahead, ahead] == log.is_promoted[:, ahead:, 0]).all()


def test_promotions_sell_more() -> None:
    log = simulate_products(SHOP, seed=1)
    promoted = log.is_promoted[:, :, 0]
    assert 0.05 < promoted.mean() < 0.3
    rates = [
        log.true_demand[row, mask].mean()
        for row in range(40)
        for mask in (promoted[row], ~promoted[row])
        if promoted[row].any()
    ]
    assert np.median(np.array(rates[::2]) / np.array(rates[1::2])) > 1.3


def test_the_log_holds_sales_and_hides_demand_on_days_that_ran_out() -> None:
    log = simulate_products(SHOP, seed=1)
    assert (log.sales[~log.ran_out] == log.true_demand[~log.ran_out]).all()
    assert (log.sales <= log.true_demand).all()
    assert 0.05 < (log.sales < log.true_demand).mean() < log.ran_out.mean() < 0.5


def test_same_seed_same_shop() -> None:
    first, again, other = (simulate_products(SHOP, seed=seed) for seed in (1, 1, 2))
    assert (first.sales == again.sales).all()
    assert (first.sales != other.sales).any()


def test_costs_are_those_of_true_demand_on_the_days_asked_for() -> None:
    log = simulate_products(SHOP, seed=1)
    cost = cost_per_day(ForecastBaseStock(1.0, 3), log, SHOP, slice(300, 364))
    assert cost.shape == (40, 64)
    assert cost.mean() < 9 * log.true_demand[:, 300:].mean()  # what it costs to lose everything


def test_a_shop_without_products_is_refused() -> None:
    with pytest.raises(ShopError, match="no shop is like"):
        ManyProducts(n_products=0)
