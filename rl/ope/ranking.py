"""How high policies and plain baselines rank the next logged action; for logs whose decisions are only implied.

A hit rate says which items shoppers go to, not what showing them would earn: it stands on the page beside the
prediction, and never enters the gate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
from scipy import sparse

from rl.data.logged_episodes import FloatArray, IntArray, LoggedEpisodes, Policy
from rl.errors import EvaluationError
from rl.ope.intervals.intervals import Resampling, percentile_interval
from rl.ope.intervals.sums import RatioSums, sums_by_unit
from rl.ope.samples.evaluation_probabilities import checked_probabilities, row_batches


class Ranker(Protocol):
    """Gives each row a score per action; only their order counts."""

    def scores(self, episodes: LoggedEpisodes, rows: slice) -> FloatArray:
        """Return the scores, `(len(rows), n_actions)`; unavailable actions may score anything."""
        ...


@dataclass(frozen=True)
class PolicyRanker:
    """Ranks actions by the policy's probability."""

    policy: Policy

    def scores(self, episodes: LoggedEpisodes, rows: slice) -> FloatArray:
        return checked_probabilities(self.policy, episodes.features[rows], episodes.mask(rows))


@dataclass(frozen=True)
class PopularityRanker:
    """Ranks actions by how often they were logged in the training split.

    Attributes:
        counts: `(n_actions,)`.
    """

    counts: FloatArray

    def scores(self, episodes: LoggedEpisodes, rows: slice) -> FloatArray:
        n_rows = len(episodes.action[rows])
        return np.broadcast_to(self.counts, (n_rows, len(self.counts)))


@dataclass(frozen=True)
class ItemKnnRanker:
    """Ranks actions by cosine similarity to those just before in the episode, ties by popularity.

    Attributes:
        similarity: between actions, `(n_actions, n_actions)`, diagonal 0.
        counts: popularity, `(n_actions,)`.
        n_recent: how many earlier actions count.
    """

    similarity: sparse.csr_array
    counts: FloatArray
    n_recent: int

    def scores(self, episodes: LoggedEpisodes, rows: slice) -> FloatArray:
        recent = recent_actions(episodes, self.n_recent, rows)
        row, place = np.nonzero(recent >= 0)
        shape = (len(recent), len(self.counts))
        # The action just before counts fully, the one before it half, a third, ... (Ludewig and Jannach 2018).
        seen = sparse.csr_array((1.0 / (place + 1.0), (row, recent[row, place])), shape=shape)
        # Far below any similarity: popularity only orders what the neighbours leave tied.
        tie_break = 1e-9 * self.counts / max(1.0, float(self.counts.max(initial=0.0)))
        return np.asarray((seen @ self.similarity).toarray() + tie_break, dtype=np.float64)


@dataclass(frozen=True)
class RankingReport:
    """One ranker's figures on one split.

    Attributes:
        ranker: the ranker's name.
        metric: `hit_rate` or `ndcg`.
        k: length of the list.
        value: mean over decisions.
        lower: lower bound.
        upper: upper bound.
        level: of the interval, two-sided.
        n_decisions: ranked.
        n_units: resampled.
    """

    ranker: str
    metric: str
    k: int
    value: float
    lower: float
    upper: float
    level: float
    n_decisions: int
    n_units: int

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self)


def fit_popularity(train: LoggedEpisodes) -> PopularityRanker:
    """Return the popularity of actions in the training split."""
    return PopularityRanker(np.bincount(train.action, minlength=train.n_actions).astype(np.float64))


def fit_item_knn(train: LoggedEpisodes, *, n_recent: int = 10, shrinkage: float = 20.0) -> ItemKnnRanker:
    """Return the cosine co-occurrence of actions within the episodes of the training split.

    Args:
        train: the split.
        n_recent: how many earlier actions count.
        shrinkage: added to the norms, so that a pair seen together once doesn't come first.

    Source: item-based nearest neighbours of Sarwar et al. (2001) on sessions, damped as in Ludewig and Jannach (2018).
    """
    ones = np.ones(train.n_transitions)
    held = sparse.csr_array((ones, (train.episode, train.action)), shape=(train.n_episodes, train.n_actions))
    held.data[:] = 1.0  # an action repeated within an episode counts once
    together = (held.T @ held).tocoo()
    n_episodes_with = np.asarray(held.sum(axis=0)).ravel()
    row, column = together.coords
    apart = row != column
    norm = np.sqrt(n_episodes_with[row] * n_episodes_with[column]) + shrinkage
    values = (together.data / norm)[apart]
    similarity = sparse.csr_array((values, (row[apart], column[apart])), shape=together.shape)
    return ItemKnnRanker(similarity, fit_popularity(train).counts, n_recent)


