from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rl.errors import EvaluationError, UnsupportedEstimator
from rl.ope.estimators.importance_sampling import pdis
from rl.ope.estimators.one_step import ips
from rl.ope.estimators.registry import ESTIMATORS
from rl.ope.intervals.intervals import standard_error
from rl.ope.propensities.balanced_loggers import balanced_log, episode_loggers, mixture_propensities
from rl.ope.propensities.logged_decisions import as_decisions
from rl.ope.samples.sample import evaluation_sample
from tests.rl.ope.one_step_logs import DISCOUNT, sample_of
from tests.rl.ope.tabular_mdp import small_mdp
from tests.rl.ope.two_loggers import FAR, LOGGERS, NEAR, POLICY, PROBLEM, joined, two_logs


def test_balanced_propensity_is_the_mixture_of_the_loggers_by_their_share() -> None:
    """Of 30 and 10 rows: three quarters of one policy's probability and a quarter of the other's."""
    log = two_logs(30, 10)
    mixture = 0.75 * NEAR.table + 0.25 * FAR.table
    np.testing.assert_allclose(balanced_log(log, LOGGERS).propensity, mixture[log.mask_index, log.action])


def test_balanced_propensities_of_an_episode_multiply_to_the_mixture_of_its_probabilities() -> None:
    """Over longer episodes the product up to each step is the share-weighted sum of the loggers' own products."""
    mdp = small_mdp()
    first, second = (mdp.random_policy(seed, version=name) for seed, name in ((1, "near"), (3, "far")))
    log = joined(mdp.log(first, n_episodes=6, seed=0), mdp.log(second, n_episodes=4, seed=1))
    found = balanced_log(log, {"near": first, "far": second}).propensity
    probabilities = np.stack([policy.table[log.mask_index, log.action] for policy in (first, second)])
    for start, end in zip(log.offsets[:-1], log.offsets[1:], strict=True):
        expected = np.array([0.6, 0.4]) @ probabilities[:, start:end].cumprod(axis=1)
        np.testing.assert_allclose(found[start:end].cumprod(), expected)


def test_balanced_log_of_one_logger_is_the_log() -> None:
    """Alone in the mixture, a policy keeps its propensities."""
    log = two_logs(20, 1)
    alone = replace(log, policy_version=np.zeros(21, dtype=np.int64), propensity=NEAR.table[log.mask_index, log.action])
    np.testing.assert_allclose(balanced_log(alone, {"near": NEAR}).propensity, alone.propensity)


@pytest.mark.parametrize("name", ["ips", "dr", "snips"])
def test_balanced_estimator_finds_the_true_value(name: str) -> None:
    """On 20,000 rows of two loggers, within 4 standard errors, Q wrong on purpose."""
    log = balanced_log(two_logs(10_000, 10_000), LOGGERS)
    sums = ESTIMATORS[name].per_unit_sums(sample_of(POLICY, log, q=PROBLEM.wrong_q(1.0)))
    assert abs(sums.value() - PROBLEM.exact_value(POLICY)) < 4 * standard_error(sums)


def test_balanced_pdis_finds_the_true_value_over_longer_episodes() -> None:
    """On 20,000 episodes of two loggers, within 4 standard errors."""
    mdp = small_mdp()
    first, second, policy = (mdp.random_policy(seed) for seed in (1, 3, 2))
    log = joined(mdp.log(first, n_episodes=12_000, seed=0), mdp.log(second, n_episodes=8000, seed=1))
    balanced = balanced_log(log, {"near": first, "far": second})
    sums = pdis(evaluation_sample(policy, balanced, discount=DISCOUNT))
    assert abs(sums.value() - mdp.exact_value(policy, gamma=DISCOUNT.gamma)) < 4 * standard_error(sums)


def test_balanced_ips_varies_less_than_weighting_each_row_by_its_own_logger() -> None:
    """With half of the rows from a far policy the balanced form's standard error is less than half."""
    log = two_logs(3000, 3000)
    errors = [standard_error(ips(sample_of(POLICY, given))) for given in (balanced_log(log, LOGGERS), log)]
    assert errors[0] < 0.5 * errors[1]


def test_balanced_log_refuses_an_unknown_logger() -> None:
    """A version that can't be asked is named, with how many decisions it made, and what needs no asking."""
    with pytest.raises(UnsupportedEstimator, match=r"under far \(10 decisions\) is unknown.*weighted form"):
        balanced_log(two_logs(30, 10), {"near": NEAR})


def test_balanced_log_refuses_a_policy_that_is_not_the_logs() -> None:
    """Another policy under a version's name is found out by its own rows' propensities."""
    with pytest.raises(EvaluationError, match=r"rows \[0.*the log says"):
        balanced_log(two_logs(30, 10), {"near": FAR, "far": FAR})


@pytest.mark.parametrize(
    ("propensities", "message"),
    [
        (np.ones((40, 3)), r"shape \(40, 3\), expected \(40, 2\)"),
        (np.full((40, 2), 1.5), r"rows \[0, 1, 2, 3, 4\] have a propensity under some version outside"),
        (np.full((40, 2), np.nan), "outside"),
        (np.zeros((40, 2)), "that no policy of the log can have taken"),
    ],
)
def test_mixture_propensities_refuses_what_is_no_propensity(propensities: np.ndarray, message: str) -> None:
    """Another shape, values that are no probabilities, and rows that nobody can have made."""
    log = two_logs(30, 10)
    with pytest.raises(EvaluationError, match=message):
        mixture_propensities(log, episode_loggers(log), propensities)


def test_episode_loggers_refuses_episodes_of_several_versions_but_not_their_decisions() -> None:
    """An episode over which the policy changed is named; as decisions each has one logger."""
    mdp = small_mdp()
    log = mdp.log(mdp.random_policy(1), n_episodes=10, seed=0)
    longest = int(log.lengths.argmax())
    versions = np.zeros(log.n_transitions, dtype=np.int64)
    versions[log.offsets[longest]] = 1
    mixed = replace(log, policy_version=versions, policy_versions=("near", "far"))
    with pytest.raises(UnsupportedEstimator, match=rf"1 of 10 episodes.*\[{longest}\]"):
        episode_loggers(mixed)
    assert episode_loggers(as_decisions(mixed)).versions == ("near", "far")
