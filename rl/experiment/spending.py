"""What money brings: multi-armed Qini curves of an experiment, beside giving one action to a random share.

Source: Sverdrup, Wu, Athey and Wager, Qini Curves for Multi-Armed Treatment Rules (2024).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import ndtri

from rl.data.logged_episodes import BoolArray, FloatArray
from rl.figures.effects import Bounded, CurveLine, SpendLines
from rl.ope.effects.crossfit import CrossFit
from rl.ope.effects.first_decisions import FirstDecisions
from rl.ope.effects.learners import LEARNERS
from rl.ope.spend_curve import SpendCurve, spend_curve
from rl.policy.offer_budget import SpendPath, spend_path

_N_SPENDS = 5
_N_DRAWS = 300
_MAX_POINTS = 120
LineKind = Literal["learner", "candidate", "arm"]
_LEAST_VALUE = 0.0  # of an action that isn't available: it is never worth its cost


@dataclass(frozen=True)
class _Walk:
    """An order of steps, or an action whose random share of shoppers grows; on scores of paid actions.

    Attributes:
        path: the order; None for the action.
        arm: its place among the paid ones.
        may_get: the action, `(n,)`.
    """

    path: SpendPath | None
    arm: int = 0
    may_get: BoolArray | None = None

    def curve(self, scores: FloatArray, costs: FloatArray, weights: FloatArray | None) -> SpendCurve:
        if self.path is not None:
            return spend_curve(self.path, scores, weights=weights)
        gain = float(np.average(scores[:, self.arm], weights=weights))
        share = 1.0 if self.may_get is None else float(np.average(self.may_get, weights=weights))
        return SpendCurve(np.array([0.0, share * costs[self.arm]]), np.array([0.0, gain]))


def spend_lines(  # noqa: PLR0913 -- what is paid, by whose order, and told at which spends
    decisions: FirstDecisions,
    fitted: CrossFit,
    *,
    actions: Sequence[str],
    costs: FloatArray,
    nothing: int,
    level: float,
    spends: FloatArray | None = None,
    is_cost_added: bool = True,
    seed: int = 0,
) -> SpendLines:
    """Return curves of gain against spend for each order and each paid action, with intervals.

    Args:
        decisions: with the reward as outcome.
        fitted: on it; its values are of learners, or of a night's candidate by its name.
        actions: natural keys, in the order of the index.
        costs: of the actions, `(n_actions,)`, in the reward's unit; above 0 but for `nothing`.
        nothing: index of the action that costs nothing.
        level: of the intervals.
        spends: that gains are told at, a shopper; None takes five, up to the dearest action for everybody.
        is_cost_added: True where the reward is less these very costs and gains are told before them; False where they
            are told as rewards are, whatever is committed.
        seed: of the draws of shoppers.
    """
    paid = np.array([arm for arm in range(len(actions)) if arm != nothing])
    added = costs[paid] if is_cost_added else np.zeros(len(paid))
    scores = fitted.scores[:, paid] - fitted.scores[:, [nothing]] + added
    # Who may not get an action doesn't get it at random either.
    scores = np.where(decisions.mask[:, paid], scores, _LEAST_VALUE)
    walks: dict[tuple[LineKind, str], _Walk] = {}
    for name, values in fitted.values.items():
        worth = np.where(decisions.mask[:, paid], values[:, paid] - values[:, [nothing]] + added, _LEAST_VALUE)
        kind: LineKind = "learner" if name in LEARNERS else "candidate"
        walks[kind, name] = _Walk(spend_path(worth, costs[paid]))
    walks |= {("arm", actions[arm]): _Walk(None, place, decisions.mask[:, arm]) for place, arm in enumerate(paid)}
    at_spends = np.linspace(0, costs[paid].max(), _N_SPENDS + 1)[1:] if spends is None else spends
    curves = {name: walk.curve(scores, costs[paid], None) for name, walk in walks.items()}
    drawn = _drawn(walks, scores, costs[paid], at_spends, seed)
    at = {name: curve.gain_at(at_spends) for name, curve in curves.items()}
    reach = float(ndtri(0.5 + level / 2))
    first = next(iter(walks))
    rival = max((name for name in walks if name[0] == "arm"), key=lambda name: at[name][-1])
    return SpendLines(
        spends=tuple(at_spends.tolist()),
        lines=tuple(_line(name, curves[name], at[name], drawn[name], reach) for name in walks),
        ahead=_bounded(at[first] - at[rival], drawn[first] - drawn[rival], reach),
        ahead_of=rival[1],
        nothing=actions[nothing],
    )


def _drawn(
    walks: Mapping[tuple[LineKind, str], _Walk], scores: FloatArray, costs: FloatArray, spends: FloatArray, seed: int
) -> dict[tuple[LineKind, str], FloatArray]:
    """Return the gains on shoppers that were drawn anew, the same for all walks, by walk `(n_draws, n_spends)`."""
    n, generator = len(scores), np.random.default_rng(seed)
    found = {name: np.empty((_N_DRAWS, len(spends))) for name in walks}
    for row in range(_N_DRAWS):
        weights = np.bincount(generator.integers(0, n, n), minlength=n).astype(np.float64)
        for name, walk in walks.items():
            found[name][row] = walk.curve(scores, costs, weights).gain_at(spends)
    return found


def _line(name: tuple[LineKind, str], curve: SpendCurve, at: FloatArray, drawn: FloatArray, reach: float) -> CurveLine:
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
