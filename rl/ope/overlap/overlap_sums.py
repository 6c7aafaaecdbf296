"""What the weights of a log leave to estimate from, as sums per unit that merge over parts of the log."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from rl.data.logged_episodes import BoolArray, FloatArray, IntArray
from rl.errors import EvaluationError
from rl.ope.intervals.sums import sums_by_unit
from rl.ope.samples.episode_products import cumulative_products
from rl.ope.samples.sample import EvaluationSample
from rl.ope.samples.weights import effective_sample_size, refusal_of_counts

COLUMNS = (
    "n_episodes",
    "n_cut",
    "n_decisions",
    "n_unknown",
    "n_certain",
    "n_clipped",
    "weight",
    "discounted_weight",
    "weighted_reward",
    "whole_weight",
    "state_weight",
    "pair_weight",
)
"""Sums of each unit, in the order of `OverlapSums.sums`: episodes, episodes that the log cuts, decisions, those without
a propensity, those with a propensity of 1, those whose weight was clipped, cumulative weights, the same discounted,
absolute discounted weighted rewards, weights of whole episodes, and weights by density ratios of states (times the
ratio of the action) and of state-action pairs."""


@dataclass(frozen=True)
class OverlapSums:
    """Per-unit sums behind every diagnostic of the weights of one policy on one sample.

    Attributes:
        unit_ids: ascending, `(n_units,)`.
        sums: the columns named in `COLUMNS`, `(n_units, 12)`.
        largest_weight: of each unit before clipping, infinite where the weights overflow, `(n_units,)`.
    """

    unit_ids: IntArray
    sums: FloatArray
    largest_weight: FloatArray

    def __post_init__(self) -> None:
        expected = (len(self.unit_ids), len(COLUMNS))
        if self.sums.shape != expected or len(self.largest_weight) != expected[0]:
            raise EvaluationError(
                f"overlap has {self.sums.shape} sums and {len(self.largest_weight)} weights, expected {expected}"
            )

    def column(self, name: str) -> FloatArray:
        """Return the sums of that name, `(n_units,)`."""
        return np.asarray(self.sums[:, COLUMNS.index(name)], dtype=np.float64)

    def total(self, name: str) -> float:
        return float(self.column(name).sum())

    def refusal(self) -> str | None:
        """Return why the whole log can't be weighted; None where it can."""
        counts = (int(self.total(name)) for name in ("n_decisions", "n_unknown", "n_certain"))
        if reason := refusal_of_counts(*counts):
            return reason
        if math.isinf(self.max_weight):
            return "the importance weights overflow: the policies differ too much over such episodes"
        return None

    @property
    def max_weight(self) -> float:
        """The largest cumulative weight before clipping."""
        return float(self.largest_weight.max(initial=0.0))

    @property
    def effective_sample_size(self) -> float:
        """Units that the weighted decisions rest on."""
        return effective_sample_size(self.column("discounted_weight"))

    @property
    def n_effective_rewarded(self) -> float:
        """Units that the weighted rewards rest on."""
        return effective_sample_size(self.column("weighted_reward"))

    @property
    def mean_weight(self) -> float:
        """Mean weight of all decisions; also moved by how long the policy's episodes are."""
        return self.total("weight") / self.total("n_decisions")

    @property
    def share_clipped(self) -> float:
        """Share of decisions at which weights are clipped."""
        return self.total("n_clipped") / self.total("n_decisions")

    @property
    def share_cut(self) -> float:
        """Share of episodes that the log cuts."""
        return self.total("n_cut") / self.total("n_episodes")


def overlap_sums(sample: EvaluationSample, propensity: FloatArray | None) -> OverlapSums:
    """Return the overlap of one sample; weights count as 0 where there are none.

    Whether the log can be weighted is asked of the merged sums.

    Args:
        sample: the whole log or a part of it.
        propensity: of the sample's rows, `(n,)`; None for the behavior policy, whose weights are 1 without any.
    """
    unit, n = sample.unit_of_row, len(sample.reward)
    unclipped = _unclipped_weights(sample)
    weight = np.zeros(n) if sample.weights is None else sample.weights.cumulative
    known = np.full(n, 0.5) if propensity is None else propensity
    per_row: dict[str, FloatArray | BoolArray] = {
        "n_decisions": np.ones(n),
        "n_unknown": np.isnan(known),
        "n_certain": known >= 1.0,
        "n_clipped": unclipped > weight,
        "weight": weight,
        "discounted_weight": sample.discount * weight,
        "weighted_reward": np.abs(sample.discount * weight * sample.reward),
        **_density_weights(sample),
    }
    per_episode: dict[str, FloatArray | BoolArray] = {
        "n_episodes": np.ones(sample.n_episodes),
        "n_cut": sample.is_cut,
        "whole_weight": weight[sample.last_rows],
    }
    by_unit = {name: sums_by_unit(values.astype(np.float64), unit, sample.n_units) for name, values in per_row.items()}
    by_unit |= {
        name: sums_by_unit(values.astype(np.float64), sample.unit, sample.n_units)
        for name, values in per_episode.items()
    }
    largest = np.zeros(sample.n_units)
    # Every propensity is known and there are no weights all the same: they overflow.
    np.maximum.at(largest, unit, np.inf if sample.weights is None and not np.isnan(known).any() else unclipped)
    return OverlapSums(sample.unit_ids, np.stack([by_unit[name] for name in COLUMNS], axis=1), largest)


def merged_overlaps(*parts: OverlapSums) -> OverlapSums:
    """Return the overlap of all parts, as if it had been computed together.

    Raises:
        EvaluationError: there are no parts.
    """
    if not parts:
        raise EvaluationError("there are no overlaps to merge")
    whole = empty_overlap(np.unique(np.concatenate([part.unit_ids for part in parts])))
    for part in parts:
        add_overlap(part, whole)
    return whole


def empty_overlap(unit_ids: IntArray) -> OverlapSums:
    """Return the overlap of no episodes of the given units."""
    return OverlapSums(unit_ids, np.zeros((len(unit_ids), len(COLUMNS))), np.zeros(len(unit_ids)))


def add_overlap(part: OverlapSums, whole: OverlapSums) -> None:
    """Add `part` to `whole` in place. Every unit of `part` must be in `whole`."""
    at = np.searchsorted(whole.unit_ids, part.unit_ids)
    whole.sums[at] += part.sums
    whole.largest_weight[at] = np.maximum(whole.largest_weight[at], part.largest_weight)


def _density_weights(sample: EvaluationSample) -> dict[str, FloatArray | BoolArray]:
    """Return the weights by density ratios, `(n,)` each; 0 where there are none."""
    ratios, weights = sample.density_ratios, sample.weights
    if ratios is None or weights is None:
        return dict.fromkeys(("state_weight", "pair_weight"), np.zeros(len(sample.reward)))
    return {"state_weight": np.abs(ratios.state * weights.ratio), "pair_weight": np.abs(ratios.state_action)}


def _unclipped_weights(sample: EvaluationSample) -> FloatArray:
    """Return the cumulative weights before clipping, `(n,)`; 0 where the log can't be weighted."""
    if sample.weights is None:
        return np.zeros(len(sample.reward))
    if sample.weights.clip is None:
        return sample.weights.cumulative
    return cumulative_products(sample.weights.ratio, sample.offsets)
