"""Whether attributions can be believed: taking away what they name must move the decision."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rl.data.logged_episodes import BoolArray, FloatArray, IntArray
from rl.night.explanation.attribution import Attributions
from rl.night.explanation.margins import margins_between
from rl.night.explanation.shopper_means import mean_over_shoppers
from rl.ope.intervals.intervals import Interval
from rl.policy import StochasticPolicy


@dataclass(frozen=True)
class Removal:
    """What happens when features are set to the baseline: means over decisions, with intervals over shoppers.

    Attributes:
        n_removed: features taken away of each decision.
        margin_named: fall of the margin without the features of the largest positive attributions, in log-odds.
        margin_random: the same without as many features drawn at random.
        margin_advantage: the first less the second, paired.
        moved_named: total variation distance by which the action probabilities move without the features of the
            largest attributions of either sign.
        moved_random: the same without features drawn at random.
        moved_advantage: the first less the second, paired.
    """

    n_removed: int
    margin_named: Interval
    margin_random: Interval
    margin_advantage: Interval
    moved_named: Interval
    moved_random: Interval
    moved_advantage: Interval

    @property
    def is_faithful(self) -> bool:
        """Whether removing what is named moves decisions more than chance does, beyond doubt, by both measures."""
        return self.margin_advantage.lower > 0 and self.moved_advantage.lower > 0


@dataclass(frozen=True)
class RemovalSettings:
    """How removal is tried.

    Attributes:
        n_removed: features taken away of each decision.
        n_random: draws of random features, averaged.
        level: of the intervals, two-sided.
        seed: of the draws.
    """

    n_removed: int = 3
    n_random: int = 8
    level: float = 0.95
    seed: int = 0


def removal_effects(
    policy: StochasticPolicy, attributions: Attributions, unit: IntArray, settings: RemovalSettings | None = None
) -> Removal:
    """Return the effects of removing features, over all decisions that were explained.

    Setting a feature to its mean makes observations that no shopper may have; both sides of the comparison do so.

    Args:
        policy: explained.
        attributions: what each feature adds to the policy's margins.
        unit: shopper of each attributed decision, `(m,)`.
        settings: how many are taken away.
    """
    chosen = settings or RemovalSettings()
    n_removed = min(chosen.n_removed, len(attributions.features))
    probe, values = _Probe(policy, attributions), attributions.values
    generator = np.random.default_rng(chosen.seed)
    margin_named, _ = probe.without(_largest(values, n_removed))
    _, moved_named = probe.without(_largest(np.abs(values), n_removed))
    drawn = [probe.without(_largest(generator.random(values.shape), n_removed)) for _ in range(chosen.n_random)]
    margin_random = np.mean([margin for margin, _ in drawn], axis=0)
    moved_random = np.mean([moved for _, moved in drawn], axis=0)
    figures = (
        margin_named,
        margin_random,
        margin_named - margin_random,
        moved_named,
        moved_random,
        moved_named - moved_random,
    )
    return Removal(n_removed, *(mean_over_shoppers(figure, unit, level=chosen.level) for figure in figures))


class _Probe:
    """Asks the policy again after features were set to the baseline."""

    def __init__(self, policy: StochasticPolicy, attributions: Attributions) -> None:
        self._policy, self._attributions = policy, attributions
        place = {name: index for index, name in enumerate(attributions.features)}
        self._source: IntArray = np.array([place[source] for source in policy.encoder.sources], dtype=np.int64)
        self._before = policy.probabilities(attributions.observations, attributions.mask)

    def without(self, removed: BoolArray) -> tuple[FloatArray, FloatArray]:
        """Return the fall of each margin, and the distance of the action probabilities, `(m,)` each.

        Args:
            removed: named features taken away, `(m, n_names)`.
        """
        found, preferred = self._attributions, self._attributions.preferences
        left = np.where(removed[:, self._source], found.baseline, found.observations)
        margin = margins_between(self._policy, left, preferred.chosen, preferred.runner_up)
        moved = np.abs(self._policy.probabilities(left, found.mask) - self._before).sum(axis=1) / 2
        return preferred.margin - margin, moved


def _largest(scores: FloatArray, n: int) -> BoolArray:
    """Return True at the n largest scores of each row, `(m, n_names)`."""
    marked = np.zeros(scores.shape, dtype=bool)
    np.put_along_axis(marked, np.argsort(-scores, axis=1, kind="stable")[:, :n], True, axis=1)
    return marked
