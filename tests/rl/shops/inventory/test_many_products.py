"""The shop of many products: its forecasts are right on average, its log hides what was lost, its seeds fix it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rl.errors import ShopError
from rl.inventory.policies.forecast_levels import ForecastBaseStock
from rl.shops.inventory.many_products import (
    FULL_SHOP,
    ManyProducts,
    cost_per_day,
    days_over_limit,
    simulate_products,
    true_units,
)

SHOP = ManyProducts(n_products=40, n_days=364)
FULL = replace(FULL_SHOP, n_products=40, n_days=364)


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


def test_the_buyer_keeps_the_shared_storage_on_every_day_and_it_is_short_on_some() -> None:
    log = simulate_products(FULL, seed=1)
    assert log.limit is not None
    # The log's own stock begins with three days of mean demand, all orders have their own days.
    opening = 3 * np.maximum(np.round(log.true_demand.mean(axis=1)), 1)
    sold_before = np.cumsum(log.sales, axis=1) - log.sales
    positions = opening[:, None] + np.cumsum(log.ordered, axis=1) - sold_before
    taken = log.room @ positions
    assert taken.max() <= log.limit
    assert (taken > 0.97 * log.limit).mean() > 0.02


def test_orders_come_when_the_shop_says_and_the_log_tells_in_which_shares() -> None:
    log = simulate_products(FULL, seed=1)
    shares = log.known_wait_shares
    assert shares is not None
    # Of some 10,000 orders; three standard errors of the largest share are .015.
    assert shares == pytest.approx([0.15, 0.6, 0.2, 0.05], abs=0.015)
    assert FULL.wait_variance == pytest.approx(0.15 + 0.2 + 0.05 * 4 - 0.15**2)


def test_demand_is_that_of_the_shop_without_storage_and_late_orders() -> None:
    plain, full = simulate_products(SHOP, seed=1), simulate_products(FULL, seed=1)
    assert (plain.true_demand == full.true_demand).all()
    assert plain.waits is None
    assert plain.limit is None
    assert (plain.ordered != full.ordered).any()


def test_days_over_the_limit_are_counted() -> None:
    log = simulate_products(FULL, seed=1)
    assert days_over_limit(true_units(ForecastBaseStock(9.0, 3), log, FULL, slice(0, 100)), log) > 50
    assert days_over_limit(true_units(ForecastBaseStock(-9.0, 3), log, FULL, slice(0, 100)), log) == 0


def test_a_storage_that_holds_less_than_what_is_on_the_way_is_refused() -> None:
    with pytest.raises(ShopError, match=r"3\.5 days of storage"):
        ManyProducts(storage_days=3.5)


def test_a_shop_without_products_is_refused() -> None:
    with pytest.raises(ShopError, match="no shop is like"):
        ManyProducts(n_products=0)
