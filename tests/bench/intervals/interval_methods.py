"""Every way to put an interval around an estimate, by name; a new one is a function of sums and an entry here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from conf.specs.strict_yaml import suggest
from rl.errors import EvaluationError, UnsupportedEstimator
from rl.ope.estimators.importance_sampling import NO_WEIGHT
from rl.ope.intervals.confidence_sequence import confidence_sequence_interval
from rl.ope.intervals.intervals import (
    Interval,
    Resampling,
    percentile_interval,
    reaching_intervals,
    require_level,
    skew_corrected_interval,
    student_interval,
    widest_intervals,
)
from rl.ope.intervals.sums import RatioSums
from tests.bench.intervals.bca_interval import bca_interval
from tests.bench.intervals.empirical_bernstein import empirical_bernstein_interval
from tests.bench.intervals.empirical_likelihood import empirical_likelihood_interval


@dataclass(frozen=True)
class IntervalMethod:
    """How an interval is made.

    Attributes:
        name: as callers ask for it.
        make: from sums (of a value, or of a paired difference), a two-sided level, and how to resample.
        says: in one sentence, what it is good for.
    """

    name: str
    make: Callable[[RatioSums, float, Resampling], Interval]
    says: str


def _methods() -> tuple[IntervalMethod, ...]:
    return (
        IntervalMethod(
            "percentile",
            lambda sums, level, resampling: percentile_interval(sums, level=level, resampling=resampling),
            "Percentile bootstrap over units: follows skew; a little narrow on few units.",
        ),
        IntervalMethod(
            "bca",
            lambda sums, level, resampling: bca_interval(sums, level=level, resampling=resampling),
            "Bias-corrected and accelerated bootstrap: for skewed rewards on some hundred rewarded units.",
        ),
        IntervalMethod(
            "student",
            lambda sums, level, _: student_interval(sums, level=level),
            "Student's t on influence values: no draws, so it reaches any level; knows no skew.",
        ),
        IntervalMethod(
            "student_skew",
            lambda sums, level, _: skew_corrected_interval(sums, level=level),
            "Student's t with quantiles moved for skewness: no draws, first order.",
        ),
        IntervalMethod(
            "widest",
            lambda sums, level, resampling: widest_intervals([sums], level=level, resampling=resampling)[0],
            "The widest of percentile, Student and its correction for skew: what the gate's bounds are.",
        ),
        IntervalMethod(
            "reaching",
            lambda sums, level, resampling: reaching_intervals([sums], level=level, resampling=resampling)[0],
            "The widest, moved out where a heavy tail may hide units: a report's own.",
        ),
        IntervalMethod(
            "empirical_bernstein",
            lambda sums, level, _: empirical_bernstein_interval(sums, level=level),
            "Empirical Bernstein on the range seen: wide; with known bounds it holds at any sample size.",
        ),
        IntervalMethod(
            "empirical_likelihood",
            lambda sums, level, _: empirical_likelihood_interval(sums, level=level),
            "Empirical likelihood (Cressie-Read power 0): follows skew without draws.",
        ),
        IntervalMethod(
            "euclidean_likelihood",
            lambda sums, level, _: empirical_likelihood_interval(sums, level=level, divergence="euclidean"),
            "Euclidean likelihood (Cressie-Read power -2): closed form from sums that merge.",
        ),
        IntervalMethod(
            "confidence_sequence",
            lambda sums, level, _: confidence_sequence_interval(sums, level=level),
            "Anytime-valid: holds at all looks at a growing log together.",
        ),
    )


INTERVAL_METHODS: Mapping[str, IntervalMethod] = {method.name: method for method in _methods()}


def make_interval(method: str, sums: RatioSums, *, level: float, resampling: Resampling) -> Interval:
    """The interval by the method of that name.

    Raises:
        EvaluationError: no such method, a level outside (0, 1), or too few units for it.
        UnsupportedEstimator: no unit has any weight.
    """
    if method not in INTERVAL_METHODS:
        raise EvaluationError(f"unknown interval method {method!r}{suggest(method, list(INTERVAL_METHODS))}")
    require_level(level)
    if sums.n_units and not sums.denominators.any():
        raise UnsupportedEstimator(NO_WEIGHT)
    return INTERVAL_METHODS[method].make(sums, level, resampling)
