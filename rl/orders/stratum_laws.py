"""Laws of demand of like days, from which demand of days that ran out is drawn.

Either in tenths of the forecast, with a tail that is declared, or in the chances that a law of units gives each day's
demand. Days of all sizes are alike in the latter where the law is right, and what days show corrects it where not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from rl.data.logged_episodes import BoolArray, FloatArray, IntArray
from rl.inventory.censored_demand import FittedDemand, Tail
from rl.inventory.unit_law import UnitLaw

LEAST_FORECAST = 0.05
"""Units that a forecast is taken for at least."""
_GRAIN = 10  # parts of a forecast that demand is counted in, so that products of one band have one law
_LEAST_PER_RATE, _PER_ROOT = 30.0, 1.5
"""Days behind each rate that show their demand: so many at least, and a multiple of the square root of all of them."""
_WEIGHT_OF_LAW = 5.0  # days that a rate of 1, the law's own, counts as: the less, the more days are behind each rate
_PLACES = 4  # within a unit that a shown day is spread over
_GOLDEN = 0.618033988749895
_LEAST_CHANCE, _LAST_CHANCE = 1e-300, 1e-9
_FAR = 1000.0


class StratumLaw(Protocol):
    """A law of demand around its forecasts."""

    @property
    def tail(self) -> Tail:
        """What is declared beyond what days show."""

    @property
    def declared_chance(self) -> float:
        """Of demand beyond what days show."""

    def drawn(self, sold: IntArray, forecasts: FloatArray, generator: np.random.Generator) -> IntArray:
        """Return demand of days that ran out, at least what was sold, `(n,)`; forecasts are at least the least."""

    def largest(self, expected: float) -> int:
        """Return the most units that the law knows of on a day with that forecast."""

    def at_most(self, units: IntArray, expected: float) -> FloatArray:
        """Return the chance of at most so many units, as `drawn` has them, on a day with that forecast."""


@dataclass(frozen=True)
class TenthsLaw:
    """A law in tenths of the forecast."""

    fit: FittedDemand

    @property
    def tail(self) -> Tail:
        return self.fit.tail

    @property
    def declared_chance(self) -> float:
        return self.fit.declared_chance

    def drawn(self, sold: IntArray, forecasts: FloatArray, generator: np.random.Generator) -> IntArray:
        parts = self.fit.distribution.draw_at_least(parts_of(sold, forecasts), generator)
        # Somewhere within the drawn part, so that small forecasts' whole units come as often as they should.
        units = np.floor((parts + generator.random(len(parts))) * forecasts / _GRAIN + 0.5).astype(np.int64)
        return np.maximum(units, sold)

    def largest(self, expected: float) -> int:
        return int(np.ceil(expected / _GRAIN * (self.fit.distribution.largest + 1) + 0.5))

    def at_most(self, units: IntArray, expected: float) -> FloatArray:
        # Anywhere within its part, then to the nearest unit: the chance of at most m units grows evenly over each part.
        chances = np.append(0.0, np.cumsum(self.fit.distribution.probabilities))
        return np.asarray(np.interp(units + 1.0, expected / _GRAIN * np.arange(len(chances)) + 0.5, chances))


@dataclass(frozen=True)
class CorrectedLaw:
    """A law of units, corrected by what days show.

    Demand's depth is minus the logarithm of the law's chance of at least so much: exponential with rate 1 on days of
    every size if the law is right. Up to the deepest that any day could show, rates are those of the days; beyond, the
    law's own.

    Attributes:
        law: of units.
        depths: where a rate ends and the next begins, from 0 to the deepest that is known, `(n_rates + 1,)`.
        risks: minus the logarithms of the corrected chances at these depths, `(n_rates + 1,)`.
    """

    law: UnitLaw
    depths: FloatArray
    risks: FloatArray
    tail: Tail = "negative_binomial"

    @classmethod
    def of(
        cls, law: UnitLaw, sold: IntArray, ran_out: BoolArray, forecasts: FloatArray, weights: FloatArray
    ) -> CorrectedLaw:
        """Return the law, corrected by days of which one at least shows its demand, `(n,)` each.

        A rate is how many days end within its depths for the depth that days went through there.

        Source: Cox and Snell, A General Definition of Residuals (1968), for depths; Friedman, Piecewise Exponential
            Models for Survival Data with Covariates (1982), for rates.
        """
        counted = weights > 0
        sold, ran_out, forecasts, weights = sold[counted], ran_out[counted], forecasts[counted], weights[counted]
        bounds, next_unit = (law.at_least(units, forecasts) for units in (sold, sold + 1))
        ends = _depth(_within(bounds[~ran_out], next_unit[~ran_out])).ravel()
        end_weights = np.repeat(weights[~ran_out] / _PLACES, _PLACES)
        known = float(_depth(np.where(ran_out, bounds, next_unit)).max())
        depths = np.unique(np.concatenate([[0.0], _cuts(ends, end_weights), [known]]))
        ended = np.histogram(ends, depths, weights=end_weights)[0]
        through = _gone_through(
            depths, np.append(ends, _depth(bounds[ran_out])), np.append(end_weights, weights[ran_out])
        )
        rates = (ended + _WEIGHT_OF_LAW) / (through + _WEIGHT_OF_LAW)
        return cls(law, depths, np.append(0.0, np.cumsum(rates * np.diff(depths))))

    @property
    def declared_chance(self) -> float:
        return float(np.exp(-self.risks[-1]))

    def drawn(self, sold: IntArray, forecasts: FloatArray, generator: np.random.Generator) -> IntArray:
        risks = np.interp(_depth(self.law.at_least(sold, forecasts)), *self._far())
        return self._units_at(risks + generator.exponential(size=len(sold)), forecasts, sold)

    def largest(self, expected: float) -> int:
        last = -np.log([_LAST_CHANCE])
        return int(self._units_at(last, np.array([expected]), np.zeros(1, dtype=np.int64))[0])

    def at_most(self, units: IntArray, expected: float) -> FloatArray:
        depths = _depth(self.law.at_least(units + 1, np.full(len(units), expected)))
        return np.asarray(-np.expm1(-np.interp(depths, *self._far())))

    def _units_at(self, risks: FloatArray, forecasts: FloatArray, least: IntArray) -> IntArray:
        """Return the demand at which days of the forecasts have these risks, at least the least, `(n,)`."""
        from_depths, to_risks = self._far()
        chances = np.exp(-np.interp(risks, to_risks, from_depths))
        return self.law.units_at(np.maximum(chances, _LEAST_CHANCE), forecasts, least)

    def _far(self) -> tuple[FloatArray, FloatArray]:
        """Return depths and risks with the law's own rate, 1, beyond the known ones."""
        return np.append(self.depths, self.depths[-1] + _FAR), np.append(self.risks, self.risks[-1] + _FAR)


