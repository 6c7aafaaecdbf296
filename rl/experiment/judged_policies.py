"""Values of policies on an experiment's shoppers, and how surely each can be told from the best arm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rl.data.logged_episodes import FloatArray
from rl.experiment.figures import ArmFigures, OutcomeFigures, PolicyAnswer, PolicyFigures, Resolution
from rl.figures.effects import Bounded
from rl.ope.effects.crossfit import CrossFit, arm_means, margin_over
from rl.ope.effects.first_decisions import FirstDecisions
from rl.ope.effects.learners import best_available
from rl.ope.intervals.intervals import Resampling, reaching_intervals, student_interval
from rl.ope.intervals.sums import RatioSums

LEAST_SHARE = 0.2
"""Of shoppers that a policy treats differently from the best arm: fewer, and its gain rests on too few to be told."""

ASKED_SHARES = (0.2, 0.35, 0.5)
RESOLVED_SHARES = (0.05, 0.1, 0.2, 0.35, 0.5)


@dataclass(frozen=True)
class Judge:
    """Makes intervals over shoppers, each by itself.

    Attributes:
        level: of the intervals.
        resampling: of shoppers.
    """

    level: float
    resampling: Resampling

    def mean(self, values: FloatArray) -> Bounded:
        """Return the mean of one value a shopper, `(n,)`, between its bounds."""
        return self.means([values])[0]

    def means(self, each: Sequence[FloatArray], weights: FloatArray | None = None) -> list[Bounded]:
        """Return the means of several values a shopper, `(n,)` each, between bounds; shoppers are drawn once for all.

        Weights are one for all, `(n,)`, or one for each, `(n_values, n)`; None weights all alike.
        """
        n = len(each[0])
        by = np.broadcast_to(1.0 if weights is None else weights, (len(each), n))
        sums = [
            RatioSums(np.arange(n), (weight * values)[:, None], weight[:, None].copy())
            for values, weight in zip(each, by, strict=True)
        ]
        found = reaching_intervals(sums, level=self.level, resampling=self.resampling)
        return [Bounded(value=one.value, lower=one.lower, upper=one.upper) for one in found]

    def half_width(self, values: FloatArray) -> float:
        """Return half of Student's interval of a mean: what the design alone says, without looking at tails."""
        sums = RatioSums(np.arange(len(values)), values[:, None], np.ones((len(values), 1)))
        found = student_interval(sums, level=self.level)
        return (found.upper - found.lower) / 2


def judge_outcome(
    decisions: FirstDecisions,
    fitted: CrossFit,
    judge: Judge,
    *,
    name: str,
    unit: str,
    actions: tuple[str, ...],
    costs: tuple[float | None, ...],
    night: Mapping[str, FloatArray],
) -> OutcomeFigures:
    """Return what the experiment says of one outcome: its arms, policies beside the best of them, and what would show.

    Args:
        decisions: with the outcome.
        fitted: on it.
        judge: of means.
        name: of the outcome.
        unit: of it.
        actions: natural keys, in the order of the index.
        costs: of the actions, None where none is declared.
        night: probabilities of the night's candidate refitted by fold, by its name; empty where there is none.
    """
    best = np.eye(decisions.n_actions)[fitted.best_arm]
    each = np.eye(decisions.n_actions)
    # Where an action isn't available, the best of those that are stands for it.
    asked = [
        _Asked("arm", one, each[np.where(decisions.mask[:, arm], arm, fitted.best_arm)])
        for arm, one in enumerate(actions)
    ]
    for learner, values in fitted.values.items():
        asked.append(_Asked("learner", learner, best_available(values, decisions.mask)))
        asked += [_Asked("learner", learner, share_told(decisions, fitted, learner, one), one) for one in ASKED_SHARES]
    asked += [_Asked("night", own, chances) for own, chances in night.items()]
    best_value, *policies = _judged(asked, best, fitted, judge)
    return OutcomeFigures(
        name=name,
        unit=unit,
        arms=_arms(decisions, judge, actions, costs),
        best_arms=tuple(dict.fromkeys(actions[arm] for arm in fitted.best_by_fold)),
        best_value=best_value.value,
        policies=tuple(policies),
        resolution=tuple(
            _resolution(decisions, fitted, judge, share, best_value.value.value) for share in RESOLVED_SHARES
        ),
    )


