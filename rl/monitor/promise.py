"""A promise beside what was earned."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from scipy.special import ndtri

from rl.ope.intervals.intervals import Interval

Standing = Literal["kept", "broken", "open"]
"""Whether what was earned is shown to reach the promise, or to stay below it, or neither yet."""


@dataclass(frozen=True)
class PromisedGain:
    """A gain per episode that was promised, in the reward's unit.

    Attributes:
        value: as it was seen on its night.
        corrected: with the luck of passing the gate taken out; None where that isn't known.
        lower: lower bound.
        upper: upper bound.
        level: one-sided confidence of each bound.
    """

    value: float
    corrected: float | None
    lower: float
    upper: float
    level: float

    @property
    def standard_error(self) -> float:
        """Half the interval over what a normal one of its level takes."""
        return (self.upper - self.lower) / (2 * float(ndtri(self.level)))

    @property
    def counted(self) -> float:
        """What it counts for in an average over promotions; the raw value where nothing was corrected."""
        return self.value if self.corrected is None else self.corrected


def standing(promise: PromisedGain, earned: Interval) -> Standing:
    """Return whether the promise is shown to be kept or broken, at every look there may be.

    Broken: all that the earned gain may be lies below all that was promised. Kept: all that it may be is above the
    lower bound of the promise. That bound is the one by which the promotion was approved.
    """
    if earned.upper < promise.lower:
        return "broken"
    return "kept" if earned.lower >= promise.lower else "open"


def promise_score(promise: PromisedGain, earned: Interval) -> float:
    """Return the earned gain less the promised one, over both errors: standard normal where the promise is honest.

    The raw promise is taken: its correction is right in the average over launches and says little of a single one.
    """
    return (earned.value - promise.value) / math.hypot(promise.standard_error, earned.standard_error)
