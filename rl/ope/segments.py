"""Values by segment of episodes: on whose behalf a policy would earn more, and where the log is too thin to tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from rl.data.logged_episodes import BoolArray, FloatArray
from rl.data.shopper_segments import Segment
from rl.errors import EvaluationError
from rl.ope.estimators.registry import estimator
from rl.ope.estimators.weight_refits import PairedRefits, extra_errors
from rl.ope.intervals.intervals import Interval, Resampling, cautious_bounds, student_interval
from rl.ope.intervals.sums import RatioSums, difference
from rl.ope.propensities.cross_fit_variance import widened
from rl.ope.samples.sample import EvaluationSample
from rl.ope.samples.weights import effective_rewarded_units, effective_sample_size


@dataclass(frozen=True)
class SegmentFloors:
    """What the log must hold in a segment for its figures to be shown: shoppers, as in the gate's floors."""

    effective_sample_size: float
    effective_rewarded: float


@dataclass(frozen=True)
class SegmentValue:
    """What the episodes of one segment say.

    Attributes:
        dimension: name of the rule.
        label: of the segment.
        n_episodes: in it.
        n_units: shoppers they come from.
        share: part of all episodes that the segment holds.
        effective_sample_size: the smaller of candidate and baseline; None where the log can't be weighted.
        effective_rewarded: likewise.
        candidate: value per episode of the segment; None where refused.
        baseline: likewise.
        gain: candidate less baseline, paired by shopper; None where refused.
        refusal: why there are no figures.
    """

    dimension: str
    label: str
    n_episodes: int
    n_units: int
    share: float
    effective_sample_size: float | None
    effective_rewarded: float | None
    candidate: Interval | None = None
    baseline: Interval | None = None
    gain: Interval | None = None
    refusal: str | None = None


@dataclass(frozen=True)
class SegmentReport:
    """All segments.

    Attributes:
        estimator: used.
        values: in the given order.
        confidence: that all intervals of the gains shown hold at once.
        level: of each by itself: 1 - (1 - confidence) / number shown.
        n_shown: segments with figures.
    """

    estimator: str
    values: tuple[SegmentValue, ...]
    confidence: float
    level: float
    n_shown: int


def segment_values(
    candidate: EvaluationSample,
    baseline: EvaluationSample,
    segments: Sequence[Segment],
    *,
    estimator_name: str,
    floors: SegmentFloors,
    confidence: float,
    resampling: Resampling,
    refits: PairedRefits = (None, None),
) -> SegmentReport:
    """Return the values and paired gains in each segment, simultaneous over all segments shown.

    The episodes of a segment are evaluated as if they were the whole log: weighted estimators normalise within it, and
    intervals resample its shoppers. By Bonferroni's inequality all gains shown lie in their intervals at once with the
    given confidence; which segments are shown depends on weights and on how many were rewarded, not on gains. A segment
    says nothing of causes: who comes in the evening differs in more than the hour.

    Args:
        candidate: the evaluation policy's sample, not yet cut into segments.
        baseline: of the policy compared with, on the same episodes.
        segments: parts of the episodes.
        estimator_name: the gate's.
        floors: below which a segment has no figures.
        confidence: of all intervals together.
        resampling: how shoppers are drawn for the bounds.
        refits: of candidate and baseline, where propensities were estimated: intervals are widened for what other fits
            would have said. None where the weights rest on no estimate (the behavior policy's, or logged ones).

    Raises:
        EvaluationError: the samples aren't of the same episodes, or an unknown estimator.
    """
    _require_same_episodes(candidate, baseline, segments)
    parts = [(episodes_of(candidate, one.is_member), episodes_of(baseline, one.is_member)) for one in segments]
    overlaps = [_overlap(*part) for part in parts]
    refusals = [_refusal(overlap, floors) for overlap in overlaps]
    n_shown = sum(refusal is None for refusal in refusals)
    alpha = (1 - confidence) / max(1, n_shown)
    values = []
    for segment, part, overlap, refusal in zip(segments, parts, overlaps, refusals, strict=True):
        bare = SegmentValue(
            segment.dimension,
            segment.label,
            part[0].n_episodes,
            part[0].n_units,
            part[0].n_episodes / candidate.n_episodes,
            *overlap,
            refusal=refusal,
        )
        own = _refits_of(refits, candidate, segment)
        values.append(bare if refusal else _valued(bare, part, own, estimator_name, alpha=alpha, resampling=resampling))
    return SegmentReport(estimator_name, tuple(values), confidence, 1 - alpha, n_shown)