@dataclass(frozen=True)
class _Asked:
    """A policy before it is judged: probabilities, `(n, n_actions)`, and the share it was told to treat differently."""

    kind: str
    name: str
    chances: FloatArray
    share: float | None = None


def _judged(asked: Sequence[_Asked], best: FloatArray, fitted: CrossFit, judge: Judge) -> list[PolicyFigures]:
    """Return the best arm and all that was asked for, judged on the same draws of shoppers."""
    every = [_Asked("arm", "best", best), *asked]
    values = [(one.chances * fitted.scores).sum(axis=1) for one in every]
    bounded = judge.means([*values, *(value - values[0] for value in values)])
    found = []
    for one, value, gain in zip(every, bounded, bounded[len(every) :], strict=False):
        different = max(0.0, float(1 - (one.chances * best).sum(axis=1).mean()))
        content: dict[str, Any] = {"kind": one.kind, "name": one.name, "share_asked": one.share}
        content |= {"share_different": different, "value": value, "gain": gain, "answer": _answer(gain, different)}
        found.append(PolicyFigures.model_validate(content))
    return found


def share_told(decisions: FirstDecisions, fitted: CrossFit, learner: str, share: float) -> FloatArray:
    """Return the policy that treats about a share of shoppers differently from the best arm, those who gain most by it.

    From which predicted gain on is the quantile of the other folds' shoppers: nothing of a shopper's own fold is used.

    Returns:
        Probabilities, `(n, n_actions)`. A learner that predicts the same of all treats nobody differently.
    """
    values = fitted.values[learner]
    margin = margin_over(values, decisions, fitted.best_arm)
    thresholds = np.array([np.quantile(one[np.isfinite(one)], 1 - share) for one in fitted.margins_elsewhere[learner]])
    others = values.copy()
    others[np.arange(decisions.n), fitted.best_arm] = -np.inf
    is_told = (margin > thresholds[fitted.fold])[:, None]
    stays: FloatArray = np.eye(decisions.n_actions)[fitted.best_arm]
    return np.where(is_told, best_available(others, decisions.mask), stays)


def _answer(gain: Bounded, different: float) -> PolicyAnswer:
    # A share asked for is met by the quantile of other shoppers, to a point or so.
    if different < LEAST_SHARE - 0.01:
        return "too_alike"
    if gain.lower > 0:
        return "better"
    return "worse" if gain.upper < 0 else "cannot_tell"


def _arms(
    decisions: FirstDecisions, judge: Judge, actions: tuple[str, ...], costs: tuple[float | None, ...]
) -> tuple[ArmFigures, ...]:
    got = decisions.action == np.arange(decisions.n_actions)[:, None]
    means = arm_means(decisions)
    bounded = judge.means([decisions.outcome] * decisions.n_actions, got / decisions.propensity)
    return tuple(
        ArmFigures(
            name=action,
            n=int(got[arm].sum()),
            cost=costs[arm],
            mean=bounded[arm].model_copy(update={"value": float(means[arm])}),
        )
        for arm, action in enumerate(actions)
    )


def _resolution(
    decisions: FirstDecisions, fitted: CrossFit, judge: Judge, share: float, best_value: float
) -> Resolution:
    """Return the half-width for a policy that treats a share of shoppers differently, drawn without looking at them.

    Who they are hardly matters for the width: each of them gets an action that another third, say, of shoppers got.
    """
    chosen = np.random.default_rng(0).random(decisions.n) < share
    rows = np.arange(decisions.n)
    others = np.where(decisions.mask, fitted.values[next(iter(fitted.values))], -np.inf)
    others[rows, fitted.best_arm] = -np.inf
    chosen &= np.isfinite(others).any(axis=1)
    second = best_available(others, decisions.mask)
    best = np.eye(decisions.n_actions)[fitted.best_arm]
    half_width = judge.half_width(((second - best) * fitted.scores).sum(axis=1) * chosen)
    return Resolution(
        share=share, half_width=half_width, half_width_share=half_width / best_value if best_value > 0 else None
    )
