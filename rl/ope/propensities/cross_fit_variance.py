"""What estimated propensities add to an estimate's variance, and intervals widened by it.

Two things are chance about a cross-fit. How shoppers were dealt into folds: the fit is repeated with other deals, and
the repeats' values scatter. And which shoppers the log holds: every fold's model is a fit without that fold's shoppers,
so the folds' models, each put in charge of all rows, are the replicates of a jackknife that deletes a group at a time.
The second isn't seen in the first, since the folds' errors cancel within a repeat.

Added to the variance of the estimate under fixed propensities, the sum errs on the wide side: under a right parametric
model the errors of the propensities and of the estimate offset each other (Hirano, Imbens and Ridder 2003), which no
one should count on here. A model that is wrong, or an unseen reason, is in neither figure.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtri

from rl.data.logged_episodes import FloatArray
from rl.errors import EvaluationError
from rl.ope.intervals.intervals import Interval


@dataclass(frozen=True)
class CrossFitVariance:
    """Variance of an estimate that comes from estimating propensities.

    Attributes:
        between_deals: from how shoppers were dealt into folds.
        between_fits: from which shoppers the models learned from.
    """

    between_deals: float
    between_fits: float

    @property
    def extra(self) -> float:
        """Variance to be added to that of the estimate under fixed propensities."""
        return self.between_deals + self.between_fits

    @property
    def extra_standard_error(self) -> float:
        return math.sqrt(self.extra)


def cross_fit_variance(value: float, *, by_repeat: FloatArray, by_model: FloatArray) -> CrossFitVariance:
    """Return the extra variance of a value, or of a difference of values.

    With few repeats and folds it is itself known to a third or so: 3 repeats of 4 folds leave 9 degrees of freedom.

    Source: between deals, Chernozhukov et al. (2018), definition 3.3, the mean form: mean (value_r - value)^2. Between
    fits, the delete-a-group jackknife (Kott 2001): (K - 1) / K sum_k (value_k - mean)^2, averaged over repeats.

    Args:
        value: under the pooled propensities.
        by_repeat: under each repeat's cross-fitted propensities, `(n_repeats,)`.
        by_model: under each fold's model on all rows, `(n_repeats, n_folds)`.

    Raises:
        EvaluationError: no repeats, fewer than two folds, or values that aren't finite.
    """
    if by_repeat.ndim != 1 or not len(by_repeat) or by_model.ndim != 2 or by_model.shape[1] < 2:
        raise EvaluationError(
            f"values of shapes {by_repeat.shape} and {by_model.shape}; expected (n_repeats,) and (n_repeats, n_folds) "
            "with at least one repeat and two folds"
        )
    if not (np.isfinite(by_repeat).all() and np.isfinite(by_model).all() and math.isfinite(value)):
        raise EvaluationError("a value under one of the repeated fits isn't finite, so its scatter isn't known")
    n_folds = by_model.shape[1]
    from_mean = by_model - by_model.mean(axis=1, keepdims=True)
    return CrossFitVariance(
        between_deals=float(np.square(by_repeat - value).mean()),
        between_fits=float((n_folds - 1) / n_folds * np.square(from_mean).sum(axis=1).mean()),
    )


def widened(interval: Interval, extra_standard_error: float) -> Interval:
    """Return the interval with an independent normal error of that size added.

    Each side's distance grows as the root of the sum of its square and the extra error's at the interval's level, so
    that a skewed interval stays skewed.

    Raises:
        EvaluationError: the extra error is negative or not finite.
    """
    if not (math.isfinite(extra_standard_error) and extra_standard_error >= 0):
        raise EvaluationError(f"an extra standard error of {extra_standard_error} can't widen an interval")
    if extra_standard_error == 0:
        return interval
    reach = float(ndtri((1 + interval.level) / 2)) * extra_standard_error
    return replace(
        interval,
        lower=interval.value - math.hypot(interval.value - interval.lower, reach),
        upper=interval.value + math.hypot(interval.upper - interval.value, reach),
        standard_error=math.hypot(interval.standard_error, extra_standard_error),
        method=f"{interval.method}, widened for estimated propensities",
    )
