"""The bound by the losses of all splits: computed by hand, and only ever lower."""

from __future__ import annotations

import numpy as np
import pytest

from rl.data.logged_episodes import FloatArray
from rl.gate.split_contributions import SplitContributions
from rl.gate.split_losses import SplitLosses, lowered, split_losses
from rl.ope.intervals.intervals import Interval

ALPHA = 0.01
INTERVAL = Interval(1.0, 0.6, 1.4, 0.98, "by hand", 0.2)


def contributions(test: FloatArray, before: FloatArray, *, n_before: float = 1.0) -> SplitContributions:
    """One episode for each unit of the test split, `n_before` for each before it."""
    return SplitContributions(
        contribution=np.concatenate([before, test]),
        n_episodes=np.concatenate([np.full(len(before), n_before), np.ones(len(test))]),
        is_test=np.arange(len(before) + len(test)) >= len(before),
        n_differing=600.0,
    )


def test_without_other_splits_it_is_the_error_of_the_mean() -> None:
    """Losses and the rest, with their covariance, add up to the variance of the whole."""
    test = np.random.default_rng(1).standard_t(3, size=500)
    found = split_losses(contributions(test, np.zeros(0)))
    assert found.shift == 0.0
    assert found.standard_error == pytest.approx(test.std(ddof=1) / np.sqrt(500))


@pytest.mark.parametrize(("n_before", "per_episode"), [(1.0, 100 / 400), (0.5, 100 / 250)])
def test_a_loss_that_the_test_split_lacks_shifts_the_estimate(n_before: float, per_episode: float) -> None:
    """By what it costs per episode of all splits, however long the windows are; and it widens the bound."""
    test, before = np.tile([-1.0, 1.0], 50), np.tile([-1.0, 1.0], 150)
    before[0] = -101.0  # 100 below the test split's 5% quantile, -1
    found = split_losses(contributions(test, before, n_before=n_before))
    assert found.shift == pytest.approx(per_episode)
    alone = split_losses(contributions(test, np.zeros(0)))
    assert found.standard_error > 2 * alone.standard_error
    assert lowered(INTERVAL, found, alpha=ALPHA).lower < 1.0 - per_episode


def test_losses_that_the_test_split_holds_more_of_shift_nothing() -> None:
    """The estimate is never raised for bad luck, and the test split's own spread stays in the error."""
    test, before = np.tile([-1.0, 1.0], 50), np.tile([-1.0, 1.0], 150)
    test[0] = -101.0
    found = split_losses(contributions(test, before))
    assert found.shift == 0.0
    assert found.standard_error >= test.std(ddof=1) / 10 * (1 - 1e-12)


def test_a_bound_is_never_raised() -> None:
    """The lesser of two bounds errs no more often than either; what other fits add to the error counts in both."""
    sure = SplitLosses(shift=0.0, standard_error=0.001, n_units=900, n_differing=600.0)
    assert lowered(INTERVAL, sure, alpha=ALPHA) is INTERVAL
    unsure = lowered(INTERVAL, sure, alpha=ALPHA, extra_standard_error=0.4)
    assert unsure.lower == pytest.approx(1.0 - 2.33 * 0.4, abs=0.01)
    assert (unsure.value, unsure.upper) == (1.0, 1.4)
    assert unsure.method == "by hand, lowered by the losses of all splits"
