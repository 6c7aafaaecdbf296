"""Each shopper's first decision and what followed: a log seen as an experiment of one decision a shopper."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import BoolArray, FeatureArray, FloatArray, IntArray, LoggedEpisodes
from rl.errors import UnsupportedEstimator
from rl.ope.intervals.sums import sums_by_unit

REWARD = "reward"


@dataclass(frozen=True)
class FirstDecisions:
    """One decision a shopper; everything after it was decided as the log was.

    Attributes:
        features: encoded observation at the decision, `(n, n_features)`.
        mask: True where the action was available, `(n, n_actions)`.
        action: dense index of the logged action, `(n,)`.
        propensity: behavior policy's probability of it, `(n,)`.
        outcome: discounted sum over the episode that the decision begins, in the outcome's unit, `(n,)`.
        unit: index of the shopper, `(n,)`; each once, unless learners alone take the decisions, of several weeks.
    """

    features: FeatureArray
    mask: BoolArray
    action: IntArray
    propensity: FloatArray
    outcome: FloatArray
    unit: IntArray

    @property
    def n(self) -> int:
        """Decisions, which are as many as shoppers."""
        return len(self.action)

    @property
    def n_actions(self) -> int:
        return int(self.mask.shape[1])

    def taken(self, rows: IntArray) -> FirstDecisions:
        """Return the decisions at the places."""
        return FirstDecisions(
            self.features[rows],
            self.mask[rows],
            self.action[rows],
            self.propensity[rows],
            self.outcome[rows],
            self.unit[rows],
        )

    def with_outcome(self, outcome: FloatArray) -> FirstDecisions:
        """Return the same decisions with another outcome, `(n,)`."""
        return replace(self, outcome=outcome)


def first_decisions(
    episodes: LoggedEpisodes,
    discount: DiscountFunction,
    *,
    outcome: str = REWARD,
    steps: int | None = None,
    within_us: tuple[int, int] | None = None,
) -> FirstDecisions:
    """Return the first decision of each shopper's first episode, and what came of the episode under the log's policy.

    What lies beyond a cut episode's end is left out: of such a log the outcome is that of the steps logged.

    Args:
        episodes: with known propensities.
        discount: what a later reward counts for.
        outcome: the reward, or the name of a side metric, discounted as rewards are.
        steps: of an episode that count; None counts all.
        within_us: takes episodes alone that start from the one moment to before the other, UTC microseconds.

    Raises:
        UnsupportedEstimator: a first decision whose propensity isn't known.
    """
    order = np.lexsort((np.arange(episodes.n_episodes), episodes.start_time))
    if within_us is not None:
        start = episodes.start_time[order]
        order = order[(start >= within_us[0]) & (start < within_us[1])]
    _, place = np.unique(episodes.unit[order], return_index=True)
    first = np.sort(order[place])
    rows = episodes.offsets[first]
    if not np.isfinite(episodes.propensity[rows]).all():
        n = int((~np.isfinite(episodes.propensity[rows])).sum())
        raise UnsupportedEstimator(
            f"{n} of {len(rows)} first decisions have no known propensity: effects need them; log them, or declare "
            "them in the source"
        )
    return FirstDecisions(
        features=episodes.features[rows],
        mask=episodes.mask(rows),
        action=episodes.action[rows],
        propensity=episodes.propensity[rows],
        outcome=_episode_sums(episodes, discount, outcome, steps)[first],
        unit=episodes.unit[first],
    )


def _episode_sums(episodes: LoggedEpisodes, discount: DiscountFunction, outcome: str, steps: int | None) -> FloatArray:
    values = episodes.reward if outcome == REWARD else episodes.metrics[outcome]
    passed = np.cumsum(episodes.elapsed_microseconds) - episodes.elapsed_microseconds
    since = passed - np.repeat(passed[episodes.offsets[:-1]], episodes.lengths)
    factor = discount.since_start(episodes.step, since)
    counted = 1.0 if steps is None else episodes.step < steps
    return sums_by_unit(values * factor * counted, episodes.episode, episodes.n_episodes)
