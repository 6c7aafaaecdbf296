"""Whether looking ahead pays is asked of values that are discounted by the spec's clock, in every part of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import MICROSECONDS_PER_DAY
from rl.worth.assessment import Assessment, assess
from rl.worth.crossfit import CrossfitPredictions, crossfit
from rl.worth.mixtures import mixture_sample
from rl.worth.rules import look_ahead_rule
from rl.worth.visibility import episode_differences
from tests.rl.worth.test_assessment import settings
from tests.rl.worth.worth_logs import make_log

BARE = make_log(n_shoppers=60)
# Two days of a half a day are a quarter a step, exactly; of the other gaps no step is.
LOG = replace(BARE, elapsed_microseconds=np.full(BARE.n_transitions, 2 * MICROSECONDS_PER_DAY))
HALF_A_DAY, QUARTER_A_STEP = DiscountFunction(0.5, "day"), DiscountFunction(0.25)


def assessed(discount: DiscountFunction) -> Assessment:
    return assess(LOG, replace(settings(), discount=discount), nights=7.0)


def test_two_days_are_a_step_at_the_square() -> None:
    """The whole assessment is the same, bit for bit; half a step is another."""
    assert assessed(HALF_A_DAY) == assessed(QUARTER_A_STEP) != assessed(DiscountFunction(0.5))


def test_every_part_counts_days() -> None:
    """Predictions, mixtures of policies, and what more exploration would show: each is another for steps."""
    by_day, by_step = crossfit(LOG, HALF_A_DAY), crossfit(LOG, DiscountFunction(0.5))
    expected = crossfit(LOG, QUARTER_A_STEP)
    for name in ("future", "return_to_go"):
        np.testing.assert_array_equal(getattr(by_day, name), getattr(expected, name))
        assert not np.allclose(getattr(by_day, name), getattr(by_step, name))
    for part in (_discounts, _earned):
        np.testing.assert_array_equal(part(by_day, HALF_A_DAY), part(by_day, QUARTER_A_STEP))
        assert not np.allclose(part(by_day, HALF_A_DAY), part(by_day, DiscountFunction(0.5)))


def _discounts(predictions: CrossfitPredictions, discount: DiscountFunction) -> np.ndarray:
    return mixture_sample(None, 0.0, LOG, predictions, discount=discount, steps=None).next_discount


def _earned(predictions: CrossfitPredictions, discount: DiscountFunction) -> np.ndarray:
    rule = look_ahead_rule(predictions, LOG)
    return episode_differences(rule, 0.5, LOG, predictions, discount=discount, added=0.1).earned
