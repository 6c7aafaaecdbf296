"""Intervals of the doubly robust estimate hold the truth about as often as they say."""

from __future__ import annotations

import pytest

from rl.ope.intervals.intervals import Interval
from tests.bench.coverage_trial import POLICIES, intervals, true_values

SEEDS = range(1, 21)

# One process draws the logs once for all tests here.
pytestmark = pytest.mark.xdist_group("coverage")


@pytest.fixture(scope="module")
def found() -> list[dict[str, Interval]]:
    return [intervals(seed) for seed in SEEDS]


@pytest.mark.parametrize("policy", POLICIES)
def test_intervals_hold_the_true_value_in_17_of_20_logs(policy: str, found: list[dict[str, Interval]]) -> None:
    """95% intervals of 20 logs hold the true value at least 17 times, for the policy that made the log and for another.

    Binomial(20, .95) falls below 17 with probability .016. The truth's own standard error is about a tenth of the
    estimates', and seeds are fixed: the test fails when the estimator, its interval or the shop changes for the worse.
    """
    true = true_values()[policy].value
    hits = sum(one[policy].lower <= true <= one[policy].upper for one in found)
    assert hits >= 17


@pytest.mark.parametrize("policy", POLICIES)
def test_estimates_are_centered_on_the_true_value(policy: str, found: list[dict[str, Interval]]) -> None:
    """The mean of 20 estimates lies within four of its standard errors of the truth: no bias hides in width."""
    mean = sum(one[policy].value for one in found) / len(found)
    error = sum(one[policy].standard_error for one in found) / len(found) / len(found) ** 0.5
    assert abs(mean - true_values()[policy].value) < 4 * error


def test_the_policies_on_trial_differ() -> None:
    """The two true values lie many of their standard errors apart: the trial isn't one of a single value twice."""
    logging, other = (true_values()[name] for name in POLICIES)
    assert other.value - logging.value > 8 * (logging.standard_error + other.standard_error)
