"""The correction of gains that were picked for being large."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from rl.data.logged_episodes import FloatArray
from rl.gate.corrected_gain import bound_moments, corrected_gain
from rl.ope.intervals.intervals import Interval, standard_error, student_interval
from rl.ope.intervals.sums import RatioSums

N_UNITS = 400


def mean_sums(values: FloatArray) -> RatioSums:
    return RatioSums(np.arange(len(values)), np.asarray(values, dtype=np.float64)[:, None], np.ones((len(values), 1)))


def student(sums: RatioSums) -> Interval:
    return student_interval(sums, level=0.96)


def normal(rng: np.random.Generator) -> FloatArray:
    return rng.normal(size=N_UNITS)


def rare_orders(rng: np.random.Generator) -> FloatArray:
    """A tenth of the shoppers order, for exponential amounts: skewness about 6."""
    return np.asarray((rng.random(N_UNITS) < 0.1) * rng.exponential(size=N_UNITS) - 0.1)


@pytest.mark.parametrize("noise", [normal, rare_orders])
@pytest.mark.parametrize(("gain", "n_nights"), [(1.0, 4000), (2.0, 1500), (3.0, 1500)])
def test_correction_is_unbiased_among_promotions(
    noise: Callable[[np.random.Generator], FloatArray], gain: float, n_nights: int
) -> None:
    """Over promotions of candidates with one true gain (in standard errors), corrected gains average it.

    The tolerance is .25 standard errors where the gain is a standard error below the threshold, .1 above (theory leaves
    .15 and .03), plus three standard errors of the mean: more nights where few are promoted.
    """
    rng = np.random.default_rng(0)
    scale = float(np.std([noise(rng).mean() for _ in range(4000)]))
    misses = []
    for _ in range(n_nights):
        sums = mean_sums(noise(rng) + gain * scale)
        corrected = corrected_gain(sums, student(sums))
        if corrected is not None:
            misses.append(corrected / scale - gain)
    error = float(np.std(misses) / np.sqrt(len(misses)))
    assert len(misses) > 300
    assert abs(np.mean(misses)) < (0.25 if gain < 2 else 0.1) + 3 * error


def passed_by_a_hair(units: FloatArray) -> float:
    """What the correction takes, in standard errors, of a gain of such units whose bound lies just above nothing."""
    sums = mean_sums(units)
    error = standard_error(sums)
    corrected = corrected_gain(sums, Interval(2.06 * error, 0.001 * error, 4.1 * error, 0.96, "by hand", error))
    assert corrected is not None
    return (2.06 * error - corrected) / error


def test_correction_fades_out_where_a_few_units_pull_the_gain_up() -> None:
    """There the bound says nothing of the estimate; units that pull it down, or light tails, leave it be."""
    places = (np.arange(2000) + 0.5) / 2000
    light, heavy = -np.log(1 - places), (1 - places) ** -0.6
    between = (1 - places) ** -0.42
    assert passed_by_a_hair(light - light.mean()) > 4
    assert passed_by_a_hair(heavy - heavy.mean()) == 0
    assert passed_by_a_hair(heavy.mean() - heavy) > 4
    assert 0.5 < passed_by_a_hair(between - between.mean()) < 4


def test_raw_gains_of_promotions_are_too_high() -> None:
    """What the correction is for: with normal noise, and a gain at the threshold, by about .8 standard errors."""
    rng = np.random.default_rng(1)
    seen = [mean_sums(normal(rng) + 2.06 / np.sqrt(N_UNITS)) for _ in range(2000)]
    passed = [sums.value() for sums in seen if student(sums).lower > 0]
    assert np.mean(passed) * np.sqrt(N_UNITS) - 2.06 == pytest.approx(0.8, abs=0.1)


def test_a_gain_far_above_the_threshold_stands_as_seen() -> None:
    """Luck is corrected for where gains passed by a hair."""
    sums = mean_sums(normal(np.random.default_rng(2)) + 1.0)
    assert corrected_gain(sums, student(sums)) == sums.value()


def test_a_gain_just_over_the_threshold_loses_most() -> None:
    """What only just passed is what luck would have brought: its correction falls below zero, but not without limit."""
    sums = mean_sums(normal(np.random.default_rng(3)))
    error = standard_error(sums)
    corrected = corrected_gain(sums, Interval(2.06 * error, 0.001 * error, 4.1 * error, 0.96, "by hand", error))
    assert corrected is not None
    assert -5 * error < corrected < 0


@pytest.mark.parametrize(("value", "lower"), [(1.0, -0.3), (float("nan"), 1.0), (-3.0, -5.0), (1.0, float("nan"))])
def test_a_gain_that_did_not_pass_has_no_correction(value: float, lower: float) -> None:
    """The correction is for promoted gains only."""
    sums = mean_sums(normal(np.random.default_rng(4)))
    assert corrected_gain(sums, Interval(value, lower, 9.0, 0.96, "by hand", 1.0)) is None


def test_correction_scales_with_the_unit() -> None:
    """Points or cents: the same evidence gets the same correction."""
    points = normal(np.random.default_rng(5)) + 0.2
    one, cents = (corrected_gain(sums, student(sums)) for sums in (mean_sums(points), mean_sums(100 * points)))
    assert one is not None
    assert cents == pytest.approx(100 * one)


def test_bound_moments_agree_with_simulation() -> None:
    """Spread of the bound and its correlation with the estimate, over 4,000 skewed logs, within 10%."""
    rng = np.random.default_rng(6)
    logs = [mean_sums(rare_orders(rng)) for _ in range(4000)]
    values = np.array([sums.value() for sums in logs])
    bounds = np.array([sums.value() - 2 * standard_error(sums) for sums in logs])
    pooled = np.concatenate([rare_orders(rng) for _ in range(500)])
    typical = np.sort(pooled)[250::500]  # one log that holds the population's quantiles
    found = bound_moments(typical - typical.mean(), reach=2.0)
    assert found.bound_spread == pytest.approx(bounds.std() / values.std(), rel=0.1)
    assert found.correlation == pytest.approx(np.corrcoef(values, bounds)[0, 1], rel=0.1)
