"""A sample's weights under every fit of estimated propensities, and what the fits' scatter adds to a doubt."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from rl.data.logged_episodes import BoolArray, FloatArray
from rl.errors import UnsupportedEstimator
from rl.ope.estimators.registry import estimator
from rl.ope.propensities.behavior_policy import PropensityRepeats
from rl.ope.propensities.cross_fit_variance import cross_fit_variance
from rl.ope.samples.sample import EvaluationSample
from rl.ope.samples.weights import weights_from_ratio


@dataclass(frozen=True)
class WeightRefits:
    """What each fit multiplies a sample's ratios by: the pooled propensity over the fit's own.

    Attributes:
        by_repeat: of each repeat's cross-fitted propensities, `(n_repeats, n)`.
        by_model: of each fold's model on all rows, `(n_repeats, n_folds, n)`.
    """

    by_repeat: FloatArray
    by_model: FloatArray

    @classmethod
    def of(cls, repeats: PropensityRepeats, rows: BoolArray) -> WeightRefits:
        """Return the refits of a sample that was weighted by pooled propensities, at the rows that it holds."""
        pooled = repeats.pooled()[rows]
        return cls(pooled / repeats.by_repeat[:, rows], pooled / repeats.by_model[:, :, rows])

    def at(self, rows: BoolArray) -> WeightRefits:
        """Return the refits at some of the sample's rows."""
        return WeightRefits(self.by_repeat[:, rows], self.by_model[:, :, rows])


PairedRefits = tuple[WeightRefits | None, WeightRefits | None]
"""Of two policies on the same rows; None where a policy's weights rest on no estimate."""


@dataclass(frozen=True)
class RefittedValue:
    """An estimate under every fit.

    Attributes:
        by_repeat: `(n_repeats,)`.
        by_model: `(n_repeats, n_folds)`.
    """

    by_repeat: FloatArray
    by_model: FloatArray

    def minus(self, other: RefittedValue | float) -> RefittedValue:
        """Return the difference under every fit, paired, or from a number that no fit changes."""
        if isinstance(other, RefittedValue):
            return RefittedValue(self.by_repeat - other.by_repeat, self.by_model - other.by_model)
        return RefittedValue(self.by_repeat - other, self.by_model - other)

    def extra_standard_error(self, value: float) -> float:
        """Return what estimating propensities adds to the estimate's standard error.

        Raises:
            EvaluationError: the estimate isn't finite under one of the fits.
        """
        return cross_fit_variance(value, by_repeat=self.by_repeat, by_model=self.by_model).extra_standard_error


def refitted_value(sample: EvaluationSample, estimator_name: str, refits: WeightRefits) -> RefittedValue:
    """Return the estimator's value on the sample under every fit.

    Raises:
        UnsupportedEstimator: the sample can't be weighted, or the estimator refuses it under one of the fits.
    """
    n_repeats, n_folds, _ = refits.by_model.shape
    factors = np.concatenate([refits.by_repeat, *refits.by_model])
    values = np.array([_value_at(sample, estimator_name, factor) for factor in factors])
    return RefittedValue(values[:n_repeats], values[n_repeats:].reshape(n_repeats, n_folds))


@dataclass(frozen=True)
class ExtraErrors:
    """What estimating propensities adds to the standard errors of two policies' values and of their difference."""

    candidate: float
    baseline: float
    gain: float


def extra_errors(
    samples: tuple[EvaluationSample, EvaluationSample], refits: PairedRefits, estimator_name: str
) -> ExtraErrors:
    """Return the extra errors of a candidate and a baseline, their difference paired fit by fit; 0 without estimates.

    Raises:
        EvaluationError: an estimate is refused, or isn't finite, under one of the fits.
    """
    values = [estimator(estimator_name).estimate(sample)[0].value() for sample in samples]
    candidate, baseline = (
        None if each is None else refitted_value(sample, estimator_name, each)
        for sample, each in zip(samples, refits, strict=True)
    )
    gain = None if candidate is None else candidate.minus(values[1] if baseline is None else baseline)
    found = [
        0.0 if refitted is None else refitted.extra_standard_error(value)
        for refitted, value in ((candidate, values[0]), (baseline, values[1]), (gain, values[0] - values[1]))
    ]
    return ExtraErrors(*found)


def _value_at(sample: EvaluationSample, estimator_name: str, factor: FloatArray) -> float:
    if sample.weights is None:
        raise UnsupportedEstimator(sample.refusal or "no importance weights were computed")
    weights = weights_from_ratio(sample.weights.ratio * factor, sample.offsets, clip=sample.weights.clip)
    return estimator(estimator_name).estimate(replace(sample, weights=weights))[0].value()
