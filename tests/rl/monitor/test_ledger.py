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


@pytest.mark.parametrize(("n", "luck"), [(3, 0.1), (3, 0.3), (8, 0.1), (8, 0.3)])
def test_what_launches_have_in_common_is_in_the_interval(n: int, luck: float) -> None:
    """1,000 honest ledgers beside one control group each, whose luck is a third of a launch's own, or as large."""
    rng, held, alone = np.random.default_rng(2), 0, 0
    common = np.full((n, n), luck**2)
    for _ in range(1000):
        promised = rng.normal(1.0, 0.05, n)
        earned = promised + rng.normal(0, 0.3, n) + rng.normal(0, luck)
        found, taken = calibration(promised, earned, common), calibration(promised, earned)
        held += found.lower is None or found.lower <= 1 <= found.upper
        alone += taken.lower is None or taken.lower <= 1 <= taken.upper
        assert found.value == taken.value
    assert held / 1000 > 0.95 - 4 * math.sqrt(0.05 * 0.95 / 1000)
    assert held > alone


@pytest.mark.parametrize("covariance", [-0.01, 0.0, 0.001, 0.003, 0.01, 0.1])
def test_what_launches_have_in_common_never_makes_the_interval_narrower(covariance: float) -> None:
    promised, earned = np.ones(3), np.array([0.9, 1.0, 1.1])
    alone = calibration(promised, earned)
    found = calibration(promised, earned, np.full((3, 3), covariance))
    assert found.lower is not None
    assert found.upper is not None
    assert found.lower <= alone.lower
    assert found.upper >= alone.upper
    assert (found.lower < alone.lower) == (covariance > 0)


def test_a_launch_s_own_variance_is_not_taken_for_what_it_shares() -> None:
    promised, earned = np.ones(3), np.array([0.9, 1.0, 1.1])
    alone, found = calibration(promised, earned), calibration(promised, earned, np.diag([9.0] * 3))
    assert (found.lower, found.upper) == (alone.lower, alone.upper)


def test_pairs_of_which_nothing_is_known_have_the_mean_of_the_others() -> None:
    promised, earned = np.array([1.0, 1.2, 0.8, 1.1]), np.array([0.9, 1.4, 0.7, 1.0])
    whole, partly = np.full((4, 4), 0.04), np.full((4, 4), np.nan)
    partly[0, 1] = partly[1, 0] = 0.04
    known, found = calibration(promised, earned, whole), calibration(promised, earned, partly)
    assert (found.lower, found.upper) == pytest.approx((known.lower, known.upper))
    nothing = calibration(promised, earned, np.full((4, 4), np.nan))
    alone = calibration(promised, earned)
    assert (nothing.lower, nothing.upper) == (alone.lower, alone.upper)


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
