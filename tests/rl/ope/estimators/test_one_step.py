"""One-step estimators against values computed by hand and against closed-form truth."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import FloatArray
from rl.ope.estimators.limited_weights import (
    clipped_ips_at,
    dr_os_at,
    optimistically_shrunk,
    sg_ips_at,
    smoothed,
    switch_dr_at,
)
from rl.ope.estimators.registry import ESTIMATORS
from rl.ope.intervals.intervals import standard_error
from rl.ope.propensities.logged_decisions import as_decisions
from rl.ope.samples.q_function import ActionValues, action_values
from rl.ope.samples.sample import EvaluationSample, evaluation_sample
from tests.rl.factories import make_logged_episodes
from tests.rl.ope.one_step_logs import BY_ACTION, DISCOUNT, LEVELED, Bandit, bandit, sample_of, value_of
from tests.rl.ope.tabular_mdp import TablePolicy, episodes_of, small_mdp

HALF = TablePolicy(np.array([[0.5, 0.5]]))
N_REPLICATIONS = 400
LIMITED: dict[str, Callable[[FloatArray, float], FloatArray]] = {
    "clipped_ips": np.minimum,
    "sg_ips": lambda weight, level: smoothed(weight, share=1 / level),
    "switch_dr": lambda weight, level: np.where(weight <= level, weight, 0.0),
    "dr_os": lambda weight, level: optimistically_shrunk(weight, strength=(2 * level) ** 2),
}


def hand_sample() -> EvaluationSample:
    """Weights 2, 1 and .5 with rewards 1, 0 and 4; V = 1, 2, 3 and Q = .5, .5, 2."""
    log = episodes_of([[1], [0], [4]], [[0.25], [0.5], [1.0]])
    values = ActionValues(np.array([1.0, 2.0, 3.0]), np.array([0.5, 0.5, 2.0]), np.zeros(3))
    return evaluation_sample(HALF, log, discount=DISCOUNT, values=values)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ips", (2 * 1 + 0.5 * 4) / 3),
        ("snips", (2 * 1 + 0.5 * 4) / 3.5),
        ("sndr", 2 + (2 * 0.5 - 1 * 0.5 + 0.5 * 2) / 3.5),
    ],
)
def test_estimator_gives_the_value_computed_by_hand(name: str, expected: float) -> None:
    """Each formula on three rows, written out."""
    assert value_of(name, hand_sample()) == pytest.approx(expected)


def test_estimators_at_a_level_give_the_values_computed_by_hand() -> None:
    """Weights 2, 1 and .5 under a level of 1, and 2: clipped, switched, shrunk with strength 4, and smoothed."""
    sample = hand_sample()
    assert clipped_ips_at(sample, 1.0).value() == pytest.approx((1 * 1 + 0.5 * 4) / 3)
    assert switch_dr_at(sample, 1.0).value() == pytest.approx(2 + (-1 * 0.5 + 0.5 * 2) / 3)
    assert dr_os_at(sample, 1.0).value() == pytest.approx(2 + (1 * 0.5 - 0.8 * 0.5 + 2 / 4.25 * 2) / 3)
    assert sg_ips_at(sample, 1.0).value() == pytest.approx((1 + 0 + 4) / 3)
    assert sg_ips_at(sample, 2.0).value() == pytest.approx((2 / 1.5 * 1 + 0.5 / 0.75 * 4) / 3)


@pytest.mark.parametrize(
    ("one_step", "sequential"),
    [("ips", "tis"), ("ips", "pdis"), ("snips", "wis"), ("snips", "wpdis"), ("sndr", "wdr")],
)
def test_one_step_estimator_equals_its_sequential_form(one_step: str, sequential: str) -> None:
    """On one-step episodes the sequential estimators are the one-step ones."""
    sample = random_sample(bandit(), seed=2, n=50)
    assert value_of(one_step, sample) == pytest.approx(value_of(sequential, sample), rel=1e-12)


def test_dm_and_dr_are_their_one_step_forms() -> None:
    """On one-step episodes `dm` is the mean of V and `dr` adds the mean weighted residual."""
    problem = bandit()
    policy, log = problem.random_policy(2), problem.log(problem.random_policy(1), n=50, seed=2)
    values = action_values(problem.wrong_q(1.0), policy, log)
    sample = sample_of(policy, log, values=values)
    taken = policy.table[log.mask_index, log.action]
    correction = taken / log.propensity * (log.reward - values.action_value)
    assert value_of("dm", sample) == pytest.approx(values.value.mean(), rel=1e-12)
    assert value_of("dr", sample) == pytest.approx((values.value + correction).mean(), rel=1e-12)


@pytest.mark.parametrize("name", ["switch_dr", "dr_os"])
def test_dr_without_a_limit_is_dr(name: str) -> None:
    """At an infinite level Switch-DR and DR with shrinkage are DR, cut episodes included."""
    mdp = small_mdp(end_probability=0.2)
    policy = mdp.random_policy(2)
    log = mdp.log(mdp.random_policy(1), n_episodes=60, seed=3, max_steps=1)
    values = ActionValues(*np.random.default_rng(0).normal(size=(3, log.n_transitions)))
    sample = evaluation_sample(policy, log, discount=DISCOUNT, values=values)
    assert sample.is_cut.any()
    at_level = ESTIMATORS[name].at_level
    assert at_level is not None
    assert at_level(sample, math.inf).value() == pytest.approx(value_of("dr", sample), rel=1e-12)
    assert value_of("sndr", sample) == pytest.approx(value_of("wdr", sample), rel=1e-12)


@pytest.mark.parametrize("level", [1.0, 3.0, 20.0])
def test_no_weight_exceeds_its_level(level: float) -> None:
    """Whatever the weights, what a family lets through is at most the level, so that one grid serves all."""
    weight = np.geomspace(1e-4, 1e6, 500)
    for limited in (
        np.minimum(weight, level),
        smoothed(weight, share=1 / level),
        optimistically_shrunk(weight, strength=(2 * level) ** 2),
    ):
        assert limited.max() <= level * (1 + 1e-12)
        assert limited.max() > 0.9 * level


@pytest.mark.parametrize("name", ["ips", "dr"])
def test_estimator_is_unbiased_over_replications(name: str) -> None:
    """The mean of 400 estimates from 100 rows each lies within 4 standard errors of the truth, Q wrong on purpose.

    4 standard errors fail by chance once in 16,000 runs, and the seed is fixed.
    """
    truth, estimates = replications(name)
    error = estimates.std(ddof=1) / math.sqrt(N_REPLICATIONS)
    assert abs(estimates.mean() - truth) < 4 * error
    assert error < 0.03  # else the line above could not fail


@pytest.mark.parametrize("name", ["snips", "sndr"])
def test_self_normalised_estimator_is_consistent(name: str) -> None:
    """On 40,000 rows the estimate lies within 4 standard errors of the truth, Q wrong on purpose."""
    problem = bandit()
    sample = random_sample(problem, seed=6, n=40_000)
    sums = ESTIMATORS[name].per_unit_sums(sample)
    assert abs(sums.value() - problem.exact_value(problem.random_policy(2))) < 4 * standard_error(sums)
    assert standard_error(sums) < 0.03


@pytest.mark.parametrize("level", [1.0, 3.0, 10.0])
@pytest.mark.parametrize("name", LEVELED)
def test_bias_at_a_level_is_the_closed_form_one(name: str, level: float) -> None:
    """On 40,000 rows the estimate lies within 4 standard errors of what limited weights must give, Q wrong on purpose.

    With limited weights u(w) the expectation is the sum over contexts and actions of start, behavior probability and
    u(w) r, for the doubly robust ones of evaluation probability and Q, plus behavior probability and u(w) (r - Q).
    """
    problem = bandit()
    behavior, policy = problem.random_policy(1, sharpness=2.0), problem.random_policy(2, sharpness=2.0)
    q = problem.wrong_q(1.0)
    weight = np.divide(policy.table, behavior.table, out=np.zeros_like(policy.table), where=problem.mask)
    seen = behavior.table * LIMITED[name](weight, level)
    if ESTIMATORS[name].needs_values:
        per_context = (policy.table * q.table + seen * (problem.mean_reward - q.table)).sum(axis=1)
    else:
        per_context = (seen * problem.mean_reward).sum(axis=1)
    at_level = ESTIMATORS[name].at_level
    assert at_level is not None
    sums = at_level(sample_of(policy, problem.log(behavior, n=40_000, seed=7), q=q), level)
    assert abs(sums.value() - float(problem.start @ per_context)) < 4 * standard_error(sums)
    assert standard_error(sums) < 0.05


@pytest.mark.parametrize("level", [1.0, 3.0, 10.0])
def test_bias_of_switch_dr_is_bounded_by_the_model_error_where_it_switches(level: float) -> None:
    """The bias is at most the largest error of Q times the policy's probability of weights above the level."""
    problem = bandit()
    behavior, policy = problem.random_policy(1, sharpness=2.0), problem.random_policy(2, sharpness=2.0)
    q = problem.wrong_q(1.0)
    weight = np.divide(policy.table, behavior.table, out=np.zeros_like(policy.table), where=problem.mask)
    switched = float(problem.start @ (policy.table * (weight > level)).sum(axis=1))
    bound = switched * np.abs(q.table - problem.mean_reward).max()
    sums = switch_dr_at(sample_of(policy, problem.log(behavior, n=40_000, seed=7), q=q), level)
    assert abs(sums.value() - problem.exact_value(policy)) < bound + 4 * standard_error(sums)


