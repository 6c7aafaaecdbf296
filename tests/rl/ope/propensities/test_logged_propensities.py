"""Logged propensities against what they claim to be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rl.data.logged_episodes import BoolArray, FeatureArray, FloatArray
from rl.errors import EvaluationError
from rl.ope.propensities.logged_propensities import (
    LoggedDistribution,
    QueriedLogger,
    require_valid_distribution,
    require_valid_propensities,
)
from tests.rl.factories import make_logged_episodes

SETS = np.array([[True, True, True], [True, True, False]])


def whole(n: int = 12) -> FloatArray:
    """Probabilities of three actions, of which the last is out of stock in every second row."""
    return np.tile([[0.2, 0.3, 0.5], [0.4, 0.6, 0.0]], (n // 2, 1))


class _Logger:
    """Half to the first action, the rest shared by what else is available; then masked without renormalising."""

    version = "logger"

    def probabilities(self, features: FeatureArray, mask: BoolArray) -> FloatArray:  # noqa: ARG002
        return np.where(mask, [[0.5, 0.25, 0.25]], 0.0)


def test_propensities_between_zero_and_one_pass() -> None:
    """A propensity of 1 is allowed, and a missing one is no violation."""
    require_valid_propensities(np.array([1e-9, 0.5, 1.0, np.nan]))


def test_propensities_out_of_range_name_rows_count_and_remedy() -> None:
    """Zeros and percentages are told apart, the first five rows of each named, all counted at once."""
    propensity = np.full(20, 0.5)
    propensity[3:10] = 0.0
    propensity[15] = 50.0
    with pytest.raises(EvaluationError) as caught:
        require_valid_propensities(propensity, where="test episodes")
    message = str(caught.value)
    assert "test episodes" in message
    assert "rows [3, 4, 5, 6, 7] and others (7 in all) have a propensity of 0 or less" in message
    assert "rows [15] have a propensity above 1: log a probability, not a score or a percentage" in message


def test_a_logged_distribution_that_adds_up_passes() -> None:
    """Rows that sum to 1 over available actions and hold the logged propensities raise nothing."""
    action = np.tile([2, 1], 6)
    log = make_logged_episodes(
        (2,) * 6,
        action=action,
        availability=SETS,
        mask_index=np.tile([0, 1], 6),
        next_mask_index=np.tile([0, 1], 6),
        propensity=whole()[np.arange(12), action],
    )
    require_valid_distribution(LoggedDistribution(whole()), log)


@pytest.mark.parametrize(
    ("row", "column", "value", "problem"),
    [
        (4, 0, 0.4, r"rows \[4\] don't add up to 1"),
        (5, 2, 0.1, r"rows \[5\] give probability to unavailable actions"),
        (6, 1, np.nan, r"rows \[6\] have probabilities that are negative or not finite"),
        (7, 0, -0.4, r"rows \[7\] have probabilities that are negative or not finite"),
    ],
)
def test_a_logged_distribution_that_does_not_add_up_is_named(row: int, column: int, value: float, problem: str) -> None:
    """Each way of being no distribution over the available actions has its own sentence and its row."""
    log = make_logged_episodes(
        (2,) * 6,
        action=np.zeros(12, dtype=np.int64),
        availability=SETS,
        mask_index=np.tile([0, 1], 6),
        next_mask_index=np.tile([0, 1], 6),
        propensity=np.full(12, np.nan),
    )
    probabilities = whole()
    probabilities[row, column] = value
    with pytest.raises(EvaluationError, match=problem):
        require_valid_distribution(LoggedDistribution(probabilities), log)


def test_a_distribution_that_contradicts_the_propensities_is_named() -> None:
    """The action taken must have, in the distribution, the propensity that was logged for it."""
    log = make_logged_episodes((2,) * 6, action=np.zeros(12, dtype=np.int64), propensity=np.full(12, 0.2))
    probabilities = np.tile([0.2, 0.3, 0.5], (12, 1))
    require_valid_distribution(LoggedDistribution(probabilities), log)
    wrong = replace(log, propensity=np.where(np.arange(12) == 3, 0.3, 0.2))
    with pytest.raises(EvaluationError, match=r"rows \[3\] give the action taken another probability"):
        require_valid_distribution(LoggedDistribution(probabilities), wrong)


def test_a_queryable_logger_is_asked_about_the_logs_own_rows() -> None:
    """A logger that masks without renormalising is found out where an action is out of stock."""
    log = make_logged_episodes(
        (2,) * 6,
        action=np.zeros(12, dtype=np.int64),
        availability=SETS,
        mask_index=np.tile([0, 1], 6),
        next_mask_index=np.tile([0, 1], 6),
        propensity=np.full(12, 0.5),
    )
    with pytest.raises(EvaluationError, match=r"rows \[1, 3, 5, 7, 9\] and others \(6 in all\) don't add up"):
        require_valid_distribution(QueriedLogger(_Logger()), log)


def test_a_distribution_of_another_shape_is_refused() -> None:
    """A column for fewer actions than the log has is one clear error."""
    with pytest.raises(EvaluationError, match=r"shape \(5, 2\), expected \(5, 3\)"):
        require_valid_distribution(LoggedDistribution(np.full((5, 2), 0.5)), make_logged_episodes())
