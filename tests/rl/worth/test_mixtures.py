"""Mixtures are valued as `rl.ope` values policies, and without bias."""

from __future__ import annotations

import numpy as np
import pytest

from rl.ope.estimators.doubly_robust import dr
from rl.ope.estimators.importance_sampling import pdis
from rl.ope.intervals.intervals import standard_error
from rl.ope.intervals.sums import difference
from rl.worth.mixtures import mixture_sample
from rl.worth.rules import one_step_rule
from tests.rl.worth.worth_logs import DISCOUNT, LOGGER, REWARDS, make_log, predictions_of

LOG = make_log(n_shoppers=400)
PREDICTIONS = predictions_of(LOG)
RULE = one_step_rule(PREDICTIONS, LOG)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_ratio_mixes_todays_policy_and_the_rule(share: float) -> None:
    """The first step's weight is (1 - share) plus share of rule over propensity."""
    sample = mixture_sample(RULE, share, LOG, PREDICTIONS, discount=DISCOUNT)
    first = LOG.offsets[:-1]
    expected = (1 - share) + share * RULE.logged[first] / LOG.propensity[first]
    np.testing.assert_allclose(sample.require_weights()[first], expected)


@pytest.mark.parametrize("share", [0.4, 1.0])
def test_doubly_robust_value_agrees_with_weighting_alone(share: float) -> None:
    """DR and PDIS estimate one value: they differ by less than four standard errors of their paired difference."""
    sample = mixture_sample(RULE, share, LOG, PREDICTIONS, discount=DISCOUNT)
    gap = difference(dr(sample), pdis(sample))
    assert abs(gap.value()) < 4 * standard_error(gap)


def test_doubly_robust_value_is_that_of_the_made_up_world() -> None:
    """Nobody leaves earlier for what is shown, so the rule's value is its mean reward times the logger's horizon.

    Four standard errors of tolerance; the rule's mean reward is exact, as its probabilities are known at every row.
    """
    sample = mixture_sample(RULE, 1.0, LOG, PREDICTIONS, discount=DISCOUNT)
    horizon = float(sample.per_episode(sample.discount).mean())
    found, mean_reward = dr(sample), float((RULE.probabilities @ REWARDS).mean())
    assert abs(found.value() - mean_reward * horizon) < 4 * standard_error(found)
    assert mean_reward > LOGGER @ REWARDS


def test_steps_leave_later_rows_out() -> None:
    """With two steps no episode holds a third row."""
    sample = mixture_sample(RULE, 0.5, LOG, PREDICTIONS, discount=DISCOUNT, steps=2)
    assert sample.lengths.max() == 2
