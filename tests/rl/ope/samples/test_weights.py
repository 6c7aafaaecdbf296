from __future__ import annotations

import numpy as np
import pytest

from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import BoolArray, FeatureArray, FloatArray, LoggedEpisodes, Policy
from rl.errors import EvaluationError, UnsupportedEstimator
from rl.ope.samples.evaluation_probabilities import (
    checked_probabilities,
    logged_action_probabilities,
    logged_action_set,
    row_batches,
    share_outside_support,
)
from rl.ope.samples.sample import evaluation_sample
from rl.ope.samples.weights import (
    ImportanceWeights,
    effective_rewarded_units,
    effective_sample_size,
    weights_from_ratio,
)
from tests.rl.ope.tabular_mdp import TablePolicy, episodes_of, small_mdp

HALF = TablePolicy(np.array([[0.5, 0.5]]))


def weights_of(policy: Policy, log: LoggedEpisodes, *, clip: float | None = None) -> ImportanceWeights:
    sample = evaluation_sample(policy, log, discount=DiscountFunction(1.0), clip=clip)
    sample.require_weights()
    assert sample.weights is not None
    return sample.weights


def test_importance_weights_multiply_within_episodes_only() -> None:
    """Each episode starts again from 1; its weights are running products of evaluation over logged probability."""
    log = episodes_of([[0, 0, 0], [0], [0, 0]], [[0.25, 0.5, 0.25], [1.0], [0.5, 0.1]])
    found = weights_of(HALF, log)
    np.testing.assert_allclose(found.ratio, [2, 1, 2, 0.5, 1, 5])
    np.testing.assert_allclose(found.cumulative, [2, 2, 4, 0.5, 1, 5])
    assert found.max_weight == 5
    assert found.share_clipped == 0


def test_importance_weights_report_the_clip() -> None:
    """A clip limits the cumulative weights, and says where it bit and what the largest weight had been."""
    log = episodes_of([[0, 0, 0], [0]], [[0.25, 0.5, 0.25], [0.5]])
    found = weights_of(HALF, log, clip=3.0)
    np.testing.assert_allclose(found.cumulative, [2, 2, 3, 1])
    assert (found.clip, found.share_clipped, found.max_weight) == (3.0, 0.25, 4.0)


def test_importance_weights_of_the_logging_policy_are_one() -> None:
    """A policy weighed against its own log gets weight 1 everywhere."""
    mdp = small_mdp()
    policy = mdp.random_policy(1)
    found = weights_of(policy, mdp.log(policy, n_episodes=50, seed=0))
    np.testing.assert_allclose(found.cumulative, 1.0, rtol=1e-6)


@pytest.mark.parametrize(
    ("propensities", "reason"),
    [
        ([[np.nan, np.nan]], "holds no propensities"),
        ([[0.5, np.nan]], "1 of 2 logged decisions have no propensity"),
        ([[1.0, 1.0]], "deterministic"),
    ],
)
def test_importance_weights_refuse_logs_that_cannot_be_weighted(propensities: list[list[float]], reason: str) -> None:
    """Missing propensities, or a log that never varies, are refused in plain words."""
    with pytest.raises(UnsupportedEstimator, match=reason):
        weights_of(HALF, episodes_of([[0, 0]], propensities))


def test_weights_from_ratio_refuse_overflow() -> None:
    """Products too large to square are refused, not turned into NaN later."""
    with pytest.raises(UnsupportedEstimator, match="overflow"):
        weights_from_ratio(np.full(400, 10.0), np.array([0, 400]))


def test_effective_sample_size_counts_equal_weights_fully_and_one_dominating_weight_as_one() -> None:
    """Kish's size is the number of equal weights, tends to 1 under one giant, and is 0 without any weight."""
    assert effective_sample_size(np.full(7, 0.3)) == pytest.approx(7)
    assert effective_sample_size(np.array([1e200, 1.0, 1.0])) == pytest.approx(1)
    assert effective_sample_size(np.array([3.0, 1.0])) == pytest.approx(16 / 10)
    assert effective_sample_size(np.zeros(3)) == 0


def test_effective_rewarded_units_adds_up_within_units_first() -> None:
    """Rewards of one unit are one contribution; units without reward count nothing."""
    weighted = np.array([1.0, 1.0, 2.0, 0.0, -2.0])
    unit = np.array([0, 0, 1, 2, 3])
    assert effective_rewarded_units(weighted, unit) == pytest.approx(3)


def test_logged_action_probabilities_agree_across_batch_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of one row give what one batch gives."""
    mdp = small_mdp()
    log = mdp.log(mdp.random_policy(1), n_episodes=20, seed=0)
    whole = logged_action_probabilities(mdp.random_policy(2), log)
    monkeypatch.setattr(row_batches, "__defaults__", (1,))
    np.testing.assert_array_equal(logged_action_probabilities(mdp.random_policy(2), log), whole)


def test_row_batches_cover_all_rows_once() -> None:
    """Slices are contiguous, bounded and complete, even where one row exceeds the limit."""
    found = [index for batch in row_batches(10, 4, 12) for index in range(10)[batch]]
    assert found == list(range(10))
    assert [batch.stop - batch.start for batch in row_batches(2, 100, 12)] == [1, 1]


class _Broken:
    version = "broken-1"

    def __init__(self, table: FloatArray) -> None:
        self._table = table

    def probabilities(self, features: FeatureArray, mask: BoolArray) -> FloatArray:  # noqa: ARG002 -- the protocol's
        return self._table


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (np.array([[0.5, 0.4, 0.0]]), "sum of 1"),
        (np.array([[0.5, 0.0, 0.5]]), "unavailable"),
        (np.array([[1.5, -0.5, 0.0]]), "negative"),
        (np.array([[np.nan, 1.0, 0.0]]), "not finite"),
        (np.array([[0.5, 0.5]]), "expected"),
    ],
)
def test_checked_probabilities_refuse_what_is_no_distribution(table: FloatArray, reason: str) -> None:
    """A policy that breaks its contract is named with what is wrong."""
    with pytest.raises(EvaluationError, match=rf"broken-1.*{reason}"):
        checked_probabilities(_Broken(table), np.ones((1, 1), np.float32), np.array([[True, True, False]]))


def test_share_outside_support_is_the_mass_the_log_cannot_judge() -> None:
    """Actions that the log never took count, whatever it could have taken."""
    log = episodes_of([[0], [0]], [[0.5], [0.5]])
    policy = TablePolicy(np.array([[0.3, 0.7]]))
    assert share_outside_support(policy, log, logged_actions=logged_action_set(log)) == pytest.approx(0.7)