def recent_actions(episodes: LoggedEpisodes, n_recent: int, rows: slice = slice(None)) -> IntArray:
    """Return the actions of the steps before each row in its episode, latest first, or -1, `(n, n_recent)`."""
    index = np.arange(episodes.n_transitions)[rows]
    step = episodes.step[rows]
    recent = np.full((len(index), n_recent), -1, dtype=np.int64)
    for back in range(1, n_recent + 1):
        has = step >= back
        recent[has, back - 1] = episodes.action[index[has] - back]
    return recent


def evaluate_ranking(
    rankers: Mapping[str, Ranker],
    test: LoggedEpisodes,
    *,
    cutoffs: Sequence[int] = (1, 5, 10, 20),
    level: float = 0.95,
    resampling: Resampling | None = None,
) -> tuple[RankingReport, ...]:
    """Return the hit rate and NDCG of the logged action at each cutoff, with intervals over units.

    Source: Järvelin and Kekäläinen (2002); with a single relevant action NDCG is 1 / log2(1 + rank) up to the cutoff.

    Raises:
        EvaluationError: an empty split, or a cutoff below 1.
    """
    if not test.n_transitions or min(cutoffs) < 1:
        raise EvaluationError("ranking needs decisions to rank and cutoffs of at least 1")
    reports = []
    for name, ranker in rankers.items():
        better, tied = target_ranks(ranker, test)
        for k in cutoffs:
            for metric, values in (("hit_rate", hits(better, tied, k)), ("ndcg", discounted_gains(better, tied, k))):
                sums = mean_over_decisions(values, test)
                interval = percentile_interval(sums, level=level, resampling=resampling or Resampling())
                reports.append(
                    RankingReport(
                        name,
                        metric,
                        k,
                        interval.value,
                        interval.lower,
                        interval.upper,
                        level,
                        test.n_transitions,
                        sums.n_units,
                    )
                )
    return tuple(reports)


def target_ranks(ranker: Ranker, episodes: LoggedEpisodes) -> tuple[IntArray, IntArray]:
    """Return how many available actions score above the logged one, and how many score the same as it, `(n,)`."""
    better, tied = np.empty((2, episodes.n_transitions), dtype=np.int64)
    for rows in row_batches(episodes.n_transitions, episodes.n_actions):
        scores = np.where(episodes.mask(rows), ranker.scores(episodes, rows), -np.inf)
        own = scores[np.arange(len(scores)), episodes.action[rows], None]
        better[rows] = (scores > own).sum(axis=1)
        tied[rows] = (scores == own).sum(axis=1)
    return better, tied


def hits(better: IntArray, tied: IntArray, k: int) -> FloatArray:
    """Return the probability that the logged action is among the first k, ties in random order, `(n,)`."""
    return np.clip((k - better) / tied, 0.0, 1.0)


def discounted_gains(better: IntArray, tied: IntArray, k: int) -> FloatArray:
    """Return the expected NDCG at k, ties in random order, `(n,)`."""
    gains = np.concatenate([[0.0], np.cumsum(1.0 / np.log2(np.arange(k) + 2.0))])
    return np.asarray((gains[np.minimum(better + tied, k)] - gains[np.minimum(better, k)]) / tied, dtype=np.float64)


def mean_over_decisions(values: FloatArray, episodes: LoggedEpisodes) -> RatioSums:
    """Return sums whose value is the mean over decisions, by unit."""
    unit_ids, unit = np.unique(episodes.unit, return_inverse=True)
    unit_of_row = unit[episodes.episode]
    numerators = sums_by_unit(values, unit_of_row, len(unit_ids))
    counts = sums_by_unit(np.ones_like(values), unit_of_row, len(unit_ids))
    return RatioSums(unit_ids.astype(np.int64), numerators[:, None], counts[:, None])
