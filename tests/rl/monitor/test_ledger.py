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
