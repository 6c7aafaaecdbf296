"""Two policies' returns on the same episodes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rl.data.discount_function import DiscountFunction
from rl.errors import UnsupportedEstimator
from rl.ope.intervals.intervals import Resampling
from rl.ope.returns.return_comparison import compare_returns
from rl.ope.samples.sample import EvaluationSample, evaluation_sample
from tests.rl.ope.tabular_mdp import small_mdp

MDP = small_mdp(noise=0.3, end_probability=0.5)
LOGGER, POLICY = MDP.random_policy(1), MDP.random_policy(2)
DRAWS = Resampling(n_draws=200, seed=0)


def samples(n_episodes: int) -> tuple[EvaluationSample, EvaluationSample]:
    log = MDP.log(LOGGER, n_episodes=n_episodes, seed=3)
    candidate, baseline = (
        evaluation_sample(policy, log, discount=DiscountFunction(0.9), steps=2) for policy in (POLICY, None)
    )
    return candidate, baseline


def test_a_policy_against_itself_gains_nothing_in_any_draw() -> None:
    """The difference is paired: the same weights give a difference of 0 between bounds of 0."""
    candidate, _ = samples(500)
    gain = compare_returns(candidate, candidate, resampling=DRAWS).tail_gain
    assert gain is not None
    assert (gain.value, gain.lower, gain.upper) == (0, 0, 0)


def test_the_gain_of_the_worst_is_the_difference_of_their_means() -> None:
    """Both distributions stand at the same points, and what the worst gain lies between its bounds."""
    found = compare_returns(*samples(2000), resampling=DRAWS)
    assert found.tail_gain is not None
    assert found.tail_gain.value == pytest.approx(found.candidate.cvar.value - found.baseline.cvar.value)
    assert found.tail_gain.lower < found.tail_gain.value < found.tail_gain.upper
    np.testing.assert_array_equal(found.candidate.points, found.baseline.points)
    assert found.candidate.cdf[-1] == found.baseline.cdf[-1] == 1
    assert found.baseline.effective_units == pytest.approx(2000)


def test_too_few_effective_units_hide_the_worst_first_and_then_all() -> None:
    """Of 60 shoppers the log's own quarters are told, not its worst tenth; of 30 nothing is."""
    _, of_sixty = samples(60)
    found = compare_returns(of_sixty, of_sixty, resampling=DRAWS)
    assert found.tail_gain is None
    assert "10% of the episodes would rest on 6.0 of them where 10 are needed" in str(found.tail_refusal)
    _, of_thirty = samples(30)
    with pytest.raises(UnsupportedEstimator, match=r"25% of the episodes would rest on 7.5 of them"):
        compare_returns(of_thirty, of_thirty, resampling=DRAWS)


def test_a_log_that_is_cut_too_often_is_refused() -> None:
    """A fifth of the episodes cut is more than the tenth that a distribution is told up to."""
    _, sample = samples(500)
    cut = replace(sample, is_cut=np.arange(500) % 5 == 0)
    with pytest.raises(UnsupportedEstimator, match=r"20.0% of the weighted episodes are cut"):
        compare_returns(cut, cut, resampling=DRAWS)
