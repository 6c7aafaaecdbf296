"""Nights needed follow from the paired difference's standard error, and fall with its square."""

from __future__ import annotations

import numpy as np
from scipy.stats import norm

from rl.ope.estimators.doubly_robust import dr
from rl.ope.intervals.intervals import Resampling, standard_error
from rl.ope.intervals.sums import difference
from rl.worth.mixtures import mixture_sample
from rl.worth.rules import one_step_rule
from rl.worth.visibility import GAIN, POWER, episode_differences, find_visibility
from tests.rl.worth.worth_logs import DISCOUNT, make_log, predictions_of

LOG = make_log()
PREDICTIONS = predictions_of(LOG)
RULE = one_step_rule(PREDICTIONS, LOG)
ALPHA = 0.011


def nights_needed(share: float = 1.0, nights: float = 9.0) -> list[float]:
    found = find_visibility(
        RULE,
        share,
        LOG,
        PREDICTIONS,
        discount=DISCOUNT,
        alpha=ALPHA,
        nights=nights,
        level=0.95,
        resampling=Resampling(n_draws=100),
    )
    return [row.nights.value or 0.0 for row in found.rows]


def test_differences_on_the_log_itself_are_those_of_the_estimator() -> None:
    """Without added exploration, their mean is the doubly robust difference of the mixture and today's policy."""
    found = episode_differences(RULE, 0.6, LOG, PREDICTIONS, discount=DISCOUNT, added=0.0)
    candidate = dr(mixture_sample(RULE, 0.6, LOG, PREDICTIONS, discount=DISCOUNT))
    today = dr(mixture_sample(None, 0.0, LOG, PREDICTIONS, discount=DISCOUNT))
    np.testing.assert_allclose(found.difference.mean(), difference(candidate, today).value(), atol=1e-12)
    np.testing.assert_allclose(found.weight, 1.0)


def test_nights_are_those_at_which_the_gain_is_enough_standard_errors() -> None:
    """Within a tenth of the figure from the estimator's own clustered standard error."""
    candidate = dr(mixture_sample(RULE, 1.0, LOG, PREDICTIONS, discount=DISCOUNT))
    today = dr(mixture_sample(None, 0.0, LOG, PREDICTIONS, discount=DISCOUNT))
    reach = (norm.isf(ALPHA) + norm.ppf(POWER)) * standard_error(difference(candidate, today))
    expected = 9.0 * (reach / (GAIN * today.value())) ** 2
    assert abs(nights_needed()[0] / expected - 1) < 0.1


def test_differences_under_more_exploration_keep_their_mean() -> None:
    """Reweighted to a log with more exploration, the difference estimates the same: within a tenth of the gain."""
    plain, explored = (
        episode_differences(RULE, 1.0, LOG, PREDICTIONS, discount=DISCOUNT, added=added) for added in (0.0, 0.5)
    )
    mean = np.average(explored.difference, weights=explored.weight)
    assert abs(mean - plain.difference.mean()) < 0.1 * plain.difference.mean()


def test_bolder_candidates_need_more_nights() -> None:
    """A difference that varies more takes longer to show the same gain."""
    assert nights_needed(share=1.0)[0] > 2 * nights_needed(share=0.4)[0]


def test_nights_grow_with_the_nights_that_gave_this_log() -> None:
    """The same log gathered over twice as many nights needs twice as many."""
    np.testing.assert_allclose(nights_needed(nights=18.0), 2 * np.array(nights_needed(nights=9.0)))