@pytest.mark.parametrize("name", ["switch_dr", "dr_os"])
def test_limited_dr_with_the_exact_q_has_no_bias(name: str) -> None:
    """Where the model is right, leaning on it costs nothing: within 4 standard errors at the strictest level."""
    problem = bandit()
    policy = problem.random_policy(2, sharpness=2.0)
    log = problem.log(problem.random_policy(1, sharpness=2.0), n=20_000, seed=8)
    at_level = ESTIMATORS[name].at_level
    assert at_level is not None
    sums = at_level(sample_of(policy, log, q=problem.wrong_q(0.0)), 1.0)
    assert abs(sums.value() - problem.exact_value(policy)) < 4 * standard_error(sums)


@pytest.mark.parametrize("name", BY_ACTION)
def test_estimator_values_a_uniform_choice_of_equal_actions(name: str) -> None:
    """Where every action earns 3 without noise and Q knows it, each estimator's value is 3 within 4 standard errors."""
    problem = Bandit(np.full((2, 4), 3.0), np.ones((2, 4), dtype=bool), np.array([0.5, 0.5]), noise=0.0)
    log = problem.log(problem.random_policy(1), n=4000, seed=1)
    sums = ESTIMATORS[name].per_unit_sums(sample_of(problem.random_policy(2), log, q=problem.wrong_q(0.0)))
    if ESTIMATORS[name].needs_values or name == "snips":
        assert sums.value() == pytest.approx(3.0, rel=1e-9)
    else:  # the mean weight is not exactly 1, and a limit takes some of it away
        assert 2.5 < sums.value() < 3.0 + 4 * standard_error(sums)


