"""Losses of predictions and their paired differences, with shoppers as the independent units."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri
from scipy.stats import rankdata

from conf.kernel.arrays import IntArray
from rl.shopper_models.daily_activity import FloatArray
from rl.shopper_models.figures import BoundedFigure
from rl.shopper_models.tree_ensemble import Outcome

_BLOCK = 100
_TINY = 1e-12


def squared_errors(predicted: FloatArray, outcome: FloatArray) -> FloatArray:
    """Return each row's squared error, `(n,)`; their mean is the Brier score of probabilities."""
    return np.square(predicted - outcome)


def log_losses(predicted: FloatArray, outcome: FloatArray, kind: Outcome) -> FloatArray:
    """Return each row's minus log likelihood, `(n,)`; of amounts the Poisson deviance."""
    if kind == "probability":
        kept = np.clip(predicted, _TINY, 1 - _TINY)
        return -(outcome * np.log(kept) + (1 - outcome) * np.log1p(-kept))
    kept = np.maximum(predicted, _TINY)
    ratio = np.where(outcome > 0, outcome / kept, 1.0)
    return 2 * (np.where(outcome > 0, outcome * np.log(ratio), 0.0) - outcome + kept)


@dataclass(frozen=True)
class ShopperResamples:
    """Resampled shoppers: how often each is drawn, the same draws for all figures, so that differences are paired.

    Attributes:
        unit: shopper of each row, numbered from 0, `(n,)`.
        n_units: shoppers.
        n_resamples: draws of as many shoppers.
        level: of intervals.
        seed: of the draws.
    """

    unit: IntArray
    n_units: int
    n_resamples: int
    level: float
    seed: int

    def mean(self, values: FloatArray) -> BoundedFigure:
        """Return the mean of the rows' values, with its percentile interval."""
        drawn = self._drawn([values, np.ones(len(values))])
        return self._bounded(float(values.mean()), drawn[:, 0] / drawn[:, 1])

    def skill(self, losses: FloatArray, of_constant: FloatArray) -> BoundedFigure:
        """Return the share of the constant's loss that is saved: 1 is perfect, 0 no better than the constant."""
        drawn = self._drawn([losses, of_constant])
        if not of_constant.sum() > 0:
            return BoundedFigure(value=0.0, lower=0.0, upper=0.0)
        return self._bounded(1 - float(losses.sum() / of_constant.sum()), 1 - drawn[:, 0] / drawn[:, 1])

    def _drawn(self, columns: list[FloatArray]) -> FloatArray:
        """Return the columns' sums in every resample, `(n_resamples, n_columns)`."""
        sums = np.stack([np.bincount(self.unit, weights=one, minlength=self.n_units) for one in columns], axis=1)
        rng = np.random.default_rng(self.seed)
        share = np.full(self.n_units, 1 / self.n_units)
        found = []
        for first in range(0, self.n_resamples, _BLOCK):
            n = min(_BLOCK, self.n_resamples - first)
            found.append(rng.multinomial(self.n_units, share, size=n) @ sums)
        return np.concatenate(found)

    def _bounded(self, value: float, drawn: FloatArray) -> BoundedFigure:
        tail = (1 - self.level) / 2
        lower, upper = np.quantile(drawn, [tail, 1 - tail])
        return BoundedFigure(value=value, lower=float(lower), upper=float(upper))


def resamples_of(shopper: IntArray, *, n_resamples: int, level: float, seed: int) -> ShopperResamples:
    """Return the resamples of the rows' shoppers."""
    shoppers, unit = np.unique(shopper, return_inverse=True)
    return ShopperResamples(unit.astype(np.int64), len(shoppers), n_resamples, level, seed)


@dataclass(frozen=True)
class RankedRows:
    """How well predictions order rows: the area under the ROC curve, and how much each row moves it, `(n,)`.

    Source: DeLong, DeLong and Clarke-Pearson (1988); clustered as in Obuchowski (1997).
    """

    auc: float
    influence: FloatArray


def ranked_rows(predicted: FloatArray, outcome: FloatArray) -> RankedRows | None:
    """Return the AUC of a positive outcome; None where all outcomes are alike."""
    is_positive = outcome > 0
    n_positive = int(is_positive.sum())
    n_negative = len(outcome) - n_positive
    if not n_positive or not n_negative:
        return None
    among_all = rankdata(predicted)
    among_own = np.empty(len(predicted))
    among_own[is_positive] = rankdata(predicted[is_positive])
    among_own[~is_positive] = rankdata(predicted[~is_positive])
    below = among_all - among_own  # rows of the other outcome that are below, ties as halves
    auc = float(below[is_positive].mean() / n_negative)
    placed = np.where(is_positive, below / n_negative, 1 - below / n_positive)
    return RankedRows(auc, (placed - auc) / np.where(is_positive, n_positive, n_negative))


def auc_figure(rows: RankedRows, resamples: ShopperResamples, other: RankedRows | None = None) -> BoundedFigure:
    """Return the AUC, or how much it is above the other's, with a normal interval over shoppers."""
    value = rows.auc - (other.auc if other else 0.0)
    influence = rows.influence - (other.influence if other else 0.0)
    by_shopper = np.bincount(resamples.unit, weights=influence, minlength=resamples.n_units)
    half = float(ndtri((1 + resamples.level) / 2) * np.sqrt(np.square(by_shopper).sum()))
    return BoundedFigure(value=value, lower=value - half, upper=value + half)
