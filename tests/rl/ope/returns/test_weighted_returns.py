"""Logged returns and their weights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rl.data.discount_function import DiscountFunction
from rl.errors import UnsupportedEstimator
from rl.ope.returns.weighted_returns import WeightedReturns, weighted_returns
from rl.ope.samples.sample import evaluation_sample
from tests.rl.ope.tabular_mdp import TablePolicy, episodes_of, small_mdp

GAMMA = 0.9
MDP = small_mdp(noise=0.0, end_probability=0.5)
POLICY = MDP.random_policy(2)
HALF = TablePolicy(np.array([[0.5, 0.5]]))


def test_a_cut_episode_counts_with_what_it_earned() -> None:
    """Half of the weight is cut: let in where that much may be, with its share told, and refused elsewhere."""
    log = episodes_of([[1], [4]], [[0.5], [0.5]])
    cut = replace(log, terminal=np.array([True, False]), timeout=np.array([False, True]))
    sample = evaluation_sample(HALF, cut, discount=DiscountFunction(1.0))
    found = weighted_returns(sample, max_share_cut=0.5)
    assert found.share_cut == pytest.approx(0.5)
    np.testing.assert_allclose(found.returns, [1, 4])
    with pytest.raises(UnsupportedEstimator, match=r"50.0% of the weighted episodes are cut .* the 10% up to which"):
        weighted_returns(sample)


def test_an_episode_cut_after_the_value_s_last_step_is_whole() -> None:
    """What is earned over the spec's steps was seen: nothing is cut off."""
    log = MDP.log(MDP.random_policy(1), n_episodes=50, seed=6, max_steps=2)
    assert weighted_returns(evaluation_sample(POLICY, log, discount=DiscountFunction(GAMMA), steps=2)).share_cut == 0
    with pytest.raises(UnsupportedEstimator, match="are cut before their end"):
        weighted_returns(evaluation_sample(POLICY, log, discount=DiscountFunction(GAMMA)))


def test_effective_units_of_equal_weights_are_all_units() -> None:
    """Units of one episode and weight 1 each count whole."""
    assert WeightedReturns(np.arange(5.0), np.ones(5), np.arange(5), 5).effective_units == pytest.approx(5)


def test_a_log_without_propensities_has_no_weighted_distribution() -> None:
    """The refusal of weighted estimators holds here too; the log's own distribution needs none."""
    log = MDP.log(MDP.random_policy(1), n_episodes=50, seed=6)
    unknown = replace(log, propensity=np.full(log.n_transitions, np.nan))
    with pytest.raises(UnsupportedEstimator, match="no propensities"):
        weighted_returns(evaluation_sample(POLICY, unknown, discount=DiscountFunction(GAMMA)))
    own = weighted_returns(evaluation_sample(None, unknown, discount=DiscountFunction(GAMMA)))
    assert (own.weight == 1).all()
