"""What shoppers of two arms were worth since a stage began, and the relative difference with its error."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

LEAST_SHOPPERS = 100
"""Shoppers that each arm needs: below, a bound that is right for many says nothing."""

LEAST_REWARDED = 30
"""Shoppers with any value that each arm needs, likewise."""

_LEAST_IN_STRATUM = 20
_LEAST_MEAN = 3.0
"""Standard errors that the replaced arm's mean must be above 0: otherwise no share of it can be told."""


@dataclass(frozen=True)
class StageUnits:
    """Shoppers of one stage, each with the value of the same days' decisions.

    Attributes:
        is_new: whether they get the new version, `(n_shoppers,)`.
        entry: 0 of who was known before the days that count; of others the number of the day, from 1, on which they
            came first, `(n_shoppers,)`.
        value: sum of their rewards over these days, 0 of who didn't come, `(n_shoppers,)`.
        before: their value in the time before, 0 of who wasn't there, `(n_shoppers,)`.
    """

    is_new: BoolArray
    entry: IntArray
    value: FloatArray
    before: FloatArray


@dataclass(frozen=True)
class Comparison:
    """Two arms beside each other.

    Attributes:
        n_new: shoppers of the new version's arm.
        n_replaced: of the other.
        new_mean: value a shopper, adjusted to the same strata and the same value before.
        replaced_mean: likewise.
        gain: relative difference, .1 where the new version earns 10% more.
        standard_error: of the gain.
    """

    n_new: int
    n_replaced: int
    new_mean: float
    replaced_mean: float
    gain: float
    standard_error: float


def compare(units: StageUnits) -> Comparison | str:
    """Return the arms' relative difference in value a shopper, or in words why none can be told yet.

    Shoppers are compared within the day on which they came first, so that each is seen as long as those beside them;
    those who were known before are seen over all days, whether they came or not. What they were worth before is taken
    out by one slope within arms and days (CUPED). The error treats shoppers as independent, and days not: a sticky arm
    makes one shopper's days alike.

    Source: Deng, Xu, Kohavi and Walker (2013), equations 4 and 5, post-stratified; the ratio's error by the delta
    method.
    """
    n_new = int(units.is_new.sum())
    n_replaced = len(units.is_new) - n_new
    if min(n_new, n_replaced) < LEAST_SHOPPERS:
        return f"{n_new} and {n_replaced} shoppers are too few to compare; each arm needs {LEAST_SHOPPERS}"
    has_value = units.value != 0
    rewarded = int(has_value[units.is_new].sum()), int(has_value[~units.is_new].sum())
    if min(rewarded) < LEAST_REWARDED:
        return f"{rewarded[0]} and {rewarded[1]} shoppers brought anything; each arm needs {LEAST_REWARDED}"
    means, variances = _arms(units)
    (replaced, new), (replaced_variance, new_variance) = means, variances
    if replaced <= _LEAST_MEAN * math.sqrt(replaced_variance):
        return "the replaced version's shoppers bring about nothing, of which no share can be told"
    gain = new / replaced - 1
    error = math.sqrt(new_variance + (1 + gain) ** 2 * replaced_variance) / replaced
    if error == 0:
        return "every shopper brought the same, so that no error can be told"
    return Comparison(n_new, n_replaced, new, replaced, gain, error)


def _arms(units: StageUnits) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return means and their variances of the replaced and the new arm, weighted alike over strata."""
    stratum = _strata(units)
    n_strata = int(stratum.max()) + 1
    cell = 2 * stratum + units.is_new
    count = np.bincount(cell, minlength=2 * n_strata).astype(np.float64)
    value = _adjusted(units, cell, stratum, count)
    mean = np.bincount(cell, value, minlength=2 * n_strata) / count
    squares = np.bincount(cell, np.square(value - mean[cell]), minlength=2 * n_strata)
    variance = squares / (count - 1) / count
    weight = np.bincount(stratum, minlength=n_strata) / len(stratum)
    by_arm = mean.reshape(n_strata, 2), variance.reshape(n_strata, 2)
    means, variances = weight @ by_arm[0], np.square(weight) @ by_arm[1]
    return (float(means[0]), float(means[1])), (float(variances[0]), float(variances[1]))


def _adjusted(units: StageUnits, cell: IntArray, stratum: IntArray, count: FloatArray) -> FloatArray:
    """Return the values less what the value before says of them, which is the same in both arms, `(n_shoppers,)`."""
    before_mean = np.bincount(cell, units.before, minlength=len(count)) / count
    centred = units.before - before_mean[cell]
    spread = float(np.square(centred).sum())
    if spread == 0:
        return units.value
    slope = float((centred * units.value).sum()) / spread
    of_stratum = np.bincount(stratum, units.before) / np.bincount(stratum)
    adjusted: FloatArray = units.value - slope * (units.before - of_stratum[stratum])
    return adjusted


def _strata(units: StageUnits) -> IntArray:
    """Return the stratum of each shopper, `(n_shoppers,)`: days of entry, joined until each arm has enough in each."""
    n_days = int(units.entry.max()) + 1
    by_day = np.bincount(2 * units.entry + units.is_new, minlength=2 * n_days).reshape(n_days, 2)
    of_day, number, sizes = np.zeros(n_days, dtype=np.int64), 0, np.zeros(2)
    for day, here in enumerate(by_day):
        of_day[day] = number
        sizes += here
        if sizes.min() >= _LEAST_IN_STRATUM:
            number, sizes = number + 1, np.zeros(2)
    # Days after the last full stratum join it.
    found: IntArray = np.minimum(of_day, max(number - 1, 0))[units.entry]
    return found
