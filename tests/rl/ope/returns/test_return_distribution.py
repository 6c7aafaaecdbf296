from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import FloatArray
from rl.errors import EvaluationError
from rl.ope.estimators.registry import ESTIMATORS
from rl.ope.intervals.intervals import Resampling, percentile_interval
from rl.ope.returns.return_distribution import (
    BoundedReturn,
    ReturnDistribution,
    cumulative_probabilities,
    return_distribution,
)
from rl.ope.returns.weighted_returns import WeightedReturns, weighted_returns
from rl.ope.samples.sample import evaluation_sample
from tests.rl.ope.tabular_mdp import TablePolicy, TabularMdp, episodes_of, small_mdp

GAMMA, STEPS = 0.9, 2
MDP = small_mdp(noise=0.0, end_probability=0.5)
POLICY = MDP.random_policy(2)
DRAWS = Resampling(n_draws=400, seed=0)
HALF = TablePolicy(np.array([[0.5, 0.5]]))
POINTS = np.array([-1.0, 0.5, 1.5, 2.5, 4.0])


def unweighted(returns: FloatArray) -> WeightedReturns:
    n = len(returns)
    return WeightedReturns(np.sort(returns), np.ones(n), np.arange(n), n)


def exact_returns(mdp: TabularMdp, policy: TablePolicy) -> tuple[FloatArray, FloatArray]:
    """Every return over two steps and its probability, by going through all trajectories; ascending."""
    returns, probabilities = [], []
    for state, action in np.argwhere(policy.table > 0):
        first = mdp.start[state] * policy.table[state, action]
        reward = mdp.mean_reward[state, action]
        returns.append(reward)
        probabilities.append(first * mdp.dynamics[state, action, -1])
        for following, then in np.argwhere(policy.table > 0):
            returns.append(reward + GAMMA * mdp.mean_reward[following, then])
            probabilities.append(first * mdp.dynamics[state, action, following] * policy.table[following, then])
    order = np.argsort(returns)
    return np.array(returns)[order], np.array(probabilities)[order]


@cache
def estimated(normalization: str) -> ReturnDistribution:
    """From 20,000 episodes of another policy."""
    log = MDP.log(MDP.random_policy(1), n_episodes=20_000, seed=3)
    sample = evaluation_sample(POLICY, log, discount=DiscountFunction(GAMMA), steps=STEPS)
    form = "none" if normalization == "none" else "self"
    return return_distribution(weighted_returns(sample), points=POINTS, normalization=form, tail=0.2, resampling=DRAWS)


def assert_near(found: BoundedReturn, truth: float) -> None:
    """Within the width of the 95% bounds, some four standard errors; and the bounds are narrow enough to fail."""
    assert abs(found.value - truth) < found.upper - found.lower < 0.4


@pytest.mark.parametrize("normalization", ["none", "self"])
def test_cdf_is_that_of_all_trajectories(normalization: str) -> None:
    """At five points the estimate lies within the bounds' width of the probability computed from all trajectories."""
    returns, probabilities = exact_returns(MDP, POLICY)
    found = estimated(normalization)
    for i, point in enumerate(POINTS):
        truth = probabilities[returns <= point].sum()
        assert abs(found.cdf[i] - truth) <= max(1e-12, found.cdf_upper[i] - found.cdf_lower[i])


@pytest.mark.parametrize("normalization", ["none", "self"])
def test_mean_variance_and_tail_are_those_of_all_trajectories(normalization: str) -> None:
    """Moments and the mean of the worst fifth agree with the exact distribution."""
    returns, probabilities = exact_returns(MDP, POLICY)
    found = estimated(normalization)
    mean = probabilities @ returns
    assert_near(found.mean, mean)
    assert_near(found.variance, probabilities @ (returns - mean) ** 2)
    in_tail = np.diff(np.minimum(probabilities.cumsum(), 0.2), prepend=0.0)
    assert_near(found.cvar, in_tail @ returns / 0.2)


