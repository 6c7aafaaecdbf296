"""The interval of a mean over days or weeks holds the truth as often as it says, also where neighbours are alike."""

from __future__ import annotations

import numpy as np
import pytest

from rl.data.logged_episodes import FloatArray
from rl.loop.mean_gain import mean_gain, mean_reach

N_SERIES = 20_000


def series(n: int, correlation: float) -> FloatArray:
    """Series of mean 0 and variance 1 whose neighbours are correlated, `(N_SERIES, n)`."""
    drawn = np.random.default_rng([n, round(100 * correlation)]).normal(size=(N_SERIES, n))
    for unit in range(1, n):
        drawn[:, unit] = correlation * drawn[:, unit - 1] + np.sqrt(1 - correlation**2) * drawn[:, unit]
    return drawn


@pytest.mark.parametrize("n", [6, 8, 10, 14])
@pytest.mark.parametrize(("correlation", "least"), [(0.0, 0.95), (0.25, 0.95), (0.5, 0.915)])
def test_a_95_interval_holds_the_truth(n: int, correlation: float, least: float) -> None:
    """The standard error of a share of 20,000 series is .2 points; the normal law holds it in 67 to 71% at .5."""
    drawn = series(n, correlation)
    held = np.abs(drawn.mean(axis=1)) <= mean_reach(drawn, level=0.95)
    assert held.mean() >= least


@pytest.mark.parametrize("n", [2, 3, 4])
def test_few_units_reach_far(n: int) -> None:
    """Where the normal law holds the truth in 70, 81 and 86% of series of independent units."""
    drawn = series(n, 0.0)
    assert (np.abs(drawn.mean(axis=1)) <= mean_reach(drawn, level=0.95)).mean() >= 0.95


def test_six_weeks_don_t_rule_out_a_loss_that_the_normal_law_would() -> None:
    """Six weeks with a mean of 1,185 and the scatter of which that law made 45 to 2,326."""
    weeks = np.array([1.0, -1.0, 1.0, -1.0, 1.0, -1.0])
    more = 1185 + weeks / weeks.std(ddof=1) * (2326 - 45) / 2 / 1.96 * np.sqrt(6)
    found = mean_gain(more, level=0.95)
    assert found is not None and found.value == pytest.approx(1185)
    assert found.lower < 1185 - 2.571 / 1.96 * (2326 - 45) / 2 < 0


def test_units_that_are_equal_have_an_interval_of_no_width() -> None:
    found = mean_gain(np.full(5, 3.0), level=0.95)
    assert found is not None and (found.value, found.lower, found.upper) == (3.0, 3.0, 3.0)


def test_one_unit_tells_nothing() -> None:
    assert mean_gain(np.ones(1), level=0.95) is None
