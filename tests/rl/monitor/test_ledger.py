"""The ledger of launches and single promises."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rl.errors import EvaluationError
from rl.monitor.ledger import calibration, do_they_predict
from rl.monitor.promise import PromisedGain, promise_score, standing
from rl.ope.intervals.intervals import Interval

PROMISE = PromisedGain(value=0.5, corrected=0.4, lower=0.2, upper=0.8, level=0.99)


def earned(value: float, reach: float) -> Interval:
    return Interval(value, value - reach, value + reach, 0.95, "confidence sequence", reach / 3)


def test_calibration_is_the_ratio_of_sums() -> None:
    found = calibration(np.array([1.0, 2.0, 3.0, 4.0]), np.array([0.8, 2.1, 2.7, 4.4]))
    assert found.value == pytest.approx(1.0)
    assert found.lower < 1 < found.upper
    assert (found.n_launches, found.promised) == (4, 10.0)


def test_calibration_s_interval_holds_the_truth_as_often_as_it_says() -> None:
    """600 ledgers of a dozen launches that earn .7 of what is promised, to four of the share's errors."""
    rng, held = np.random.default_rng(1), 0
    for _ in range(600):
        promised = rng.normal(1.0, 0.4, 12)
        found = calibration(promised, 0.7 * promised + rng.normal(0, 0.5, 12))
        held += found.lower <= 0.7 <= found.upper
    assert abs(held / 600 - 0.95) < 4 * math.sqrt(0.05 * 0.95 / 600)


def test_what_launches_have_in_common_is_in_the_interval() -> None:
    """600 honest ledgers of eight launches beside one control group, whose luck is as large as a launch's own."""
    rng, held, alone = np.random.default_rng(2), 0, 0
    common = np.full((8, 8), 0.3**2)
    for _ in range(600):
        promised = rng.normal(1.0, 0.2, 8)
        earned = promised + rng.normal(0, 0.3, 8) + rng.normal(0, 0.3)
        found, taken = calibration(promised, earned, common), calibration(promised, earned)
        held += found.lower <= 1 <= found.upper
        alone += taken.lower <= 1 <= taken.upper
        assert found.value == taken.value
    assert abs(held / 600 - 0.95) < 4 * math.sqrt(0.05 * 0.95 / 600)
    assert alone / 600 < 0.8


def test_what_launches_have_in_common_never_makes_the_interval_narrower() -> None:
    promised, earned = np.array([1.0, 1.2, 0.8, 1.1]), np.array([0.9, 1.4, 0.7, 1.0])
    alone = calibration(promised, earned)
    for covariance in (np.zeros((4, 4)), np.diag([9.0] * 4), np.full((4, 4), -0.01)):
        found = calibration(promised, earned, covariance)
        assert (found.lower, found.upper) == pytest.approx((alone.lower, alone.upper))


def test_launches_that_don_t_scatter_have_bounds_of_what_they_share() -> None:
    promised = np.ones(3)
    found = calibration(promised, promised, np.full((3, 3), 0.01))
    assert (found.lower, found.upper) == pytest.approx((1 - 1.96 * 0.1, 1 + 1.96 * 0.1), abs=1e-4)


def test_calibration_has_no_bounds_where_no_ratio_is_excluded() -> None:
    few = calibration(np.array([1.0, 2.0]), np.array([1.0, 1.0]))
    assert (few.value, few.lower, few.upper) == (2 / 3, None, None)
    wild = calibration(np.array([1.0, -1.0, 0.2]), np.array([2.0, 1.0, -3.0]))
    assert (wild.lower, wild.upper) == (None, None)
    assert calibration(np.array([-1.0, -0.5]), np.array([1.0, 1.0])).value is None


def test_calibration_refuses_launches_that_lack_one_of_both() -> None:
    with pytest.raises(EvaluationError, match="expected one of each a launch"):
        calibration(np.ones(3), np.ones(2))


@pytest.mark.parametrize(
    ("factor", "said"),
    [(0.3, "promise too much"), (1.0, "offline numbers predict, as far"), (2.0, "promise too little")],
)
def test_one_sentence_says_whether_offline_numbers_predict(factor: float, said: str) -> None:
    promised = np.linspace(0.5, 1.5, 30)
    noise = np.resize([0.05, -0.05], 30)
    assert said in do_they_predict(calibration(promised, factor * promised + noise))


def test_nothing_is_said_without_launches() -> None:
    assert "isn't known" in do_they_predict(calibration(np.array([]), np.array([])))


@pytest.mark.parametrize(
    ("gain", "reach", "said"), [(0.5, 0.1, "kept"), (0.05, 0.1, "broken"), (0.3, 0.3, "open"), (0.2, 0.01, "open")]
)
def test_a_promise_is_broken_only_where_both_intervals_are_apart(gain: float, reach: float, said: str) -> None:
    assert standing(PROMISE, earned(gain, reach)) == said


def test_a_score_counts_both_errors() -> None:
    """The promise's error is .3 / 2.326, the earned one's .1."""
    assert promise_score(PROMISE, earned(0.2, 0.3)) == pytest.approx(-0.3 / math.hypot(0.3 / 2.3263, 0.1), rel=1e-3)
    assert PROMISE.counted == 0.4
    assert PromisedGain(0.5, None, 0.2, 0.8, 0.99).counted == 0.5
