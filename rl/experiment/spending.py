"""What money brings: multi-armed Qini curves of an experiment, beside giving one action to a random share.

Source: Sverdrup, Wu, Athey and Wager, Qini Curves for Multi-Armed Treatment Rules (2024).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from rl.data.logged_episodes import FloatArray
from rl.experiment.figures import Bounded, CurveLine, SpendFigures
from rl.ope.effects.crossfit import CrossFit
from rl.ope.effects.first_decisions import FirstDecisions
from rl.ope.spend_curve import SpendCurve, spend_curve
from rl.policy.offer_budget import SpendPath, spend_path

_N_SPENDS = 5
_N_DRAWS = 300
_MAX_POINTS = 120
_LEAST_VALUE = 0.0  # of an action that isn't available: it is never worth its cost


@dataclass(frozen=True)
class _Walk:
    """A learner's order of steps, or an action whose random share of shoppers grows; on scores of paid actions."""

    path: SpendPath | None
    arm: int = 0

    def curve(self, scores: FloatArray, costs: FloatArray, weights: FloatArray | None) -> SpendCurve:
        if self.path is not None:
            return spend_curve(self.path, scores, weights=weights)
        gain = float(np.average(scores[:, self.arm], weights=weights))
        return SpendCurve(np.array([0.0, costs[self.arm]]), np.array([0.0, gain]))


def spend_figures(
    decisions: FirstDecisions,
    fitted: CrossFit,
    *,
    actions: Sequence[str],
    costs: FloatArray,
    nothing: int,
    level: float,
    seed: int = 0,
) -> SpendFigures:
    """Return curves of gain against spend for each learner's order and each paid action, with intervals.

    Gains are before the cost: the reward's own cost of the action is added to it again.

    Args:
        decisions: with the reward as outcome.
        fitted: on it.
        actions: natural keys, in the order of the index.
        costs: of the actions, `(n_actions,)`, in the reward's unit; above 0 but for `nothing`.
        nothing: index of the action that costs nothing.
        level: of the intervals.
        seed: of the draws of shoppers.
    """
    paid = np.array([arm for arm in range(len(actions)) if arm != nothing])
    scores = fitted.scores[:, paid] - fitted.scores[:, [nothing]] + costs[paid]
    walks: dict[tuple[str, str], _Walk] = {}
    for learner, values in fitted.values.items():
        worth = values[:, paid] - values[:, [nothing]] + costs[paid]
        worth = np.where(decisions.mask[:, paid], worth, _LEAST_VALUE)
        walks["learner", learner] = _Walk(spend_path(worth, costs[paid]))
    walks |= {("arm", actions[arm]): _Walk(None, place) for place, arm in enumerate(paid)}
    spends = np.linspace(0, costs[paid].max(), _N_SPENDS + 1)[1:]
    curves = {name: walk.curve(scores, costs[paid], None) for name, walk in walks.items()}
    drawn = _drawn(walks, scores, costs[paid], spends, seed)
    at = {name: curve.gain_at(spends) for name, curve in curves.items()}
    reach = float(norm.ppf(0.5 + level / 2))
    first = next(iter(walks))
    rival = max((name for name in walks if name[0] == "arm"), key=lambda name: at[name][-1])
    return SpendFigures(
        spends=tuple(spends.tolist()),
        lines=tuple(_line(name, curves[name], at[name], drawn[name], reach) for name in walks),
        ahead=_bounded(at[first] - at[rival], drawn[first] - drawn[rival], reach),
        ahead_of=rival[1],
        nothing=actions[nothing],
    )


def _drawn(
    walks: Mapping[tuple[str, str], _Walk], scores: FloatArray, costs: FloatArray, spends: FloatArray, seed: int
) -> dict[tuple[str, str], FloatArray]:
    """Return the gains on shoppers that were drawn anew, the same for all walks, by walk `(n_draws, n_spends)`."""
    n, generator = len(scores), np.random.default_rng(seed)
    found = {name: np.empty((_N_DRAWS, len(spends))) for name in walks}
    for row in range(_N_DRAWS):
        weights = np.bincount(generator.integers(0, n, n), minlength=n).astype(np.float64)
        for name, walk in walks.items():
            found[name][row] = walk.curve(scores, costs, weights).gain_at(spends)
    return found


def _line(name: tuple[str, str], curve: SpendCurve, at: FloatArray, drawn: FloatArray, reach: float) -> CurveLine:
    kept = np.unique(np.linspace(0, len(curve.spend) - 1, min(_MAX_POINTS, len(curve.spend))).astype(np.int64))
    return CurveLine.model_validate(
        {
            "kind": name[0],
            "name": name[1],
            "spend": tuple(curve.spend[kept].tolist()),
            "gain": tuple(curve.gain[kept].tolist()),
            "at": _bounded(at, drawn, reach),
        }
    )


def _bounded(values: FloatArray, drawn: FloatArray, reach: float) -> tuple[Bounded, ...]:
    errors = drawn.std(axis=0, ddof=1)
    return tuple(
        Bounded(value=float(value), lower=float(value - reach * error), upper=float(value + reach * error))
        for value, error in zip(values, errors, strict=True)
    )
