"""What a team would do without learning: a constant, a table by recency, frequency and spend, and BG/NBD."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from conf.kernel.arrays import IntArray
from conf.specs.shopper_model import Target
from rl.errors import TrainingError
from rl.shopper_models.bg_nbd import BgNbd, Repeats, fit_bg_nbd
from rl.shopper_models.daily_activity import FloatArray
from rl.shopper_models.examples import Examples

_GROUPS = 5
_CELL_WEIGHT = 20.0


class Rule(Protocol):
    """Something that predicts outcomes of examples."""

    def predict(self, examples: Examples) -> FloatArray:
        """Return the predictions, `(n,)`."""
        ...


@dataclass(frozen=True)
class Constant:
    """The mean of what was seen, for everybody."""

    mean: float

    def predict(self, examples: Examples) -> FloatArray:
        """Return the mean of every example, `(n,)`."""
        return np.full(len(examples), self.mean)


@dataclass(frozen=True)
class RfmRule:
    """The mean of each cell of recency, frequency and spend, cut at quintiles.

    Attributes:
        edges: between the groups of each of the three, ascending.
        means: of cells, each drawn to the mean of all by the weight of 20 rows, `(n_r, n_f, n_m)`.
    """

    edges: tuple[FloatArray, FloatArray, FloatArray]
    means: FloatArray

    def predict(self, examples: Examples) -> FloatArray:
        """Return the mean of each example's cell, `(n,)`."""
        found: FloatArray = self.means[_cells(examples.rfm, self.edges)]
        return found


@dataclass(frozen=True)
class BgNbdRule:
    """BG/NBD of repeat purchases, or of visits for churn; those without any have the mean of their like.

    Attributes:
        target: what is predicted.
        horizon_days: of the prediction.
        model: with days as the unit of time.
        mean_without: of examples without a purchase.
        mean_spend: of a purchase day; a shopper's own counts as much as that of `spend_weight` days.
    """

    target: Target
    horizon_days: int
    model: BgNbd
    mean_without: float
    mean_spend: float = 0.0
    spend_weight: float = 2.0

    def predict(self, examples: Examples) -> FloatArray:
        """Return the predictions, `(n,)`."""
        has_any = examples.repeats.frequency >= 0
        found = np.full(len(examples), self.mean_without)
        found[has_any] = self._of_buyers(examples.repeats.rows(has_any), examples.purchases[has_any])
        return found

    def _of_buyers(self, repeats: Repeats, spend: FloatArray) -> FloatArray:
        if self.target == "spend":
            n = repeats.frequency + 1
            mean = (n * spend + self.spend_weight * self.mean_spend) / (n + self.spend_weight)
            return mean * self.model.expected_purchases(repeats, self.horizon_days)
        any_ = self.model.probability_of_any(repeats, self.horizon_days)
        return 1.0 - any_ if self.target == "churn" else any_


def fit_constant(outcome: FloatArray) -> Constant:
    """Return the mean outcome."""
    return Constant(float(outcome.mean()))


def fit_rfm(examples: Examples, outcome: FloatArray) -> RfmRule:
    """Return the table of the examples' mean outcomes."""
    shares = np.linspace(0, 1, _GROUPS + 1)[1:-1]
    r, f, m = (np.unique(np.quantile(column, shares)) for column in examples.rfm.T)
    edges = (r, f, m)
    shape = (len(r) + 1, len(f) + 1, len(m) + 1)
    flat = np.ravel_multi_index(_cells(examples.rfm, edges), shape)
    size = int(np.prod(shape))
    n = np.bincount(flat, minlength=size)
    total = np.bincount(flat, weights=outcome, minlength=size)
    means = (total + _CELL_WEIGHT * outcome.mean()) / (n + _CELL_WEIGHT)
    return RfmRule(edges, means.reshape(shape))


def fit_bg_nbd_rule(examples: Examples, outcome: FloatArray, *, target: Target, horizon_days: int) -> BgNbdRule | str:
    """Return the rule, fitted on each shopper's last example; a sentence where BG/NBD can't be fitted."""
    has_any = examples.repeats.frequency >= 0
    without = outcome[~has_any]
    last = has_any & _is_last_of_shopper(examples)
    try:
        model = fit_bg_nbd(examples.repeats.rows(last))
    except TrainingError as error:
        return str(error)
    n_days = examples.repeats.frequency[last] + 1
    mean_spend = float((examples.purchases[last] * n_days).sum() / n_days.sum())
    mean_without = float(without.mean()) if len(without) else float(outcome.mean())
    return BgNbdRule(target, horizon_days, model, mean_without, mean_spend)


def _is_last_of_shopper(examples: Examples) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    last = np.full(int(examples.shopper.max()) + 1, np.iinfo(np.int64).min)
    np.maximum.at(last, examples.shopper, examples.as_of_day)
    return np.asarray(last[examples.shopper] == examples.as_of_day)


def _cells(rfm: FloatArray, edges: tuple[FloatArray, FloatArray, FloatArray]) -> tuple[IntArray, IntArray, IntArray]:
    r, f, m = (np.searchsorted(edge, column, side="left") for edge, column in zip(edges, rfm.T, strict=True))
    return r, f, m
