"""The distribution of demand against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import poisson

from rl.errors import InventoryError
from rl.inventory.demand import DemandDistribution
from tests.rl.inventory.states import POISSON, SMALL


def test_sums_of_poisson_are_poisson() -> None:
    total = POISSON.over_periods(3)
    units = np.arange(40)
    assert total.probabilities[:40] == pytest.approx(poisson.pmf(units, 15), abs=1e-12)


def test_negative_binomial_has_the_mean_and_variance_asked_for() -> None:
    found = DemandDistribution.negative_binomial(7.0, 21.0)
    units = np.arange(len(found.probabilities))
    assert found.mean == pytest.approx(7.0, abs=1e-8)
    assert float(found.probabilities @ (units - 7.0) ** 2) == pytest.approx(21.0, abs=1e-6)


@given(st.floats(0.001, 0.999))
def test_quantile_is_the_least_that_suffices(share: float) -> None:
    level = SMALL.quantile(share)
    assert SMALL.cumulative[level] >= share - 1e-12
    assert level == 0 or SMALL.cumulative[level - 1] < share


def test_what_is_left_over_agrees_with_a_sum_over_demand() -> None:
    chances = SMALL.left_over_chances(7)
    for stock in range(7):
        left = [max(stock - units, 0) for units in range(5)]
        expected = np.bincount(left, SMALL.probabilities, minlength=7)
        assert chances[stock] == pytest.approx(expected)
    assert SMALL.expected_left_over(7)[3] == pytest.approx(0.3 * 3 + 0.2 * 2 + 0.1 * 1)


def test_draws_at_least_a_bound_follow_the_conditional_law() -> None:
    drawn = SMALL.draw_at_least(np.full(40_000, 2), np.random.default_rng(0))
    found = np.bincount(drawn, minlength=5) / len(drawn)
    # Four standard errors of a share of 40,000 draws are at most 0.01.
    assert found == pytest.approx([0, 0, 0.2, 0.5, 0.3], abs=0.01)


def test_a_bound_beyond_the_distribution_is_the_draw() -> None:
    assert SMALL.draw_at_least(np.array([9]), np.random.default_rng(0)).tolist() == [9]


@pytest.mark.parametrize("chances", [[0.5, 0.4], [1.2, -0.2], []])
def test_what_are_no_probabilities_is_refused(chances: list[float]) -> None:
    with pytest.raises(InventoryError, match="probabilities of demand"):
        DemandDistribution(np.array(chances))


def test_less_variance_than_poisson_is_refused() -> None:
    with pytest.raises(InventoryError, match="variance of at least its mean 5"):
        DemandDistribution.negative_binomial(5, 4)
