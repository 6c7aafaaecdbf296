"""How much what follows a decision counts: once per step, or by the time that passes.

By the time that passes, decisions are those of a semi-Markov decision process: a transition that takes d days discounts
what follows it by gamma ** d, in every target and every return alike.

Source: Bradtke and Duff (1994), Reinforcement learning methods for continuous-time Markov decision problems; Sutton,
Precup and Singh (1999), Between MDPs and semi-MDPs, section 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self

import numpy as np

from conf.specs.problem import DiscountRate
from rl.data.logged_episodes import MICROSECONDS_PER_DAY, FloatArray, IntArray, LoggedEpisodes
from rl.errors import EvaluationError

_LEAST_SINGLE = 1e-30  # far from where single precision loses digits


@dataclass(frozen=True)
class DiscountFunction:
    """What a reward counts for that comes one step, or some days, later.

    Attributes:
        gamma: factor per step or per day, in (0, 1].
        per: the clock that `gamma` runs on.
    """

    gamma: float
    per: Literal["step", "day"] = "step"

    def __post_init__(self) -> None:
        if not 0.0 < self.gamma <= 1.0:
            raise EvaluationError(f"discount {self.gamma} is outside (0, 1]")
        if self.per not in ("step", "day"):
            raise EvaluationError(f"a discount runs per step or per day, got {self.per!r}")

    @classmethod
    def of(cls, rate: DiscountRate) -> Self:
        """Return the function that a scenario's rate states."""
        return cls(rate.gamma, rate.per)

    @property
    def parts_of_day(self) -> int | None:
        """Into how many parts learners cut a day, which they count in single precision; None where steps discount.

        One, but for factors so small that single precision would take them for 0: a loss of 5% every half minute leaves
        10^-64 of a day. A power of two, so that days times it are exact.
        """
        if self.per == "step":
            return None
        parts = 1
        while self.gamma ** (1 / parts) < _LEAST_SINGLE:
            parts *= 2
        return parts

    @property
    def part_factor(self) -> float:
        """What learners raise to the number of steps, or of parts of a day."""
        return float(self.gamma ** (1 / (self.parts_of_day or 1)))

    def step_factors(self, episodes: LoggedEpisodes) -> FloatArray:
        """Return the discount between the decision of each row and the next observation, `(n,)`."""
        if self.per == "step":
            return np.full(episodes.n_transitions, self.gamma)
        return np.asarray(self.gamma**episodes.elapsed_days, dtype=np.float64)

    def since_start(self, step: IntArray, microseconds: IntArray) -> FloatArray:
        """Return the discount of rewards earned at decisions, `(n,)`.

        Args:
            step: of the decision in its episode, from 0, `(n,)`.
            microseconds: from the episode's first decision to it, `(n,)`.
        """
        passed = step if self.per == "step" else microseconds / MICROSECONDS_PER_DAY
        return np.asarray(self.gamma**passed, dtype=np.float64)
