"""The doubt of a quantile: it covers, it is zero where nothing varies, and it says where it rests on a declaration."""

from __future__ import annotations

import numpy as np
import pytest

from rl.errors import InventoryError
from rl.inventory.demand import DemandDistribution
from rl.inventory.demand_doubt import quantile_doubt

LAW = DemandDistribution.negative_binomial(20, 40)


def _log(generator: np.random.Generator, n: int, low: int, high: int) -> tuple[np.ndarray, np.ndarray]:
    demand, stock = LAW.draw(n, generator), generator.integers(low, high, n)
    return np.minimum(demand, stock), demand >= stock


def test_intervals_hold_the_true_quantile_as_often_as_they_say() -> None:
    generator, hits = np.random.default_rng(0), 0
    for seed in range(60):
        sales, ran_out = _log(generator, 400, 15, 45)
        found = quantile_doubt(sales, ran_out, np.arange(400) // 7, share=0.9, n_draws=100, seed=seed)
        hits += found.lower <= LAW.quantile(0.9) <= found.upper
    # 60 draws of .95, less three standard errors of .028; whole units make intervals wider.
    assert hits / 60 >= 0.86


def test_without_variation_there_is_no_doubt() -> None:
    found = quantile_doubt(np.full(30, 4), np.zeros(30, dtype=bool), np.arange(30), share=0.9, n_draws=20)
    assert (found.value, found.lower, found.upper, found.declared_share) == (4, 4, 4, 0)


def test_a_quantile_beyond_the_largest_stock_is_said_to_be_declared() -> None:
    sales, ran_out = _log(np.random.default_rng(1), 500, 8, 18)
    found = quantile_doubt(sales, ran_out, np.arange(500), share=0.9, n_draws=50)
    assert found.declared_share > 0.9


def test_units_of_other_days_are_refused() -> None:
    with pytest.raises(InventoryError, match="1 units of 30 days"):
        quantile_doubt(np.full(30, 4), np.zeros(30, dtype=bool), np.zeros(30, dtype=np.int64), share=0.9)
