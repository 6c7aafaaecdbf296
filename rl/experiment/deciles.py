"""Effects by tenths of shoppers, ordered by what models of other shoppers predicted of them."""

from __future__ import annotations

import numpy as np

from rl.data.logged_episodes import BoolArray, FloatArray, IntArray
from rl.errors import UnsupportedEstimator
from rl.experiment.judged_policies import Judge
from rl.figures.effects import Bounded, Decile, DecileFigures
from rl.ope.effects.crossfit import CrossFit, margin_over
from rl.ope.effects.first_decisions import FirstDecisions
from rl.ope.effects.learners import best_available

N_PARTS = 10
FEWEST = 20


def decile_figures(
    decisions: FirstDecisions, fitted: CrossFit, judge: Judge, *, learner: str, nothing: int, name_of_nothing: str
) -> DecileFigures:
    """Return the effect in each tenth, of the action that a shopper is predicted to gain most by, over nothing.

    Tenths are made within folds: predictions of different models aren't held against each other.

    Args:
        decisions: with an outcome.
        fitted: on it.
        judge: of means.
        learner: whose predictions order the shoppers.
        nothing: index of the action that effects are over.
        name_of_nothing: its natural key.

    Raises:
        UnsupportedEstimator: a tenth with hardly anybody who could get anything.
    """
    values = fitted.values[learner].copy()
    predicted = margin_over(values, decisions, nothing)
    has_choice = np.isfinite(predicted)
    values[:, nothing] = -np.inf
    chosen = best_available(values, decisions.mask)
    effect = (chosen * fitted.scores).sum(axis=1) - fitted.scores[:, nothing]
    part = _parts(predicted, fitted.fold, has_choice)
    tenths = [part == number for number in range(N_PARTS)]
    if empty := [number + 1 for number, rows in enumerate(tenths) if rows.sum() < FEWEST]:
        raise UnsupportedEstimator(
            f"tenths {', '.join(map(str, empty))} hold fewer than {FEWEST} shoppers who have a choice"
        )
    found = [
        Decile(n=int(rows.sum()), predicted=float(predicted[rows].mean()), effect=judge.mean(effect[rows]))
        for rows in tenths
    ]
    return DecileFigures(
        learner=learner, nothing=name_of_nothing, deciles=tuple(found), spread=_spread(found[0], found[-1])
    )


def _parts(predicted: FloatArray, fold: IntArray, has_choice: BoolArray) -> IntArray:
    """Return the tenth of each shopper with a choice within the fold, 0 with the highest prediction; -1 of others.

    Ties keep their order.
    """
    part = np.full(len(predicted), -1, dtype=np.int64)
    for k in np.unique(fold):
        rows = np.flatnonzero((fold == k) & has_choice)
        order = rows[np.argsort(-predicted[rows], kind="stable")]
        part[order] = np.arange(len(rows)) * N_PARTS // len(rows)
    return part


def _spread(first: Decile, last: Decile) -> Bounded:
    """Return first less last; the two are of other shoppers, so that their errors add up as squares."""
    one, other = first.effect, last.effect
    value = one.value - other.value
    below = np.hypot(one.value - one.lower, other.upper - other.value)
    above = np.hypot(one.upper - one.value, other.value - other.lower)
    return Bounded(value=value, lower=value - float(below), upper=value + float(above))
