"""Every one-step estimator runs through the same tests."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rl.data.logged_episodes import FloatArray, LoggedEpisodes
from rl.errors import DatasetError, EvaluationError, UnsupportedEstimator
from rl.ope.estimators.category_weights import category_sample
from rl.ope.estimators.registry import ESTIMATORS
from rl.ope.intervals.sums import RatioSums, merged
from rl.ope.samples.q_function import ActionValues
from rl.ope.samples.sample import EvaluationSample, evaluation_sample
from tests.rl.ope.one_step_logs import BY_ACTION, DISCOUNT, LEVELED, ONE_STEP, bandit, one_step_log
from tests.rl.ope.tabular_mdp import TablePolicy, episodes_of, reordered

BANDIT = bandit()
BEHAVIOR = BANDIT.random_policy(1, sharpness=1.5)
POLICY = BANDIT.random_policy(2, sharpness=1.5)
CATEGORIES = np.array([0, 1, 1, 0])
SEEDS = st.integers(0, 10_000)
EXAMPLES = settings(max_examples=20, deadline=None, derandomize=True)


def log_with_values(seed: int) -> tuple[LoggedEpisodes, FloatArray]:
    """30 one-step episodes of 12 units, and arbitrary values for each row, `(3, n)`."""
    log = BANDIT.log(BEHAVIOR, n=30, seed=seed, n_units=12)
    return log, np.random.default_rng(seed).normal(size=(3, log.n_transitions))


def sample(name: str, log: LoggedEpisodes, values: FloatArray, policy: TablePolicy = POLICY) -> EvaluationSample:
    if ESTIMATORS[name].needs_categories:
        return category_sample(policy, log, CATEGORIES, discount=DISCOUNT, behavior=BEHAVIOR)
    return evaluation_sample(policy, log, discount=DISCOUNT, values=ActionValues(*values))


def sums(name: str, log: LoggedEpisodes, values: FloatArray) -> RatioSums:
    return ESTIMATORS[name].per_unit_sums(sample(name, log, values))


def broken_log(**overrides: FloatArray) -> LoggedEpisodes:
    """Three rows, of which the overrides spoil some."""
    context, action = np.zeros(3, dtype=np.int64), np.array([0, 1, 2])
    log = one_step_log(context, action, np.ones(3), np.full(3, 0.5), np.array([[True, True, True, False]]))
    return replace(log, **overrides)


@pytest.mark.parametrize("name", ONE_STEP)
@EXAMPLES
@given(seed=SEEDS)
def test_estimator_ignores_the_order_of_rows(name: str, seed: int) -> None:
    """Shuffling rows moves neither the value nor any unit's influence."""
    log, values = log_with_values(seed)
    order = np.random.default_rng(seed + 1).permutation(log.n_episodes)
    before, after = sums(name, log, values), sums(name, reordered(log, order), values[:, order])
    assert after.value() == pytest.approx(before.value(), rel=1e-9, abs=1e-9)
    np.testing.assert_allclose(after.influence(), before.influence(), atol=1e-9)