@pytest.mark.parametrize("normalization", ["none", "self"])
def test_quartiles_are_those_of_all_trajectories(normalization: str) -> None:
    """Each exact quartile lies between the bounds of its estimate."""
    returns, probabilities = exact_returns(MDP, POLICY)
    for share, found in zip((0.25, 0.5, 0.75), estimated(normalization).quartiles, strict=True):
        truth = returns[np.argmax(probabilities.cumsum() >= share)]
        assert found.lower - 1e-9 <= truth <= found.upper + 1e-9


def test_without_weights_it_is_the_empirical_distribution() -> None:
    """On the log's own policy all figures are the textbook ones of the returns."""
    returns = np.random.default_rng(0).normal(size=101)
    found = return_distribution(unweighted(returns), points=np.array([-0.5, 0.5]), resampling=DRAWS)
    np.testing.assert_allclose(found.cdf, [(returns <= -0.5).mean(), (returns <= 0.5).mean()])
    assert found.mean.value == pytest.approx(returns.mean())
    assert found.variance.value == pytest.approx(returns.var())
    expected = np.quantile(returns, [0.25, 0.5, 0.75], method="inverted_cdf")
    np.testing.assert_allclose([quartile.value for quartile in found.quartiles], expected)


def test_worst_tenth_of_ten_returns_is_the_smallest() -> None:
    """A tail of a tenth holds one of ten returns, one of 15 hundredths that one and half the next."""
    ten = unweighted(np.arange(10.0))
    assert return_distribution(ten, points=POINTS, tail=0.1, resampling=DRAWS).cvar.value == pytest.approx(0)
    found = return_distribution(ten, points=POINTS, tail=0.15, resampling=DRAWS)
    assert found.cvar.value == pytest.approx((0 * 0.1 + 1 * 0.05) / 0.15)


def test_self_normalised_mean_is_the_weighted_estimator() -> None:
    """Mean and bounds are those of `wis`, draw by draw."""
    log = MDP.log(MDP.random_policy(1), n_episodes=300, seed=5, n_units=40)
    sample = evaluation_sample(POLICY, log, discount=DiscountFunction(GAMMA), steps=STEPS)
    found = return_distribution(weighted_returns(sample), points=POINTS, resampling=DRAWS).mean
    expected = percentile_interval(ESTIMATORS["wis"].per_unit_sums(sample), level=0.95, resampling=DRAWS)
    np.testing.assert_allclose(
        [found.value, found.lower, found.upper], [expected.value, expected.lower, expected.upper]
    )


def test_plain_form_puts_missing_weight_on_the_largest_return() -> None:
    """Weights (.5, 1) of returns (1, 4): half of a half below, the rest on the largest."""
    log = episodes_of([[1], [4]], [[1.0], [0.5]])
    sample = evaluation_sample(HALF, log, discount=DiscountFunction(1.0))
    found = return_distribution(
        weighted_returns(sample), points=np.array([0.0, 1.0, 4.0]), normalization="none", resampling=DRAWS
    )
    np.testing.assert_allclose(found.cdf, [0, 0.25, 1])
    assert found.mean.value == pytest.approx(0.25 * 1 + 0.75 * 4)
    assert found.total_weight == pytest.approx(0.75)


@pytest.mark.parametrize("normalization", ["none", "self"])
def test_cdf_is_monotone_within_0_and_1_in_every_draw(normalization: str) -> None:
    """Weights far above 1 can push no CDF out of its range or down."""
    log = MDP.log(MDP.random_policy(1), n_episodes=50, seed=6)
    sample = evaluation_sample(MDP.random_policy(9, sharpness=3.0), log, discount=DiscountFunction(GAMMA), steps=STEPS)
    draws = np.random.default_rng(0).poisson(1.0, size=(200, 50)).astype(np.float64)
    form = "none" if normalization == "none" else "self"
    cdf = cumulative_probabilities(weighted_returns(sample), draws, normalization=form)
    assert (np.diff(cdf, axis=1) >= 0).all()
    assert cdf.min() >= 0
    assert (cdf[:, -1] == 1).all()


def test_senseless_requests_are_refused_together() -> None:
    """A tail of nothing and points out of order are named in one error."""
    with pytest.raises(EvaluationError, match=r"tail's share 0.0 .*; the points of the CDF must ascend"):
        return_distribution(unweighted(np.arange(5.0)), points=np.array([1.0, 0.0]), tail=0.0)
