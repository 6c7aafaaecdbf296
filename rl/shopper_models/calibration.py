"""Whether predictions come true as often as they say, and how they are corrected to do so."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit

from conf.kernel.arrays import IntArray
from rl.errors import TrainingError
from rl.shopper_models.daily_activity import FloatArray
from rl.shopper_models.tree_ensemble import Outcome

_MOST_STEPS = 100
_TINY = 1e-12
_ALIKE = 1e-9
_MOST_LINK = 30.0


@dataclass(frozen=True)
class Recalibration:
    """The line that predictions would have to be moved to, on the scale of log odds (or of logs, for amounts).

    Attributes:
        intercept: 0 where predictions are right on the whole, given the slope.
        slope: 1 where they are as far apart as what comes true; below 1 they are too far apart.
        covariance: of both, with shoppers as the independent units, `(2, 2)`; None without shoppers.
    """

    intercept: float
    slope: float
    covariance: FloatArray | None = None

    def apply(self, predicted: FloatArray, kind: Outcome) -> FloatArray:
        """Return the predictions moved to the line, `(n,)`."""
        return from_link(self.intercept + self.slope * to_link(predicted, kind), kind)


@dataclass(frozen=True)
class IsotonicCurve:
    """A curve that never falls: predictions at `at` become `means`, between them on the straight line."""

    at: FloatArray
    means: FloatArray

    def apply(self, predicted: FloatArray, kind: Outcome) -> FloatArray:  # noqa: ARG002  (as of Recalibration)
        """Return the predictions on the curve, `(n,)`."""
        return np.interp(predicted, self.at, self.means)


Calibrator = Recalibration | IsotonicCurve


def fit_calibrator(predicted: FloatArray, outcome: FloatArray, *, kind: Outcome, isotonic_above: int) -> Calibrator:
    """Return an isotonic curve where the rarer outcome has enough rows, else the line of two parameters.

    Predictions that are all the same stay as they are: nothing was learned, and the gate says so. The curve stays
    half a row away from 0 and 1: nothing is certain that so many rows have shown.
    """
    from sklearn.isotonic import IsotonicRegression  # noqa: PLC0415  (takes a second to import; scores need none)

    if np.ptp(to_link(predicted, kind)) < _ALIKE:
        return Recalibration(0.0, 1.0)
    n_positive = int((outcome > 0).sum())
    n_rarer = min(n_positive, len(outcome) - n_positive) if kind == "probability" else n_positive
    if n_rarer < isotonic_above:
        return recalibrate(predicted, outcome, kind=kind)
    curve = IsotonicRegression(out_of_bounds="clip").fit(predicted, outcome)
    means = np.asarray(curve.y_thresholds_, dtype=np.float64)
    edge = 0.5 / len(outcome)
    means = np.clip(means, edge, 1 - edge) if kind == "probability" else np.maximum(means, edge * outcome.mean())
    return IsotonicCurve(np.asarray(curve.X_thresholds_, dtype=np.float64), means)


def recalibrate(
    predicted: FloatArray, outcome: FloatArray, *, kind: Outcome, shopper: IntArray | None = None
) -> Recalibration:
    """Return intercept and slope of the outcomes' regression on the predictions: logistic, or log-linear for amounts.

    Source: Cox (1958), Two further applications of a model for binary regression.

    Raises:
        TrainingError: predictions are all the same, or outcomes are, so that there is no line.
    """
    link = to_link(predicted, kind)
    if np.ptp(link) < _ALIKE:
        raise TrainingError("all predictions are the same: there is no calibration slope")
    if np.ptp(outcome) == 0:
        raise TrainingError("all outcomes are the same: there is no calibration slope")
    design = np.stack([np.ones(len(link)), link], axis=1)
    line = _newton(design, outcome, kind)
    if shopper is None:
        return Recalibration(float(line[0]), float(line[1]))
    mean = from_link(design @ line, kind)
    bread = np.linalg.inv(design.T @ (design * _variance(mean, kind)[:, None]))
    scores = design * (outcome - mean)[:, None]
    _, unit = np.unique(shopper, return_inverse=True)
    clustered = np.stack([np.bincount(unit, weights=column) for column in scores.T], axis=1)
    n_units = len(clustered)
    meat = clustered.T @ clustered * n_units / max(n_units - 1, 1)
    return Recalibration(float(line[0]), float(line[1]), bread @ meat @ bread)


def slope_error(predicted: FloatArray, outcome: FloatArray, shopper: IntArray, *, kind: Outcome) -> float | None:
    """Return the standard error of the calibration slope as a share of it, over shoppers; None without a line.

    A correction by that line is off by so much, by chance, on whatever days it is tried.
    """
    try:
        line = recalibrate(predicted, outcome, kind=kind, shopper=shopper)
    except TrainingError:
        return None
    if line.covariance is None or line.slope <= 0:
        return None
    return float(np.sqrt(line.covariance[1, 1]) / line.slope)


def _newton(design: FloatArray, outcome: FloatArray, kind: Outcome) -> FloatArray:
    """Return the line of the largest likelihood; steps are halved until it rises."""
    line: FloatArray = np.array([0.0, 1.0])
    best = _likelihood(design @ line, outcome, kind)
    for _ in range(_MOST_STEPS):
        mean = from_link(design @ line, kind)
        hessian = design.T @ (design * _variance(mean, kind)[:, None]) + _TINY * np.eye(2)
        step = np.linalg.solve(hessian, design.T @ (outcome - mean))
        for _ in range(40):
            found = _likelihood(design @ (line + step), outcome, kind)
            if found >= best:
                break
            step = step / 2
        else:
            return line
        line, gained, best = line + step, found - best, found
        if gained <= 1e-12 * (1 + abs(best)) and np.abs(step).max() < 1e-8:
            return line
    raise TrainingError("the calibration line has no end: outcomes are split by the predictions")


def _likelihood(total: FloatArray, outcome: FloatArray, kind: Outcome) -> float:
    if kind == "probability":
        return float((outcome * total - np.logaddexp(0.0, total)).sum())
    return float((outcome * total - np.exp(np.minimum(total, _MOST_LINK))).sum())


def to_link(predicted: FloatArray, kind: Outcome) -> FloatArray:
    """Return the log odds of probabilities, or the logs of amounts, `(n,)`."""
    if kind == "probability":
        return np.asarray(logit(np.clip(predicted, _TINY, 1 - _TINY)))
    return np.log(np.maximum(predicted, _TINY))


def from_link(total: FloatArray, kind: Outcome) -> FloatArray:
    """Return the probabilities of log odds, or the amounts of logs, `(n,)`."""
    return np.asarray(expit(total)) if kind == "probability" else np.exp(np.minimum(total, _MOST_LINK))


def _variance(mean: FloatArray, kind: Outcome) -> FloatArray:
    return mean * (1 - mean) if kind == "probability" else mean
