"""Means over decisions, doubted by shopper."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t as student_t

from rl.errors import EvaluationError
from rl.night.explanation.shopper_means import mean_over_shoppers


def test_one_decision_a_shopper_is_a_plain_student_interval() -> None:
    values = np.random.default_rng(0).normal(size=30)
    found = mean_over_shoppers(values, np.arange(30), level=0.9)
    reach = student_t.ppf(0.95, 29) * values.std(ddof=1) / np.sqrt(30)
    assert (found.value, found.upper - found.value) == (pytest.approx(values.mean()), pytest.approx(reach))


def test_repeated_decisions_of_a_shopper_add_no_certainty() -> None:
    """Each shopper's decisions copied ten times: the same interval, not one a third as wide."""
    values = np.random.default_rng(1).normal(size=30)
    once = mean_over_shoppers(values, np.arange(30), level=0.95)
    copied = mean_over_shoppers(np.repeat(values, 10), np.repeat(np.arange(30), 10), level=0.95)
    assert (copied.lower, copied.upper) == (pytest.approx(once.lower), pytest.approx(once.upper))


def test_a_single_shopper_tells_nothing() -> None:
    with pytest.raises(EvaluationError, match="at least two units"):
        mean_over_shoppers(np.ones(5), np.zeros(5, dtype=np.int64), level=0.9)
