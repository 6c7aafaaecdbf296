"""The fitted tail: right where demand has its law, and always a law."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import nbinom

from rl.errors import InventoryError
from rl.inventory.censored_demand import fit_demand
from rl.inventory.demand import DemandDistribution
from rl.inventory.demand_tail import negative_binomial_tail

LAW = DemandDistribution.negative_binomial(20.0, 40.0)


def _counts(n_days: int, stock: int) -> tuple[np.ndarray, np.ndarray]:
    """Exact shares of days, as if infinitely many had been seen."""
    shown = np.append(LAW.probabilities[:stock], 0.0) * n_days
    bounds = np.zeros(stock + 1)
    bounds[stock] = (1 - LAW.cumulative[stock - 1]) * n_days
    return shown, bounds


@pytest.mark.parametrize("stock", [16, 22, 30])
def test_it_is_the_true_tail_where_demand_has_that_law(stock: int) -> None:
    found = negative_binomial_tail(*_counts(1000, stock), stock)
    true = nbinom.pmf(np.arange(stock, stock + len(found)), 20.0, 0.5)
    assert found == pytest.approx(true / true.sum(), abs=2e-4)
    assert found.sum() == pytest.approx(1)


def test_a_quantile_beyond_the_largest_stock_is_found_nearer_than_with_the_last_rate() -> None:
    misses = {"negative_binomial": [], "geometric": []}
    for seed in range(8):
        generator = np.random.default_rng(seed)
        demand, stock = LAW.draw(600, generator), generator.integers(10, 26, 600)
        for tail, found in misses.items():
            fitted = fit_demand(np.minimum(demand, stock), demand >= stock, tail=tail)
            assert fitted.tail == tail
            found.append(fitted.distribution.quantile(0.9) / LAW.quantile(0.9) - 1)
    means = {tail: abs(float(np.mean(found))) for tail, found in misses.items()}
    assert means["negative_binomial"] < 0.03 < means["geometric"]


def test_without_any_sale_there_is_no_law() -> None:
    with pytest.raises(InventoryError, match="declare the tail at_bound"):
        negative_binomial_tail(np.array([5.0]), np.array([2.0]), 1)
