"""Logged propensities against what they claim to be."""

from __future__ import annotations

import numpy as np
import pytest

from rl.errors import EvaluationError
from rl.ope.propensities.logged_propensities import (
    require_valid_propensities,
)


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
