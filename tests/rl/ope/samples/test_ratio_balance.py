from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rl.data.discount_function import DiscountFunction
from rl.ope.samples.ratio_balance import RatioBalance, ratio_balance
from rl.ope.samples.sample import evaluation_sample
from tests.rl.ope.one_step_logs import bandit, one_step_log, sample_of
from tests.rl.ope.tabular_mdp import TablePolicy, small_mdp


def test_balance_is_kept_under_right_propensities() -> None:
    """At every policy's ratios, of episodes of any length, over twenty logs: chance alone moves the mean."""
    mdp = small_mdp(end_probability=0.4)
    behavior, policy = mdp.random_policy(1), mdp.random_policy(2)
    for seed in range(20):
        log = mdp.log(behavior, n_episodes=400, seed=seed, max_steps=8)
        found = ratio_balance(evaluation_sample(policy, log, discount=DiscountFunction(0.9)))
        assert found is not None and found.is_kept(0.0)
        assert found.standard_error < 0.1


def test_mean_is_the_probability_that_the_log_supports() -> None:
    """Where the log takes action 0 alone, the ratios of a policy that gives it .3 average .3."""
    rng = np.random.default_rng(0)
    action = (rng.random(4000) < 0.25).astype(np.int64)
    log = one_step_log(
        np.zeros(4000, np.int64), action, np.ones(4000), np.array([0.75, 0.25])[action], np.ones((1, 3), dtype=bool)
    )
    found = ratio_balance(sample_of(TablePolicy(np.array([[0.2, 0.1, 0.7]])), log))
    assert found is not None
    assert found.mean == pytest.approx(0.3, abs=4 * found.standard_error)
    assert not found.is_kept(0.05)


def test_clipping_hides_nothing() -> None:
    """The balance is of the ratios before any limit."""
    mdp = small_mdp(end_probability=0.4)
    log = mdp.log(mdp.random_policy(1), n_episodes=300, seed=0, max_steps=8)
    free, clipped = (
        ratio_balance(evaluation_sample(mdp.random_policy(2), log, discount=DiscountFunction(0.9), clip=clip))
        for clip in (None, 0.5)
    )
    assert free == clipped


def test_no_weights_have_no_balance() -> None:
    """A log without propensities, or of one shopper, has none; the behavior policy's is exact."""
    log = bandit().log(bandit().random_policy(1), n=50, seed=0)
    policy = bandit().random_policy(2)
    assert ratio_balance(sample_of(policy, replace(log, propensity=np.full(50, np.nan)))) is None
    assert ratio_balance(sample_of(policy, replace(log, unit=np.zeros(50, dtype=np.int64)))) is None
    assert ratio_balance(sample_of(None, log)) == RatioBalance(1.0, 0.0)
