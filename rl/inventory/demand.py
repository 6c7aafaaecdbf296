"""The distribution of a period's demand, in whole units."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np

from rl.data.logged_episodes import FloatArray, IntArray
from rl.errors import InventoryError

_TAIL = 1e-12  # of the distributions below; what lies beyond adds less to a cost than doubles can hold


@dataclass(frozen=True)
class DemandDistribution:
    """Probabilities of 0, 1, 2, ... units.

    Attributes:
        probabilities: `(largest + 1,)`, sum to 1.
    """

    probabilities: FloatArray

    def __post_init__(self) -> None:
        chances = self.probabilities
        is_fine = chances.ndim == 1 and len(chances) > 0 and np.isfinite(chances).all() and (chances >= 0).all()
        if not is_fine or abs(float(chances.sum()) - 1) > 1e-9:
            raise InventoryError(
                f"probabilities of demand of shape {chances.shape} with sum {float(np.sum(chances)):.9g}; expected "
                "one axis, none below 0, sum 1"
            )

    @classmethod
    def poisson(cls, mean: float) -> Self:
        """Return Poisson demand, cut where 10^-12 is left."""
        from scipy.stats import poisson  # noqa: PLC0415  (takes a second to import; policies are read without it)

        return cls(_normalized(poisson.pmf(np.arange(int(poisson.isf(_TAIL, mean)) + 2), mean)))

    @classmethod
    def negative_binomial(cls, mean: float, variance: float) -> Self:
        """Return negative binomial demand, cut where 10^-12 is left; Poisson where variance and mean are equal.

        Raises:
            InventoryError: the variance is below the mean, which no such distribution has.
        """
        from scipy.stats import nbinom  # noqa: PLC0415  (as above)

        if variance < mean:
            raise InventoryError(f"negative binomial demand needs a variance of at least its mean {mean:g}")
        if variance <= mean * (1 + 1e-9):
            return cls.poisson(mean)
        chance, size = mean / variance, mean**2 / (variance - mean)
        return cls(_normalized(nbinom.pmf(np.arange(int(nbinom.isf(_TAIL, size, chance)) + 2), size, chance)))

    @property
    def largest(self) -> int:
        """The most units that a period may ask for."""
        return len(self.probabilities) - 1

    @cached_property
    def mean(self) -> float:
        return float(self.probabilities @ np.arange(len(self.probabilities)))

    @cached_property
    def cumulative(self) -> FloatArray:
        """Chance of at most 0, 1, 2, ... units, `(largest + 1,)`."""
        return np.minimum(np.cumsum(self.probabilities), 1.0)

    def quantile(self, share: float) -> int:
        """Return the least number of units that suffices with at least that chance."""
        if not 0 < share < 1:
            raise InventoryError(f"a quantile needs a share between 0 and 1, got {share:g}")
        # Sums of doubles may fall short of a share that they reach exactly.
        return min(int(np.searchsorted(self.cumulative, share - 1e-12, side="left")), self.largest)

    def over_periods(self, n_periods: int) -> DemandDistribution:
        """Return the distribution of the sum over independent periods."""
        if n_periods < 1:
            raise InventoryError(f"demand over {n_periods} periods; expected at least 1")
        total = self.probabilities
        for _ in range(n_periods - 1):
            total = np.convolve(total, self.probabilities)
        return DemandDistribution(_normalized(total))

    def left_over_chances(self, n_levels: int) -> FloatArray:
        """Return the chance that a stock of the row leaves over the units of the column, `(n_levels, n_levels)`."""
        stock, left = np.indices((n_levels, n_levels))
        sold = stock - left
        known = np.append(self.probabilities, 0.0)
        chances = np.where(sold >= 0, known[np.clip(sold, 0, len(known) - 1)], 0.0)
        chances[:, 0] = 0.0
        chances[:, 0] = 1.0 - chances.sum(axis=1)
        return np.asarray(np.maximum(chances, 0.0))

    def expected_left_over(self, n_levels: int) -> FloatArray:
        """Return the expected units left over of a stock of 0, 1, ... units, `(n_levels,)`."""
        return np.asarray(self.left_over_chances(n_levels) @ np.arange(n_levels))

    def draw(self, shape: int | tuple[int, ...], generator: np.random.Generator) -> IntArray:
        """Return independent draws."""
        return self.inverse(generator.random(shape))

    def draw_at_least(self, bounds: IntArray, generator: np.random.Generator) -> IntArray:
        """Return one draw for each bound from the distribution given that demand is at least the bound.

        Where the distribution holds nothing from the bound on, the bound itself is returned.
        """
        below = np.where(bounds > 0, self.cumulative[np.clip(bounds - 1, 0, self.largest)], 0.0)
        drawn = self.inverse(below + (1 - below) * generator.random(bounds.shape))
        return np.maximum(drawn, bounds)

    def inverse(self, uniform: FloatArray) -> IntArray:
        """Return the demand at each share of the distribution, of the same shape."""
        found = np.searchsorted(self.cumulative, uniform, side="right")
        return np.minimum(found, self.largest).astype(np.int64)


def _normalized(chances: FloatArray) -> FloatArray:
    return np.asarray(chances / chances.sum(), dtype=np.float64)
