"""Versions that bring rewards to too few shoppers."""

from __future__ import annotations

import numpy as np
import pytest

from rl.rollout.comparison import StageUnits, compare
from rl.rollout.rewarded import anytime_p_value, fewer_rewarded


def units(n_new: int, n_replaced: int, *, share: float = 0.05, n: int = 20_000, value: float = 1.0) -> StageUnits:
    """Shoppers of whom so many were rewarded in each arm."""
    is_new = np.arange(n) < share * n
    place = np.where(is_new, np.arange(n), np.arange(n) - round(share * n))
    rewarded = place < np.where(is_new, n_new, n_replaced)
    return StageUnits(is_new, np.zeros(n, dtype=np.int64), np.where(rewarded, value, 0.0), np.zeros(n))


@pytest.mark.parametrize(("n_new", "is_sure"), [(0, True), (5, True), (29, True)])
def test_a_version_that_brings_nearly_nothing_is_surely_worse(n_new: int, is_sure: bool) -> None:
    """Of 2,000 rewarded shoppers 100 should be the new version's; their values can't be compared."""
    found = units(n_new, 1900)
    assert "each arm needs 30" in str(compare(found))
    assert (fewer_rewarded(found, 0.05) < 1e-4) == is_sure


def test_few_where_few_were_due_tell_nothing() -> None:
    assert fewer_rewarded(units(2, 100), 0.05) > 0.05


@pytest.mark.parametrize("found", [units(30, 5000), units(0, 29), units(0, 1900, value=-1.0), units(29, 100)])
def test_it_is_for_arms_that_can_not_be_compared_alone(found: StageUnits) -> None:
    """Neither where values tell, nor where the replaced arm brings nothing either; losses are no rewards."""
    assert fewer_rewarded(found, 0.05) == 1.0


def test_an_arm_whose_few_rewards_are_losses_counts_them_as_none() -> None:
    found = units(20, 1900)
    worse = StageUnits(found.is_new, found.entry, np.where(found.is_new, -found.value, found.value), found.before)
    assert fewer_rewarded(worse, 0.05) < fewer_rewarded(found, 0.05)


@pytest.mark.parametrize("share", [0.05, 0.25])
def test_an_equal_version_is_taken_for_worse_no_more_often_than_the_level_says(share: float) -> None:
    """Looked at after each of 1,000 rewarded shoppers; 2,000 launches, so within three standard deviations."""
    level, generator = 0.05, np.random.default_rng(4)
    n_new = np.cumsum(generator.random((2000, 1000)) < share, axis=1)
    known = {}
    for n in range(1, 1001):
        for x in np.unique(n_new[:, n - 1]):
            known[int(x), n] = anytime_p_value(int(x), n - int(x), share)
    crossed = [any(known[int(x), n + 1] <= level for n, x in enumerate(path)) for path in n_new]
    assert np.mean(crossed) <= level + 3 * (level / 2000) ** 0.5
    assert np.mean(crossed) > 0.005  # not idle


def test_it_is_the_mixture_of_likelihood_ratios() -> None:
    """Of Robbins (1970), by numbers."""
    p = (np.arange(100_000) + 0.5) / 100_000 * 0.2
    ratio = float(np.mean((p / 0.2) ** 3 * ((1 - p) / 0.8) ** 60))
    assert anytime_p_value(3, 60, 0.2) == pytest.approx(min(1.0, 1 / ratio), rel=1e-4)
    assert anytime_p_value(500, 10, 0.2) == 1.0
    assert anytime_p_value(0, 200_000, 0.2) < 1e-300