def episodes_of(sample: EvaluationSample, is_kept: BoolArray) -> EvaluationSample:
    """Return the sample of the marked episodes alone, `is_kept` being `(n_episodes,)`; it holds at least one."""
    rows = np.repeat(is_kept, sample.lengths)
    kept_ids, unit = np.unique(sample.unit_ids[sample.unit[is_kept]], return_inverse=True)
    weights = sample.weights
    if weights is not None:
        weights = replace(weights, ratio=weights.ratio[rows], cumulative=weights.cumulative[rows])
    return replace(
        sample,
        reward=sample.reward[rows],
        discount=sample.discount[rows],
        next_discount=sample.next_discount[rows],
        offsets=np.concatenate([[0], np.cumsum(sample.lengths[is_kept])]).astype(np.int64),
        unit=unit.astype(np.int64),
        unit_ids=kept_ids,
        is_cut=sample.is_cut[is_kept],
        weights=weights,
        values=None if sample.values is None else sample.values.rows(rows),
        density_ratios=None,
        ratio_refusal="ratios of occupancy are of the whole log, not of a segment",
    )


def _refits_of(refits: PairedRefits, sample: EvaluationSample, segment: Segment) -> PairedRefits:
    """Return the refits of the segment's rows; None where there are none."""
    rows = np.repeat(segment.is_member, sample.lengths)
    candidate, baseline = (None if one is None else one.at(rows) for one in refits)
    return candidate, baseline


def _valued(
    bare: SegmentValue,
    part: tuple[EvaluationSample, EvaluationSample],
    refits: PairedRefits,
    estimator_name: str,
    *,
    alpha: float,
    resampling: Resampling,
) -> SegmentValue:
    """Return the segment's value with figures, or with the estimator's own reason for giving none."""
    try:
        sums: list[RatioSums] = [estimator(estimator_name).sums_of_whole(sample) for sample in part]
        extra = extra_errors(part, refits, estimator_name)
        gain = cautious_bounds(difference(*sums), alpha=alpha / 2, resampling=resampling)
        return replace(
            bare,
            candidate=widened(student_interval(sums[0], level=1 - alpha), extra.candidate),
            baseline=widened(student_interval(sums[1], level=1 - alpha), extra.baseline),
            gain=widened(gain, extra.gain),
        )
    except EvaluationError as error:
        return replace(bare, refusal=str(error))


def _overlap(candidate: EvaluationSample, baseline: EvaluationSample) -> tuple[float | None, float | None]:
    """Return the effective shoppers behind decisions and rewards, of the policy with fewer; None where unknown."""
    found = [_effective(sample) for sample in (candidate, baseline) if sample.weights is not None]
    if len(found) < 2:
        return None, None
    return min(size for size, _ in found), min(rewarded for _, rewarded in found)


def _effective(sample: EvaluationSample) -> tuple[float, float]:
    weight: FloatArray = sample.discount * sample.require_weights()
    unit = sample.unit_of_row
    by_shopper = np.bincount(unit, weights=weight).astype(np.float64)
    return effective_sample_size(by_shopper), effective_rewarded_units(weight * sample.reward, unit)


def _refusal(overlap: tuple[float | None, float | None], floors: SegmentFloors) -> str | None:
    size, rewarded = overlap
    if size is None or rewarded is None:
        return "the log can't be weighted"
    if size < floors.effective_sample_size:
        return f"too few to tell: effectively {size:,.0f} shoppers of {floors.effective_sample_size:,.0f} needed"
    if rewarded < (needed := floors.effective_rewarded):
        return f"too few to tell: effectively {rewarded:,.0f} rewarded shoppers of {needed:,.0f} needed"
    return None


def _require_same_episodes(
    candidate: EvaluationSample, baseline: EvaluationSample, segments: Sequence[Segment]
) -> None:
    if not np.array_equal(candidate.unit_ids[candidate.unit], baseline.unit_ids[baseline.unit]):
        raise EvaluationError("segments need both policies on the same episodes")
    n = candidate.n_episodes
    wrong = [one.label for one in segments if one.is_member.shape != (n,) or not one.is_member.any()]
    if wrong:
        raise EvaluationError(f"segments must mark some of {n} episodes; these don't: {', '.join(wrong[:3])}")
