"""Two arms of shoppers beside each other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rl.rollout.comparison import Comparison, StageUnits, compare
from tests.bench.rollout.launches import Shop
from tests.bench.rollout.naive import pooled_gain
from tests.rl.rollout.arms import made_units


def compared(units: StageUnits) -> Comparison:
    found = compare(units)
    assert isinstance(found, Comparison), found
    return found


@pytest.mark.parametrize("gain", [-0.1, 0.0, 0.2])
def test_a_gain_is_found_within_its_error(gain: float) -> None:
    """Errors in units of their own have a mean near 0 and a spread near 1: 200 logs, so within .07 and .05 times 4."""
    found = [compared(made_units(4000, gain=gain, seed=seed)) for seed in range(200)]
    errors = np.array([(one.gain - gain) / one.standard_error for one in found])
    assert abs(errors.mean()) < 0.28
    assert abs(errors.std() - 1) < 0.2


def test_what_shoppers_were_worth_before_makes_it_sharper() -> None:
    known, unknown = compared(made_units()), compared(replace(made_units(), before=np.zeros(20_000)))
    assert known.standard_error < 0.7 * unknown.standard_error


def test_arms_that_came_on_other_days_are_compared_within_days() -> None:
    """Planted: the new arm's shoppers came later, and had less time to bring something."""
    units = made_units(seed=3)
    late = units.entry >= 3
    kept = ~units.is_new | late | (np.arange(len(late)) % 4 == 0)
    skewed = StageUnits(*(getattr(units, name)[kept] for name in ("is_new", "entry", "value", "before")))
    naive = skewed.value[skewed.is_new].mean() / skewed.value[~skewed.is_new].mean() - 1
    found = compared(skewed)
    assert naive < -0.2
    assert abs(found.gain) < 4 * found.standard_error < 0.1


def test_pooled_means_under_a_growing_share_are_the_trap_that_they_are_said_to_be() -> None:
    """In a shop whose days rise by 1% each, a version that is no better looks some percent better."""
    gains = [pooled_gain(Shop(5000), np.random.default_rng(seed), (0.05, 0.25, 0.5), 7) for seed in range(20)]
    assert np.mean(gains) > 0.02


def test_shoppers_are_the_units_and_days_are_not() -> None:
    """Planted: each shopper stands there twice. The error that takes them for independent is too small by half."""
    units = made_units(4000)
    twice = StageUnits(*(np.tile(getattr(units, name), 2) for name in ("is_new", "entry", "value", "before")))
    assert compared(twice).standard_error == pytest.approx(compared(units).standard_error / 2**0.5, rel=0.01)


@pytest.mark.parametrize(
    ("units", "reason"),
    [
        (made_units(150), "shoppers are too few to compare; each arm needs 100"),
        (replace(made_units(2000), value=np.zeros(2000)), "shoppers brought anything"),
        (replace(made_units(2000), value=made_units(2000).value - 3.0), "bring about nothing"),
        (replace(made_units(2000), value=np.ones(2000), before=np.zeros(2000)), "no error can be told"),
    ],
)
def test_what_can_not_be_compared_says_why(units: StageUnits, reason: str) -> None:
    found = compare(units)
    assert isinstance(found, str)
    assert reason in found


def test_few_shoppers_of_a_day_are_compared_with_those_of_the_days_beside_it() -> None:
    """A day with shoppers of one arm alone doesn't break the comparison."""
    units = made_units(3000, share=0.05)
    entry = np.where(units.is_new & (units.entry == 2), 3, units.entry)
    assert abs(compared(replace(units, entry=entry)).gain) < 0.5
