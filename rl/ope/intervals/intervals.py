"""Intervals of an estimate, by resampling whole units or from their influence values.

A difference of two policies is itself a set of sums (`sums.difference`), so every interval here serves single values
and paired differences alike, with the same resamples of the same units on both sides.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy.special import pdtr, stdtrit

from rl.data.logged_episodes import FloatArray
from rl.errors import EvaluationError, UnsupportedEstimator
from rl.ope.intervals.sums import RatioSums, difference
from rl.ope.intervals.tails import tail_reach

_DRAWS_BEYOND_BOUND = 30  # a percentile with 30 draws beyond it is known to about a fifth of its tail probability
_MAX_DRAWS = 20_000
_WEIGHT_CELLS = 4_000_000


@dataclass(frozen=True)
class Resampling:
    """How units are drawn.

    Attributes:
        n_draws: bootstrap draws.
        seed: equal seeds give equal draws on equal units.
        scheme: `poisson` weights each unit independently, as a log split over machines can; `multinomial` draws
            exactly as many units as there are.
    """

    n_draws: int = 1000
    seed: int = 0
    scheme: Literal["poisson", "multinomial"] = "poisson"

    def __post_init__(self) -> None:
        if self.n_draws < 1:
            raise EvaluationError(f"a bootstrap needs at least one draw, got {self.n_draws}")


@dataclass(frozen=True)
class Interval:
    """An estimate between its bounds.

    Attributes:
        value: on the sample itself.
        lower: lower bound.
        upper: upper bound.
        level: probability of covering the truth that the method aims at.
        method: how the bounds were made.
        standard_error: from influence values of units.
    """

    value: float
    lower: float
    upper: float
    level: float
    method: str
    standard_error: float


def bootstrap_values(sums: RatioSums, resampling: Resampling) -> FloatArray:
    """Return the estimate on each draw of units, renormalised within the draw, `(n_draws,)`."""
    return np.concatenate([sums.values(weights) for weights in unit_weights(sums.n_units, resampling)])


def unit_weights(n_units: int, resampling: Resampling) -> Iterator[FloatArray]:
    """Return batches of draws: how often each unit is drawn, `(n_in_batch, n_units)`."""
    generator = np.random.default_rng(resampling.seed)
    size = max(1, _WEIGHT_CELLS // max(1, n_units))
    for start in range(0, resampling.n_draws, size):
        n_draws = min(size, resampling.n_draws - start)
        if resampling.scheme == "poisson":
            yield _poisson_weights(generator, n_draws, n_units)
        else:
            yield generator.multinomial(n_units, np.full(n_units, 1 / n_units), size=n_draws).astype(np.float64)


def percentile_interval(sums: RatioSums, *, level: float, resampling: Resampling) -> Interval:
    """Return the percentile bootstrap interval over units (Efron 1979).

    Follows skew, renormalises in each draw. Too narrow on few units, and blind to rewards too rare to have been seen:
    at 4 effective rewarded units a 95% interval was seen to cover 70%.

    Raises:
        EvaluationError: fewer than two units, or a level outside (0, 1).
    """
    return percentile_intervals([sums], level=level, resampling=resampling)[0]


def percentile_intervals(
    estimates: Sequence[RatioSums], *, level: float, resampling: Resampling
) -> tuple[Interval, ...]:
    """Return `percentile_interval` of each of several estimates on the same units, which are drawn once for all.

    Raises:
        EvaluationError: fewer than two units, or numbers of units that differ.
    """
    require_level(level)
    for sums in estimates:
        require_units(sums)
    if len(counts := sorted({sums.n_units for sums in estimates})) > 1:
        raise EvaluationError(f"estimates on {counts} units can't share draws; expected the same units in all")
    draws: list[list[FloatArray]] = [[] for _ in estimates]
    for weights in unit_weights(estimates[0].n_units, resampling) if estimates else ():
        for drawn, sums in zip(draws, estimates, strict=True):
            drawn.append(sums.values(weights))
    return tuple(_percentiles(sums, np.concatenate(drawn), level) for sums, drawn in zip(estimates, draws, strict=True))


def _percentiles(sums: RatioSums, values: FloatArray, level: float) -> Interval:
    lower, upper = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Interval(sums.value(), float(lower), float(upper), level, "percentile bootstrap", standard_error(sums))


def student_interval(sums: RatioSums, *, level: float) -> Interval:
    """Return the Student interval from the units' influence values, with `n_units` - 1 degrees of freedom.

    Needs no draws, so it reaches any level. It knows no skew: don't trust it alone with rare, large rewards.
    """
    require_level(level)
    require_units(sums)
    error = standard_error(sums)
    reach = float(stdtrit(sums.n_units - 1, (1 + level) / 2)) * error
    value = sums.value()
    return Interval(value, value - reach, value + reach, level, "Student, delta method", error)


def standard_error(sums: RatioSums) -> float:
    """Return the standard error of the estimate, clustered by unit (delta method); NaN with fewer than two units."""
    if sums.n_units < 2:
        return math.nan
    return float(np.sqrt(np.square(sums.influence()).sum() / (sums.n_units * (sums.n_units - 1))))


def covariance(estimates: Sequence[RatioSums]) -> FloatArray:
    """Return how estimates on the same units err together, `(n, n)`: `standard_error` squared on the diagonal."""
    influence = np.array([sums.influence() for sums in estimates])
    n_units = influence.shape[1]
    return np.asarray(influence @ influence.T / (n_units * (n_units - 1)))


def skew_corrected_interval(sums: RatioSums, *, level: float) -> Interval:
    """Return the Student interval with its quantiles moved for the skewness of the units' influence values.

    Where a few units pull the estimate one way, a log that happens to hold none of them looks both better (or worse)
    and surer than it is: on that side the interval reaches further, on the other less far. First order only: don't
    trust it where the largest units are rarer than one in a log.

    Source: Hall (1992), the expansion of a studentised mean, section 2.6; Johnson (1978).
    """
    require_level(level)
    require_units(sums)
    error, value, influence = standard_error(sums), sums.value(), sums.influence()
    second = float(np.square(influence).mean())
    skewness = float((influence**3).mean()) / second**1.5 if second > 0 else 0.0
    quantile = float(stdtrit(sums.n_units - 1, (1 + level) / 2))
    shift = skewness * (2 * quantile**2 + 1) / (6 * math.sqrt(sums.n_units))
    lower, upper = value - (quantile - shift) * error, value + (quantile + shift) * error
    # A correction larger than the quantile itself says no more than that the expansion doesn't hold.
    return Interval(value, min(lower, value), max(upper, value), level, "Student, corrected for skew", error)


def widest_intervals(estimates: Sequence[RatioSums], *, level: float, resampling: Resampling) -> tuple[Interval, ...]:
    """Return, for each estimate on the same units, the widest of percentile, Student and skew-corrected intervals.

    Each of them misses where another doesn't: percentiles are narrow on few units, Student's ignores skew, its
    correction breaks where few units decide. Where tails are light they agree, and this is hardly wider than any
    (5%, seen); where rewards have no variance it is 18% wider than percentiles and covers some four points more.

    Raises:
        EvaluationError: fewer than two units, or numbers of units that differ.
    """
    by_draws = percentile_intervals(estimates, level=level, resampling=resampling)
    return tuple(_widest(sums, drawn, level) for sums, drawn in zip(estimates, by_draws, strict=True))


def reaching_intervals(estimates: Sequence[RatioSums], *, level: float, resampling: Resampling) -> tuple[Interval, ...]:
    """Return `widest_intervals`, reaching further where a heavy tail may hide units that the log doesn't hold.

    For reports. The gate's bound stays without it: rewards that a log doesn't hold make the estimate too low.

    Raises:
        EvaluationError: fewer than two units, or numbers of units that differ.
    """
    found = widest_intervals(estimates, level=level, resampling=resampling)
    return tuple(_reaching(sums, interval) for sums, interval in zip(estimates, found, strict=True))


def _reaching(sums: RatioSums, interval: Interval) -> Interval:
    reach = tail_reach(sums.influence())
    if reach.below == reach.above == 0.0:
        return interval
    return replace(
        interval,
        lower=interval.lower - reach.below,
        upper=interval.upper + reach.above,
        method=f"{interval.method}, moved out for a heavy tail",
    )


def _widest(sums: RatioSums, by_draws: Interval, level: float) -> Interval:
    found = (by_draws, student_interval(sums, level=level), skew_corrected_interval(sums, level=level))
    return Interval(
        value=by_draws.value,
        lower=min(interval.lower for interval in found),
        upper=max(interval.upper for interval in found),
        level=level,
        method="widest of percentile bootstrap and Student, plain and corrected for skew",
        standard_error=by_draws.standard_error,
    )


def cautious_bounds(sums: RatioSums, *, alpha: float, resampling: Resampling) -> Interval:
    """Return one-sided bounds at `alpha` each: the widest of percentile, Student and skew-corrected intervals.

    The gate uses these. Its alpha is small (a few in a thousand), where percentiles rest on few draws and come out
    narrow on few units, while Student's bounds ignore the skew of rare rewards; being wrong costs a promotion, being
    wide only waits. Draws are raised so that 30 are expected beyond the bound (20,000 at most).
    """
    _require_one_sided(alpha)
    enough = Resampling(n_draws_for(alpha, at_least=resampling.n_draws), resampling.seed, resampling.scheme)
    level = 1 - 2 * alpha
    return widest_intervals([sums], level=level, resampling=enough)[0]


@dataclass(frozen=True)
class RelativeIncrease:
    """Change of one value relative to another's; a fall is negative.

    Attributes:
        value: (candidate - baseline) / baseline.
        lower: lower bound; -1 or less where the baseline may well be nil.
        upper: upper bound; infinite where the baseline may well be nil.
        alpha: one-sided level of each bound.
    """

    value: float
    lower: float
    upper: float
    alpha: float


def relative_increase(
    candidate: RatioSums, baseline: RatioSums, *, alpha: float, resampling: Resampling
) -> RelativeIncrease:
    """Return the relative increase between the wider of percentile and Student bounds on the log ratio, each side.

    Both sides take the same draws of units. A draw in which the baseline is nil speaks against either limit: it counts
    as an infinite increase for the upper bound and as a fall to nothing for the lower one.

    Raises:
        EvaluationError: the baseline's value is not positive, or there are fewer than two units.
    """
    require_units(candidate)
    _require_one_sided(alpha)
    top, bottom = candidate.value(), baseline.value()
    if bottom <= 0:
        raise EvaluationError(f"the baseline's value {bottom:.4g} is not positive, so no share of it can be taken")
    lower, upper = _drawn_ratios(candidate, baseline, alpha, resampling)
    if top > 0:
        # The difference checks that the units agree; its two halves are resampled with one set of draws above.
        n_units = difference(candidate, baseline).n_units
        influence = candidate.influence() / top - baseline.influence() / bottom
        error = float(np.sqrt(np.square(influence).sum() / (n_units * (n_units - 1))))
        reach = float(stdtrit(n_units - 1, 1 - alpha)) * error
        lower, upper = min(lower, top / bottom * math.exp(-reach)), max(upper, top / bottom * math.exp(reach))
    return RelativeIncrease(top / bottom - 1, lower - 1, upper - 1, alpha)


def _drawn_ratios(
    candidate: RatioSums, baseline: RatioSums, alpha: float, resampling: Resampling
) -> tuple[float, float]:
    """Return the percentiles of the ratio of the two values over draws of units."""
    enough = replace(resampling, n_draws=n_draws_for(alpha, at_least=resampling.n_draws))
    above, below = bootstrap_values(candidate, enough), bootstrap_values(baseline, enough)
    has_share = below > 0
    of_rise = np.divide(above, below, out=np.full(len(below), np.inf), where=has_share)
    of_fall = np.divide(above, below, out=np.zeros(len(below)), where=has_share)
    return (
        float(np.quantile(of_fall, alpha, method="lower")),
        float(np.quantile(of_rise, 1 - alpha, method="higher")),
    )


def n_draws_for(alpha: float, *, at_least: int = 1000) -> int:
    """Return after how many draws about 30 lie beyond a one-sided bound at `alpha`: `at_least`, up to 20,000."""
    return max(at_least, min(_MAX_DRAWS, math.ceil(_DRAWS_BEYOND_BOUND / alpha)))


def _poisson_weights(generator: np.random.Generator, n_draws: int, n_units: int) -> FloatArray:
    """Draw Poisson(1) weights by table look-up of 16 random bits, some ten times as fast as one by one."""
    bits = generator.integers(0, _POISSON_TABLE.size, size=(n_draws, n_units), dtype=np.uint16)
    return _POISSON_TABLE[bits]


def _poisson_table() -> FloatArray:
    """Return the Poisson(1) quantiles at the midpoints of 2^16 equal parts; their mean is 1 to five digits."""
    at_most = pdtr(np.arange(20), 1.0)
    return np.searchsorted(at_most, (np.arange(2**16) + 0.5) / 2**16).astype(np.float64)


_POISSON_TABLE = _poisson_table()


def require_units(sums: RatioSums) -> None:
    """Raise if there are fewer than two units, which can't tell how much they vary.

    Raises:
        UnsupportedEstimator: fewer than two.
    """
    if sums.n_units < 2:
        raise UnsupportedEstimator(f"an interval needs at least two units to resample, got {sums.n_units}")


def require_level(level: float) -> None:
    """Raise if the level isn't a probability between 0 and 1.

    Raises:
        EvaluationError: it isn't.
    """
    if not 0 < level < 1:
        raise EvaluationError(f"the level of an interval lies between 0 and 1, got {level}")


def _require_one_sided(alpha: float) -> None:
    if not 0 < alpha < 0.5:
        raise EvaluationError(f"one-sided level {alpha} is outside (0, 0.5)")
