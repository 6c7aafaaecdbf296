"""The law of units is found from days of all sizes, bounds among them, and its chances lead back to units."""

from __future__ import annotations

import numpy as np
import pytest
import structlog
from scipy.stats import nbinom, poisson

from rl.errors import InventoryError
from rl.inventory.unit_law import UnitLaw, fit_unit_law

LAW = UnitLaw(factor=1.2, excess=0.5, growth=0.1)


def days_of(law: UnitLaw, n: int, seed: int, most_stocked: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What was sold on days of products of all sizes, whether they ran out, and their forecasts."""
    generator = np.random.default_rng(seed)
    forecasts = np.exp(generator.uniform(np.log(0.5), np.log(40), n))
    mean = law.factor * forecasts
    demand = generator.poisson(generator.gamma(mean / (law.excess + law.growth * mean), law.excess + law.growth * mean))
    stock = np.floor(forecasts * generator.uniform(0.4, most_stocked, n) + 1).astype(np.int64)
    return np.minimum(demand, stock), demand >= stock, forecasts


@pytest.mark.parametrize("most_stocked", [1.6, 3.0])
def test_the_law_is_found_though_many_days_ran_out(most_stocked: float) -> None:
    """Within about three standard errors of 20,000 days."""
    sold, ran_out, forecasts = days_of(LAW, 20_000, 1, most_stocked)
    found = fit_unit_law(sold, ran_out, forecasts, np.ones(len(sold)))
    assert ran_out.mean() > 0.25
    assert found.factor == pytest.approx(LAW.factor, rel=0.02)
    assert found.excess == pytest.approx(LAW.excess, abs=0.1)
    assert found.growth == pytest.approx(LAW.growth, abs=0.02)


def test_days_that_count_twice_are_as_two_days() -> None:
    sold, ran_out, forecasts = days_of(LAW, 500, 2, 2.0)
    weights = np.random.default_rng(3).integers(0, 3, 500)
    found = fit_unit_law(sold, ran_out, forecasts, weights.astype(np.float64))
    times = [np.repeat(one, weights) for one in (sold, ran_out, forecasts)]
    twice = fit_unit_law(times[0], times[1], times[2], np.ones(int(weights.sum())))
    assert found.factor == pytest.approx(twice.factor, rel=1e-3)
    assert found.growth == pytest.approx(twice.growth, rel=1e-2)


def test_poisson_demand_is_found_as_such() -> None:
    generator = np.random.default_rng(4)
    forecasts = generator.uniform(1, 30, 5000)
    sold = generator.poisson(forecasts)
    law = fit_unit_law(sold, np.zeros(5000, dtype=bool), forecasts, np.ones(5000))
    assert law.excess + law.growth * 30 < 0.1
    assert law.at_least(np.array([0, 12]), np.full(2, 10.0)) == pytest.approx([1.0, poisson.sf(11, 10)], abs=0.02)


def test_chances_are_the_negative_binomial_ones_and_lead_back_to_units() -> None:
    forecasts, units = np.full(60, 10.0), np.arange(60)
    chances = LAW.at_least(units, forecasts)
    over = LAW.excess + LAW.growth * 12
    assert chances == pytest.approx(nbinom.sf(units - 1, 12 / over, 1 / (1 + over)))
    none = np.zeros(60, dtype=np.int64)
    np.testing.assert_array_equal(LAW.units_at(chances * (1 - 1e-9), forecasts, none), units)
    np.testing.assert_array_equal(LAW.units_at(chances, forecasts, none + 20), np.maximum(units, 20))
    assert LAW.units_at(np.full(1, 1e-300), np.full(1, 0.05), np.zeros(1, dtype=np.int64)) > 50


def test_days_without_a_sale_have_a_law_of_next_to_nothing() -> None:
    law = fit_unit_law(np.zeros(9, dtype=np.int64), np.arange(9) < 3, np.ones(9), np.ones(9))
    assert law.at_least(np.ones(1, dtype=np.int64), np.ones(1)) < 0.02


def test_no_law_is_fitted_to_days_that_do_not_count() -> None:
    with pytest.raises(InventoryError, match="none of 9 days counts"):
        fit_unit_law(np.zeros(9, dtype=np.int64), np.zeros(9, dtype=bool), np.ones(9), np.zeros(9))


def test_a_law_far_from_all_forecasts_says_that_it_is_a_guess() -> None:
    """Nearly every day hides its demand: the likeliest law lies at the end of what is tried."""
    sold = np.full(50, 40, dtype=np.int64)
    ran_out = np.ones(50, dtype=np.bool_)
    ran_out[0], sold[0] = False, 0
    with structlog.testing.capture_logs() as logs:
        law = fit_unit_law(sold, ran_out, np.full(50, 0.05), np.ones(50))
    assert law.factor > 100
    assert [one["times_the_forecast"] for one in logs] == [148.413]
    with structlog.testing.capture_logs() as logs:
        fit_unit_law(np.arange(50, dtype=np.int64) % 5, np.zeros(50, dtype=np.bool_), np.full(50, 2.0), np.ones(50))
    assert not logs
