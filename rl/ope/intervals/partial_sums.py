"""Estimates from parts of a log: each part gives sums per unit, and the merged sums are those of the whole.

The same function runs on a slice of episodes in one process, so that weights and probabilities are never held for all
steps at once, and on a partition of episodes on another machine. Draws of the bootstrap belong to units in ascending
order after the merge, so no interval depends on how the log was divided.

No command reaches it yet: it waits for an evaluation on Spark, whose parts are summed apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import ROW_FIELDS, FloatArray, IntArray, LoggedEpisodes, Policy
from rl.errors import EvaluationError, UnsupportedEstimator
from rl.ope.estimators.importance_sampling import NO_WEIGHT
from rl.ope.estimators.registry import estimator
from rl.ope.intervals.sums import RatioSums, add_part, merged
from rl.ope.overlap.overlap_sums import OverlapSums, add_overlap, empty_overlap, merged_overlaps, overlap_sums
from rl.ope.samples.behavior_value import OnlyAction, as_one_action
from rl.ope.samples.density_ratio import RatioModel
from rl.ope.samples.q_function import ActionValues, QFunction, action_values
from rl.ope.samples.sample import EvaluationSample, evaluation_sample, rows_within

MAX_BATCH_ROWS = 100_000
"""Rows whose weights and values are held at once: some 10 MB."""


@dataclass(frozen=True)
class EstimationPlan:
    """What is estimated, the same on every part.

    Attributes:
        estimators: names in the registry.
        discount: what a later reward counts for, as the spec states it.
        steps: over which the value runs; None: to the end of the longest episode.
        clip: upper limit on cumulative weights; None for none.
        q_function: fitted on other episodes (for the behavior policy: on its log as one action); None where no
            estimator needs one.
        ratio_model: fitted density ratios; None where no estimator needs them.
        levels: by estimator, the limit of its weights, for those that have one; parts merge only at one level for all.
    """

    estimators: tuple[str, ...]
    discount: DiscountFunction
    steps: int | None = None
    clip: float | None = None
    q_function: QFunction | None = None
    ratio_model: RatioModel | None = None
    levels: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class PartialSums:
    """What a part of a log, or the whole, says about one policy.

    Attributes:
        sums: by estimator, without the refused.
        refusals: reasons by estimator.
        overlap: what the weights leave.
    """

    sums: Mapping[str, RatioSums]
    refusals: Mapping[str, str]
    overlap: OverlapSums

    def require(self, name: str) -> RatioSums:
        """Return the sums of that estimator.

        Raises:
            UnsupportedEstimator: it was refused; the message is the reason.
            EvaluationError: it wasn't asked for.
        """
        if name in self.refusals:
            raise UnsupportedEstimator(self.refusals[name])
        if name not in self.sums:
            raise EvaluationError(f"{name} was not estimated; there are {', '.join(self.sums) or 'none'}")
        return self.sums[name]


def partial_sums(policy: Policy | None, part: LoggedEpisodes, plan: EstimationPlan) -> PartialSums:
    """Return the sums of a part of a log; not a result yet: `whole_log` tells what only all parts can.

    Args:
        policy: None stands for the behavior policy.
        part: any whole episodes; units may occur in other parts too, under the same ids.
        plan: the same for all parts.

    Raises:
        EvaluationError: no episodes, an unknown estimator, or a policy whose probabilities are none.
    """
    sample = evaluation_sample(
        policy,
        part,
        discount=plan.discount,
        steps=plan.steps,
        clip=plan.clip,
        values=_values(policy, part, plan.q_function),
        is_part=True,
    )
    keep = rows_within(part, plan.steps)
    if policy is not None and plan.ratio_model is not None and sample.weights is not None:
        sample = replace(sample, density_ratios=plan.ratio_model.ratios(policy, part).rows(keep))
    sums, refusals = _estimates(sample, plan)
    propensity = None if policy is None else part.propensity[keep]
    return PartialSums(sums, refusals, overlap_sums(sample, propensity))


def merged_parts(parts: Iterable[PartialSums]) -> PartialSums:
    """Return what all parts say together; merging merged parts again is the same as merging all at once.

    Raises:
        EvaluationError: there are no parts.
    """
    found = list(parts)
    refusals = {name: reason for part in reversed(found) for name, reason in part.refusals.items()}
    names = [name for name in (found[0].sums if found else {}) if name not in refusals]
    overlap = merged_overlaps(*(part.overlap for part in found))
    return PartialSums({name: merged(*(part.sums[name] for part in found)) for name in names}, refusals, overlap)


def whole_log(found: PartialSums) -> PartialSums:
    """Return the sums as those of a whole log: what no part could know refuses here.

    Such are a log of which every propensity is 1, one whose propensities are partly unknown (a part that knows all
    its own can't tell), weights that overflow somewhere, and weights that are 0 everywhere.
    """
    refusals = dict(found.refusals)
    reason = found.overlap.refusal()
    for name, sums in found.sums.items():
        entry = estimator(name)
        if reason is not None and entry.needs_weights:
            refusals[name] = reason
        elif cut := entry.refusal_of_cuts(found.overlap.share_cut):
            refusals[name] = cut
        elif not sums.denominators[:, 0].any() or (
            entry.needs_weights and not found.overlap.total(entry.weight_column)
        ):
            refusals[name] = NO_WEIGHT
    if reason is not None:
        refusals |= {name: reason for name in found.refusals if estimator(name).needs_weights}
    return replace(found, sums={n: sums for n, sums in found.sums.items() if n not in refusals}, refusals=refusals)


def sums_in_batches(
    policy: Policy | None, episodes: LoggedEpisodes, plan: EstimationPlan, *, max_rows: int = MAX_BATCH_ROWS
) -> PartialSums:
    """Return the sums of all episodes, with weights and probabilities of at most `max_rows` rows at a time.

    An episode is never divided: one longer than `max_rows` is a batch of its own. What grows with the log are the
    sums alone: for each estimator two numbers a unit, times the longest episode's steps where it normalises per step.

    Raises:
        EvaluationError: the split has no episodes.
    """
    if not episodes.n_episodes:
        raise EvaluationError("the split has no episodes to evaluate on")
    unit_ids = np.unique(episodes.unit).astype(np.int64)
    longest = int(episodes.lengths.max())
    growing = _GrowingSums(unit_ids, longest if plan.steps is None else min(longest, plan.steps))
    for batch in episode_batches(episodes, max_rows=max_rows):
        growing.add(partial_sums(policy, batch, plan))
    return whole_log(growing.result())


def episode_batches(episodes: LoggedEpisodes, *, max_rows: int = MAX_BATCH_ROWS) -> Iterator[LoggedEpisodes]:
    """Return views of successive episodes that together hold all rows, each of at most `max_rows` or of one episode."""
    first = 0
    while first < episodes.n_episodes:
        end = int(np.searchsorted(episodes.offsets, episodes.offsets[first] + max_rows, side="right")) - 1
        end = max(end, first + 1)
        yield episode_slice(episodes, first, end)
        first = end


def episode_slice(episodes: LoggedEpisodes, first: int, end: int) -> LoggedEpisodes:
    """Return episodes `first` to `end` - 1; its arrays are views, so nothing is copied."""
    rows = slice(int(episodes.offsets[first]), int(episodes.offsets[end]))
    return replace(
        episodes,
        **{name: getattr(episodes, name)[rows] for name in ROW_FIELDS},
        offsets=episodes.offsets[first : end + 1] - episodes.offsets[first],
        unit=episodes.unit[first:end],
        start_time=episodes.start_time[first:end],
        metrics={name: values[rows] for name, values in episodes.metrics.items()},
    )


class _GrowingSums:
    """Sums of a log whose units are known beforehand: parts are added in place and let go.

    Merging all parts at the end would hold the sums of every batch beside those of the whole.
    """

    def __init__(self, unit_ids: IntArray, longest: int) -> None:
        self._unit_ids, self._longest = unit_ids, longest
        self._sums: dict[str, tuple[FloatArray, FloatArray]] = {}
        self._n_terms: dict[str, int] = {}
        self._refusals: dict[str, str] = {}
        self._overlap = empty_overlap(unit_ids)

    def add(self, part: PartialSums) -> None:
        """Add a part's sums."""
        self._refusals = {**part.refusals, **self._refusals}
        for name, sums in part.sums.items():
            add_part(sums, self._unit_ids, *self._room_for(name, sums.n_terms))
        add_overlap(part.overlap, self._overlap)

    def result(self) -> PartialSums:
        """Return what all parts added so far say together."""
        sums = {name: self._sums_of(name) for name in self._sums if name not in self._refusals}
        return PartialSums(sums, self._refusals, self._overlap)

    def _sums_of(self, name: str) -> RatioSums:
        numerators, denominators = (array[:, : self._n_terms[name]] for array in self._sums[name])
        return RatioSums(self._unit_ids, numerators, denominators)

    def _room_for(self, name: str, n_terms: int) -> tuple[FloatArray, FloatArray]:
        """Return arrays for at least so many terms: one, or as many as any estimator has once there are more."""
        self._n_terms[name] = max(n_terms, self._n_terms.get(name, 0))
        if name not in self._sums or self._sums[name][0].shape[1] < n_terms:
            # Per step index, and one more for the value of the start.
            n_columns = 1 if n_terms == 1 else max(n_terms, self._longest + 1)
            grown = (np.zeros((len(self._unit_ids), n_columns)), np.zeros((len(self._unit_ids), n_columns)))
            if name in self._sums:
                add_part(RatioSums(self._unit_ids, *self._sums[name]), self._unit_ids, *grown)
            self._sums[name] = grown
        return self._sums[name]


def _values(policy: Policy | None, part: LoggedEpisodes, q_function: QFunction | None) -> ActionValues | None:
    if q_function is None:
        return None
    if policy is None:
        return action_values(q_function, OnlyAction(), as_one_action(part))
    return action_values(q_function, policy, part)


def _estimates(sample: EvaluationSample, plan: EstimationPlan) -> tuple[dict[str, RatioSums], dict[str, str]]:
    """Return the sums and the refusals by estimator."""
    sums, refusals = {}, {}
    for name in plan.estimators:
        try:
            entry = estimator(name)
            if entry.at_level is not None and name in plan.levels:
                sums[name] = entry.at_level(sample, plan.levels[name])
            else:
                sums[name] = entry.per_unit_sums(sample)
        except UnsupportedEstimator as error:
            refusals[name] = str(error)
    return sums, refusals
