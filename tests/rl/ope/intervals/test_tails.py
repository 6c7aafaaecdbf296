from __future__ import annotations

import numpy as np
import pytest

from rl.ope.intervals.tails import generalized_pareto_shape, tail_report


@pytest.mark.parametrize("shape", [0.1, 0.5, 0.9, 1.3])
def test_generalized_pareto_shape_recovers_the_shape_drawn_from(shape: float) -> None:
    """From 4,000 exceedances the shape is known to (1 + k) / sqrt(4,000); the tolerance is four of these."""
    uniform = np.random.default_rng(1).random(4000)
    exceedances = np.sort((uniform**-shape - 1) / shape)
    assert generalized_pareto_shape(exceedances) == pytest.approx(shape, abs=4 * (1 + shape) / np.sqrt(4000))


def test_tail_report_tells_light_tails_from_heavy_ones() -> None:
    """Exponential values have index 0; Pareto values without a finite mean one near or above 1."""
    rng = np.random.default_rng(2)
    light = tail_report(rng.exponential(size=5000))
    heavy = tail_report(rng.pareto(0.8, size=5000))  # k = 1.25
    assert light.tail_index == pytest.approx(0, abs=0.25)
    assert heavy.tail_index is not None
    assert heavy.tail_index > 0.95


def test_tail_report_gives_the_shares_of_the_largest() -> None:
    """Of 200 values the largest two are the top hundredth."""
    values = np.ones(200)
    values[[5, 6]] = [50.0, -52.0]
    found = tail_report(values)
    assert found.largest_share == pytest.approx(52 / 300)
    assert found.top_percent_share == pytest.approx(102 / 300)
    assert found.n_tail == 40


def test_tail_report_does_not_depend_on_the_unit_of_value() -> None:
    """Cents or euros: the same tail."""
    values = np.random.default_rng(3).lognormal(0, 1.5, size=1000)
    in_cents = tail_report(100 * values)
    assert in_cents.tail_index == pytest.approx(tail_report(values).tail_index)


@pytest.mark.parametrize("values", [np.zeros(50), np.ones(300), np.arange(8.0), np.r_[np.zeros(400), 1.0, 2.0]])
def test_tail_report_fits_nothing_to_too_few_different_values(values: np.ndarray) -> None:
    """No orders, all alike, a handful of shoppers, or two orders in all: no index, and no complaint."""
    found = tail_report(values)
    assert found.tail_index is None