@pytest.mark.parametrize("name", ONE_STEP)
@EXAMPLES
@given(seed=SEEDS, scale=st.floats(-50, 50).filter(lambda scale: abs(scale) > 1e-3))
def test_estimator_scales_with_rewards(name: str, seed: int, scale: float) -> None:
    """Rewards and Q in another currency give the value in that currency, at the same level."""
    log, values = log_with_values(seed)
    scaled = sums(name, replace(log, reward=log.reward * scale), values * scale)
    assert scaled.value() == pytest.approx(scale * sums(name, log, values).value(), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("name", ONE_STEP)
@EXAMPLES
@given(seed=SEEDS)
def test_influence_values_predict_leaving_a_unit_out(name: str, seed: int) -> None:
    """A small cut in one unit's weight moves the value by minus its influence times that share, the level kept."""
    found = sums(name, *log_with_values(seed))
    epsilon = 1e-6
    weights = np.ones((found.n_units, found.n_units)) - epsilon * np.eye(found.n_units)
    slopes = (found.value() - found.values(weights)) / epsilon * found.n_units
    np.testing.assert_allclose(slopes, found.influence(), rtol=1e-3, atol=1e-3)
    assert found.influence().mean() == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("name", [name for name in ONE_STEP if name not in LEVELED])
def test_sums_of_two_parts_merge_to_those_of_the_whole(name: str) -> None:
    """A log split between machines gives the same value and influence as the whole."""
    log, values = log_with_values(3)
    whole = sums(name, log, values)
    parts = [sums(name, reordered(log, half), values[:, half]) for half in np.split(np.arange(30), [11])]
    together = merged(*parts)
    assert together.value() == pytest.approx(whole.value(), rel=1e-9)
    np.testing.assert_allclose(together.influence(), whole.influence(), atol=1e-9)


@pytest.mark.parametrize("name", LEVELED)
def test_sums_of_two_parts_merge_at_a_given_level(name: str) -> None:
    """At one level for both parts an estimator that limits weights merges as any other."""
    at_level = ESTIMATORS[name].at_level
    assert at_level is not None
    log, values = log_with_values(3)
    whole = at_level(sample(name, log, values), 1.5)
    parts = [
        at_level(sample(name, reordered(log, half), values[:, half]), 1.5) for half in np.split(np.arange(30), [11])
    ]
    assert merged(*parts).value() == pytest.approx(whole.value(), rel=1e-9)


@pytest.mark.parametrize("name", ONE_STEP)
def test_estimator_gives_the_behavior_policy_its_mean_reward(name: str) -> None:
    """With weights of 1, and Q that cancels, every estimator is the mean reward: no level bites."""
    log, values = log_with_values(0)
    own = sample(name, log, np.stack([values[0]] * 3), BEHAVIOR)
    assert ESTIMATORS[name].per_unit_sums(own).value() == pytest.approx(float(log.reward.mean()), rel=1e-9)


@pytest.mark.parametrize("name", BY_ACTION)
def test_estimator_refuses_longer_episodes(name: str) -> None:
    """An episode of two steps is named, and what to do instead."""
    log = episodes_of([[1], [2, 3], [4]], [[0.5], [0.5, 0.5], [0.5]])
    longer = evaluation_sample(
        TablePolicy(np.array([[0.5, 0.5]])), log, discount=DISCOUNT, values=ActionValues(*np.ones((3, 4)))
    )
    with pytest.raises(UnsupportedEstimator, match=r"1 of 3 episodes .*episodes \[1\].*as_decisions"):
        ESTIMATORS[name].per_unit_sums(longer)


@pytest.mark.parametrize("name", BY_ACTION)
def test_estimator_values_the_first_reward_of_longer_episodes_over_one_step(name: str) -> None:
    """With steps = 1 longer episodes are one-step episodes: the later reward changes nothing."""
    policy = TablePolicy(np.array([[0.7, 0.3]]))
    values = []
    for later in (0.0, 100.0):
        log = episodes_of([[1], [2, later], [4]], [[0.5], [0.4, 0.5], [0.6]])
        made = evaluation_sample(policy, log, discount=DISCOUNT, steps=1, values=ActionValues(*np.ones((3, 4))))
        values.append(ESTIMATORS[name].per_unit_sums(made).value())
    assert values[0] == values[1]


@pytest.mark.parametrize("name", BY_ACTION)
@pytest.mark.parametrize(("propensity", "reason"), [(np.nan, "no propensities"), (1.0, "deterministic")])
def test_estimator_refuses_unweightable_logs(name: str, propensity: float, reason: str) -> None:
    """Implied and deterministic logs are refused with the reason."""
    log, values = log_with_values(0)
    with pytest.raises(UnsupportedEstimator, match=reason):
        sums(name, replace(log, propensity=np.full(30, propensity)), values)


@pytest.mark.parametrize("name", BY_ACTION)
def test_estimator_refuses_a_log_with_one_unknown_propensity(name: str) -> None:
    """One missing propensity in thirty is said, not dropped."""
    log, values = log_with_values(0)
    with pytest.raises(UnsupportedEstimator, match="1 of 30 logged decisions have no propensity"):
        sums(name, replace(log, propensity=np.where(np.arange(30) == 4, np.nan, log.propensity)), values)


@pytest.mark.parametrize("name", ONE_STEP)
def test_estimator_refuses_a_log_without_any_weight(name: str) -> None:
    """A policy that never does what the log did has no value, rather than one of 0."""
    log, values = log_with_values(0)
    first_two = reordered(log, np.flatnonzero(np.isin(log.action, [0, 3])))
    never = TablePolicy(np.where(np.arange(4) == 1, 1.0, 0.0) * np.ones((5, 1)))
    with pytest.raises(UnsupportedEstimator, match="every importance weight is 0"):
        ESTIMATORS[name].per_unit_sums(sample(name, first_two, values[:, : first_two.n_transitions], never))


@pytest.mark.parametrize("name", [name for name in ONE_STEP if ESTIMATORS[name].needs_values])
def test_estimator_with_values_refuses_without_a_q_function(name: str) -> None:
    """No Q-function, no value; with a reason."""
    log, _ = log_with_values(0)
    with pytest.raises(UnsupportedEstimator, match="no Q-function"):
        ESTIMATORS[name].per_unit_sums(evaluation_sample(POLICY, log, discount=DISCOUNT))


@pytest.mark.parametrize(
    ("spoiled", "message"),
    [
        ({"propensity": np.array([0.5, 0.0, 0.5])}, r"rows \[1\] have a propensity outside"),
        ({"propensity": np.array([0.5, 0.5, 1.5])}, r"rows \[2\] have a propensity outside"),
        ({"reward": np.array([np.nan, 1.0, 1.0])}, r"rows \[0\] have a reward that is not finite"),
        ({"action": np.array([0, 3, 2])}, r"rows \[1\] have an action outside their availability set"),
        ({"action": np.array([0, 1, 4])}, r"rows \[2\] have an action outside 0\.\.3"),
        ({"reward": np.ones(2)}, "reward has 2 rows, expected 3"),
    ],
)
def test_spoiled_rows_never_reach_an_estimator(spoiled: dict[str, FloatArray], message: str) -> None:
    """What can't be a log of decisions is an error that names the rows."""
    with pytest.raises(DatasetError, match=message):
        broken_log(**spoiled)


@pytest.mark.parametrize(
    ("reward", "message"),
    [
        (np.array([1.0, np.nan, 1.0]), r"rows \[1\] have no finite outcome"),
        (np.ones(2), "2 rows of the outcome, expected 3"),
    ],
)
def test_spoiled_outcome_is_refused(reward: FloatArray, message: str) -> None:
    """A side metric with a hole in it, or of another log, is an error that says where."""
    uniform = TablePolicy(np.array([[1 / 3, 1 / 3, 1 / 3, 0.0]]))
    with pytest.raises(EvaluationError, match=message):
        evaluation_sample(uniform, broken_log(), discount=DISCOUNT, reward=reward)


def test_spoiled_values_are_refused() -> None:
    """A Q-function that isn't finite at a row never becomes part of an estimate."""
    uniform = TablePolicy(np.array([[1 / 3, 1 / 3, 1 / 3, 0.0]]))
    values = ActionValues(np.ones(3), np.array([1.0, 1.0, np.inf]), np.zeros(3))
    with pytest.raises(EvaluationError, match=r"rows \[2\] have no finite action value"):
        evaluation_sample(uniform, broken_log(), discount=DISCOUNT, values=values)
