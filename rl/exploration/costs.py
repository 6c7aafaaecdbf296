"""What a night of exploration costs, by stratum, in units of reward."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from rl.data.logged_episodes import FloatArray
from rl.exploration.belief import Belief
from rl.exploration.prediction import Strata
from rl.exploration.rows import ExplorationArm, GainRows

CONFIDENCE = 0.95
"""That a stratum costs no more than its worst cost."""


@dataclass(frozen=True)
class NightCosts:
    """What a night costs by stratum if all its decisions were explored; to first order it is in proportion to shares.

    Exact where an episode has one decision. In longer ones it counts each explored decision as if the rest of the
    session were the baseline's. What little the log says of a stratum is drawn to no gain and no loss (`Belief`).

    Attributes:
        expected: reward lost, below 0 where exploring earns, `(n_strata,)`.
        worst: upper bound on it, 0 or more, `(n_strata,)`.
    """

    expected: FloatArray
    worst: FloatArray

    @classmethod
    def of(cls, rows: GainRows, strata: Strata, arm: ExplorationArm, *, episodes_a_night: float) -> NightCosts:
        """Return the costs of following an arm, from what its decisions add by the night's rows.

        Args:
            rows: of the test split.
            strata: of the decisions.
            arm: what explored decisions follow.
            episodes_a_night: that a night brings.
        """
        n_strata, n = len(strata.labels), rows.n_units
        place = strata.code * n + rows.unit
        added = np.bincount(place, weights=arm.advantage, minlength=n_strata * n).reshape(n_strata, n)
        scale, reach = n / rows.n_episodes, float(ndtri(CONFIDENCE))
        mean, error = scale * added.mean(axis=1), scale * added.std(axis=1, ddof=1) / math.sqrt(n)
        worth = rows.baseline_value * np.bincount(strata.code, minlength=n_strata) / len(strata.code)
        believed = [
            Belief.after(float(mean[one]), float(error[one]), value=float(worth[one]), usual=0.0)
            for one in range(n_strata)
        ]
        expected = -episodes_a_night * np.array([one.mean for one in believed])
        spread = episodes_a_night * np.array([one.spread for one in believed])
        return cls(expected, np.maximum(expected + reach * spread, 0.0))
