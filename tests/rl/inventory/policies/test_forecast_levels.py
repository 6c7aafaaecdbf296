"""Levels that follow a forecast: by hand, against the exact projection, and how their one number is found."""

from __future__ import annotations

import numpy as np
import pytest

from rl.errors import InventoryError
from rl.inventory.policies.base_stock import BaseStock
from rl.inventory.policies.forecast_levels import (
    ForecastBaseStock,
    ForecastProjectedLevel,
    fitted_variance,
    tuned_safety,
)
from rl.inventory.policies.projected_level import projected_stock
from rl.inventory.stock import StockStates
from tests.rl.inventory.states import POISSON, rules, states


def _with_forecasts(pipelines: list[tuple[int, ...]], forecasts: list[tuple[float, ...]]) -> StockStates:
    return StockStates(np.array(pipelines, dtype=np.int64), np.array(forecasts))


def test_base_stock_orders_up_to_the_forecast_and_its_safety() -> None:
    at = _with_forecasts([(4, 1), (4, 1)], [(2.0, 3.0, 4.0), (20.0, 3.0, 4.0)])
    assert ForecastBaseStock(2.0, 2).order(at).tolist() == [10, 32]  # 9 + 2 * 3 - 5; 27 + 2 * 27**0.5 - 5 is 32.4
    assert ForecastBaseStock(0.0, 2).order(at).tolist() == [4, 22]


def test_projection_of_poisson_demand_is_near_the_exact_one() -> None:
    pipelines = [(7, 4), (3, 8), (12, 0)]
    at = _with_forecasts(pipelines, [(5.0, 5.0, 5.0)] * 3)
    orders = ForecastProjectedLevel(2.0, 2).order(at)
    exact = 5 + 2 * np.sqrt(15) - projected_stock(states(*pipelines), POISSON)
    assert np.abs(orders - exact).max() < 1.0  # rounding is half of it


def test_nothing_forecast_and_nothing_varies_orders_nothing() -> None:
    at = _with_forecasts([(3, 0)], [(0.0, 0.0, 0.0)])
    assert ForecastProjectedLevel(1.5, 2).order(at).tolist() == [0]


def test_safety_is_the_cheapest_of_those_tried() -> None:
    demand = POISSON.draw((30, 80), np.random.default_rng(0))
    features = np.full((30, 80, 3), 5.0)
    given = rules(2, penalty=9)
    found = tuned_safety(
        lambda safety: ForecastBaseStock(safety, 2), demand, given, features, [0.0, 0.5, 1.0, 1.5, 2.5]
    )
    # Levels of 15, 17, 19, 21 and 25: the published best level for this cell is 19.
    assert found.safety == 1.0
    assert found.policy.order(_with_forecasts([(0, 0)], [(5.0, 5.0, 5.0)])) == BaseStock(19).order(states((0, 0)))


def test_variance_is_found_again() -> None:
    generator = np.random.default_rng(4)
    forecasts = generator.uniform(0.5, 40, (300, 300))
    demand = generator.poisson(generator.gamma(1 / 0.1, forecasts * 0.1))
    linear, squared = fitted_variance(demand, forecasts)
    assert linear == pytest.approx(1.0, abs=0.15)
    assert squared == pytest.approx(0.1, abs=0.015)


def test_states_without_forecasts_are_refused() -> None:
    with pytest.raises(InventoryError, match="0 features; expected 3 forecasts first"):
        ForecastBaseStock(1.0, 2).order(states((1, 1)))


def test_nothing_to_try_or_to_fit_is_refused() -> None:
    demand = np.ones((2, 3), dtype=np.int64)
    with pytest.raises(InventoryError, match="no safeties"):
        tuned_safety(lambda safety: ForecastBaseStock(safety, 2), demand, rules(), np.ones((2, 3, 3)), [])
    with pytest.raises(InventoryError, match="some above 0"):
        fitted_variance(demand, np.zeros((2, 3)))
