from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import FloatArray, LoggedEpisodes
from rl.errors import UnsupportedEstimator
from rl.ope.estimators.registry import ESTIMATORS, SEQUENTIAL_ESTIMATORS
from rl.ope.intervals.sums import RatioSums
from rl.ope.samples.q_function import ActionValues
from rl.ope.samples.sample import evaluation_sample
from tests.rl.ope.tabular_mdp import TablePolicy, episodes_of, reordered, small_mdp

MDP = small_mdp()
POLICY = MDP.random_policy(2)
SEEDS = st.integers(0, 10_000)
EXAMPLES = settings(max_examples=20, deadline=None, derandomize=True)


def log_with_values(seed: int) -> tuple[LoggedEpisodes, FloatArray]:
    """A log of 12 episodes of 5 units, some of them cut, and arbitrary values for each row, `(3, n)`."""
    log = MDP.log(MDP.random_policy(1), n_episodes=12, seed=seed, n_units=5, max_steps=6)
    return log, np.random.default_rng(seed).normal(size=(3, log.n_transitions))


def sums(name: str, log: LoggedEpisodes, values: FloatArray) -> RatioSums:
    sample = evaluation_sample(POLICY, log, discount=DiscountFunction(0.9), values=ActionValues(*values))
    return ESTIMATORS[name].per_unit_sums(sample)


@pytest.mark.parametrize("name", SEQUENTIAL_ESTIMATORS)
@EXAMPLES
@given(seed=SEEDS)
def test_estimator_ignores_the_order_of_episodes(name: str, seed: int) -> None:
    """Shuffling episodes moves neither the value nor any unit's influence."""
    log, values = log_with_values(seed)
    order = np.random.default_rng(seed + 1).permutation(log.n_episodes)
    rows = np.concatenate([np.arange(log.offsets[e], log.offsets[e + 1]) for e in order])
    before, after = sums(name, log, values), sums(name, reordered(log, order), values[:, rows])
    assert after.value() == pytest.approx(before.value(), rel=1e-9, abs=1e-9)
    np.testing.assert_allclose(after.influence(), before.influence(), atol=1e-9)


@pytest.mark.parametrize("name", SEQUENTIAL_ESTIMATORS)
@EXAMPLES
@given(seed=SEEDS, scale=st.floats(-50, 50).filter(lambda scale: abs(scale) > 1e-3))
def test_estimator_scales_with_rewards(name: str, seed: int, scale: float) -> None:
    """Rewards and Q in another currency give the value in that currency."""
    log, values = log_with_values(seed)
    scaled = sums(name, replace(log, reward=log.reward * scale), values * scale)
    assert scaled.value() == pytest.approx(scale * sums(name, log, values).value(), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("name", ["wis", "wpdis"])
@EXAMPLES
@given(seed=SEEDS)
def test_self_normalised_estimator_ignores_the_scale_of_weights(name: str, seed: int) -> None:
    """Halving every first propensity doubles all weights and changes nothing."""
    log, values = log_with_values(seed)
    propensity = log.propensity.copy()
    propensity[log.offsets[:-1]] /= 2
    halved = sums(name, replace(log, propensity=propensity), values)
    assert halved.value() == pytest.approx(sums(name, log, values).value(), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("name", SEQUENTIAL_ESTIMATORS)
@EXAMPLES
@given(seed=SEEDS)
def test_influence_values_predict_leaving_a_unit_out(name: str, seed: int) -> None:
    """A small cut in one unit's weight moves the value by minus its influence times that share."""
    found = sums(name, *log_with_values(seed))
    epsilon = 1e-6
    weights = np.ones((found.n_units, found.n_units)) - epsilon * np.eye(found.n_units)
    slopes = (found.value() - found.values(weights)) / epsilon * found.n_units
    np.testing.assert_allclose(slopes, found.influence(), rtol=1e-3, atol=1e-3)
    assert found.influence().mean() == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("name", [name for name in SEQUENTIAL_ESTIMATORS if ESTIMATORS[name].needs_weights])
def test_estimator_refuses_a_log_that_the_policy_could_not_have_made(name: str) -> None:
    """Every weight is 0: no number comes out, whatever a model may say beside it."""
    log = episodes_of([[1.0, 2.0], [3.0]], [[0.5, 0.5], [0.5]])
    never = TablePolicy(np.array([[0.0, 1.0]]))
    values = ActionValues(*np.ones((3, log.n_transitions)))
    sample = evaluation_sample(never, log, discount=DiscountFunction(1.0), values=values)
    with pytest.raises(UnsupportedEstimator, match="every importance weight is 0"):
        ESTIMATORS[name].per_unit_sums(sample)