def parts_of(sold: IntArray, forecasts: FloatArray) -> IntArray:
    """Return units as whole tenths of their forecasts."""
    return np.floor(_GRAIN * sold / forecasts).astype(np.int64)


def _depth(chances: FloatArray) -> FloatArray:
    return -np.log(np.maximum(chances, _LEAST_CHANCE))


def _within(upper: FloatArray, lower: FloatArray) -> FloatArray:
    """Return places spread evenly from the upper chances down to the lower ones, not alike on any two days."""
    first = (np.arange(len(upper)) * _GOLDEN) % 1.0
    places = (np.arange(_PLACES) + first[:, None]) / _PLACES
    return np.asarray(upper[:, None] - (upper - lower)[:, None] * places)


def _cuts(ends: FloatArray, weights: FloatArray) -> FloatArray:
    """Return depths between which the shown days are divided evenly, enough for each rate."""
    order = np.argsort(ends)
    total = np.cumsum(weights[order])
    n_rates = max(int(total[-1] / max(_LEAST_PER_RATE, _PER_ROOT * np.sqrt(total[-1]))), 1)
    return np.asarray(ends[order][np.searchsorted(total, total[-1] * np.arange(1, n_rates) / n_rates)])


def _gone_through(depths: FloatArray, reached: FloatArray, weights: FloatArray) -> FloatArray:
    """Return the depth that days went through between each depth and the next, in all, `(n_depths - 1,)`."""
    widths = np.diff(depths).tolist()
    steps = zip(depths[:-1].tolist(), widths, strict=True)
    return np.array([weights @ np.clip(reached - start, 0, width) for start, width in steps])
