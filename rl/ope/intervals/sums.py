"""Sums per independent unit from which a value, its resamples and its influence values all follow.

Every estimator here is a sum of ratios of sums over units, value = sum_k (sum_u N[u, k]) / (sum_u D[u, k]). So a
bootstrap draw is a matrix product, each draw renormalises itself, and the sums of two parts of a log can be merged.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from rl.data.logged_episodes import FloatArray, IntArray
from rl.errors import EvaluationError, UnsupportedEstimator


@dataclass(frozen=True)
class RatioSums:
    """Per-unit sums of one estimator on one sample.

    Attributes:
        unit_ids: ascending, `(n_units,)`.
        numerators: `(n_units, n_terms)`.
        denominators: `(n_units, n_terms)`.
    """

    unit_ids: IntArray
    numerators: FloatArray
    denominators: FloatArray

    def __post_init__(self) -> None:
        expected = (len(self.unit_ids), self.numerators.shape[1])
        if self.numerators.shape != expected or self.denominators.shape != expected:
            raise EvaluationError(
                f"sums have shapes {self.numerators.shape} and {self.denominators.shape}, expected {expected}"
            )
        # The sum of all is finite only if every one is; which aren't is looked for where it isn't. Bounds take squares,
        # so these must be doubles too.
        with np.errstate(over="ignore", invalid="ignore"):
            total = sum(float(np.vdot(part, part)) for part in (self.numerators, self.denominators))
        if not math.isfinite(total):
            self._refuse_unbounded()

    def _refuse_unbounded(self) -> None:
        with np.errstate(over="ignore"):
            squares = np.square(self.numerators) + np.square(self.denominators)
        is_finite = np.isfinite(squares).all(axis=1)
        bad = self.unit_ids[~is_finite]
        which = (
            f"{len(bad)} units have sums (such as units {bad[:5].tolist()})"
            if len(bad)
            else "units' sums have squares that add up to one"
        )
        raise UnsupportedEstimator(
            f"{which} that no double can hold, squared: weights times rewards overflow; limit the weights by clip"
        )

    @property
    def n_units(self) -> int:
        return len(self.unit_ids)

    @property
    def n_terms(self) -> int:
        return int(self.numerators.shape[1])

    def value(self) -> float:
        """Return the estimate on the sample itself."""
        return float(self.values(np.ones((1, self.n_units)))[0])

    def values(self, unit_weights: FloatArray) -> FloatArray:
        """Return the estimate under each row of unit weights, renormalised within the row.

        Args:
            unit_weights: how often each unit is drawn, `(n_draws, n_units)`.

        Returns:
            `(n_draws,)`. A ratio without any weight in its denominator adds 0: no episode of the draw reaches that
            step under the evaluation policy.
        """
        terms = ratio(unit_weights @ self.numerators, unit_weights @ self.denominators)
        return _row_sums(terms)

    def influence(self) -> FloatArray:
        """Return the influence value of each unit on the estimate, mean 0, `(n_units,)`.

        Source: the delta method for ratios (Serfling 1980, 3.3): U (N_u - R D_u) / sum D, summed over ratios.
        """
        total = self.denominators.sum(axis=0)
        rates = ratio(self.numerators.sum(axis=0), total)
        residual = self.numerators - rates * self.denominators
        return self.n_units * _row_sums(ratio(residual, np.broadcast_to(total, residual.shape)))


def _row_sums(terms: FloatArray) -> FloatArray:
    return np.asarray(terms.sum(axis=1), dtype=np.float64)


def ratio(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    """Return the element-wise ratio, 0 where the denominator is 0."""
    return np.divide(numerator, denominator, out=np.zeros_like(numerator, dtype=np.float64), where=denominator != 0)


def difference(candidate: RatioSums, baseline: RatioSums) -> RatioSums:
    """Return sums whose value is candidate minus baseline, paired unit by unit.

    Raises:
        EvaluationError: the two don't rest on the same units.
    """
    if not np.array_equal(candidate.unit_ids, baseline.unit_ids):
        raise EvaluationError("a paired difference needs both policies on the same units")
    return RatioSums(
        candidate.unit_ids,
        np.hstack([candidate.numerators, -baseline.numerators]),
        np.hstack([candidate.denominators, baseline.denominators]),
    )


def merged(*parts: RatioSums) -> RatioSums:
    """Return the sums over all parts of a log, as if they had been computed together.

    A part whose episodes are shorter has fewer terms; its missing denominators repeat its last, since an ended
    episode keeps its weight. A unit may occur in any number of parts. Merge first and take `difference` afterwards:
    a difference holds the terms of two policies side by side, and can't be padded at its end.

    Raises:
        EvaluationError: there are no parts.
    """
    if not parts:
        raise EvaluationError("there are no partial sums to merge")
    n_terms = max(part.n_terms for part in parts)
    # One sort of all ids and one pass over the parts: adding them up two by two would copy the growing sum each time.
    unit_ids = np.unique(np.concatenate([part.unit_ids for part in parts]))
    numerators, denominators = np.zeros((len(unit_ids), n_terms)), np.zeros((len(unit_ids), n_terms))
    for part in parts:
        add_part(part, unit_ids, numerators, denominators)
    return RatioSums(unit_ids, numerators, denominators)


def add_part(part: RatioSums, unit_ids: IntArray, numerators: FloatArray, denominators: FloatArray) -> None:
    """Add the part's sums, in place, to those of the whole.

    Args:
        part: of at most as many terms as the whole.
        unit_ids: of the whole, ascending, `(n_units,)`; the part's are among them.
        numerators: of the whole, `(n_units, n_terms)`.
        denominators: of the whole, `(n_units, n_terms)`.
    """
    at, n_own = np.searchsorted(unit_ids, part.unit_ids), part.n_terms
    numerators[at, :n_own] += part.numerators
    denominators[at, :n_own] += part.denominators
    denominators[at, n_own:] += part.denominators[:, -1:]


def mean_sums(values: FloatArray, unit: IntArray, unit_ids: IntArray) -> RatioSums:
    """Return sums whose value is the mean of the values, and whose spread is that of units.

    Args:
        values: `(n,)`.
        unit: of each value, as an index into `unit_ids`, `(n,)`.
        unit_ids: ascending, `(n_units,)`.
    """
    totals, counts = (sums_by_unit(each, unit, len(unit_ids)) for each in (values, np.ones(len(values))))
    return RatioSums(unit_ids, totals[:, None], counts[:, None])


def sums_by_unit(values: FloatArray, unit: IntArray, n_units: int) -> FloatArray:
    """Return the sum of the values of each unit, `(n_units,)`."""
    return np.bincount(unit, weights=values, minlength=n_units).astype(np.float64)