def test_as_decisions_makes_each_row_an_episode_of_its_shopper() -> None:
    """Rows, shoppers and times stay; every episode is one terminal step."""
    log = make_logged_episodes(
        (2, 3),
        unit=np.array([7, 4]),
        start_time=np.array([10_000_000, 20_000_000]),
        elapsed_microseconds=np.array([5, 1, 2, 3, 4]) * 1_000_000,
    )
    decisions = as_decisions(log)
    assert decisions.n_episodes == log.n_transitions == 5
    assert decisions.terminal.all()
    np.testing.assert_array_equal(decisions.unit, [7, 7, 4, 4, 4])
    np.testing.assert_array_equal(decisions.start_time, np.array([10, 15, 20, 22, 25]) * 1_000_000)
    np.testing.assert_array_equal(decisions.action, log.action)


def test_as_decisions_values_immediate_rewards_of_longer_episodes() -> None:
    """The behavior policy's value per decision is the mean reward of all rows."""
    mdp = small_mdp()
    log = mdp.log(mdp.random_policy(1), n_episodes=40, seed=2, n_units=10)
    sample = evaluation_sample(None, as_decisions(log), discount=DiscountFunction(0.9))
    assert value_of("ips", sample) == pytest.approx(log.reward.mean())
    assert sample.n_units == 10


def random_sample(problem: Bandit, *, seed: int, n: int) -> EvaluationSample:
    """A sample under a moderately different policy, with a Q-function that is wrong on purpose."""
    log = problem.log(problem.random_policy(1), n=n, seed=seed)
    return sample_of(problem.random_policy(2), log, q=problem.wrong_q(1.0))


def replications(name: str) -> tuple[float, FloatArray]:
    """The truth, and estimates from 400 logs of 100 rows."""
    problem = bandit()
    found = [value_of(name, random_sample(problem, seed=seed, n=100)) for seed in range(N_REPLICATIONS)]
    return problem.exact_value(problem.random_policy(2)), np.array(found)
