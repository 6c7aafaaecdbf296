from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rl.data.logged_episodes import LoggedEpisodes
from rl.errors import UnsupportedEstimator
from rl.ope.estimators.doubly_robust import dr
from rl.ope.estimators.importance_sampling import pdis, wpdis
from rl.ope.estimators.one_step import ips
from rl.ope.estimators.registry import ESTIMATORS
from rl.ope.intervals.intervals import standard_error
from rl.ope.intervals.sums import difference
from rl.ope.propensities.balanced_loggers import episode_loggers
from rl.ope.propensities.weighted_loggers import weighted_over_loggers
from rl.ope.samples.q_function import ActionValues, action_values
from rl.ope.samples.sample import EvaluationSample, evaluation_sample
from tests.rl.ope.one_step_logs import DISCOUNT, sample_of, value_of
from tests.rl.ope.tabular_mdp import TablePolicy, TableQ, small_mdp
from tests.rl.ope.two_loggers import POLICY, PROBLEM, joined, two_logs

GAMMA = DISCOUNT.gamma


def sequential_sample(n_near: int, n_far: int) -> tuple[EvaluationSample, LoggedEpisodes, float]:
    mdp = small_mdp()
    near, far, policy = (
        mdp.random_policy(seed, sharpness=sharpness) for seed, sharpness in ((1, 0.3), (3, 1.5), (2, 0.7))
    )
    log = joined(mdp.log(near, n_episodes=n_near, seed=0), mdp.log(far, n_episodes=n_far, seed=1))
    wrong = TableQ(mdp.exact_q(policy, gamma=GAMMA) + np.random.default_rng(3).normal(size=mdp.mask.shape))
    values = action_values(wrong, policy, log)
    sample = evaluation_sample(policy, log, discount=DISCOUNT, values=values)
    return sample, log, mdp.exact_value(policy, gamma=GAMMA)


@pytest.mark.parametrize("by", ["divergence", "variance"])
@pytest.mark.parametrize("estimate", [pdis, wpdis, dr])
def test_weighted_over_loggers_finds_the_true_value(estimate: object, by: str) -> None:
    """On 20,000 episodes of two loggers, within 4 standard errors, Q wrong on purpose."""
    sample, log, truth = sequential_sample(10_000, 10_000)
    found = weighted_over_loggers(estimate, sample, episode_loggers(log), by=by)  # type: ignore[arg-type]
    assert abs(found.sums.value() - truth) < 4 * standard_error(found.sums)


@pytest.mark.parametrize("by", ["divergence", "variance"])
def test_weighted_over_loggers_gives_a_far_logger_less(by: str) -> None:
    """With as many episodes each, the near logger counts for most, and shares add up to 1."""
    sample, log, _ = sequential_sample(5000, 5000)
    found = weighted_over_loggers(pdis, sample, episode_loggers(log), by=by)  # type: ignore[arg-type]
    assert found.versions == ("near", "far")
    assert found.shares[0] > 0.8
    assert sum(found.shares) == pytest.approx(1)
    assert found.n_episodes == (5000, 5000)
    assert found.sums.value() == pytest.approx(float(np.dot(found.shares, found.values)))


def test_weighted_over_loggers_varies_less_than_one_mean_of_all() -> None:
    """A far logger's large weights no longer drown the near one's: a smaller standard error than PDIS."""
    sample, log, _ = sequential_sample(5000, 5000)
    found = weighted_over_loggers(pdis, sample, episode_loggers(log))
    assert standard_error(found.sums) < 0.8 * standard_error(pdis(sample))


def test_weighted_over_one_logger_is_the_estimator() -> None:
    """Alone, a logger's share is 1."""
    mdp = small_mdp()
    log = mdp.log(mdp.random_policy(1), n_episodes=50, seed=0)
    sample = evaluation_sample(mdp.random_policy(2), log, discount=DISCOUNT)
    found = weighted_over_loggers(wpdis, sample, episode_loggers(log))
    assert found.shares == (1.0,)
    assert found.sums.value() == pytest.approx(value_of("wpdis", sample))


def test_weighted_over_loggers_pairs_with_other_sums_of_the_same_units() -> None:
    """Its sums rest on all units, so a gain over the behavior policy is a paired difference."""
    sample, log, _ = sequential_sample(50, 50)
    found = weighted_over_loggers(pdis, sample, episode_loggers(log))
    own = ESTIMATORS["on_policy"].per_unit_sums(evaluation_sample(None, log, discount=DISCOUNT))
    assert difference(found.sums, own).value() == pytest.approx(found.sums.value() - own.value())


def test_weighted_by_variance_refuses_a_logger_without_rewards() -> None:
    """A logger whose rewards were all missed looks certain of 0; by divergence it is one logger among others."""
    log = two_logs(30, 10)
    silent = replace(log, reward=np.where(log.policy_version == 1, 0.0, log.reward))
    sample = sample_of(POLICY, silent, values=ActionValues(*np.zeros((3, 40))))
    with pytest.raises(UnsupportedEstimator, match=r"episodes that far made doesn't vary.*divergence"):
        weighted_over_loggers(ips, sample, episode_loggers(silent), by="variance")
    assert 0 < weighted_over_loggers(ips, sample, episode_loggers(silent)).shares[1] < 1


def test_weighted_over_loggers_refuses_a_logger_without_any_weight() -> None:
    """A policy that never does what one logger did can't be valued on its episodes."""
    log = two_logs(30, 10)
    never = TablePolicy(np.where(np.arange(4) == log.action[-1], 0.0, PROBLEM.mask) * 1.0)
    never = TablePolicy(never.table / never.table.sum(axis=1, keepdims=True))
    of_far = replace(log, policy_version=np.where(np.arange(40) == 39, 1, 0))
    with pytest.raises(UnsupportedEstimator, match="no episode that far made"):
        weighted_over_loggers(ips, sample_of(never, of_far), episode_loggers(of_far))


def test_weighted_over_loggers_refuses_a_log_with_unknown_propensities() -> None:
    """One logger that logged none is enough, and the refusal counts its decisions."""
    log = two_logs(30, 10)
    unknown = replace(log, propensity=np.where(log.policy_version == 1, np.nan, log.propensity))
    with pytest.raises(UnsupportedEstimator, match="10 of 40 logged decisions have no propensity"):
        weighted_over_loggers(ips, sample_of(POLICY, unknown), episode_loggers(unknown))
