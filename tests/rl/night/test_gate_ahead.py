"""What the gate may be expected to ship of a candidate."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from rl.night.gate_ahead import GateAhead
from tests.rl.factories import make_pipeline
from tests.rl.night.test_selection import number, select

AHEAD = GateAhead(120, 60, test_share=5 / 3, alpha=0.01)


def test_floors_are_the_gates_to_the_share_of_validation_episodes() -> None:
    """A split of .15 against .25 test episodes has to hold three fifths of what the gate asks for."""
    ahead = GateAhead.from_scenario(make_pipeline().scenario, alpha=0.02)
    assert (ahead.effective_sample_size, ahead.effective_rewarded) == pytest.approx((90, 45))
    assert (ahead.test_share, ahead.alpha) == (pytest.approx(5 / 3), 0.02)


def test_a_gain_that_is_better_known_than_its_estimate_still_has_to_pass_by_an_estimate() -> None:
    """What is shipped of it is the mean of true gains that pass, by 400,000 draws of truth and test estimate."""
    generator = np.random.default_rng(3)
    gain, error, estimate_error = 0.4, 0.1, 0.35
    truth = generator.normal(gain, error, 400_000)
    of_test = estimate_error / np.sqrt(AHEAD.test_share)
    passes = generator.normal(truth, of_test) > norm.isf(AHEAD.alpha) * of_test
    found = AHEAD.gain_to_ship(gain, error, estimate_error=estimate_error)
    assert found == pytest.approx(float((truth * passes).mean()), rel=0.02)
    assert found < AHEAD.gain_to_ship(gain, error)


@pytest.mark.parametrize(("gain", "error"), [(0.3, 0.1), (0.05, 0.1), (-0.1, 0.1), (0.02, 0.001)])
def test_gain_to_ship_is_the_true_gain_of_what_passes(gain: float, error: float) -> None:
    """Drawn a million times: a true gain around the estimate, a test estimate around it, a bound above 0."""
    rng = np.random.default_rng(1)
    truth = gain + error * rng.normal(size=1_000_000)
    of_test = error / np.sqrt(5 / 3)
    seen = truth + of_test * rng.normal(size=len(truth))
    shipped = truth * (seen > norm.isf(0.01) * of_test)
    drawn = shipped.std() / 1000
    assert AHEAD.gain_to_ship(gain, error) == pytest.approx(shipped.mean(), abs=4 * drawn)


def test_a_large_gain_that_may_fail_stands_against_a_small_one_that_is_sure() -> None:
    """The surest would ship .02 on every night; a gain of .3 that passes two nights in three brings more."""
    sure, large = AHEAD.gain_to_ship(0.02, 0.004), AHEAD.gain_to_ship(0.3, 0.12)
    assert 0.02 / 0.004 > 0.3 / 0.12
    assert large > 5 * sure


def test_a_policy_that_is_the_log_ships_nothing() -> None:
    """Without a gain or an error there is nothing to pass by."""
    assert AHEAD.gain_to_ship(0.0, 0.0) == 0.0
    assert AHEAD.gain_to_ship(0.1, 0.0) == 0.1
    assert AHEAD.gain_to_ship(-1.0, 0.01) == pytest.approx(0.0)


@pytest.mark.parametrize(
    ("effective", "rewarded", "differing", "low", "high"),
    [
        (240.0, 120.0, 240.0, 0.99, 1.0),
        (120.0, 120.0, 240.0, 0.49, 0.51),
        (240.0, 120.0, 120.0, 0.49, 0.51),
        (240.0, 60.0, 120.0, 0.24, 0.26),
        (240.0, 120.0, 30.0, 0.0, 0.001),
        (240.0, 120.0, None, 0.0, 0.001),
    ],
)
def test_every_floor_counts(
    effective: float, rewarded: float, differing: float | None, low: float, high: float
) -> None:
    """At a floor it is even odds; units that hardly differ keep a policy back however much the log knows of it."""
    chance = AHEAD.chance_of_floors(effective, rewarded, differing)
    assert low <= chance <= high
    assert AHEAD.is_within_reach(chance) is (chance > 0.01)


@pytest.mark.parametrize(
    ("gain", "floors", "is_likely"), [(0.4, 1.0, True), (0.4, 0.4, False), (0.1, 1.0, False), (-1.0, 1.0, False)]
)
def test_who_is_likely_to_pass_meets_floors_and_bound(gain: float, floors: float, is_likely: bool) -> None:
    """Drawn a million times, with a standard error of .1 on validation episodes."""
    rng = np.random.default_rng(2)
    of_test = 0.1 * np.sqrt(3 / 5)
    seen = gain + 0.1 * rng.normal(size=1_000_000) + of_test * rng.normal(size=1_000_000)
    assert (floors * (seen > norm.isf(0.01) * of_test).mean() > 0.5) is np.bool_(is_likely)
    assert AHEAD.is_likely_to_pass(gain, 0.1, floors=floors) is is_likely


def test_selection_counts_the_chance_of_the_floors() -> None:
    """A candidate twice above every floor keeps its gain whole; one at a floor half of it; one far below has none."""
    whole = number(select(temperatures=(1.0,), ahead=GateAhead(1, 1)).best.gain_to_ship)
    size = number(select(temperatures=(1.0,)).best.report.effective_sample_size)
    at_floor = select(temperatures=(1.0,), ahead=GateAhead(size, 1)).by_candidate[1]
    assert 0 < number(at_floor.gain_to_ship) <= 0.51 * whole
    assert select(temperatures=(1.0,), ahead=GateAhead(1e9, 1)).best.gain_to_ship is None
