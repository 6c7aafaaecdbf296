from __future__ import annotations

import json
from dataclasses import dataclass, replace

import numpy as np
import pytest

from rl.data.logged_episodes import FloatArray, LoggedEpisodes
from rl.errors import EvaluationError
from rl.ope.intervals.intervals import Resampling
from rl.ope.ranking import (
    PolicyRanker,
    discounted_gains,
    evaluate_ranking,
    fit_item_knn,
    fit_popularity,
    hits,
    recent_actions,
    target_ranks,
)
from tests.rl.ope.tabular_mdp import TablePolicy, episodes_of


def browsing(*episodes: list[int], n_actions: int = 5) -> LoggedEpisodes:
    """Implied episodes of the given actions, all available, one shopper each."""
    zeros = [[0.0] * len(episode) for episode in episodes]
    unknown = [[np.nan] * len(episode) for episode in episodes]
    return replace(
        episodes_of(zeros, unknown, availability=np.ones((1, n_actions), dtype=bool)),
        action=np.concatenate([np.array(episode) for episode in episodes]),
    )


@dataclass(frozen=True)
class FixedScores:
    table: FloatArray

    def scores(self, episodes: LoggedEpisodes, rows: slice) -> FloatArray:
        return np.broadcast_to(self.table, (len(episodes.action[rows]), len(self.table)))


def test_recent_actions_stay_within_the_episode() -> None:
    """Latest first, and nothing from the episode before."""
    found = recent_actions(browsing([1, 2, 3], [4, 0]), 2)
    np.testing.assert_array_equal(found, [[-1, -1], [1, -1], [2, 1], [-1, -1], [4, -1]])
    np.testing.assert_array_equal(recent_actions(browsing([1, 2, 3], [4, 0]), 2, slice(2, 4)), found[2:4])


def test_hits_and_gains_follow_the_rank() -> None:
    """Rank 1 counts fully, rank 3 gains a half, and what lies beyond the cutoff counts nothing."""
    better, tied = np.array([0, 2, 5]), np.ones(3, dtype=np.int64)
    np.testing.assert_allclose(hits(better, tied, 3), [1, 1, 0])
    np.testing.assert_allclose(discounted_gains(better, tied, 3), [1, 0.5, 0])


def test_ties_count_their_average_over_random_orders() -> None:
    """Four equal scores: the chance to be among the first two is a half, and NDCG the mean over ranks."""
    better, tied = np.array([0]), np.array([4])
    assert hits(better, tied, 2)[0] == 0.5
    assert discounted_gains(better, tied, 2)[0] == pytest.approx((1 + 1 / np.log2(3)) / 4)


def test_target_ranks_ignore_unavailable_actions() -> None:
    """An action out of stock neither outranks nor ties."""
    log = replace(browsing([2, 3]), availability=np.array([[False, True, True, True, True]]))
    better, tied = target_ranks(FixedScores(np.array([9.0, 3.0, 3.0, 1.0, 0.0])), log)
    np.testing.assert_array_equal(better, [0, 2])
    np.testing.assert_array_equal(tied, [2, 1])


def test_popularity_ranks_by_training_counts() -> None:
    """The most logged action of the training split comes first, whatever the test split holds."""
    ranker = fit_popularity(browsing([1, 1, 2], [1, 2, 3]))
    better, _ = target_ranks(ranker, browsing([1, 2, 3, 4]))
    np.testing.assert_array_equal(better, [0, 1, 2, 3])


def test_item_knn_ranks_what_was_seen_together() -> None:
    """Cosine over episodes, one co-occurrence per episode, and popularity where nothing was seen yet."""
    train = browsing([0, 1], [0, 1, 1], [2, 3], [2, 4], [2, 4], [2, 4])
    ranker = fit_item_knn(train, shrinkage=0.0)
    assert ranker.similarity[0, 1] == pytest.approx(2 / 2)
    assert ranker.similarity[2, 4] == pytest.approx(3 / np.sqrt(4 * 3))
    assert ranker.similarity[0, 0] == 0
    better, _ = target_ranks(ranker, browsing([2, 4], [0, 1]))
    np.testing.assert_array_equal(better, [0, 0, 3, 0])  # first rows by popularity: 2, then 1 and 4, then 0


def test_item_knn_weights_the_latest_action_most() -> None:
    """Between neighbours of two earlier actions, those of the later one come first."""
    ranker = fit_item_knn(browsing([0, 1], [2, 3]), shrinkage=0.0)
    scores = ranker.scores(browsing([0, 2, 4]), slice(2, 3))[0]
    assert scores[3] > scores[1] > 0


def test_item_knn_shrinkage_damps_rare_pairs() -> None:
    """A pair seen once doesn't beat one seen ten times out of eleven."""
    train = browsing([0, 1], *[[0, 2]] * 10, [2])
    ranker = fit_item_knn(train, shrinkage=20.0)
    assert ranker.similarity[0, 2] > ranker.similarity[0, 1]


def test_policy_ranker_ranks_by_probability() -> None:
    """The likeliest action of the policy comes first."""
    policy = TablePolicy(np.array([[0.1, 0.2, 0.4, 0.25, 0.05]]))
    better, _ = target_ranks(PolicyRanker(policy), browsing([2, 3, 1, 0, 4]))
    np.testing.assert_array_equal(better, [0, 1, 2, 3, 4])


def test_evaluate_ranking_reports_each_ranker_metric_and_cutoff() -> None:
    """The mean over decisions lies in an interval over shoppers, in a form that JSON takes."""
    rng = np.random.default_rng(0)
    test = browsing(*rng.integers(0, 5, size=(40, 3)).tolist())
    rankers = {"popularity": FixedScores(np.arange(5.0)), "uniform": FixedScores(np.zeros(5))}
    reports = evaluate_ranking(rankers, test, cutoffs=(1, 5), resampling=Resampling(n_draws=300))
    by_key = {(r.ranker, r.metric, r.k): r for r in reports}
    assert len(by_key) == 8
    popular = by_key["popularity", "hit_rate", 1]
    assert popular.value == pytest.approx((test.action == 4).mean())
    assert popular.lower < popular.value < popular.upper
    assert (popular.n_decisions, popular.n_units) == (120, 40)
    assert by_key["uniform", "hit_rate", 1].value == pytest.approx(0.2)
    assert by_key["uniform", "hit_rate", 5].value == 1
    json.dumps([report.to_json() for report in reports], allow_nan=False)


def test_evaluate_ranking_refuses_a_cutoff_below_one() -> None:
    """A list of no items can't hit."""
    with pytest.raises(EvaluationError, match="cutoffs"):
        evaluate_ranking({"x": FixedScores(np.zeros(5))}, browsing([1]), cutoffs=(0,))
