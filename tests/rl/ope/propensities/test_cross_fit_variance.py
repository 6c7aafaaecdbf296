"""The variance that estimated propensities add, and intervals widened by it."""

from __future__ import annotations

import numpy as np
import pytest

from rl.errors import EvaluationError
from rl.ope.intervals.intervals import Interval
from rl.ope.propensities.cross_fit_variance import CrossFitVariance, cross_fit_variance, widened

SKEWED = Interval(value=10.0, lower=9.0, upper=13.0, level=0.95, method="made", standard_error=1.0)


def test_delete_a_group_replicates_give_the_variance_of_a_mean() -> None:
    """For a mean, whose variance is known, the jackknife over 4 random groups is right on average.

    400 draws of 120 values: 3 degrees of freedom each leave the average known to 4%; the bound is three times that.
    """
    rng = np.random.default_rng(0)
    found = []
    for _ in range(400):
        values = rng.normal(size=120)
        group = rng.permutation(120) % 4
        without = np.array([[values[group != k].mean() for k in range(4)]])
        found.append(cross_fit_variance(0.0, by_repeat=np.zeros(1), by_model=without).between_fits)
    assert np.mean(found) == pytest.approx(1 / 120, rel=0.12)


def test_scatter_between_deals_is_taken_about_the_value_reported() -> None:
    """Repeats at 1 and 3 about a value of 2 have a mean squared distance of 1; about 1, of 2."""
    by_repeat, same = np.array([1.0, 3.0]), np.ones((2, 4))
    assert cross_fit_variance(2.0, by_repeat=by_repeat, by_model=same) == CrossFitVariance(1.0, 0.0)
    assert cross_fit_variance(1.0, by_repeat=by_repeat, by_model=same) == CrossFitVariance(2.0, 0.0)


def test_widened_interval_keeps_its_value_and_its_skew() -> None:
    """Each side grows in quadrature: the shorter one by more, and the longer one stays longer."""
    found = widened(SKEWED, 0.5)
    reach = 1.959964 * 0.5
    assert found.value == 10.0
    assert found.lower == pytest.approx(10 - np.hypot(1, reach))
    assert found.upper == pytest.approx(10 + np.hypot(3, reach))
    assert found.standard_error == pytest.approx(np.hypot(1, 0.5))
    assert "estimated propensities" in found.method


def test_widening_by_nothing_changes_nothing() -> None:
    """Where every fit says the same, the interval stays as it is, its name included."""
    assert widened(SKEWED, 0.0) is SKEWED


@pytest.mark.parametrize("extra", [-0.1, np.nan, np.inf])
def test_widening_by_no_error_at_all_is_refused(extra: float) -> None:
    """A negative or unknown error never turns into an interval."""
    with pytest.raises(EvaluationError, match="can't widen"):
        widened(SKEWED, extra)


def test_unknown_scatter_is_refused() -> None:
    """A fit without a value leaves the scatter unknown, not small."""
    with pytest.raises(EvaluationError, match="isn't finite"):
        cross_fit_variance(1.0, by_repeat=np.array([1.0, np.nan]), by_model=np.ones((2, 4)))


def test_one_fold_has_no_scatter_to_look_at() -> None:
    """A jackknife needs at least two folds."""
    with pytest.raises(EvaluationError, match="two folds"):
        cross_fit_variance(1.0, by_repeat=np.ones(1), by_model=np.ones((1, 1)))
