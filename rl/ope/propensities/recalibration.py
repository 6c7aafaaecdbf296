"""Estimated probabilities corrected by what held-out shoppers did: a temperature, or an isotonic curve."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from scipy.optimize import minimize_scalar

from rl.data.logged_episodes import BoolArray, FloatArray, IntArray
from rl.ope.propensities.decisions import renormalized
from rl.policy.action_probabilities import masked_softmax

RecalibrationKind = Literal["none", "temperature", "isotonic"]
RECALIBRATIONS: tuple[RecalibrationKind, ...] = ("none", "temperature", "isotonic")
"""Simpler ones first."""

_SMALLEST = 1e-12
_LOG_RANGE = (-2.0, 2.0)  # temperatures from 0.14 to 7.4


class Recalibration(Protocol):
    """A correction of action probabilities."""

    def apply(self, probabilities: FloatArray, mask: BoolArray) -> FloatArray:
        """Return the corrected probabilities, `(n, n_actions)`: rows sum to 1, 0 where the mask is False."""
        ...


@dataclass(frozen=True)
class Unchanged:
    """No correction."""

    def apply(self, probabilities: FloatArray, mask: BoolArray) -> FloatArray:  # noqa: ARG002  -- the protocol's
        """Return the probabilities as they are."""
        return probabilities


@dataclass(frozen=True)
class Temperature:
    """Log-probabilities divided by a number: above 1 the model was too sure, below 1 too timid.

    Source: Guo et al. (2017), section 4.2.

    Attributes:
        value: the divisor.
    """

    value: float

    def apply(self, probabilities: FloatArray, mask: BoolArray) -> FloatArray:
        """Return the corrected probabilities, `(n, n_actions)`: rows sum to 1, 0 where the mask is False."""
        return masked_softmax(np.log(np.maximum(probabilities, _SMALLEST)) / self.value, mask, 1.0)


@dataclass(frozen=True)
class Isotonic:
    """Each probability replaced by how often one as large came true, then rows renormalised.

    One curve for all actions. Source: Zadrozny and Elkan (2002), section 4, with one curve in place of one per class.

    Attributes:
        predicted: ascending, `(n_knots,)`.
        observed: share come true, not falling, `(n_knots,)`.
    """

    predicted: FloatArray
    observed: FloatArray

    def apply(self, probabilities: FloatArray, mask: BoolArray) -> FloatArray:
        """Return the corrected probabilities, `(n, n_actions)`: rows sum to 1, 0 where the mask is False."""
        return renormalized(np.interp(probabilities, self.predicted, self.observed), mask)


def fit_recalibration(
    kind: RecalibrationKind, probabilities: FloatArray, mask: BoolArray, action: IntArray
) -> Recalibration:
    """Return the correction under which the actions were likeliest.

    Args:
        kind: of correction.
        probabilities: by a model that saw none of these decisions, `(n, n_actions)`.
        mask: available actions, `(n, n_actions)`.
        action: taken, `(n,)`.
    """
    if kind == "none":
        return Unchanged()
    fit = _temperature if kind == "temperature" else _isotonic
    return fit(probabilities, mask, action)


def _temperature(probabilities: FloatArray, mask: BoolArray, action: IntArray) -> Temperature:
    scores = np.log(np.maximum(probabilities, _SMALLEST))
    taken = scores[np.arange(len(action)), action]

    def log_loss(log_temperature: float) -> float:
        temperature = np.exp(log_temperature)
        total = np.where(mask, np.exp(scores / temperature), 0.0).sum(axis=1)
        return float((np.log(total) - taken / temperature).mean())

    found = minimize_scalar(log_loss, bounds=_LOG_RANGE, method="bounded", options={"xatol": 1e-3})
    return Temperature(float(np.exp(found.x)))


def _isotonic(probabilities: FloatArray, mask: BoolArray, action: IntArray) -> Isotonic:
    """Return the isotonic regression of "was taken" on the probability, over pairs of decision and available action."""
    from sklearn.isotonic import IsotonicRegression  # noqa: PLC0415  (takes a second to import; logged propensities need none)

    taken = np.zeros(mask.shape)
    taken[np.arange(len(action)), action] = 1.0
    # Half a choice at the lower end: no probability becomes 0 because nobody happened to choose so.
    n_pairs = int(mask.sum())
    regression = IsotonicRegression(y_min=0.5 / n_pairs, y_max=1.0, out_of_bounds="clip")
    regression.fit(probabilities[mask], taken[mask])
    return Isotonic(
        np.asarray(regression.X_thresholds_, dtype=np.float64), np.asarray(regression.y_thresholds_, dtype=np.float64)
    )
